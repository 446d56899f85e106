--- What memory and descriptors a piece of code takes.
local M = {}

--- Bytes that `f` has added to Lua's memory when it is done, with the collector stopped meanwhile.
function M.allocated(f)
  collectgarbage()
  collectgarbage("stop")
  local before = collectgarbage("count")
  f()
  local after = collectgarbage("count")
  collectgarbage("restart")
  return math.floor((after - before) * 1024)
end

--- Bytes of Lua's memory that are still held when `f` is done and what is left over has been collected.
function M.kept(f)
  local function used()
    collectgarbage()
    collectgarbage()
    return collectgarbage("count")
  end
  local before = used()
  f()
  return math.floor((used() - before) * 1024)
end

--- How far the process's peak of memory (VmHWM, in bytes) is above its present size.
function M.peak()
  local file <close> = io.open("/proc/self/status")
  return file and tonumber(file:read("a"):match("VmHWM:%s+(%d+) kB")) * 1024
end

return M

--- The project's own files, for the specs that judge them.
local M = {}

--- The files under a directory whose names match a pattern, in order.
function M.files(dir, pattern)
  local pipe <close> = assert(io.popen(("find '%s' -type f | LC_ALL=C sort"):format(dir)))
  local list = {}
  for name in pipe:lines() do
    if name:find(pattern) then list[#list + 1] = name end
  end
  return list
end

function M.read(name)
  local file <close> = assert(io.open(name, "rb"))
  return file:read "a"
end

--- The output of a shell command; raises when it fails.
function M.output(command)
  local pipe = assert(io.popen(command))
  local text = pipe:read "a"
  assert(pipe:close(), command)
  return text
end

--- The names that a shared library offers to whoever loads it.
function M.exports(library)
  local names = {}
  for name in M.output("nm -D --defined-only '" .. library .. "'"):gmatch "%x+ %u ([%w_]+)" do
    names[#names + 1] = name
  end
  return names
end

return M

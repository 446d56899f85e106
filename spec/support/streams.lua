--- Pairs of sockets and streams for specs, with what they receive cut where the spec wants it.
local csock = require "csock"
local posix = require "spec.support.posix"

local M = {}
local open = {}

--- Remembers things to be closed by `close_all`.
function M.keep(...)
  for _, thing in ipairs { ... } do open[#open + 1] = thing end
  return ...
end

--- To be called after each test.
function M.close_all()
  for i = #open, 1, -1 do open[i]:close() end
  open = {}
end

--- Two connected sockets that give up after 5 seconds.
function M.pair(kind)
  local a, b = assert(csock.socketpair(csock.AF_UNIX, kind or csock.SOCK_STREAM))
  a:settimeout(5)
  b:settimeout(5)
  return M.keep(a, b)
end

--- A stream to read from (mode "r" unless told), and the socket at its other end.
function M.reader(mode)
  local a, b = M.pair()
  return M.keep(assert(a:makefile(mode))), b, a
end

--- A stream that receives `input` in pieces of `size` bytes, each by one system call, and then its
-- end. (On a SOCK_SEQPACKET socket pieces do not run together.)
function M.in_pieces(input, size)
  local a, b = M.pair(csock.SOCK_SEQPACKET)
  for i = 1, #input, size do assert(b:send(input:sub(i, i + size - 1))) end
  b:close()
  return M.keep(assert(a:makefile()))
end

--- A stream over the reading end of a pipe, and the number of the writing end.
function M.pipe_reader()
  local r, w = posix.pipe()
  local st = M.keep(assert(csock.stream(r)))
  st:settimeout(5)
  return st, w
end

--- A stream over the writing end of a pipe, and the number of the reading end.
function M.pipe_writer(...)
  local r, w = posix.pipe()
  local st = M.keep(assert(csock.stream(w, "w", ...)))
  st:settimeout(5)
  return st, r
end

--- Runs a function in a task and raises what it raises.
function M.in_task(f)
  local task = csock.spawn(function() return xpcall(f, debug.traceback) end)
  assert(csock.run())
  local ok, why = task:join()
  if not ok then error(why, 0) end
end

--- Both ways of waiting: `for how, run in pairs(streams.ways) do it(... .. how, function() run(f)`.
M.ways = { ["in a blocking call"] = function(f) f() end, ["in a task"] = M.in_task }

return M

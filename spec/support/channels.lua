--- For specs of asyncore and asynchat: channels in maps of their own, and what befalls them.
local csock = require "csock"
local asyncore = require "csock.asyncore"
local class = require "csock.class"
local process = require "spec.support.process"

local M = {}

--- Seconds that nothing here takes.
M.LIMIT = 10 * process.slowness

--- A connected pair of TCP sockets; the first one waits, for so long at most.
function M.pair()
  local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
  local a = assert(csock.create_connection(listener:getsockname(), { timeout = M.LIMIT }))
  local b = assert(listener:accept())
  a:settimeout(M.LIMIT)
  return a, b
end

--- A class of channels that keeps a log of its events, as a string of words. `hooks` are further methods.
function M.recorder(base, hooks)
  local Recorder = class("Recorder", base or asyncore.dispatcher)
  Recorder.log_text = ""
  function Recorder:note(word) self.log_text = self.log_text .. word .. " " end
  function Recorder:handle_connect() self:note "connect" end
  function Recorder:handle_read() self:note("read:" .. tostring(self:recv(65536))) end
  function Recorder:handle_close()
    self:note "close"
    self:close()
  end
  function Recorder:handle_error(err)
    self:note("error:" .. tostring(err):gsub("^.*: ", ""))
    self:close()
  end
  for name, method in pairs(hooks or {}) do Recorder[name] = method end
  return Recorder
end

--- A listening channel on 127.0.0.1 that makes a channel of this class for each connection, in its map.
function M.server(kind, map, hooks)
  local Server = class("Server", asyncore.dispatcher)
  function Server:handle_accepted(sock)
    self.last = assert(kind(sock, map))
  end
  for name, method in pairs(hooks or {}) do Server[name] = method end
  local server = Server(nil, map)
  assert(server:create_socket())
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen(128))
  return server
end

--- A connection to it, for a task.
function M.dial(server)
  local socket = assert(csock.create_connection(server.addr, { timeout = M.LIMIT }))
  socket:settimeout(M.LIMIT)
  return socket
end

--- Runs turns until a condition holds.
function M.turn_until(map, condition)
  local deadline = csock.now() + M.LIMIT
  while not condition() do
    if csock.now() > deadline then error("it did not come about", 2) end
    assert(asyncore.poll(0.01, map))
  end
end

--- Runs the loop of a map beside `f`, a task; when that is over, all channels are closed. Raises f's error.
function M.during(map, f)
  csock.run(function()
    local serving = csock.spawn(asyncore.loop, math.huge, false, map):watch()
    local ok, err = xpcall(f, function(err) return type(err) == "string" and debug.traceback(err) or err end)
    asyncore.close_all(map)
    local done, failure = serving:join(M.LIMIT)
    if not ok then error(err, 0) end
    if not done then error(failure, 0) end
  end)
end

--- Reads `size` bytes.
function M.read(socket, size)
  local pieces, left = {}, size
  while left > 0 do
    local piece = assert(socket:recv(math.min(left, 65536)))
    if piece == "" then error(("the stream ended %d bytes early"):format(left), 2) end
    pieces[#pieces + 1] = piece
    left = left - #piece
  end
  return table.concat(pieces)
end

--- Reads to the end, also one that is a reset.
function M.read_all(socket)
  local pieces = {}
  repeat
    local piece, err = socket:recv(65536)
    if not piece and err.name ~= "ECONNRESET" then error(err, 2) end
    pieces[#pieces + 1] = piece
  until not piece or piece == ""
  return table.concat(pieces)
end

--- What is printed while `f` runs.
function M.printed(f)
  local lines, print_was = {}, print
  rawset(_G, "print", function(...) lines[#lines + 1] = table.concat({ ... }, "\t") end)
  local ok, err = pcall(f)
  rawset(_G, "print", print_was)
  if not ok then error(err, 0) end
  return table.concat(lines, "\n")
end

--- Lets the other tasks go on until each of them waits; for a task.
function M.let_others_wait()
  for _ = 1, 20 do csock.yield() end
end

return M

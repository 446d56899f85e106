--- For specs of the reactor: a run of it beside a task that plays the other side.
local csock = require "csock"
local class = require "csock.class"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local M = {}

--- Runs the reactor while `f` runs as a task of its own, and stops it when `f` is done. Raises f's error.
function M.run(f)
  local ok, err = false, "the reactor has stopped"
  local limit = reactor.callLater(20 * process.slowness, function()
    err = "it took too long"
    reactor.stop()
  end)
  local task
  reactor.callWhenRunning(function()
    task = csock.spawn(function()
      ok, err = xpcall(f, debug.traceback)
      if reactor.running then reactor.stop() end
    end)
  end)
  reactor.run()
  if limit:active() then limit:cancel() end
  task:cancel()
  if not ok then error(err, 0) end
end

--- A protocol class that tells a queue of what befalls it: `{ "made", protocol }`, `{ "data", protocol, data }`
-- `{ "lost", protocol, reason }`.
function M.recorder(events, base)
  local Recorder = class("Recorder", base or protocol.Protocol)
  function Recorder:connectionMade() events:put { "made", self } end
  function Recorder:dataReceived(data) events:put { "data", self, data } end
  function Recorder:connectionLost(reason) events:put { "lost", self, reason } end
  return Recorder
end

--- The next event: its name and what belongs to it.
function M.next(events)
  return table.unpack(assert(events:get(10 * process.slowness)))
end

--- The next event, which must have this name; without it.
function M.expect(events, name)
  local event = assert(events:get(10 * process.slowness))
  assert(event[1] == name, ("%s expected, but: %s %s"):format(name, event[1], event[3]))
  return table.unpack(event, 2)
end

--- A port on 127.0.0.1 with a factory for these protocols.
function M.listen(class_of_protocols)
  local factory = protocol.ServerFactory:forProtocol(class_of_protocols)
  return assert(reactor.listenTCP(0, factory, nil, "127.0.0.1")), factory
end

--- A socket that is connected to the port; for a task.
function M.dial(port)
  return assert(csock.create_connection(port:getHost(), { timeout = 10 * process.slowness }))
end

--- Reads `size` bytes.
function M.read(socket, size)
  local data = ""
  while #data < size do
    local piece = assert(socket:recv(math.min(size - #data, 65536)))
    if piece == "" then error(("the stream ended after %d bytes of %d"):format(#data, size), 2) end
    data = data .. piece
  end
  return data
end

--- Reads until the end of the stream.
function M.read_all(socket)
  local pieces = {}
  repeat
    local piece = assert(socket:recv(65536))
    pieces[#pieces + 1] = piece
  until piece == ""
  return table.concat(pieces)
end

--- Runs `f` with `loop.onerror` replaced; returns the errors that it was told of, as text.
function M.errors(f)
  local loop, texts = csock.loop, {}
  local onerror = loop.onerror
  function loop.onerror(err, traceback)
    texts[#texts + 1] = traceback
    assert(traceback:find(tostring(err), 1, true))
  end
  local ok, err = pcall(f, texts)
  loop.onerror = onerror
  if not ok then error(err, 0) end
  return texts
end

return M

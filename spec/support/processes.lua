--- For specs of reactor.spawnProcess: a run of the reactor around one process.
local class = require "csock.class"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"

local M = {}

local CALLBACKS = {
  "connectionMade", "outReceived", "errReceived", "inConnectionLost", "outConnectionLost", "errConnectionLost",
  "processExited", "processEnded",
}

--- A protocol that notes what befalls it: `events` has the names of its callbacks in their order, those of what was
-- received once for all that came in a row; `out` and `err` what came; `reason` the last one.
-- @tparam[opt] table on functions by the names of callbacks, which are called then: with the protocol, and what it got
function M.recorder(on)
  local Recorder = class("Recorder", protocol.ProcessProtocol)
  function Recorder:__init()
    self.events, self.out, self.err = {}, "", ""
  end
  for _, name in ipairs(CALLBACKS) do
    Recorder[name] = function(self, value)
      if self.events[#self.events] ~= name then table.insert(self.events, name) end
      if name == "outReceived" then self.out = self.out .. value end
      if name == "errReceived" then self.err = self.err .. value end
      if name:find "^process" then self.reason = value end
      if on and on[name] then on[name](self, value) end
    end
  end
  return Recorder()
end

--- Runs the reactor until `over` is called, or for too long: then raises.
function M.run_until(start)
  local late
  local limit = reactor.callLater(20 * process.slowness, function()
    late = true
    reactor.stop()
  end)
  reactor.callWhenRunning(start)
  reactor.run()
  if limit:active() then limit:cancel() end
  if late then error("the reactor had to be stopped", 2) end
end

--- Runs a process to its end, for a recorder: the recorder, and the transport.
-- @tparam {string,...} argv
-- @tparam[opt] table options `on`; `env`, `path`, `uid`, `gid`, `usePTY`, `childFDs` as for spawnProcess
function M.run(argv, options)
  options = options or {}
  local on = options.on or {}
  local ended = on.processEnded
  function on.processEnded(...)
    reactor.stop()
    if ended then ended(...) end
  end
  local recorder, transport = M.recorder(on), nil
  M.run_until(function()
    transport = assert(reactor.spawnProcess(recorder, argv[1], argv, options.env, options.path, options.uid,
      options.gid, options.usePTY, options.childFDs))
  end)
  return recorder, transport
end

--- The same for a text of the shell.
function M.sh(text, options)
  return M.run({ "/bin/sh", "-c", text }, options)
end

return M

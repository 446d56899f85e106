-- process.lua: the protocol for processes: see csock.protocol.
local class = require "csock.class"

return function(M)
  --- One side of a conversation with a process that `reactor.spawnProcess` has started; its transport is a
  -- `processtransport`.
  --
  -- What comes through descriptor 1 of the process is told to `outReceived`, and what comes through 2 to
  -- `errReceived`; with a terminal, all to `outReceived`. A process with other descriptors (`childFDs`) has
  -- `childDataReceived` overridden, and `childConnectionLost`.
  -- Source: Twisted's `ProcessProtocol`.
  -- @type processprotocol
  local ProcessProtocol = class("ProcessProtocol", M.BaseProtocol)
  M.ProcessProtocol = ProcessProtocol

  local received = { [1] = "outReceived", [2] = "errReceived" }
  local lost = { [0] = "inConnectionLost", [1] = "outConnectionLost", [2] = "errConnectionLost" }

  --- Called with what has come through one of the process's descriptors. Calls `outReceived` or `errReceived`.
  -- @function processprotocol:childDataReceived
  -- @tparam int childFD
  -- @tparam string data at least a byte
  -- @usage
  -- local Reader = class("Reader", protocol.ProcessProtocol)
  -- function Reader:childDataReceived(childFD, data) print(childFD, #data) end
  function ProcessProtocol:childDataReceived(childFD, data)
    local method = received[childFD]
    if method then self[method](self, data) end
  end

  --- Called with what has come from the standard output. To be overridden.
  -- @function processprotocol:outReceived
  -- @tparam string data
  function ProcessProtocol:outReceived(data) end -- luacheck: ignore 212

  --- Called with what has come from the standard error. To be overridden.
  -- @function processprotocol:errReceived
  -- @tparam string data
  function ProcessProtocol:errReceived(data) end -- luacheck: ignore 212

  --- Called when one of the process's descriptors is closed, by either side. Calls `inConnectionLost`,
  -- `outConnectionLost` or `errConnectionLost`.
  -- @function processprotocol:childConnectionLost
  -- @tparam int childFD
  -- @usage
  -- local Reader = class("Reader", protocol.ProcessProtocol)
  -- function Reader:childConnectionLost(childFD) print("closed: " .. childFD) end
  function ProcessProtocol:childConnectionLost(childFD)
    local method = lost[childFD]
    if method then self[method](self) end
  end

  --- Called when the standard input is closed. To be overridden.
  -- @function processprotocol:inConnectionLost
  function ProcessProtocol:inConnectionLost() end -- luacheck: ignore 212

  --- Called when the standard output is closed. To be overridden.
  -- @function processprotocol:outConnectionLost
  function ProcessProtocol:outConnectionLost() end -- luacheck: ignore 212

  --- Called when the standard error is closed. To be overridden.
  -- @function processprotocol:errConnectionLost
  function ProcessProtocol:errConnectionLost() end -- luacheck: ignore 212

  --- Called when the process has exited. There may be more to come: what it wrote last, and what others write who have
  -- its descriptors. To be overridden.
  -- @function processprotocol:processExited
  -- @tparam reason reason `ProcessDone` or `ProcessTerminated`, with `exitCode`, `signal` and `status`
  function ProcessProtocol:processExited(reason) end -- luacheck: ignore 212

  --- Called once, when the process has exited and all its descriptors are closed. To be overridden.
  -- @function processprotocol:processEnded
  -- @tparam reason reason the same as `processExited`'s
  function ProcessProtocol:processEnded(reason) end -- luacheck: ignore 212
end

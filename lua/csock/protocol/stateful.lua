--- Protocols whose states are methods, for csock.protocol, which has them.
-- @module csock.protocol
local class = require "csock.class"

return function(M, StringReceiver)
  --- For receivers of strings: a parent that is named before the receiver, by which each string goes to the method of
  -- the present state, `proto_STATE(data)`. What that gives is the next state, and nil the same again; after `"done"`
  -- the connection is closed.
  -- Source: Twisted's `StatefulStringProtocol`.
  -- @type statefulstringprotocol
  -- @usage
  -- local Login = class("Login", protocol.StatefulStringProtocol, protocol.NetstringReceiver)
  -- function Login:proto_init(name) self.name = name return "password" end
  -- function Login:proto_password(password) self:sendString("hello, " .. self.name) return "done" end
  local StatefulStringProtocol = class("StatefulStringProtocol")
  M.StatefulStringProtocol = StatefulStringProtocol

  --- The present state.
  -- @field statefulstringprotocol:state
  StatefulStringProtocol.state = "init"

  --- Called with each string, by the receiver.
  -- @function statefulstringprotocol:stringReceived
  -- @tparam string data
  -- @raise when there is no method for the present state
  function StatefulStringProtocol:stringReceived(data)
    local handler = self["proto_" .. self.state]
    if not handler then error(("%s has no method proto_%s"):format(self.__class.__name, self.state)) end
    self.state = handler(self, data) or self.state
    if self.state == "done" then self.transport:loseConnection() end
  end

  --- Receives pieces of lengths that it says itself, one after the other: a header of 8 bytes, then what that
  -- announces. A state is a function for what has come, and of how many bytes that is to be: it gives the next state.
  -- Source: Twisted's `StatefulProtocol`.
  -- @type statefulprotocol
  -- @usage
  -- local Messages = class("Messages", protocol.StatefulProtocol)
  -- function Messages:getInitialState() return self.header, 2 end
  -- function Messages:header(data) return self.body, string.unpack(">I2", data) end
  -- function Messages:body(data) return self.header, 2 end
  local StatefulProtocol = class("StatefulProtocol", StringReceiver)
  M.StatefulProtocol = StatefulProtocol

  --- Called when the connection is there. To be overridden.
  -- @function statefulprotocol:getInitialState
  -- @treturn function called with the protocol and a piece; gives the next state, such a function and a number of
  -- bytes, or nil: the same again
  -- @treturn int how many bytes the piece is to have
  function StatefulProtocol:getInitialState()
    error(("%s has no method getInitialState"):format(self.__class.__name))
  end

  function StatefulProtocol:makeConnection(transport)
    self._state, self._size = self:getInitialState()
    StatefulProtocol.super.makeConnection(self, transport)
  end

  function StatefulProtocol:_parse(data, at)
    local size = self._size
    if #data - at + 1 < size then return nil, size end
    return data:sub(at, at + size - 1), at + size
  end

  -- Pieces of no bytes have come, too.
  function StatefulProtocol:stringReceived(data)
    repeat
      local state, size = self._state(self, data)
      if state then self._state, self._size = state, size end
      data = ""
    until self._size > 0 or self.transport.disconnecting
  end
end

--- Policies: protocols and factories that stand around other ones, and limit or log what those do. The inner ones need
-- not know.
--
--     local factory = protocol.Factory:forProtocol(Echo)
--     factory = policies.TimeoutFactory(factory, 60)            -- who says nothing for a minute has to go
--     factory = policies.ThrottlingFactory(factory, 100, 65536) -- at most 100, and 64 KiB a second from all of them
--     assert(reactor.listenTCP(8000, factory))
--
-- A factory here makes a wrapper for each protocol of the factory in it: a protocol for the transport, and the
-- transport of the inner protocol. So they can stand around each other, over TLS, and on either side of a connection.
--
-- Those that go by time have a method `callLater(seconds, f)`, which may be overridden, and a field `clock`: what has
-- `callLater`, a `Clock` of a spec for instance; nil: the reactor.
--
-- Names and meaning are those of Twisted's `protocols.policies`, with these differences: a factory that makes no
-- protocol is taken at its word, also within another one, and not counted; halves that are closed, the end of a
-- handshake, and `pauseWriting` reach the inner protocol; a producer that does not stream is throttled, too, and so is
-- who comes in the meantime.
-- @module csock.policies
local M = {}

for _, part in ipairs { "wrapper", "limits", "throttling", "timeouts", "logging" } do
  for name, class in pairs(require("csock.policies." .. part)) do M[name] = class end
end

return M

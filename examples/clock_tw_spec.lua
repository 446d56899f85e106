-- clock_tw_spec.lua: how a protocol is tested without a network and without waiting: a StringTransport stands in for
-- the connection, a Clock for the reactor's time.
--
--   busted examples/clock_tw_spec.lua
local class = require "csock.class"
local policies = require "csock.policies"
local proto_helpers = require "csock.proto_helpers"
local protocol = require "csock.protocol"
local task = require "csock.task"

-- What is to be tested: it asks, and has no patience.
local Quiz = class("Quiz", protocol.LineReceiver, policies.TimeoutMixin)
Quiz.question, Quiz.answer = "6 * 7?", "42"
Quiz.tries = 0

function Quiz:connectionMade()
  self:setTimeout(10)
  self:sendLine(self.question)
end

function Quiz:lineReceived(line)
  self:resetTimeout()
  self.tries = self.tries + 1
  if line ~= self.answer and self.tries < 3 then return self:sendLine "No. Again?" end
  self:setTimeout(nil)
  self:sendLine(line == self.answer and "Yes!" or "It is " .. self.answer .. ".")
  self.transport:loseConnection()
end

function Quiz:timeoutConnection()
  self:sendLine "Too slow."
  self.transport:loseConnection()
end

describe("the quiz", function()
  local clock, transport, quiz

  before_each(function()
    clock, transport = task.Clock(), proto_helpers.StringTransport()
    quiz = Quiz()
    quiz.callLater = function(_, ...) return clock.callLater(...) end
    quiz:makeConnection(transport)
  end)

  it("asks", function()
    assert.equal("6 * 7?\r\n", transport:value())
  end)

  it("takes the answer, in whatever pieces it comes", function()
    transport:clear()
    for byte in ("42\r\n"):gmatch "." do quiz:dataReceived(byte) end
    assert.equal("Yes!\r\n", transport:value())
    assert.is_true(transport.disconnecting)
  end)

  it("gives away the answer after three tries", function()
    quiz:dataReceived "40\r\n41\r\n"
    assert.is_false(transport.disconnecting)
    transport:clear()
    quiz:dataReceived "43\r\n"
    assert.equal("It is 42.\r\n", transport:value())
  end)

  it("waits for ten seconds after each line, and no longer", function()
    clock.advance(9)
    quiz:dataReceived "40\r\n"
    clock.advance(9.9)
    assert.is_false(transport.disconnecting)
    clock.advance(0.1)
    assert.is_true(transport.disconnecting)
    assert.matches("Too slow%.\r\n$", transport:value())
  end)

  it("leaves nothing behind that would happen later", function()
    quiz:dataReceived "42\r\n"
    assert.same({}, clock.getDelayedCalls())
  end)
end)

-- Receivers that others are derived from, and those whose states are methods: what Twisted leaves open.
local class = require "csock.class"
local protocol = require "csock.protocol"
local reason = require "csock.reactor.reason"
local transports = require "spec.support.transports"

local connected, feed = transports.connected, transports.feed

-- A class that keeps what it receives in `got`.
local function keeper(base, fields)
  local Keeper = class("Keeper", base)
  for name, value in pairs(fields or {}) do Keeper[name] = value end
  function Keeper:__init() self.got = {} end
  function Keeper:stringReceived(data) table.insert(self.got, data) end
  return Keeper
end

describe("IntNStringReceiver", function()
  it("is what the receivers of fixed sizes are derived from, and no other", function()
    for _, bits in ipairs { 8, 16, 32 } do
      assert.is_true(class.issubclass(protocol[("Int%dStringReceiver"):format(bits)], protocol.IntNStringReceiver))
    end
    assert.is_false(class.issubclass(protocol.NetstringReceiver, protocol.IntNStringReceiver))
  end)

  it("takes lengths of three bytes, and of eight, however they come", function()
    for _, format in ipairs { ">I3", "<I3", ">I8", "<i8" } do
      local Keeper = keeper(protocol.IntNStringReceiver, {
        structFormat = format, prefixLength = string.packsize(format), MAX_LENGTH = 1000,
      })
      local sender = connected(Keeper())
      for _, text in ipairs { "", "hello", ("x"):rep(1000) } do sender:sendString(text) end
      for _, size in ipairs { 1, 2, 3, 7, 500, 5000 } do
        local receiver = connected(Keeper())
        feed(receiver, sender.transport.written, size)
        assert.same({ "", "hello", ("x"):rep(1000) }, receiver.got)
      end
    end
  end)

  it("refuses a length that is too long, also one that no integer can be", function()
    for _, case in ipairs { { ">I8", ("\xff"):rep(8) }, { "<i2", "\xff\xff" }, { ">I3", "\1\0\0" } } do
      local receiver = connected(keeper(protocol.IntNStringReceiver, {
        structFormat = case[1], prefixLength = #case[2],
      })())
      receiver.MAX_LENGTH = 65535
      local told
      function receiver.lengthLimitExceeded(self, length)
        told = length
        self.transport:loseConnection()
      end
      receiver:dataReceived(case[2] .. "x")
      assert.is_true(told > 65535)
      assert.same({}, receiver.got)
      assert.is_true(receiver.transport.disconnecting)
    end
  end)

  it("raises for a string whose length it cannot send", function()
    local receiver = connected(protocol.Int8StringReceiver())
    receiver:sendString(("x"):rep(255))
    local ok, err = pcall(function() receiver:sendString(("x"):rep(256)) end)
    assert.is_false(ok)
    assert.matches("receivers_spec.lua:%d+: a string of 256 bytes is too long for a prefix of 1", err)
  end)
end)

describe("NetstringReceiver", function()
  it("tells of what is wrong by a NetstringParseError, and closes the connection", function()
    for _, case in ipairs {
      { "hello", "does not start with a length" }, { "2:abc", "not terminated by a comma" },
      { "100000:", "longer than the maximum 99999" },
    } do
      local receiver, told = connected(keeper(protocol.NetstringReceiver)()), nil
      function receiver.handleParseError(self, err)
        told = err
        self.__class.handleParseError(self, err)
      end
      assert.is_false(receiver.brokenPeer)
      receiver:dataReceived(case[1])
      assert.is_true(class.isinstance(told, protocol.NetstringParseError, reason.Reason))
      assert.matches("The incoming data is not in valid Netstring format: .*" .. case[2], told:getErrorMessage())
      assert.is_true(receiver.brokenPeer)
      assert.is_true(receiver.transport.disconnecting)
    end
  end)
end)

describe("StatefulStringProtocol", function()
  it("stays in a state that gives no other", function()
    local Mine = class("Mine", protocol.StatefulStringProtocol, protocol.NetstringReceiver)
    local got = {}
    function Mine.proto_init(_, data)
      table.insert(got, data)
      return #got == 1 and "second" or nil
    end
    function Mine.proto_second(_, data) table.insert(got, { data }) end
    connected(Mine()):dataReceived "1:a,1:b,1:c,"
    assert.same({ "a", { "b" }, { "c" } }, got)
  end)

  it("raises in a state for which there is no method", function()
    local Mine = class("Mine", protocol.StatefulStringProtocol, protocol.NetstringReceiver)
    local mine = connected(Mine())
    assert.has_error(function() mine:dataReceived "1:a," end)
  end)
end)

describe("StatefulProtocol", function()
  it("wants a first state", function()
    assert.has_error(function() connected(protocol.StatefulProtocol()) end)
  end)

  it("holds what has come of a piece, and pieces back while it is paused", function()
    local Mine, got = class("Mine", protocol.StatefulProtocol), {}
    function Mine:getInitialState() return self.piece, 3 end
    function Mine:piece(data)
      table.insert(got, data)
      if data == "abc" then self:pauseProducing() end
    end
    local mine = connected(Mine())
    mine:dataReceived "ab"
    assert.is_true(mine:holdsInput())
    mine:dataReceived "cdefg"
    assert.same({ "abc" }, got)
    mine:resumeProducing()
    assert.same({ "abc", "def" }, got)
    assert.is_true(mine:holdsInput())
  end)
end)

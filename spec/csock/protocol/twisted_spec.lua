-- Receivers and senders beside Twisted's: the same scenarios as in spec/support/twisted/basic.py.
-- luacheck: ignore 212/self
local class = require "csock.class"
local protocol = require "csock.protocol"
local transports = require "spec.support.transports"
local twisted = require "spec.support.twisted"

local specs = twisted.specs(it, pending)

local function same(name, scenario, f) specs(name, "spec/support/twisted/basic.py:" .. scenario, f) end

-- A protocol on a transport that says what it is asked for.
local function connected(say, p)
  p:makeConnection {
    disconnecting = false,
    write = function(_, data) say("write", data) end,
    loseConnection = function(self)
      self.disconnecting = true
      say "loseConnection"
    end,
  }
  return p
end

describe("IntNStringReceiver, beside Twisted's,", function()
  same("takes any format of lengths", "prefixes", function(say)
    local Little = class("Little", protocol.IntNStringReceiver)
    Little.structFormat, Little.prefixLength, Little.MAX_LENGTH = "<I4", 4, 300
    function Little:stringReceived(data) say("string", data) end
    function Little:lengthLimitExceeded(length)
      say("too long", length)
      self.transport:loseConnection()
    end
    for _, cut in ipairs { 1, 2, 7, 100 } do
      local p = connected(say, Little())
      transports.feed(p, "\3\0\0\0abc\0\0\0\0\1\0\0\0x", cut)
      p:sendString "hello"
      p:dataReceived "\x2d\1\0\0"
    end
  end)
end)

describe("NetstringReceiver, beside Twisted's,", function()
  same("says what is wrong", "netstrings", function(say)
    local Net = class("Net", protocol.NetstringReceiver)
    Net.MAX_LENGTH = 12
    function Net:stringReceived(data) say("string", data) end
    function Net:handleParseError(err)
      say("error", err.value)
      Net.super.handleParseError(self, err)
    end
    for _, data in ipairs {
      "5:hello,0:,", "x", "05:hello,", "5;hello", "13:", "99999999:", "2:abc", "2:ab,y", ":",
    } do
      local p = connected(say, Net())
      p:dataReceived(data)
      say(p.brokenPeer, p.transport.disconnecting)
    end
  end)
end)

describe("protocols of states, beside Twisted's,", function()
  same("pass each string to the method of the state", "stateful_strings", function(say)
    local Mine = class("Mine", protocol.StatefulStringProtocol, protocol.Int8StringReceiver)
    function Mine:proto_init(data)
      say("init", data)
      return "more"
    end
    function Mine:proto_more(data)
      say("more", data)
      return data == "end" and "done" or "more"
    end
    local p = connected(say, Mine())
    say(p.state)
    p:dataReceived "\1a\1b\2cd"
    say(p.state)
    p:dataReceived "\3end"
    say(p.state)
  end)

  same("pass on pieces of the lengths that the states say", "stateful", function(say)
    local Mine = class("Mine", protocol.StatefulProtocol)
    function Mine:getInitialState() return self.header, 2 end
    function Mine:header(data)
      say("header", data)
      return self.body, tonumber(data)
    end
    function Mine:body(data)
      say("body", data)
      if data == "end" then self.transport:loseConnection() end
      if data ~= "=" then return self.header, 2 end
    end
    for _, cut in ipairs { 1, 3, 100 } do
      transports.feed(connected(say, Mine()), "05hello00031a103end04more", cut)
    end
    connected(say, Mine()):dataReceived "01==z"
  end)
end)

describe("FileSender, beside Twisted's,", function()
  -- Takes pieces, one for each call of `go_on`.
  local function new_consumer(say)
    local consumer = {}
    function consumer:registerProducer(producer, streaming)
      say("registerProducer", streaming)
      self.producer = producer
      producer:resumeProducing()
    end
    function consumer:unregisterProducer()
      say "unregisterProducer"
      self.producer = nil
    end
    function consumer.write(_, data) say("write", data) end
    function consumer:go_on()
      while self.producer do self.producer:resumeProducing() end
    end
    return consumer
  end

  local function file_of(text)
    local file = assert(io.tmpfile())
    file:write(text)
    file:seek "set"
    return file
  end

  same("sends what is in a file", "files", function(say)
    local sender = protocol.FileSender()
    local function sent(text, consumer, transform)
      local d = sender:beginFileTransfer(file_of(text), consumer, transform)
      d:addCallbacks(function(last) say("sent", last) end, function(why) say("failed", why:getErrorMessage()) end)
    end
    say(sender.CHUNK_SIZE)
    sender.CHUNK_SIZE = 4
    local consumer = new_consumer(say)
    sent("0123456789", consumer)
    sender:pauseProducing()
    say "go on"
    consumer:go_on()
    sent("abcdef", consumer, function(data) return data:upper() .. "-" end)
    consumer:go_on()
    sent("", new_consumer(say))
    sent("stopped early", consumer)
    sender:stopProducing()
    sender:stopProducing()
  end)
end)

describe("LineReceiver, beside Twisted's,", function()
  same("changes modes, forgets what it has, and tells of long lines", "lines", function(say)
    local Lines = class("Lines", protocol.LineReceiver)
    Lines.delimiter, Lines.MAX_LENGTH = "\n", 8
    function Lines:lineReceived(line)
      say("line", line)
      if line == "raw" then
        self:setRawMode()
      elseif line == "clear" then
        say("cleared", self:clearLineBuffer())
      end
    end
    function Lines:rawDataReceived(data)
      say("raw", data)
      local at = data:find(".", 1, true)
      if at then self:setLineMode(data:sub(at + 1)) end
    end
    function Lines:lineLengthExceeded(data)
      say("too long", data)
      Lines.super.lineLengthExceeded(self, data)
    end
    local p = connected(say, Lines())
    p:dataReceived "one\ntwo\nraw\nabc"
    p:dataReceived "def.thr"
    p:dataReceived "ee\nclear\nfour\nfive"
    p:sendLine "out"
    p:dataReceived "123456789\nsix\n"
  end)
end)

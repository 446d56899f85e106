-- Many connections at once, each of which writes, and ends, in a way of its own: the bytes arrive in order, all of
-- them where they must, and each connection is lost once.
local class = require "csock.class"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"

local random = math.random

-- The stream of every connection, from its byte `from` on.
local PERIOD = {}
for i = 0, 250 do PERIOD[i + 1] = string.char(i) end
PERIOD = table.concat(PERIOD)

local function stretch(from, size)
  local first = from % 251
  return PERIOD:rep((first + size) // 251 + 1):sub(first + 1, first + size)
end

local Writer = class("Writer", protocol.Protocol)

function Writer:write(most)
  local size = random(most)
  self.transport:write(stretch(self.written, size))
  self.written = self.written + size
end

local ways_to_end = {
  lose = function(transport) transport:loseConnection() end,
  abort = function(transport) transport:abortConnection() end,
  half = function(transport) transport:loseWriteConnection() end,
  peer = function() end,
}

function Writer:finish()
  self.finished = true
  ways_to_end[self.ending](self.transport)
end

local ways_to_write = {
  at_once = function(self)
    for _ = 1, self.steps do self:write(100000) end
    self:finish()
  end,
  in_timed_calls = function(self)
    local function go()
      if not self.transport.connected then return end
      for _ = 1, random(3) do self:write(50000) end
      self.steps = self.steps - 1
      if self.steps > 0 then reactor.callLater(random() * 0.002, go) else reactor.callLater(0, self.finish, self) end
    end
    go()
  end,
  when_asked = function(self)
    local producer = {}
    function producer.stopProducing() self.stopped = self.stopped + 1 end
    function producer.resumeProducing()
      if self.steps > 0 then
        self.steps = self.steps - 1
        self:write(100000)
      else
        self.transport:unregisterProducer()
        self:finish()
      end
    end
    self.transport:registerProducer(producer, false)
  end,
  until_paused = function(self)
    local producer, paused = {}, false
    local function produce()
      while not paused and self.steps > 0 do
        self.steps = self.steps - 1
        self:write(100000)
      end
      if self.steps > 0 or self.finished or self.lost > 0 then return end
      self.transport:unregisterProducer()
      self:finish()
    end
    function producer.stopProducing() self.stopped, self.steps = self.stopped + 1, 0 end
    function producer.pauseProducing() paused = true end
    function producer.resumeProducing()
      paused = false
      if random() < 0.5 then produce() else reactor.callLater(0, produce) end
    end
    self.transport:registerProducer(producer, true)
    produce()
  end,
}

local function any(set)
  local names = {}
  for name in pairs(set) do names[#names + 1] = name end
  table.sort(names)
  return names[random(#names)]
end

local writers -- by the port of their peers

function Writer:connectionMade()
  self.written, self.lost, self.stopped, self.steps = 0, 0, 0, random(10)
  self.way, self.ending = any(ways_to_write), any(ways_to_end)
  writers[self.transport:getPeer().port] = self
  ways_to_write[self.way](self)
end

function Writer:connectionLost(reason) self.lost, self.reason = self.lost + 1, reason end

-- Reads as it likes until the end: how many bytes came.
local function read(socket, port)
  local got = 0
  while true do
    if random() < 0.3 then csock.sleep(random() * 0.002) end
    local writer = writers[port]
    if writer and writer.ending == "peer" and writer.finished and got >= writer.written then return got end
    local data, err = socket:recv(random(100000))
    if data == "" or not data and not err:is(csock.timeout) then return got end
    if data and data ~= stretch(got, #data) then error("other bytes than were written") end
    got = got + #(data or "")
  end
end

local kinds = {
  TCP = { listen = reactors.listen, dial = reactors.dial },
  TLS = {
    listen = function(class_of_protocols)
      local factory = protocol.ServerFactory:forProtocol(class_of_protocols)
      return assert(reactor.listenSSL(0, factory, contexts.server(), nil, "127.0.0.1"))
    end,
    dial = function(port)
      local options = { ssl = contexts.client(), server_hostname = "localhost", timeout = 10 * process.slowness }
      return assert(csock.create_connection(port:getHost(), options))
    end,
  },
}

local function check(listening, dial)
  local socket <close> = dial(listening)
  local port = socket:getsockname().port
  socket:settimeout(0.01) -- so that it notices who waits for it to leave
  local got = read(socket, port)
  socket:close()
  local writer = writers[port]
  while writer.lost == 0 do csock.sleep(0.001) end
  local name = ("%s, then %s"):format(writer.way, writer.ending)
  if writer.ending ~= "abort" then assert.equal(writer.written, got, name) end
  assert.is_true(writer.stopped <= 1, name)
  local expected = writer.ending == "abort" and "ConnectionAborted" or "ConnectionDone"
  assert.equal(expected, writer.reason:check(expected), name)
  return writer
end

describe("a storm of connections on the reactor", function()
  for i = 1, 6 do
    local name, seed = i <= 3 and "TCP" or "TLS", (i - 1) % 3 + 1
    local kind, test = kinds[name], name == "TLS" and contexts.missing and pending or it
    test(("leaves each of them whole, over %s (seed %d)"):format(name, seed), function()
      math.randomseed(seed)
      writers = {}
      local listening = kind.listen(Writer)
      reactors.run(function()
        local list = {}
        do
          local group <close> = csock.loop.group()
          for k = 1, 30 do group:spawn(function() list[k] = check(listening, kind.dial) end) end
        end
        csock.sleep(0.01)
        for _, writer in ipairs(list) do assert.equal(1, writer.lost) end
        assert.equal(30, #list)
      end)
    end)
  end
end)

-- Logs of traffic, where they are csock's own.
local class = require "csock.class"
local csock = require "csock"
local posix = require "spec.support.posix"
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local tree = require "spec.support.tree"
local transports = require "spec.support.transports"

local dir

setup(function() dir = assert(posix.mkdtemp()) end)
teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

local ADDRESS = assert(csock.address(csock.AF_INET, "10.0.0.1", 1))

local function connect(factory)
  local wrapper = factory:buildProtocol(ADDRESS)
  wrapper:makeConnection(transports.Transport())
  return wrapper
end

local inner = protocol.ServerFactory:forProtocol(protocol.LineReceiver)

describe("TrafficLoggingFactory", function()
  it("writes a file for each connection, with the end of it, and closes it", function()
    local factory = policies.TrafficLoggingFactory(inner, dir .. "/log")
    for number = 1, 2 do
      local wrapper = connect(factory)
      local file = wrapper.logfile
      wrapper:dataReceived("it's\r\n\\\0\xff")
      wrapper:connectionLost "Connection was closed cleanly."
      assert.equal("closed file", io.type(file))
      wrapper:write "after the end"
      assert.equal(([[
*
C %d: 'it\'s\r\n\\\x00\xff'
C %d: Connection was closed cleanly.
]]):format(number, number), tree.read(("%s/log-%d"):format(dir, number)))
    end
  end)

  it("shows no more of a piece than it is to", function()
    local factory = policies.TrafficLoggingFactory(inner, dir .. "/short", 20)
    local wrapper = connect(factory)
    wrapper:write(("x"):rep(20))
    wrapper:write(("y"):rep(21))
    wrapper.logfile:close()
    assert.equal("*\nS 1: 'xxxxxxxxxxxxxxxxxxxx'\nS 1: 'yyyyyyyy<... elided>'\n", tree.read(dir .. "/short-1"))
    assert.equal(("x"):rep(20) .. ("y"):rep(21), wrapper.transport.written)
  end)

  it("closes the file also where the protocol in it fails as its connection is lost", function()
    local Failing = class("Failing", protocol.Protocol)
    function Failing.connectionLost() error("oops", 0) end
    local factory = policies.TrafficLoggingFactory(protocol.ServerFactory:forProtocol(Failing), dir .. "/failing")
    local wrapper = connect(factory)
    local file = wrapper.logfile
    assert.has_error(function() wrapper:connectionLost "over" end, "oops")
    assert.equal("closed file", io.type(file))
    assert.equal("*\nC 1: over\n", tree.read(dir .. "/failing-1"))
  end)

  it("leaves a file open that it was given", function()
    local factory = policies.TrafficLoggingFactory(inner, "log")
    local file = assert(io.open(dir .. "/own", "w"))
    function factory.open() return file end
    connect(factory):connectionLost "over"
    connect(factory):connectionLost "over"
    assert.equal("file", io.type(file))
    file:close()
    assert.equal("*\nC 1: over\n*\nC 2: over\n", tree.read(dir .. "/own"))
  end)

  it("raises where there is no file to be had", function()
    local factory = policies.TrafficLoggingFactory(inner, dir .. "/no/such/folder")
    assert.has_error(function() factory:buildProtocol(ADDRESS) end)
    assert.has_error(function() policies.TrafficLoggingFactory(inner) end)
    assert.has_error(function() policies.TrafficLoggingFactory(inner, "log", 0) end)
  end)

  it("may stand around itself: each writes down what it sees", function()
    local first = policies.TrafficLoggingFactory(inner, dir .. "/first", 5)
    local factory = policies.TrafficLoggingFactory(first, dir .. "/second")
    local wrapper = connect(factory)
    wrapper.wrappedProtocol:write "0123456789 and more"
    assert.equal("*\nS 1: '<... elided>'\n", tree.read(dir .. "/first-1"))
    assert.equal("*\nS 1: '0123456789 and more'\n", tree.read(dir .. "/second-1"))
    wrapper:connectionLost "over"
  end)
end)

describe("SpewingFactory", function()
  it("logs by a method that may be overridden", function()
    local factory, lines = policies.SpewingFactory(inner), {}
    function factory.log(_, line) table.insert(lines, line) end
    local wrapper = connect(factory)
    wrapper:writeSequence { "a", "b" }
    wrapper:dataReceived "c\r\n"
    assert.same({ "Sending: 'ab'", "Received: 'c\\r\\n'" }, lines)
    assert.equal("ab", wrapper.transport.written)
  end)
end)

-- Endpoints whose other side is a process.
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local endpoints = require "csock.endpoints"
local process = require "spec.support.process"
local proto_helpers = require "csock.proto_helpers"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local twisted = require "spec.support.twisted"

local LIMIT = 10 * process.slowness
local DROP = endpoints.StandardErrorBehavior.DROP

local SCRIPTS = { "read line; echo got $line", "echo one; exit 3", "echo no >&2; kill -9 $$" }

describe("a process as an endpoint", function()
  it("is a stream, whose end says how the process has ended, as Twisted's", function()
    if not twisted.there then return pending "Twisted is not installed" end
    local wanted = twisted.run "spec/support/twisted/process_endpoint.py"
    local got = twisted.record(function(say)
      reactors.run(function()
        local lost = csock.loop.queue()
        local Talking = class("Talking", proto_helpers.AccumulatingProtocol)
        function Talking:connectionMade()
          say "made"
          self.transport:write "hello\n"
        end
        function Talking.connectionLost(_, why) lost:put(why.__class.__name) end
        for _, script in ipairs(SCRIPTS) do
          local endpoint = endpoints.ProcessEndpoint(
            reactor, "/bin/sh", { "sh", "-c", script }, {}, nil, nil, nil, nil, nil, DROP)
          local talking = assert(defer.wait(endpoint:connect(protocol.Factory:forProtocol(Talking)), LIMIT))
          say("connected", talking.__class.__name)
          say("lost", (assert(lost:get(LIMIT))), talking.data)
        end
      end)
    end)
    assert.equal(wanted, got)
  end)

  it("fails when there is no such program", function()
    reactors.run(function()
      local endpoint = endpoints.ProcessEndpoint(reactor, "/nonexistent/program")
      local result, _, errno = defer.wait(endpoint:connect(protocol.Factory:forProtocol(protocol.Protocol)), LIMIT)
      assert.is_nil(result)
      assert.equal(csock.errno.ENOENT, errno)
    end)
  end)

  it("fails when the factory makes nothing", function()
    reactors.run(function()
      local factory = protocol.Factory()
      function factory.buildProtocol() end
      local _, err = defer.wait(endpoints.ProcessEndpoint(reactor, "/bin/true"):connect(factory), LIMIT)
      assert.is_truthy(err:check "NoProtocol")
    end)
  end)

  it("has its standard error logged, unless told", function()
    local function errors_of(flag)
      local status, out, err = process.run { process.interpreter, "-e", ([[
        local class, endpoints = require "csock.class", require "csock.endpoints"
        local protocol, reactor = require "csock.protocol", require "csock.reactor"
        local Ending = class("Ending", protocol.Protocol)
        function Ending.connectionLost() reactor.stop() end
        local endpoint = endpoints.ProcessEndpoint(reactor, "/bin/sh", { "sh", "-c", "echo oops >&2" },
          nil, nil, nil, nil, nil, nil, endpoints.StandardErrorBehavior.%s)
        endpoint:connect(protocol.Factory:forProtocol(Ending))
        reactor.run()
      ]]):format(flag) }
      assert.equal(0, status, err)
      assert.equal("", out)
      return err
    end
    assert.match("process '/bin/sh' wrote to its standard error: oops\n$", errors_of "LOG")
    assert.equal("", errors_of "DROP")
  end)

  it("is told what to do with standard error in words that there are", function()
    assert.error_matches(function()
      endpoints.ProcessEndpoint(reactor, "/bin/true", nil, nil, nil, nil, nil, nil, nil, "KEEP")
    end, "bad argument #10 to 'ProcessEndpoint' %(StandardErrorBehavior expected, got string%)")
  end)
end)

-- Why a task goes on: each wait ends for a reason of its own, and never for one of an earlier wait.
local csock = require "csock"
local streams = require "spec.support.streams"

local loop = csock.loop
local E = csock.errno

after_each(streams.close_all)

describe("a task whose last wait timed out", function()
  -- More operations than a task may do before the others have a turn, none of which waits.
  local MANY = 200

  local waits = {
    ["slept"] = function() csock.sleep(0.001) end,
    ["waited for an event in vain"] = function()
      assert.equal(E.ETIMEDOUT, select(3, loop.event():wait(0.001)))
    end,
    ["waited to read in vain"] = function()
      local a = streams.pair()
      a:settimeout(0.001)
      assert.equal(E.ETIMEDOUT, select(3, a:recv(1)))
    end,
    ["joined in vain"] = function()
      local task <close> = csock.spawn(csock.sleep, 60)
      assert.equal(E.ETIMEDOUT, select(3, task:join(0.001)))
    end,
  }
  local operations = {
    send = function(a, b)
      assert.equal(1, a:send "x")
      assert.equal("x", b:recv(10))
    end,
    sendall = function(a, b)
      assert.equal(1, a:sendall "x")
      assert.equal("x", b:recv(10))
    end,
    recv_into = function(a, b)
      assert(a:send "xy")
      assert.equal(2, b:recv_into(csock.buffer(10)))
    end,
    recvmsg = function(a, b)
      assert(a:sendmsg { "x" })
      assert.equal("x", (b:recvmsg(10)))
    end,
    flush = function(a, b)
      local stream = a:makefile("w")
      assert(stream:write "x")
      assert(stream:flush())
      assert(stream:close())
      assert.equal("x", b:recv(10))
    end,
    read = function(a, b)
      local stream = b:makefile()
      assert(a:send "line\n")
      assert.equal("line", stream:read())
      assert(stream:close())
    end,
  }
  for waited, wait in pairs(waits) do
    for call, operation in pairs(operations) do
      it(("can %s as often as it likes: it %s"):format(call, waited), function()
        csock.run(function()
          local a, b = streams.pair()
          wait()
          for _ = 1, MANY do operation(a, b) end
        end)
      end)
    end
  end

  it("sends datagrams as often as it likes", function()
    csock.run(function()
      local a = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
      assert(a:bind { "127.0.0.1", 0 })
      csock.sleep(0.001)
      for _ = 1, MANY do
        assert(a:sendto("x", a:getsockname()))
        assert.equal("x", (a:recvfrom(10)))
      end
      a:close()
    end)
  end)
end)

local csock = require "csock"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"
local keep = require "spec.support.keep"
local loop = csock.loop

local fake, command = redis_server.fake, redis_server.command
local in_task, eventually = redis_server.in_task, redis_server.eventually

describe("a subscription", function()
  after_each(keep.close)

  -- A server that confirms subscriptions, and calls `after(stream, n)` after the n-th command.
  local function confirming(after, heard)
    return fake(function(stream)
      for text in function() return command(stream) end do
        heard[#heard + 1] = text
        local verb = text:match "^%S+"
        if verb == "PING" then
          stream:write "*2\r\n$4\r\npong\r\n$0\r\n\r\n"
        else
          for name in text:gmatch " (%S+)" do
            stream:write(("*3\r\n+%s\r\n+%s\r\n:1\r\n"):format(verb:lower(), name))
          end
        end
        if after(stream, #heard) == "leave" then return end
      end
    end)
  end

  local function publish(stream, channel, text)
    stream:write(("*3\r\n+message\r\n+%s\r\n$%d\r\n%s\r\n"):format(channel, #text, text))
  end

  it("gives the messages in order", function()
    in_task(function()
      local heard = {}
      local r = keep(redis.client((confirming(function(stream)
        for i = 1, 3 do publish(stream, "news", tostring(i)) end
        stream:write ">4\r\n+pmessage\r\n+n*\r\n+news\r\n+four\r\n"
      end, heard))))
      local s = assert(r:subscribe "news")
      for i = 1, 3 do assert.same({ tostring(i), "news" }, { s:get() }) end
      assert.same({ "four", "news", "n*" }, { s:get() })
      assert.equal("ETIMEDOUT", select(2, s:get(0.01)).name)
      assert.equal("EAGAIN", select(2, s:get(0)).name)
      s:close()
      assert.same({}, { s:get() })
    end)
  end)

  it("calls a handler with each message, and goes on when that fails", function()
    in_task(function()
      local heard, got, reported = {}, {}, nil
      local onerror = loop.onerror
      loop.onerror = function(err) reported = err end
      local r = keep(redis.client((confirming(function(stream)
        publish(stream, "c", "one")
        publish(stream, "c", "two")
      end, heard))))
      assert(r:subscribe("c", { handler = function(data, channel)
        got[#got + 1] = channel .. " " .. data
        if data == "one" then error("no", 0) end
      end }))
      eventually("messages", function() return #got == 2 end)
      loop.onerror = onerror
      assert.same({ "c one", "c two" }, got)
      assert.equal("no", reported)
    end)
  end)

  it("connects again when the connection is lost, and subscribes to all that it had", function()
    in_task(function()
      local heard, told = {}, {}
      local r = keep(redis.client(confirming(function(stream, n)
        publish(stream, "a", tostring(n))
        if n == 3 then return "leave" end
      end, heard), { delay = 0.01 }))
      local s = assert(r:subscribe("a", {
        ready = function() told[#told + 1] = "ready" end,
        lost = function(err) told[#told + 1] = err.name end,
      }))
      assert(s:psubscribe "b*")
      assert(s:unsubscribe "none")
      eventually("again", function() return #told == 3 end)
      assert.same({ "ready", "ECONNRESET", "ready" }, told)
      table.sort(heard)
      assert.same({ "PSUBSCRIBE b*", "PSUBSCRIBE b*", "SUBSCRIBE a", "SUBSCRIBE a", "UNSUBSCRIBE none" }, heard)
    end)
  end)

  it("asks a silent server for a sign of life, and leaves one that gives none", function()
    in_task(function()
      local connections, pings = 0, 0
      local lost
      local url = fake(function(stream)
        connections = connections + 1
        for text in function() return command(stream) end do
          if text == "SUBSCRIBE c" then stream:write "*3\r\n+subscribe\r\n+c\r\n:1\r\n" end
          if text == "PING" then
            pings = pings + 1
            if pings <= 2 then stream:write "+PONG\r\n" end
          end
        end
      end)
      local r = keep(redis.client(url, { heartbeat = 0.02, timeout = 0.05, delay = 0.01 }))
      assert(r:subscribe("c", { lost = function(err) lost = lost or err end }))
      eventually("a second connection", function() return connections == 2 end)
      assert.is_true(pings >= 3)
      assert.is_true(lost:is(csock.timeout))
    end)
  end)

  it("fails at once when there is no server, or it refuses", function()
    in_task(function()
      local url, server = fake(function(stream)
        command(stream)
        stream:write "-NOPERM this user has no permissions\r\n"
      end)
      local r = keep(redis.client(url))
      local s, err = r:subscribe "c"
      assert.is_nil(s)
      assert.equal("NOPERM", err.name)
      server:close()
      assert.equal("ECONNREFUSED", select(2, r:subscribe "c").name)
    end)
  end)

  it("with wait = false goes on trying until there is a server", function()
    in_task(function()
      local probe <close> = assert(csock.create_server { "127.0.0.1", 0 })
      local address = probe:getsockname()
      probe:close()
      local r = keep(redis.client("redis://127.0.0.1:" .. address.port, { delay = 0.01 }))
      local told = {}
      local s = assert(r:subscribe("c", {
        wait = false,
        ready = function() told[#told + 1] = "ready" end,
        lost = function(err) told[#told + 1] = err.name end,
      }))
      assert.matches("not connected", tostring(s))
      assert.equal("ENOTCONN", select(2, s:subscribe "d").name)
      eventually("a failure", function() return told[1] end)
      assert.equal("ECONNREFUSED", select(2, s:subscribe "d").name)
      local server <close> = assert(csock.serve(address, function(conn)
        local stream <close> = conn:makefile("rw", 0)
        command(stream)
        stream:write "*3\r\n+subscribe\r\n+c\r\n:1\r\n"
        stream:read "a"
      end))
      eventually("success", function() return told[2] end)
      assert.same({ "ECONNREFUSED", "ready" }, told)
      assert.is_table(server)
      s:close()
    end)
  end)

  it("is told when more channels are refused, and keeps those that it had", function()
    in_task(function()
      local connections = 0
      local r = keep(redis.client(fake(function(stream)
        connections = connections + 1
        for text in function() return command(stream) end do
          stream:write(text == "SUBSCRIBE good" and "*3\r\n+subscribe\r\n+good\r\n:1\r\n" or "-NOPERM no\r\n")
        end
      end), { delay = 0.01 }))
      local up = 0
      local s = assert(r:subscribe("good", { ready = function() up = up + 1 end }))
      local ok, err = s:subscribe "bad"
      assert.is_nil(ok)
      assert.equal("NOPERM", err.name)
      eventually("it is back", function() return up == 2 end)
      s:close()
    end)
  end)

  it("can be closed by its own handler", function()
    in_task(function()
      local heard, done = {}, false
      local r = keep(redis.client((confirming(function(stream) publish(stream, "c", "x") end, heard))))
      local s
      s = assert(r:subscribe("c", { handler = function()
        s:close()
        done = true
      end }))
      eventually("done", function() return done end)
      assert.is_true(s:close())
      assert.matches("closed", tostring(s))
    end)
  end)

  it("ends with a task that is cancelled while it waits for the server", function()
    in_task(function()
      local asked, gone = loop.event(), false
      local r = keep(redis.client((fake(function(stream)
        command(stream)
        asked:set()
        gone = stream:read "a" == ""
      end))))
      local task = csock.spawn(function() r:subscribe "c" end)
      asked:wait()
      task:cancel()
      eventually("hung up", function() return gone end)
    end)
  end)

  it("raises for wrong arguments", function()
    local r = keep(redis.client "redis://h")
    assert.error_matches(function() r:subscribe() end, "bad argument #1 to 'subscribe'")
    assert.error_matches(function() r:psubscribe("a", 5) end, "bad argument #2 to 'psubscribe'")
    assert.error_matches(function() r:subscribe("a", { color = 1 }) end, "unknown option 'color'")
  end)
end)

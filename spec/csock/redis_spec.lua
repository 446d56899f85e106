local csock = require "csock"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local posix = require "spec.support.posix"
local loop = csock.loop

local test = redis_server.available and it or function(name)
  it(name, function() pending "there is no redis-server here" end)
end

-- A server that does as it is told: serve(stream, conn) for each connection. Its URL.
local function fake(serve)
  local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
    local stream <close> = assert(conn:makefile "rw")
    stream:setvbuf "no"
    serve(stream, conn)
  end))
  return "redis://127.0.0.1:" .. server:getsockname().port, server
end

-- The next command that a client has sent: its words, with spaces between.
local function command(stream)
  local count = stream:read "l"
  if not count then return nil end
  local words = {}
  for i = 1, tonumber(count:sub(2)) do
    local length = tonumber(stream:read("l"):sub(2))
    words[i] = stream:read(length)
    stream:read "l"
  end
  return table.concat(words, " ")
end

-- A fake server for which every command has its answer in a table; others are echoed.
local function answering(answers, heard)
  return fake(function(stream)
    for text in function() return command(stream) end do
      if heard then heard[#heard + 1] = text end
      stream:write(answers[text] or ("+%s\r\n"):format(text))
    end
  end)
end

-- Runs f in a task, and everything that belongs to it ends with it.
local function in_task(f)
  local task = csock.spawn(function()
    local ok, why = xpcall(f, debug.traceback)
    keep.close()
    return ok, why
  end)
  assert(csock.run())
  local ok, why = task:join()
  if not ok then error(why, 0) end
end

local function eventually(what, condition)
  local deadline = loop.now() + 10
  while not condition() do
    assert(loop.now() < deadline, what)
    csock.sleep(0.01)
  end
end

describe("a redis URL", function()
  local function parse(url) return redis.parse_url(url) end

  it("has a host, a port, a database, a user and a password, all but the first optional", function()
    assert.same({ host = "h", port = 6379, db = 0 }, parse "redis://h")
    assert.same({ host = "localhost", port = 6379, db = 0 }, parse "redis://")
    assert.same({ host = "localhost", port = 1, db = 0 }, parse "redis://:1/")
    assert.same({ host = "h", port = 7, db = 3, password = "p" }, parse "redis://:p@h:7/3")
    assert.same({ host = "h", port = 7, db = 0, username = "u", password = "p:@/" },
      parse "redis://u:p%3a%40%2F@h:7")
    assert.same({ host = "::1", port = 7, db = 0 }, parse "redis://[::1]:7")
  end)

  it("that is none is refused, saying why", function()
    for url, why in pairs {
      ["http://h"] = "redis://[:password@]host[:port][/db] expected",
      [""] = "expected",
      ["redis://h:99999"] = "port must be 1 to 65535",
      ["redis://h:0"] = "port must be 1 to 65535",
      ["redis://h:port"] = "no host and port: h:port",
      ["redis://h/db"] = "the database must be a number, not 'db'",
      ["redis://h/99999999999999999999"] = "too large",
      ["redis://h/0/1"] = "expected",
    } do
      local parts, message = parse(url)
      assert.is_nil(parts)
      assert.matches(why, message, 1, true)
      assert.error_matches(function() redis.client(url) end, "bad argument #1 to 'client'", 1, true)
    end
  end)
end)

describe("redis.connect", function()
  after_each(keep.close)

  it("raises for wrong arguments", function()
    assert.error_matches(function() redis.connect() end, "bad argument #1 to 'connect'")
    assert.error_matches(function() redis.connect("redis://h", { color = 1 }) end, "unknown option 'color'")
    assert.error_matches(function() redis.connect("redis://h", { timeout = "1" }) end, "timeout: number >= 0")
    assert.error_matches(function() redis.connect("redis://h", { retry = false }) end, "retry: number >= 0")
    assert.error_matches(function() redis.connect("redis://h", { protocol = 4 }) end, "protocol: 2 or 3")
  end)

  it("gives the connection's error", function()
    local listener = assert(csock.create_server { "127.0.0.1", 0 })
    local port = listener:getsockname().port
    listener:close()
    local client, err, errno = redis.connect("redis://127.0.0.1:" .. port)
    assert.is_nil(client)
    assert.equal("ECONNREFUSED", err.name)
    assert.equal(csock.errno.ECONNREFUSED, errno)
  end)

  it("logs in and chooses the database, on every connection", function()
    in_task(function()
      local heard = {}
      local url = answering({ PING = "" }, heard)
      local host = url:match "//(.*)"
      keep(redis.connect("redis://:secret@" .. host .. "/3"))
      keep(redis.connect("redis://ann:secret@" .. host))
      keep(redis.connect("redis://" .. host, { protocol = 3 }))
      keep(redis.connect("redis://:secret@" .. host, { protocol = 3 }))
      assert.same({
        "AUTH secret", "SELECT 3", "AUTH ann secret", "HELLO 3", "HELLO 3 AUTH default secret",
      }, heard)
    end)
  end)

  it("gives the server's error when it refuses the password or the database", function()
    in_task(function()
      local url = answering { ["AUTH wrong"] = "-WRONGPASS invalid password\r\n", ["SELECT 99"] = "-ERR no\r\n" }
      local host = url:match "//(.*)"
      local client, err, errno = redis.connect("redis://:wrong@" .. host)
      assert.is_nil(client)
      assert.equal("WRONGPASS", err.name)
      assert.is_nil(errno)
      assert.equal("redis SELECT: no [ERR]", tostring(select(2, redis.connect("redis://" .. host .. "/99"))))
    end)
  end)

  it("leaves no socket behind when it fails", function()
    in_task(function()
      local url = answering { ["AUTH wrong"] = "-WRONGPASS invalid password\r\n" }
      local function fail() return redis.connect((url:gsub("//", "//:wrong@"))) end
      fail()
      csock.sleep(0)
      collectgarbage()
      local before = #posix.fds()
      fail()
      eventually("closed", function() return #posix.fds() <= before end)
    end)
  end)
end)

describe("a redis client", function()
  after_each(keep.close)

  it("gives what the server answers", function()
    in_task(function()
      local r = keep(redis.connect((answering {
        ["GET none"] = "$-1\r\n", LIST = "*2\r\n$-1\r\n:1\r\n", BAD = "-WRONGTYPE no list\r\n",
      })))
      assert.equal("GET key", r:call("GET", "key"))
      assert.equal(1, select("#", r:call("GET", "none")))
      assert.is_nil(r:call("GET", "none"))
      assert.same({ redis.null, 1 }, r:call "LIST")
      local reply, err, errno = r:call "BAD"
      assert.is_nil(reply)
      assert.equal("WRONGTYPE", err.name)
      assert.equal("redis", err.kind)
      assert.equal("redis BAD: no list [WRONGTYPE]", tostring(err))
      assert.is_nil(errno)
      assert.equal("ECHO", r:call "ECHO") -- an error is not the end
    end)
  end)

  it("raises for what is no command, and sends nothing", function()
    in_task(function()
      local heard = {}
      local r = keep(redis.connect((answering({}, heard))))
      assert.error_matches(function() r:call() end, "a command has a name")
      assert.error_matches(function() r:call("GET", nil) end, "bad argument #2 of a command")
      assert.error_matches(function() r:call("subscribe", "x") end, "SUBSCRIBE is not for call")
      assert.error_matches(function() r:pipeline { { "PING" }, { "GET", {} } } end, "bad argument #2")
      assert.equal("PING", r:call "PING")
      assert.same({ "PING" }, heard)
    end)
  end)

  it("gives the replies of a pipeline in order, errors among them", function()
    in_task(function()
      local r = keep(redis.connect((answering { B = "-ERR no\r\n", C = "$-1\r\n" })))
      local replies = assert(r:pipeline { { "A", 1 }, { "B" }, { "C" }, { "D" } })
      assert.equal(4, #replies)
      assert.equal("A 1", replies[1])
      assert.equal("ERR", replies[2].name)
      assert.equal(redis.null, replies[3])
      assert.equal("D", replies[4])
      assert.same({}, r:pipeline {})
    end)
  end)

  it("gives each of many tasks its own reply, from a server that answers byte by byte", function()
    in_task(function()
      local url = fake(function(stream, conn)
        conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
        for text in function() return command(stream) end do
          for byte in ("$%d\r\n%s\r\n"):format(#text, text):gmatch "." do stream:write(byte) end
        end
      end)
      local r = keep(redis.connect(url))
      local group <close> = loop.group()
      for i = 1, 50 do
        group:spawn(function()
          for k = 1, 3 do assert.equal(("ECHO %d %d"):format(i, k), r:call("ECHO", i, k)) end
        end)
      end
    end)
  end)

  it("sends the commands of several tasks without waiting for replies between them", function()
    in_task(function()
      local r = keep(redis.connect((fake(function(stream)
        local first, second = command(stream), command(stream)
        stream:write("+", first, "\r\n+", second, "\r\n")
        command(stream)
      end))))
      local group <close> = loop.group()
      group:spawn(function() assert.equal("A", r:call "A") end)
      group:spawn(function() assert.equal("B", r:call "B") end)
    end)
  end)

  it("passes over replies of tasks that were cancelled meanwhile", function()
    in_task(function()
      local go = loop.event()
      local r = keep(redis.connect((fake(function(stream)
        local words = {}
        for i = 1, 4 do words[i] = command(stream) end
        go:set()
        csock.sleep(0.05)
        for _, word in ipairs(words) do stream:write("+", word, "\r\n") end
        stream:write("+", command(stream), "\r\n")
      end))))
      local results = {}
      local tasks = {}
      for i, name in ipairs { "A", "B", "C", "D" } do
        tasks[i] = csock.spawn(function() results[name] = r:call(name) end)
      end
      go:wait()
      tasks[1]:cancel() -- which was to read
      tasks[3]:cancel()
      tasks[2]:join()
      tasks[4]:join()
      assert.same({ B = "B", D = "D" }, results)
      assert.equal("E", r:call "E")
    end)
  end)

  it("gives up the connection when a task is cancelled in the middle of a reply", function()
    in_task(function()
      local connections = 0
      local half = loop.event()
      local r = keep(redis.connect((fake(function(stream)
        connections = connections + 1
        if connections == 1 then
          command(stream)
          stream:write "$10\r\nhalf"
          half:set()
          stream:read "a"
        else
          for text in function() return command(stream) end do stream:write("+", text, "\r\n") end
        end
      end))))
      local reader = csock.spawn(function() r:call "A" end)
      local other = csock.spawn(function() return r:call "B" end)
      half:wait()
      csock.sleep(0.05)
      reader:cancel()
      local reply, err = other:join()
      assert.is_nil(reply)
      assert.equal("ECANCELED", err.name)
      assert.equal("C", r:call "C")
      assert.equal(2, connections)
    end)
  end)

  it("times out, and starts anew on another connection", function()
    in_task(function()
      local connections = 0
      local r = keep(redis.connect(fake(function(stream)
        connections = connections + 1
        local text = command(stream)
        if connections == 1 then stream:read "a" else stream:write("+", text, "\r\n") end
      end), { timeout = 0.1 }))
      local reply, err, errno = r:call "A"
      assert.is_nil(reply)
      assert.is_true(err:is(csock.timeout))
      assert.equal(csock.errno.ETIMEDOUT, errno)
      assert.matches("^redis %('127%.0%.0%.1', %d+%): ", tostring(err))
      assert.equal("B", r:call "B")
    end)
  end)

  it("fails all that wait when the server leaves in the middle, or talks nonsense", function()
    in_task(function()
      for answer, name in pairs { ["$10\r\nhalf"] = "ECONNRESET", ["HTTP/1.1\r\n"] = "EPROTO" } do
        local r = keep(redis.connect((fake(function(stream)
          command(stream)
          command(stream)
          stream:write(answer)
        end))))
        local group <close> = loop.group()
        for _ = 1, 2 do
          group:spawn(function()
            local reply, err = r:call "A"
            assert.is_nil(reply)
            assert.equal(name, err.name)
          end)
        end
      end
    end)
  end)

  it("notices before a command that the server has left, and connects again", function()
    in_task(function()
      local connections = 0
      local gone = loop.event()
      local url = fake(function(stream)
        connections = connections + 1
        stream:write("+", command(stream), "\r\n")
        if connections == 2 then gone:wait() end
      end)
      local r = keep(redis.connect(url))
      assert.equal("A", r:call "A")
      csock.sleep(0.05)
      assert.equal("B", r:call "B")
      gone:set()
      assert.equal(2, connections)
    end)
  end)

  it("tries again for as long as it may, with pauses", function()
    in_task(function()
      local probe <close> = assert(csock.create_server { "127.0.0.1", 0 })
      local address = probe:getsockname()
      probe:close()
      local options = { retry = 5, delay = 0.01, max_delay = 0.02 }
      local r = keep(redis.client("redis://127.0.0.1:" .. address.port, options))
      local group <close> = loop.group()
      for _ = 1, 3 do group:spawn(function() assert.equal("A", r:call "A") end) end
      csock.sleep(0.05)
      local server <close> = assert(csock.serve(address, function(conn)
        local stream <close> = conn:makefile "rw"
        for text in function() return command(stream) end do
          stream:write("+", text, "\r\n")
          stream:flush()
        end
      end))
      group:join()
      assert.is_table(server)
    end)
  end)

  it("is closed for all who wait, and stays closed", function()
    in_task(function()
      local heard = loop.event()
      local r = keep(redis.connect((fake(function(stream)
        command(stream)
        heard:set()
        stream:read "a"
      end))))
      local task = csock.spawn(function() return r:call "A" end)
      heard:wait()
      r:close()
      assert.equal("EBADF", select(2, task:join()).name)
      assert.equal("EBADF", select(2, r:call "B").name)
      assert.equal("EBADF", select(2, r:subscribe "x").name)
      assert.is_true(r:close())
      assert.matches("^<csock.redis.client 127.0.0.1:%d+ %[closed%]>$", tostring(r))
    end)
  end)

  it("works outside of tasks, without a loop", function()
    local server = keep(process.lua { "-e", [[
      local csock = require "csock"
      local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
      print(listener:getsockname().port)
      io.stdout:flush()
      for _ = 1, 2 do
        local conn <close> = assert(listener:accept())
        local stream <close> = conn:makefile "rw"
        assert(stream:read(22)) -- two times *1 $1 A
        assert(stream:write("+one\r\n*2\r\n+two\r\n$-1\r\n"):flush())
      end
    ]] })
    local r = keep(redis.connect("redis://127.0.0.1:" .. server:read_line()))
    for _ = 1, 2 do -- the server hangs up between them
      assert.same({ "one", { "two", redis.null } }, r:pipeline { { "A" }, { "B" } })
      assert(csock.select({ r.connection.socket }, {}, {}, 10))
    end
    assert.equal(0, server:wait())
    assert.equal("ECONNREFUSED", select(2, r:call "A").name)
  end)

  it("names the line of a wrong call", function()
    local r = keep(redis.client "redis://h")
    for _, f in ipairs {
      function() r:call() end, function() r:pipeline { {} } end, function() r:subscribe() end,
      function() redis.connect() end, function() redis.client("redis://h", { x = 1 }) end,
    } do
      assert.matches("redis_spec%.lua:%d+: ", select(2, pcall(f)))
    end
  end)
end)

describe("a subscription", function()
  after_each(keep.close)

  -- A server that confirms subscriptions, with what is in `serve.after` after each.
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

describe("a real redis-server", function()
  local server
  setup(function() if redis_server.available then server = redis_server.start() end end)
  teardown(redis_server.stop_all)
  after_each(keep.close)

  for protocol = 2, 3 do
    for how, run in pairs { ["outside of tasks"] = function(f) f() end, ["in a task"] = in_task } do
      local function client(options)
        options = options or {}
        options.protocol = protocol
        return keep(redis.connect(server.url, options))
      end
      local where = (" (RESP%d, %s)"):format(protocol, how)

      test("keeps what it is given" .. where, function()
        run(function()
          local r = client()
          assert(r:call "FLUSHALL")
          assert.equal("OK", r:call("SET", "key", "a\r\n\0\255"))
          assert.equal("a\r\n\0\255", r:call("GET", "key"))
          assert.equal(1, select("#", r:call("GET", "none")))
          assert.equal(7, r:call("INCRBY", "n", 7))
          assert.equal(2, r:call("RPUSH", "list", "x", "y"))
          assert.same({ "x", "y" }, r:call("LRANGE", "list", 0, -1))
          assert.same({ "7", redis.null }, r:call("MGET", "n", "none"))
          assert.equal("WRONGTYPE", select(2, r:call("LPUSH", "key", 1)).name)
          assert.equal("ERR", select(2, r:call "NONSENSE").name)
          assert(r:call("HSET", "hash", "field", "value"))
          local hash = protocol == 2 and { "field", "value" } or { field = "value" }
          assert.same(hash, r:call("HGETALL", "hash"))
          assert(r:call("ZADD", "z", 1.5, "m"))
          assert.equal(protocol == 2 and "1.5" or 1.5, r:call("ZSCORE", "z", "m"))
          local big = ("x"):rep(1000000)
          assert.same({ "OK", 1000000 }, r:pipeline { { "SET", "big", big }, { "STRLEN", "big" } })
          assert.equal(big, r:call("GET", "big"))
        end)
      end)

      test("does a transaction in one pipeline" .. where, function()
        run(function()
          local replies = client():pipeline {
            { "MULTI" }, { "SET", "n", 1 }, { "INCR", "n" }, { "LPUSH", "n", 1 }, { "EXEC" },
          }
          assert.equal(5, #replies)
          assert.equal("OK", replies[5][1])
          assert.equal(2, replies[5][2])
          assert.equal("WRONGTYPE", replies[5][3].name)
        end)
      end)

      test("passes messages on" .. where, function()
        run(function()
          local r = client()
          local s = assert(r:subscribe("news", "sport"))
          assert(s:psubscribe "w*")
          assert.equal(1, r:call("PUBLISH", "news", "one"))
          assert.equal(1, r:call("PUBLISH", "weather", "two"))
          assert.same({ "one", "news" }, { s:get(5) })
          assert.same({ "two", "weather", "w*" }, { s:get(5) })
          assert(s:unsubscribe "news")
          assert(s:punsubscribe())
          eventually("unsubscribed", function() return r:call("PUBLISH", "news", "x") == 0 end)
          s:close()
        end)
      end)

      test("chooses a database" .. where, function()
        run(function()
          local r = client()
          assert(r:call("SET", "where", "0"))
          assert.is_true(r:select(1))
          assert.is_nil(r:call("GET", "where"))
          assert(r:call("CLIENT", "KILL", "SKIPME", "no"))
          eventually("the same database", function()
            local value, err = r:call("GET", "where")
            assert.is_nil(value)
            return err == nil
          end)
          assert.equal("ERR", select(2, r:select(99)).name)
        end)
      end)
    end
  end

  test("stopped and started again is found again by calls and subscriptions", function()
    in_task(function()
      local own = redis_server.start()
      local r = keep(redis.connect(own.url, { delay = 0.01, max_delay = 0.05 }))
      local told = {}
      local s = assert(r:subscribe("news", {
        lost = function() told[#told + 1] = "lost" end,
        ready = function() told[#told + 1] = "ready" end,
      }))
      own:stop()
      eventually("lost", function() return told[2] == "lost" end)
      local reply, err = r:call "PING"
      assert.is_nil(reply)
      assert.equal("ECONNREFUSED", err.name)
      own:restart()
      eventually("ready", function() return told[3] == "ready" end)
      assert.equal("PONG", r:call "PING")
      assert.equal(1, r:call("PUBLISH", "news", "again"))
      assert.equal("again", s:get(5))
      s:close()
      own:stop()
    end)
  end)

  test("wants its password", function()
    local own = redis_server.start { "--requirepass", "secret" }
    in_task(function()
      local r = keep(redis.client(own.url))
      assert.equal("NOAUTH", select(2, r:call "PING").name)
      assert.equal("WRONGPASS", select(2, r:auth "wrong").name)
      assert.is_true(r:auth "secret")
      assert.equal("PONG", r:call "PING")
      local s = assert(r:subscribe "c") -- which knows it too
      s:close()
      assert(redis.connect((own.url:gsub("//", "//:secret@")), { protocol = 3 })):close()
    end)
  end)

  test("serves many tasks through one client", function()
    in_task(function()
      local r = keep(redis.connect(server.url))
      assert(r:call("DEL", "count"))
      do
        local group <close> = loop.group()
        for i = 1, 100 do
          group:spawn(function()
            for k = 1, 10 do
              assert(r:call("INCR", "count"))
              assert.equal(("%d %d"):format(i, k), r:call("ECHO", ("%d %d"):format(i, k)))
            end
          end)
        end
      end
      assert.equal("1000", r:call("GET", "count"))
    end)
  end)
end)

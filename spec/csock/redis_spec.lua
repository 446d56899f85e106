local csock = require "csock"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local loop = csock.loop

local fake, command, answering = redis_server.fake, redis_server.command, redis_server.answering
local in_task, eventually = redis_server.in_task, redis_server.eventually

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
    assert.same({ host = "h", port = 7, db = 3, password = "p", ssl = true }, parse "rediss://:p@h:7/3")
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
      ["redisss://h"] = "expected",
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
    assert.error_matches(function() redis.connect("redis://h", { timeout = "1" }) end, "timeout: seconds >= 0")
    assert.error_matches(function() redis.connect("redis://h", { retry = -1 }) end, "retry: seconds >= 0")
    assert.error_matches(function() redis.connect("redis://h", { protocol = 4 }) end, "protocol: 2 or 3")
    for _, wrong in ipairs {
      function() redis.connect "http://h" end, function() redis.client("redis://h", { timeout = {} }) end,
      function() redis.client("redis://h"):call() end, function() redis.client("redis://h"):call("SUBSCRIBE", "a") end,
      function() redis.client("redis://h"):subscribe(7) end,
      function() redis.client("redis://h"):subscribe("a", { maxsize = -1 }) end,
    } do
      local ok, err = pcall(wrong)
      assert.is_false(ok)
      assert.matches("^spec/csock/redis_spec.lua:%d+: ", err)
    end
  end)

  it("has no time limit where that is turned off, whatever the default timeout", function()
    csock.setdefaulttimeout(3)
    finally(function() csock.setdefaulttimeout(nil) end)
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    local url = "redis://127.0.0.1:" .. listener:getsockname().port
    local r = keep(assert(redis.connect(url, { timeout = false })))
    assert.is_nil(r.connection.socket:gettimeout())
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

  it("times out when a reply goes on and on, a little at a time", function()
    for begin, piece in pairs { ["*100000\r\n"] = ":1\r\n", ["%100000\r\n"] = ":1\r\n", ["$?\r\n"] = ";1\r\nx\r\n" } do
      in_task(function()
        local r = keep(redis.connect(fake(function(stream)
          command(stream)
          stream:write(begin)
          while stream:write(piece) do loop.sleep(0.01) end
        end), { timeout = 0.1 }))
        local reply, err = r:call "A"
        assert.is_nil(reply)
        assert.is_true(err:is(csock.timeout))
      end)
    end
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

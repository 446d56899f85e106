-- examples/name_server.lua and name_client.lua.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local redis_server = require "spec.support.redis"

local LIMIT = 10 * process.slowness -- seconds

-- Asks a name server: the lines of its answer, in one string.
local Asker = {}
Asker.__index = Asker
Asker.__call = function(self, request)
  assert(self.socket:sendall(request .. "\n"))
  local lines = {}
  while true do
    local line = assert(self.stream:read "l")
    if line == "" then return table.concat(lines, "\n") end
    lines[#lines + 1] = line
  end
end
Asker.__close = function(self)
  self.stream:close()
  self.socket:close()
end

local function asker(port)
  local socket = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
  return keep(setmetatable({ socket = socket, stream = assert(socket:makefile()) }, Asker))
end

-- A service to register: something that can be connected to, and its port.
local function service()
  local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
  return listener, listener:getsockname().port
end

local function eventually(ask, request, answer)
  local deadline = csock.now() + LIMIT
  local got
  repeat
    got = ask(request)
    if got == answer then return end
    csock.sleep(0.02)
  until csock.now() > deadline
  assert.equal(answer, got)
end

local function has_stopped(...)
  for _, program in ipairs { ... } do
    program:interrupt()
    assert.equal("", program:ends(0))
  end
end

describe("examples/name_server", function()
  local bus
  setup(function() if redis_server.available then bus = redis_server.start() end end)
  teardown(redis_server.stop_all)
  after_each(function()
    keep.close()
    example.stop_all()
  end)

  -- What either store must do: its options.
  local stores = {
    ["in memory"] = function() return {} end,
    ["in a Redis server"] = function()
      local redis = require "csock.redis"
      local client <close> = assert(redis.connect(bus.url))
      assert(client:call "FLUSHALL")
      return { "--store", bus.url }
    end,
  }

  for where, options_of in pairs(stores) do
    describe(where, function()
      local server, ask

      local function start(...)
        local options = options_of()
        table.move({ ... }, 1, select("#", ...), #options + 1, options)
        server = example.server("name_server", table.unpack(options))
        if #options > 0 and options[1] == "--store" then server:expect "connected to the store\n" end
        ask = asker(server.port)
      end

      local function test(name, f)
        it(name, function()
          if where ~= "in memory" and not redis_server.available then return pending "there is no redis-server here" end
          return f()
        end)
      end

      test("registers services, finds them and forgets them", function()
        start()
        assert.equal("error: there is no echo", ask "lookup echo")
        assert.equal("", ask "list")
        assert.equal("ok", ask "register echo 127.0.0.1 4000 sends back what comes")
        assert.equal("ok", ask "register a.b-c_1 ::1 1")
        assert.equal("127.0.0.1 4000 sends back what comes", ask "lookup echo")
        assert.equal("a.b-c_1 ::1 1 \necho 127.0.0.1 4000 sends back what comes", ask "list")
        assert.equal("ok", ask "register echo 127.0.0.1 4000 a new description")
        assert.equal("127.0.0.1 4000 a new description", ask "lookup echo")
        assert.equal("error: echo is taken, by 127.0.0.1 4000", ask "register echo 127.0.0.1 4001 mine")
        assert.equal("error: echo is taken, by 127.0.0.1 4000", ask "register echo 127.0.0.1 400")
        assert.equal("error: echo is not registered at 127.0.0.1 4001", ask "unregister echo 127.0.0.1 4001")
        assert.equal("ok", ask "unregister echo 127.0.0.1 4000")
        assert.equal("error: there is no echo", ask "lookup echo")
        assert.equal("ok", ask "register echo - 4002")
        assert.equal("127.0.0.1 4002 ", ask "lookup echo")
        assert.equal("pong", ask "ping")
      end)

      test("logs who registered and who asked for what, and keeps popular answers", function()
        start()
        local who = ("%%('127%%.0%%.0%%.1', %d%%)"):format(ask.socket:getsockname().port)
        ask "register echo 127.0.0.1 4000 an echo"
        server:expect("%[%a%a%a %a%a%a [^\n]*%] " .. who .. " registered echo at 127.0.0.1 4000 an echo\n")
        ask "list"
        server:expect(who .. " asked for the list: 1 service\n")
        ask "lookup none"
        server:expect(who .. " asked for none: unknown\n")
        for _ = 1, 3 do
          ask "lookup echo"
          server:expect(who .. " asked for echo: 127.0.0.1 4000 an echo\n")
        end
        assert.equal("127.0.0.1 4000 an echo", ask "lookup echo")
        server:expect(who .. " asked for echo: 127.0.0.1 4000 an echo %(cached%)\n")
        ask "register echo 127.0.0.1 4000 changed"
        assert.equal("127.0.0.1 4000 changed", ask "lookup echo")
        ask "unregister echo 127.0.0.1 4000"
        server:expect(who .. " unregistered echo at 127.0.0.1 4000\n")
        assert.equal("error: there is no echo", ask "lookup echo")
        ask "list"
        server:expect(who .. " asked for the list: no services\n")
      end)

      test("takes no more services than there may be", function()
        start()
        local requests = {}
        for i = 1, 1001 do requests[i] = ("register service%d 127.0.0.1 %d\n"):format(i, i) end
        assert(ask.socket:sendall(table.concat(requests)))
        for i = 1, 1000 do
          if i % 100 == 0 then server:skip() end -- lest it waits to log
          assert.equal("ok", ask.stream:read "l")
          assert.equal("", ask.stream:read "l")
        end
        assert.equal("error: no more than 1000 services", ask.stream:read "l")
        assert.equal("", ask.stream:read "l")
        assert.equal("ok", ask "register service1 127.0.0.1 1 again")
        assert.equal("ok", ask "unregister service2 127.0.0.1 2")
        assert.equal("ok", ask "register service1001 127.0.0.1 1")
        assert.equal(1000, select(2, ask("list"):gsub("service", "")))
      end)

      test("pings what is registered, and delists what has not answered three times", function()
        start("--ping", "0.1")
        local good, port = service()
        local lost, lost_port = service()
        ask(("register good 127.0.0.1 %d stays"):format(port))
        ask(("register bad 127.0.0.1 %d goes"):format(lost_port))
        lost:close()
        server:expect(("delisted bad at 127%%.0%%.0%%.1 %d, after 3 pings: .*ECONNREFUSED"):format(lost_port))
        eventually(ask, "lookup bad", "error: there is no bad")
        good:settimeout(LIMIT)
        for _ = 1, 4 do assert(good:accept()):close() end -- pings
        assert.equal(("good 127.0.0.1 %d stays"):format(port), ask "list")
      end)

      test("answers what it cannot do with an error line, and goes on", function()
        start()
        for request, answer in pairs {
          [""] = "error: unknown request; there are: register, unregister, lookup, list, ping",
          ["frobnicate"] = "error: unknown request",
          ["register"] = "error: NAME HOST PORT expected",
          ["register echo 127.0.0.1"] = "error: NAME HOST PORT expected",
          ["register e/o 127.0.0.1 1"] = "error: a name has 1 to 64 letters",
          ["register e\27[2Jo 127.0.0.1 1"] = "error: a name has 1 to 64 letters",
          ["register " .. ("x"):rep(65) .. " 127.0.0.1 1"] = "error: a name has 1 to 64 letters",
          ["register echo host/name 1"] = "error: no address: host/name",
          ["register echo 127.0.0.1 0"] = "error: the port must be 1 to 65535",
          ["register echo 127.0.0.1 65536"] = "error: the port must be 1 to 65535",
          ["register echo 127.0.0.1 x"] = "error: the port must be 1 to 65535",
          ["register echo ::1 99999999999999999999"] = "error: the port must be 1 to 65535",
          ["register echo localhost 1"] = "error: no address: localhost",
          ["register echo 127.0.0.1%lo 1"] = "error: no address: 127.0.0.1%lo",
          ["unregister x"] = "error: NAME HOST PORT expected",
          ["lookup"] = "error: NAME expected",
          ["lookup \27[2J"] = "error: there is no ?[2J",
        } do
          assert.equal(answer, ask(request):sub(1, #answer))
        end
        assert.equal("ok", ask "register echo 127.0.0.1 4000 \27[2Jdescription\a")
        assert.equal("127.0.0.1 4000 ?[2Jdescription?", ask "lookup echo")
        local other = asker(server.port)
        assert(other.socket:sendall(("x"):rep(600)))
        assert.equal("error: a line of over 512 bytes", other.stream:read "l")
        assert.equal("", other.stream:read "l")
        assert(other.socket:sendall "x\n")
        assert.equal("pong", other "ping")
        local third = asker(server.port)
        assert(third.socket:sendall "register half")
        third:__close()
        assert.equal("pong", ask "ping")
        has_stopped(server)
      end)

      test("serves many clients at once", function()
        start()
        local askers = {}
        for i = 1, 30 do askers[i] = asker(server.port) end
        for i, each in ipairs(askers) do
          assert.equal("ok", each(("register service%d 127.0.0.1 %d"):format(i, i)))
        end
        for i, each in ipairs(askers) do
          assert.equal(("127.0.0.1 %d "):format(31 - i), each(("lookup service%d"):format(31 - i)))
        end
        assert.equal(30, select(2, ask("list"):gsub("service", "")))
      end)

      test("has a client, and dummies to register", function()
        start()
        local dummy = example.start("name_client", "--dummy", "clock", "127.0.0.1", server.port)
        local port = math.tointeger(dummy:expect "^clock is at port (%d+)\n")
        local client = example.start("name_client", "127.0.0.1", server.port)
        client:expect "^> "
        client:type "lookup clock"
        client:expect(("^127%%.0%%.0%%.1 %d a dummy that tells the time\n> "):format(port))
        client:type "list"
        client:expect "^clock 127%.0%.0%.1 %d+ a dummy that tells the time\n> "
        client:type "lookup nothing"
        client:expect "^error: there is no nothing\n> "
        local conn <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
        local stream <close> = conn:makefile()
        assert.matches("^This is clock%. It is %a%a%a %a%a%a .*%.$", stream:read "l")
        has_stopped(dummy)
        client:type "lookup clock"
        client:expect "^error: there is no clock\n> "
        client:finish_input()
        assert.equal("", client:ends(0))
        local rival = example.start("name_client", "--dummy", "bad/name", "127.0.0.1", server.port)
        assert.matches("^name_client%.lua: error: a name has 1 to 64 [^\n]+\n$", rival:ends(1))
      end)
    end)
  end

  local function test(name, f)
    it(name, function()
      if not redis_server.available then return pending "there is no redis-server here" end
      return f()
    end)
  end

  local function two_servers(url, ...)
    local one = example.server("name_server", "--store", url, ...)
    local two = example.server("name_server", "--store", url, ...)
    for _, server in ipairs { one, two } do server:expect "connected to the store\n" end
    return one, two
  end

  test("answers like every other one that has the same store, also what is popular", function()
    stores["in a Redis server"]()
    local one, two = two_servers(bus.url)
    local ask_one, ask_two = asker(one.port), asker(two.port)
    assert.equal("ok", ask_one "register echo 127.0.0.1 4000 first")
    for _ = 1, 4 do
      assert.equal("127.0.0.1 4000 first", ask_one "lookup echo")
      assert.equal("127.0.0.1 4000 first", ask_two "lookup echo")
    end
    two:expect "%(cached%)\n"
    assert.equal("error: echo is taken, by 127.0.0.1 4000", ask_two "register echo 127.0.0.1 4001")
    assert.equal("ok", ask_one "register echo 127.0.0.1 4000 second")
    eventually(ask_two, "lookup echo", "127.0.0.1 4000 second")
    assert.equal("ok", ask_two "unregister echo 127.0.0.1 4000")
    eventually(ask_one, "lookup echo", "error: there is no echo")
    has_stopped(one, two)
  end)

  test("takes no more services than there may be, however many servers are asked at once", function()
    stores["in a Redis server"]()
    local one, two = two_servers(bus.url)
    local ask = asker(one.port)
    for i = 1, 999 do
      if i % 100 == 0 then one:skip() end
      assert.equal("ok", ask(("register service%d 127.0.0.1 %d"):format(i, i)))
    end
    local askers, taken = {}, 0
    for i = 1, 20 do askers[i] = asker(i % 2 == 0 and one.port or two.port) end
    for i, each in ipairs(askers) do assert(each.socket:sendall(("register last%d ::1 1\n"):format(i))) end
    for _, each in ipairs(askers) do taken = taken + (each.stream:read "l" == "ok" and 1 or 0) end
    assert.equal(1, taken)
  end)

  test("leaves registrations in the store that outlive it, and expire when nobody pings", function()
    stores["in a Redis server"]()
    local one, two = two_servers(bus.url, "--ping", "0.2")
    local _, port = service()
    assert.equal("ok", asker(one.port)(("register echo 127.0.0.1 %d x"):format(port)))
    local redis = require "csock.redis"
    local client = keep(redis.connect(bus.url))
    assert(client:call("PEXPIRE", "csock names:echo", 60000)) -- as if it had been there for a while
    local deadline = csock.now() + LIMIT
    repeat csock.sleep(0.05) until client:call("PTTL", "csock names:echo") > 60100 or csock.now() > deadline
    assert.is_true(client:call("PTTL", "csock names:echo") > 60000) -- a ping has renewed it
    has_stopped(one)
    assert.equal(("127.0.0.1 %d x"):format(port), asker(two.port) "lookup echo")
    has_stopped(two)
    local ttl = client:call("PTTL", "csock names:echo")
    assert.is_true(0 < ttl and ttl < 61000, ttl)
  end)

  test("asks the store for one name when one is registered, however many there are", function()
    stores["in a Redis server"]()
    local server = example.server("name_server", "--store", bus.url)
    server:expect "connected to the store\n"
    local client = keep(require "csock.redis".connect(bus.url))
    assert(client:call("CONFIG", "RESETSTAT"))
    assert.equal("ok", asker(server.port) "register echo 127.0.0.1 4000")
    local stats = client:call("INFO", "commandstats")
    for _, command in ipairs { "scan", "keys", "mget", "zrange" } do
      assert.is_nil(stats:find("cmdstat_" .. command .. ":", 1, true))
    end
  end)

  test("believes no nonsense in the store", function()
    stores["in a Redis server"]()
    local server = example.server("name_server", "--store", bus.url, "--ping", "0.1")
    server:expect "connected to the store\n"
    local client = keep(require "csock.redis".connect(bus.url))
    for name, text in pairs {
      junk = "nonsense", none = "", port = "::1 port x", evil = "127.0.0.1 4000 \27[2Jraw", ["\27[2J"] = "::1 1 x",
      host = "localhost 4000 x",
    } do
      assert(client:call("SET", "csock names:" .. name, text))
      assert(client:call("ZADD", "csock names", "+inf", name))
    end
    assert(client:call("LPUSH", "csock names:list", "x"))
    assert(client:call("ZADD", "csock names", "+inf", "list"))
    local ask = asker(server.port)
    assert.equal("?[2J ::1 1 x\nevil 127.0.0.1 4000 ?[2Jraw", ask "list")
    assert.equal("127.0.0.1 4000 ?[2Jraw", ask "lookup evil")
    assert.equal("error: there is no junk", ask "lookup junk")
    assert.equal("error: junk is taken, by somebody", ask "register junk 127.0.0.1 1")
    local _, port = service()
    local lost, lost_port = service()
    ask(("register good 127.0.0.1 %d stays"):format(port))
    ask(("register bad 127.0.0.1 %d goes"):format(lost_port))
    lost:close()
    server:expect "delisted bad at " -- it still pings
    assert.is_nil(server.out:gsub("\n", ""):find "%c")
    has_stopped(server)
  end)

  test("says that its store is out of order, and goes on when it is back", function()
    local own = redis_server.start()
    local server = example.server("name_server", "--store", own.url)
    server:expect "connected to the store\n"
    local ask = asker(server.port)
    for _ = 1, 4 do
      ask "register echo 127.0.0.1 4000"
      ask "lookup echo"
    end
    own:stop()
    server:expect "no connection to the store: "
    local sorry = "error: the store is out of order; try again later"
    for _, request in ipairs { "lookup echo", "list", "register x - 1", "unregister echo 127.0.0.1 4000" } do
      assert.equal(sorry, ask(request))
    end
    server:expect "%] the store: [^\n]*ECONNREFUSED"
    own:restart()
    server:expect "connected to the store\n"
    assert.equal("ok", ask "register echo 127.0.0.1 4000")
    assert.equal("127.0.0.1 4000 ", ask "lookup echo")
    has_stopped(server)
    own:stop()
  end)

  it("refuses wrong options", function()
    assert.matches("%-%-store: redis://", example.start("name_server", "--store", "nonsense"):ends(1))
    for _, interval in ipairs { "0", "-1", "x", "." } do
      assert.matches("%-%-ping must be a number of seconds, not '", example.start("name_server", "--ping", interval)
        :ends(1))
    end
  end)
end)

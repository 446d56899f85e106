-- csock.testing: what befalls those who meet in a network in memory.
local csock = require "csock"
local httpserver = require "csock.httpserver"
local http = require "csock.http"
local keep = require "spec.support.keep"
local loop = require "csock.loop"
local testing = require "csock.testing"

local AF_INET, SOCK_DGRAM = csock.AF_INET, csock.SOCK_DGRAM

-- Runs a function with a connected pair in a network of these options, with a virtual clock.
local function with_pair(options, f)
  options.hosts = { "server" }
  testing.run(function(net)
    local listener <close> = assert(csock.create_server { "", 80 })
    local a <close> = assert(csock.create_connection({ "server", 80 }, { timeout = 3600 }))
    local b <close> = assert(listener:accept())
    f(a, b, net)
  end, { network = options, virtual_time = true })
end

-- Milliseconds of the clock; a wait may be a few nanoseconds longer than it was told.
local function elapsed(f, ...)
  local begin = csock.now()
  f(...)
  return math.floor((csock.now() - begin) * 1000 + 0.5)
end

-- All that comes until the end, in the pieces in which it comes.
local function pieces(s, n)
  local list = {}
  repeat
    local data = assert(s:recv(n or 4096))
    list[#list + 1] = data ~= "" and data or nil
  until data == ""
  return list
end

local function largest(list)
  local most = 0
  for _, piece in ipairs(list) do most = math.max(most, #piece) end
  return most
end

describe("delay", function()
  it("is that of connecting, both ways", function()
    testing.run(function()
      local listener <close> = assert(csock.create_server { "", 80 })
      assert.equal(100, elapsed(function() csock.create_connection({ "localhost", 80 }):close() end))
      assert.equal(100, elapsed(csock.create_connection, { "localhost", 81 })) -- a refusal takes its way, too
      local _, err
      assert.equal(70, elapsed(function()
        _, err = csock.create_connection({ "localhost", 80 }, { timeout = 0.07 })
      end))
      assert.equal("ETIMEDOUT", err.name)
      assert.is_truthy(listener)
    end, { network = { delay = 0.05 }, virtual_time = true })
  end)

  it("is that of bytes, in each direction", function()
    with_pair({ delay = 0.25 }, function(a, b)
      assert(a:sendall "there")
      assert.equal(250, elapsed(function() assert.equal("there", b:recv(100)) end))
      assert(b:sendall "and back")
      assert.equal(250, elapsed(function() assert.equal("and back", a:recv(100)) end))
    end)
  end)

  it("is that of the end", function()
    with_pair({ delay = 0.25 }, function(a, b)
      a:sendall "last words"
      a:shutdown(csock.SHUT_WR)
      assert.equal(250, elapsed(function() assert.same({ "last words" }, pieces(b)) end))
      b:close()
      assert.equal(250, elapsed(function() assert.equal("", a:recv(1)) end))
    end)
  end)

  it("overtakes nothing in a stream, whatever the jitter", function()
    with_pair({ delay = 0.01, jitter = 1 }, function(a, b)
      csock.spawn(function()
        for i = 1, 100 do
          a:sendall(i .. " ")
          csock.sleep(0.01)
        end
        a:shutdown(csock.SHUT_WR)
      end)
      local text = table.concat(pieces(b))
      local expected = {}
      for i = 1, 100 do expected[i] = i .. " " end
      assert.equal(table.concat(expected), text)
    end)
  end)

  it("holds a sender up who sends more than can be under way", function()
    with_pair({ delay = 1 }, function(a, b)
      local text = ("x"):rep(4 << 20)
      local sender = csock.spawn(function() a:sendall(text) a:shutdown(csock.SHUT_WR) end)
      assert.equal(#text, #table.concat(pieces(b, 65536)))
      assert.equal("done", sender:status())
    end)
  end)

  it("ends what waits too long: a program's time limit", function()
    testing.run(function()
      local server <close> = assert(httpserver.serve({ "", 80 }, function() csock.sleep(100) return 200 end))
      local answer, err
      assert.equal(30000, elapsed(function()
        answer, err = http.get("http://example.org/", { timeout = 30 })
      end))
      assert.is_nil(answer)
      assert.equal("ETIMEDOUT", err.name)
      server:close()
    end, { network = { hosts = { "example.org" }, delay = 0.1 }, virtual_time = true })
  end)

  it("can be changed meanwhile", function()
    with_pair({ delay = 0.25 }, function(a, b, net)
      net:change { delay = 2 }
      a:sendall "x"
      assert.equal(2000, elapsed(b.recv, b, 1))
    end)
  end)

  it("is real without a virtual clock", function()
    testing.run(function()
      local listener <close> = assert(csock.create_server { "", 80 })
      assert.is_true(elapsed(function() csock.create_connection({ "localhost", 80 }):close() end) >= 20)
      assert.is_truthy(listener)
    end, { network = { delay = 0.01 } })
  end)
end)

-- Which of so many datagrams come, in which order.
local function numbers_that_come(count, options)
  local got = {}
  testing.run(function()
    local receiver <close> = csock.socket(AF_INET, SOCK_DGRAM)
    assert(receiver:bind("", 53))
    local sender <close> = csock.socket(AF_INET, SOCK_DGRAM)
    receiver:settimeout(60)
    local listening = csock.spawn(function()
      for data in function() return (receiver:recv(100)) end do got[#got + 1] = tonumber(data) end
    end)
    for i = 1, count do
      assert(sender:sendto(tostring(i), { "localhost", 53 }))
      csock.sleep(0.0001)
    end
    listening:join()
  end, { network = options, virtual_time = true })
  return got
end

local function is_sorted(list)
  for i = 2, #list do
    if list[i] < list[i - 1] then return false end
  end
  return true
end

describe("datagrams", function()
  it("all come in order over a network without faults", function()
    local got = numbers_that_come(300, { delay = 0.05 })
    assert.equal(300, #got)
    assert.is_true(is_sorted(got))
  end)

  it("get lost as often as is said", function()
    local got = numbers_that_come(1000, { loss = 0.3 })
    assert.is_true(#got > 600 and #got < 800, #got)
    assert.same({}, numbers_that_come(20, { loss = 1 }))
    assert.is_true(is_sorted(got))
  end)

  it("overtake each other as often as is said", function()
    for _, delay in ipairs { 0, 0.05 } do
      local got = numbers_that_come(200, { reorder = 0.2, delay = delay })
      assert.equal(200, #got)
      assert.is_false(is_sorted(got))
    end
  end)

  it("do so by jitter, too", function()
    assert.is_false(is_sorted(numbers_that_come(50, { jitter = 0.1 })))
  end)

  it("fare alike with the same seed, and otherwise with another", function()
    local options = { loss = 0.2, reorder = 0.2, delay = 0.01, jitter = 0.01 }
    local function of_seed(seed)
      options.seed = seed
      return table.concat(numbers_that_come(100, options), " ")
    end
    local first = of_seed(1)
    assert.equal(first, of_seed(1))
    assert.not_equal(first, of_seed(2))
  end)
end)

describe("short reads", function()
  it("give so many bytes at the most", function()
    with_pair({ short_reads = 3 }, function(a, b)
      a:sendall(("x"):rep(100))
      a:shutdown(csock.SHUT_WR)
      local list = pieces(b)
      assert.equal(("x"):rep(100), table.concat(list))
      assert.equal(3, largest(list))
    end)
  end)

  it("give another number each time, the same ones for the same seed", function()
    local function sizes(seed)
      local list
      with_pair({ short_reads = true, seed = seed }, function(a, b)
        a:sendall(("x"):rep(20000))
        a:shutdown(csock.SHUT_WR)
        list = pieces(b)
      end)
      for i, piece in ipairs(list) do list[i] = #piece end
      return list
    end
    local first = sizes(1)
    assert.is_true(#first > 10)
    assert.same(first, sizes(1))
    assert.not_same(first, sizes(2))
  end)

  it("leave the rest to be waited for", function()
    with_pair({ short_reads = 1 }, function(a, b)
      a:sendall "abc"
      for c in ("abc"):gmatch "." do
        assert.same({ b }, (csock.select({ b }, {}, {}, 0)))
        assert.equal(c, b:recv(100))
      end
      assert.same({}, (csock.select({ b }, {}, {}, 0)))
    end)
  end)

  it("are no concern of streams, MSG_WAITALL, or who only looks", function()
    with_pair({ short_reads = 1 }, function(a, b)
      a:sendall "a line\nexactly"
      local stream <close> = b:makefile()
      assert.equal("a line", stream:read())
      assert.equal("exactly", stream:read(7))
      a:sendall "exactly"
      assert.equal("e", b:recv(100, csock.MSG_PEEK))
      assert.equal("exactly", b:recv(7, csock.MSG_WAITALL))
    end)
  end)
end)

describe("short writes", function()
  it("take so many bytes at the most", function()
    with_pair({ short_writes = 3 }, function(a, b)
      assert.equal(3, a:send(("x"):rep(10)))
      assert(a:sendall(("x"):rep(10)))
      assert.equal(13, #b:recv(100))
    end)
  end)

  it("take another number each time", function()
    with_pair({ short_writes = true }, function(a)
      local seen = {}
      for _ = 1, 20 do seen[assert(a:send(("x"):rep(1000)))] = true end
      assert.is_truthy(next(seen, (next(seen))))
    end)
  end)

  it("are no concern of streams and sendfile", function()
    with_pair({ short_writes = 7 }, function(a, b)
      local file <close> = assert(io.tmpfile())
      assert(file:write(("f"):rep(1000)):seek "set")
      csock.spawn(function()
        local stream <close> = a:makefile "w"
        stream:write(("s"):rep(1000)):flush()
        assert(a:sendfile(file))
        a:shutdown(csock.SHUT_WR)
      end)
      assert.equal(("s"):rep(1000) .. ("f"):rep(1000), table.concat(pieces(b)))
    end)
  end)
end)

describe("a reset", function()
  for _, delay in ipairs { 0, 0.01 } do
    local how = delay > 0 and ", over a way that takes time" or ""

    it("comes after so many bytes, at both ends" .. how, function()
      with_pair({ reset_after = 5, delay = delay }, function(a, b)
        assert.equal(3, a:send "abc")
        assert.equal("abc", b:recv(100))
        assert.equal(2, a:send "defgh")
        local waiting = csock.spawn(a.recv, a, 1)
        assert.equal("de", b:recv(100))
        for _, call in ipairs { "recv", "send" } do
          assert.equal("ECONNRESET", select(2, b[call](b, call == "send" and "x" or 1)).name)
        end
        assert.equal("ECONNRESET", select(2, waiting:join()).name)
        assert.equal("ECONNRESET", select(2, a:send "x").name)
      end)
    end)
  end

  it("counts each direction by itself", function()
    with_pair({ reset_after = 5 }, function(a, b)
      a:sendall "1234"
      b:sendall "1234"
      assert.equal("1234", a:recv(10))
      assert.equal("1234", b:recv(10))
      assert.is_nil(a:sendall "56")
      assert.equal("5", b:recv(10))
      assert.equal("ECONNRESET", select(2, b:recv(10)).name)
    end)
  end)

  it("wakes who waits for input among others", function()
    with_pair({ reset_after = 1 }, function(a, b)
      b:send "x"
      local waiting = csock.spawn(csock.select, { b }, {}, {})
      csock.sleep(1)
      assert.equal("x", a:recv(1))
      assert.same({ b }, (waiting:join()))
    end)
  end)

  it("is what a program makes of it: a server goes on", function()
    testing.run(function(net)
      local server <close> = assert(httpserver.serve({ "", 80 }, function() return 200, {}, ("x"):rep(5000) end))
      net:change { reset_after = 1000 }
      local answer, err = http.get "http://localhost/"
      assert.is_nil(answer)
      assert.equal("ECONNRESET", err.name)
      net:change { reset_after = false }
      answer = assert(http.get "http://localhost/")
      assert.equal(5000, #answer:read())
      server:close()
    end, { network = {}, leaks = false })
  end)
end)

describe("a silent host", function()
  it("lets those wait who connect to it, as long as they have time", function()
    testing.run(function(net)
      local listener <close> = assert(csock.create_server { "", 80 })
      net:silence "server"
      local err
      for seconds, timeout in pairs { [30] = 30, [127] = false } do
        assert.equal(seconds * 1000, elapsed(function()
          err = select(2, csock.create_connection({ "server", 80 }, { timeout = timeout }))
        end))
        assert.equal("ETIMEDOUT", err.name)
      end
      local s <close> = assert(csock.socket())
      s:settimeout(0)
      assert.equal(csock.errno.EINPROGRESS, s:connect_ex("server", 80))
      net:silence("server", false)
      assert(csock.create_connection({ "server", 80 }, { timeout = 30 })):close()
      assert.is_truthy(listener)
      assert.error_matches(function() net:silence "nobody" end, "no such host")
    end, { network = { hosts = { "server" } }, virtual_time = true })
  end)

  it("loses the datagrams to it", function()
    testing.run(function(net)
      local receiver <close> = csock.socket(AF_INET, SOCK_DGRAM)
      assert(receiver:bind("", 53))
      receiver:settimeout(1)
      net:silence "localhost"
      receiver:sendto("x", { "localhost", 53 })
      assert.equal("ETIMEDOUT", select(2, receiver:recv(1)).name)
    end, { network = {}, virtual_time = true })
  end)
end)

describe("EMFILE", function()
  after_each(keep.close)

  it("comes from the calls that are named", function()
    local net <close> = testing.network { emfile = { socket = 2 } }
    keep(net:socket())
    local s, err = net:socket()
    assert.is_nil(s)
    assert.equal("EMFILE", err.name)
    assert.equal("socket", err.call)
    keep(net:socket())
  end)

  it("is lived through by servers", function()
    testing.run(function()
      local server <close> = assert(csock.serve({ "", 80 }, function(conn) conn:sendall "hello" end))
      for _ = 1, 3 do
        local s <close> = assert(csock.create_connection { "localhost", 80 })
        assert.equal("hello", s:recv(10))
      end
      assert.is_truthy(server)
    end, { network = { emfile = { accept = { 1, 2, 4 } } }, virtual_time = true })
  end)
end)

describe("options of a network", function()
  it("are checked", function()
    for name, value in pairs {
      delay = -1, jitter = "1", loss = 1.5, reorder = -0.1, short_reads = 0, short_writes = 1.5, reset_after = -1,
      emfile = 3, hosts = "server", seed = 0.5, speed = 1,
    } do
      assert.error_matches(function() testing.network { [name] = value } end, name)
    end
    assert.error_matches(function() testing.network { emfile = { bind = 1 } } end, "emfile")
    assert.error_matches(function() testing.network { emfile = { accept = { "1" } } } end, "emfile")
    assert.error_matches(function() testing.network { hosts = { server = "no number" } } end, "hosts")
    local net <close> = testing.network()
    assert.error_matches(function() net:change { hosts = {} } end, "unknown option 'hosts'")
    assert.error_matches(function() net:host("name", "no number") end, "IPv4 address expected")
    assert.is_nil(loop.current())
  end)
end)

-- Servers behind proxies: whose headers are read, in which time, and that no byte is lost.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local httpserver = require "csock.httpserver"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local proxyproto = require "csock.proxyproto"
local serving = require "spec.support.serving"
local socketserver = require "csock.socketserver"

local E, loop = csock.errno, csock.loop
local LIMIT = 10 * process.slowness
local LOCAL = { "127.0.0.1", 0 }
local PROXIES = { "127.0.0.0/8" }
local FROM, TO = { "192.0.2.1", 5000 }, { "192.0.2.2", 80 }
local V1 = proxyproto.header { version = 1, source = FROM, destination = TO }
local V2 = proxyproto.header { source = FROM, destination = TO }

after_each(keep.close)

local function plain(address)
  return keep(csock.create_connection(address, { timeout = LIMIT }))
end

-- Runs f in a task; no task may fail, and no descriptor be left.
local function trial(f)
  csock.run()
  collectgarbage()
  local before, errors, onerror = posix.fds(), {}, loop.onerror
  loop.onerror = function(err) errors[#errors + 1] = tostring(err) end
  finally(function() loop.onerror = onerror end)
  csock.run(function()
    assert(select("#", loop.timeout(2 * LIMIT, function()
      f()
      return true
    end)) == 1, "it took too long")
    keep.close()
  end)
  collectgarbage()
  assert.same({}, errors)
  assert.same(before, posix.fds())
end

-- Says who the client is, and what it has sent.
local function tell(conn, addr)
  local data = contexts.rest(conn)
  conn:sendall(("%s %s"):format(tostring(addr), data))
end

local function serve(rules, options)
  options = options or {}
  options.proxy_protocol = rules
  return keep(csock.serve(LOCAL, tell, options))
end

-- What comes back for some bytes, sent so many at a time.
local function ask(server, bytes, size)
  local s = plain(server:getsockname())
  s:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true)
  for at = 1, #bytes, size or math.max(#bytes, 1) do
    if not s:sendall(bytes:sub(at, at + (size or #bytes) - 1)) then break end
    if size then csock.yield() end
  end
  s:shutdown(csock.SHUT_WR)
  return contexts.rest(s)
end

describe("csock.serve behind a proxy", function()
  it("gives the handler the client's address, and all that came after the header", function()
    trial(function()
      local server = serve(PROXIES)
      for _, header in ipairs { V1, V2 } do
        for _, size in ipairs { false, 1, 2, 3, 7, 20, 40 } do
          assert.equal("('192.0.2.1', 5000) hello\r\n", ask(server, header .. "hello\r\n", size or nil))
        end
      end
    end)
  end)

  it("gives its own address where the proxy tells none", function()
    trial(function()
      local server = serve(PROXIES)
      for _, header in ipairs { "PROXY UNKNOWN\r\n", proxyproto.header {}, proxyproto.header { command = "LOCAL" } } do
        assert.matches("^%('127%.0%.0%.1', %d+%) hi$", ask(server, header .. "hi"))
      end
    end)
  end)

  it("tells what else the header said", function()
    trial(function()
      local info
      local server = keep(csock.serve(LOCAL, function(conn) info = proxyproto.info(conn) end,
        { proxy_protocol = PROXIES }))
      ask(server, proxyproto.header { source = "/a", destination = "/b", authority = "x.example" })
      assert.same({ "x.example", "/a", 2 }, { info.authority, info.source, info.version })
    end)
  end)

  it("closes the connections of those who are no proxies, unless they are to be served", function()
    trial(function()
      local failures = {}
      local function failed(err, addr) failures[#failures + 1] = { err.errno, addr.host } end
      local server = serve { "192.0.2.0/24", "::1", failed = failed }
      assert.equal("", ask(server, V2 .. "hi"))
      assert.equal("", ask(server, "hi"))
      assert.same({ { E.EACCES, "127.0.0.1" }, { E.EACCES, "127.0.0.1" } }, failures)
      server = serve { "192.0.2.0/24", others = "serve" }
      local text = ask(server, V1 .. "hi")
      assert.matches("^%('127%.0%.0%.1', %d+%) PROXY TCP4 .*hi$", text)
    end)
  end)

  it("closes the connections of proxies that send no header", function()
    trial(function()
      local failures = {}
      local server = serve { "127.0.0.1", failed = function(err) failures[#failures + 1] = err.errno end }
      local texts = { "GET / HTTP/1.0\r\n\r\n", "hi", "", V1:sub(1, -2), V2:sub(1, 20), V1:sub(1, 20) .. "\n" }
      for _, text in ipairs(texts) do
        assert.equal("", ask(server, text))
      end
      assert.same({ E.EPROTO, E.EPROTO, E.EPROTO, E.EPROTO, E.EPROTO, E.EPROTO }, failures)
    end)
  end)

  it("gives the header so much time, however slowly it comes, and no more than its limit", function()
    trial(function()
      local failures = {}
      local function failed(err) failures[#failures + 1] = err.errno end
      local server = serve { "127.0.0.1", timeout = 0.05, failed = failed }
      local s = plain(server:getsockname())
      local sender = csock.spawn(function()
        for byte in V1:gmatch "." do
          if not s:sendall(byte) then return end
          csock.sleep(0.02)
        end
      end)
      assert.equal("", contexts.rest(s))
      sender:cancel()
      server = serve { "127.0.0.1", limit = 27, failed = failed }
      assert.equal("", ask(server, V2))
      assert.same({ E.ETIMEDOUT, E.EPROTO }, failures)
    end)
  end)

  it("serves others while one has yet to send its header", function()
    trial(function()
      local server = serve(PROXIES)
      local silent = plain(server:getsockname())
      assert.matches("hi$", ask(server, V2 .. "hi"))
      silent:sendall(V1 .. "late")
      silent:shutdown(csock.SHUT_WR)
      assert.matches("late$", contexts.rest(silent))
    end)
  end)

  it("knows proxies that come by a Unix socket", function()
    local path = os.tmpname()
    os.remove(path)
    trial(function()
      local server = keep(csock.serve(path, tell, { family = csock.AF_UNIX, proxy_protocol = { "unix" } }))
      local s = keep(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM))
      assert(s:connect(path))
      s:sendall(V1 .. "hi")
      s:shutdown(csock.SHUT_WR)
      assert.equal("('192.0.2.1', 5000) hi", contexts.rest(s))
      server:close()
    end)
    os.remove(path)
  end)

  it("raises for rules that are none", function()
    for _, rules in ipairs {
      { "localhost" }, { "1.2.3.4/33" }, { "::1/129" }, { "1.2.3" }, { "1.2.3.4/-1" }, { 5 }, { others = "believe" },
      { timeout = "x" }, { unknown = 1 },
    } do
      assert.error_matches(function() csock.serve(LOCAL, tell, { proxy_protocol = rules }) end, "bad argument")
      assert.error_matches(function()
        socketserver.TCPServer(LOCAL, serving.Echo, { proxy_protocol = rules })
      end, "bad argument")
    end
    assert.error_matches(function()
      socketserver.UDPServer(LOCAL, serving.Echo, { proxy_protocol = PROXIES })
    end, "for datagrams")
  end)

  if contexts.missing then
    pending("TLS behind the header: " .. contexts.missing)
  else
    it("reads the header before TLS begins", function()
      trial(function()
        local server = serve(PROXIES, { ssl = contexts.server() })
        local port = server:getsockname().port
        for _, option in ipairs { V1, V2 } do
          local s = keep(csock.create_connection({ "localhost", port },
            { ssl = contexts.client(), timeout = LIMIT, proxy_protocol = option }))
          s:sendall "secret"
          s:shutdown(csock.SHUT_WR)
          assert.equal("('192.0.2.1', 5000) secret", contexts.rest(s))
        end
        assert.equal("", ask(server, V2 .. "in the clear"))
      end)
    end)
  end
end)

describe("the rules about proxies", function()
  local function allows(list, host)
    local family = host:find ":" and csock.AF_INET6 or csock.AF_INET
    return proxyproto.rules(list):allow(csock.address(family, host, 1))
  end

  it("know addresses and networks, to the bit", function()
    assert.is_true(allows({ "10.0.0.0/8" }, "10.255.255.255"))
    assert.is_false(allows({ "10.0.0.0/8" }, "11.0.0.0"))
    assert.is_true(allows({ "192.0.2.128/25" }, "192.0.2.129"))
    assert.is_false(allows({ "192.0.2.128/25" }, "192.0.2.127"))
    assert.is_true(allows({ "192.0.2.1/32", "fd00::/8" }, "fdff::1"))
    assert.is_false(allows({ "fd00::/8" }, "fc00::1"))
    assert.is_true(allows({ "0.0.0.0/0" }, "1.2.3.4"))
    assert.is_false(allows({ "0.0.0.0/0" }, "::1"))
    assert.is_true(allows({ csock.address(csock.AF_INET, "1.2.3.4", 0) }, "1.2.3.4"))
    assert.is_false(allows({}, "1.2.3.4"))
  end)

  it("know an IPv4 address that comes to a socket for both", function()
    assert.is_true(allows({ "10.0.0.0/8" }, "::ffff:10.1.2.3"))
    assert.is_false(allows({ "::/1" }, "::ffff:10.1.2.3"))
  end)

  it("know addresses whatever their scope is", function()
    assert.is_true(proxyproto.rules({ "fe80::/10" }):allow(csock.address(csock.AF_INET6, "fe80::1", 1, 0, 1)))
  end)
end)

describe("httpserver.serve behind a proxy", function()
  it("tells the handler who the client is", function()
    trial(function()
      local server = keep(httpserver.serve(LOCAL, function(request)
        return 200, nil, tostring(request.client_address)
      end, { proxy_protocol = PROXIES }))
      for _, header in ipairs { V1, V2 } do
        assert.matches("%('192%.0%.2%.1', 5000%)$", ask(server, header .. "GET / HTTP/1.0\r\n\r\n"))
      end
      server:close()
    end)
  end)
end)

for _, kind in ipairs { "TCPServer", "ThreadingTCPServer", "ForkingTCPServer" } do
  describe(kind .. " behind a proxy", function()
    local Teller = serving.handler(function(self)
      self.wfile:write(tostring(self.client_address), " ", self.rfile:read "l")
    end)

    local function line(server, bytes)
      local s <close> = serving.connect(server)
      s:sendall(bytes)
      return contexts.rest(s)
    end

    it("gives the handler the client's address", function()
      local server = serving.make(kind, Teller, { proxy_protocol = PROXIES })
      serving.during(server, function()
        assert.equal("('192.0.2.1', 5000) hello", line(server, V1 .. "hello\n"))
        assert.equal("('192.0.2.1', 5000) hello", line(server, V2 .. "hello\n"))
        assert.equal("", line(server, "hello, world, hello\n"))
        assert.equal("('192.0.2.1', 5000) again", line(server, V2 .. "again\n"))
      end)
    end)

    if not contexts.missing then
      it("reads the header before TLS begins", function()
        local server = serving.make(kind, Teller, { ssl_context = contexts.server() })
        server.proxy_protocol = PROXIES
        local client = contexts.client()
        serving.during(server, function()
          local s <close> = assert(csock.create_connection(server.server_address,
            { ssl = client, server_hostname = "localhost", timeout = LIMIT, proxy_protocol = V2 }))
          assert(s:sendall "secret\n")
          assert.equal("('192.0.2.1', 5000) secret", contexts.rest(s))
        end)
      end)
    end
  end)
end

describe("create_connection with a header", function()
  it("says the connection's own addresses, or others", function()
    trial(function()
      local server = serve(PROXIES)
      local address = server:getsockname()
      local function hear(option)
        local s = keep(csock.create_connection(address, { timeout = LIMIT, proxy_protocol = option }))
        s:sendall "hi"
        s:shutdown(csock.SHUT_WR)
        local text = contexts.rest(s)
        return text:gsub(" hi$", ""), s:getsockname()
      end
      for _, option in ipairs { true, 1, 2, { version = 1 }, { crc32c = true } } do
        local text, own = hear(option)
        assert.equal(tostring(own), text)
      end
      assert.equal("('192.0.2.9', 7)", (hear { source = { "192.0.2.9", 7 } }))
      assert.equal("('192.0.2.1', 5000)", (hear(V1)))
    end)
  end)
end)

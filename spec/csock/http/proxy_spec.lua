-- Proxies: which one, and how it is spoken with.
local csock = require "csock"
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local proxy = require "csock.http.proxy"
local streams = require "spec.support.streams"
local tls = require "spec.support.tls"

after_each(keep.close)

-- A proxy that makes tunnels to ports of this machine, whatever host is asked for.
local function tunneling()
  return keep(http_server.start(function(conn)
    local text = conn:request()
    local port = text:match "^CONNECT [^ ]*:(%d+) HTTP/1.1\r\n"
    local far = assert(csock.create_connection { "127.0.0.1", tonumber(port) })
    conn:send "HTTP/1.1 200 Connection established\r\n\r\n"
    local function pump(from, to)
      while true do
        local data = from:recv(65536)
        if not data or data == "" then break end
        if not to:sendall(data) then break end
      end
      to:shutdown(csock.SHUT_WR)
    end
    local other = csock.spawn(pump, far, conn.sock)
    pump(conn.sock, far)
    other:join()
    far:close()
  end))
end

describe("a proxy", function()
  for how, run in pairs(streams.ways) do
    it("is asked for a page of http by its whole URL " .. how, function()
      local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nproxy")
      run(function()
        local response = assert(http.get("http://far.test:8080/a?b#c", {
          timeout = tls.LIMIT, proxies = { http = ("http://us%%65r:pw@127.0.0.1:%d"):format(server.port) },
        }))
        assert.equal("proxy", response.body)
        local text = server:request()
        assert.matches("^GET http://far.test:8080/a%?b HTTP/1.1\r\nHost: far.test:8080\r\n", text)
        assert.matches("\r\nProxy%-Authorization: Basic dXNlcjpwdw==\r\n", text)
      end)
    end)

    if not tls.missing then
      it("is asked for a tunnel for https, and sees nothing of it " .. how, function()
        local server = keep(http_server.start(function(conn)
          while conn:request() do conn:answer "secret" end
        end, tls.server()))
        local between = tunneling()
        run(function()
          local session = keep(http.Session {
            timeout = tls.LIMIT, ssl = tls.client(), headers = { ["X-Mine"] = "secret" },
            proxies = { https = ("http://user:pw@127.0.0.1:%d"):format(between.port) },
          })
          for _ = 1, 2 do
            assert.equal("secret", assert(session:get(("https://localhost:%d/"):format(server.port))).body)
            assert.not_matches("Proxy", (server:request()))
          end
          local text = between:request()
          assert.matches(("^CONNECT localhost:%d HTTP/1.1\r\n"):format(server.port), text)
          assert.matches("\r\nHost: localhost:%d+\r\n", text)
          assert.matches("\r\nProxy%-Authorization: Basic dXNlcjpwdw==\r\n", text)
          assert.not_matches("secret", text)
          assert.is_nil((between.channel:recv(1, csock.MSG_DONTWAIT)))
        end)
      end)
    end
  end

  it("makes a tunnel for HTTPConnection", function()
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    local between = tunneling()
    local connection = keep(http.HTTPConnection("127.0.0.1", between.port, { timeout = tls.LIMIT }))
    connection:set_tunnel("far.test", server.port, { ["X-A"] = "b" })
    assert(connection:request("GET", "/"))
    assert.equal("ok", assert(connection:getresponse()):read())
    assert.matches("X%-A: b\r\n", (between:request()))
    assert.matches("^GET / HTTP/1.1\r\nHost: far.test:%d+\r\n", (server:request()))
    assert.has_error(function() connection.sock = {} connection:set_tunnel "other" end)
    connection.sock = nil
  end)

  it("that refuses says why", function()
    for bytes, expected in pairs {
      ["HTTP/1.1 407 Who are you\r\nContent-Length: 0\r\n\r\n"] = { "ProxyError", 407 },
      ["HTTP/1.1 302 X\r\nLocation: http://evil/\r\n\r\n"] = { "ProxyError", 302 },
      ["HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 200 OK\r\n"] = { "BadStatusLine" },
      [""] = { "RemoteDisconnected" }, ["nonsense\r\n\r\n"] = { "EBADMSG" },
      [("HTTP/1.1 100 X\r\n\r\n"):rep(40)] = { "ProxyError", 100 },
    } do
      local server = keep(http_server.saying(bytes))
      local response, err = http.get("https://far.test/", {
        timeout = tls.LIMIT, proxies = { https = server.url },
      })
      assert.is_nil(response)
      assert.same(expected, { err.name, err.code }, bytes)
      keep.close()
    end
  end)

  it("of another kind is not used", function()
    for _, url in ipairs { "socks5://h:1", "https://h:1" } do
      assert.equal("UnknownProtocol", select(2, http.get("http://far.test/", { proxies = { all = url } })).name)
    end
    assert.equal("InvalidURL", select(2, http.get("http://far.test/", { proxies = { http = "http://" } })).name)
    assert.equal("InvalidURL",
      select(2, http.get("http://far.test/", { proxies = { http = "http://u%0D%0AX:p@h" } })).name)
  end)
end)

describe("no_proxy", function()
  it("is a list of hosts and domains, with or without ports", function()
    for _, case in ipairs {
      { "example.org", "example.org", 80 }, { "example.org", "www.example.org", 80 },
      { ".example.org", "www.example.org", 80 }, { "*.example.org", "www.example.org", 80 },
      { "a, EXAMPLE.org ,b", "example.ORG", 80 }, { "*", "any", 80 }, { "h:81", "h", 81 }, { "[::1]", "::1", 80 },
      { "::1", "::1", 80 }, { "[::1]:81", "::1", 81 }, { "127.0.0.1", "127.0.0.1", 80 },
    } do
      assert.is_true(proxy.bypasses(table.unpack(case)), case[1])
    end
    for _, case in ipairs {
      { "example.org", "badexample.org", 80 }, { "www.example.org", "example.org", 80 }, { "", "h", 80 },
      { "h:81", "h", 80 }, { ",", "h", 80 }, { ".", "h", 80 },
    } do
      assert.is_false(proxy.bypasses(table.unpack(case)), case[1])
    end
  end)
end)

describe("the environment", function()
  local names = { "http_proxy", "https_proxy", "all_proxy", "no_proxy", "ftp_proxy" }

  local function proxies(env)
    for _, name in ipairs(names) do
      env[name] = env[name] or false
      env[name:upper()] = env[name:upper()] or false
    end
    env.REQUEST_METHOD = env.REQUEST_METHOD or false
    local _, out, err = process.run({ process.interpreter, "-e", [[
      for scheme, url in pairs(require "csock.url".getproxies()) do print(scheme .. "=" .. url) end
    ]] }, { env = env })
    assert.equal("", err)
    local list = {}
    for line in out:gmatch "[^\n]+" do list[#list + 1] = line end
    table.sort(list)
    return table.concat(list, " ")
  end

  it("names proxies, in small letters before capitals", function()
    assert.equal("http=a https=c no=d",
      proxies { http_proxy = "a", HTTP_PROXY = "b", HTTPS_PROXY = "c", no_proxy = "d" })
    assert.equal("http=b", proxies { HTTP_PROXY = "b" })
    assert.equal("", proxies {})
  end)

  it("has no HTTP_PROXY in a CGI program, where it is what a client has sent", function()
    assert.equal("https=c", proxies { HTTP_PROXY = "b", HTTPS_PROXY = "c", REQUEST_METHOD = "GET" })
    assert.equal("http=a", proxies { http_proxy = "a", HTTP_PROXY = "b", REQUEST_METHOD = "GET" })
  end)

  it("is heeded by requests, unless they say otherwise", function()
    local server = keep(http_server.saying "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
    local env = { http_proxy = server.url, no_proxy = "near.test" }
    for _, name in ipairs(names) do
      env[name] = env[name] or false
      env[name:upper()] = false
    end
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local http = require "csock.http"
      print(assert(http.get("http://far.test/", { timeout = 10 })).status)
      print((http.get("http://127.0.0.1:1/", { timeout = 10, proxies = false })))
    ]] }, { env = env })
    assert.same({ 0, "200\nnil\n", "" }, { status, out, err })
    assert.matches("^GET http://far.test/ ", (server:request()))
  end)
end)

-- The PROXY protocol with those who speak it as well: haproxy and nginx before a server, nginx and haproxy behind a
-- client, and curl.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local nginx = require "spec.support.nginx"
local process = require "spec.support.process"
local proxies = require "spec.support.proxies"

local LIMIT = 10 * process.slowness

after_each(keep.close)

-- A server in a process of its own. It says who its client is, what else the header said, and what has come.
local function start(options)
  local server = keep(process.lua { "-e", ([[
    io.stdout:setvbuf "line"
    local csock = require "csock"
    local proxyproto = require "csock.proxyproto"
    %s
    local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn, addr)
      local info = proxyproto.info(conn)
      print(info.command, info.source)
      local line = conn:makefile():read() or "nothing"
      conn:sendall(("%%s v%%d %%s %%s %%s %%s\n"):format(addr, info.version, info.command, info.destination,
        info.authority or "-", line))
    end, { proxy_protocol = { "127.0.0.1", failed = function(err) print(err) end }, %s }))
    print("port " .. server:getsockname().port)
    csock.run()
  ]]):format(contexts.SERVER, options or "") })
  return tonumber(server:expect "port (%d+)\n"), server
end

local function ask(port, options, line)
  options = options or {}
  options.timeout = LIMIT
  local s = keep(csock.create_connection({ "127.0.0.1", port }, options))
  assert(s:sendall((line or "hello") .. "\n"))
  return contexts.rest(s), s:getsockname(), s:getpeername()
end

local function test(name, words, f)
  local missing = proxies.missing(name)
  if missing then pending(words .. ": " .. missing) else it(words, f) end
end

describe("haproxy before a server", function()
  for option, version in pairs { ["send-proxy"] = 1, ["send-proxy-v2"] = 2 } do
    test("haproxy", "says by " .. option .. " who the client is", function()
      local proxy = keep(proxies.haproxy(([[
frontend in
  bind 127.0.0.1:PORT
  default_backend out
backend out
  server one 127.0.0.1:%d %s
]]):format(start(), option)))
      local text, own, peer = ask(proxy.port)
      assert.equal(("%s v%d PROXY %s - hello\n"):format(own, version, peer), text)
    end)
  end

  test("haproxy", "says more in fields, with a sum", function()
    local proxy = keep(proxies.haproxy(([[
frontend in
  bind 127.0.0.1:PORT
  default_backend out
backend out
  server one 127.0.0.1:%d send-proxy-v2 proxy-v2-options crc32c,unique-id
]]):format(start())))
    local text, own, peer = ask(proxy.port)
    assert.equal(("%s v2 PROXY %s - hello\n"):format(own, peer), text)
  end)

  test("haproxy", "checks by LOCAL whether the server is there", function()
    local port, server = start()
    keep(proxies.haproxy(([[
frontend in
  bind 127.0.0.1:PORT
  default_backend out
backend out
  server one 127.0.0.1:%d send-proxy-v2 check check-send-proxy inter 50ms
]]):format(port)))
    server:expect "LOCAL\tnil\n"
  end)

  if not contexts.missing then
    test("haproxy", "passes TLS on behind its header", function()
      local proxy = keep(proxies.haproxy(([[
frontend in
  bind 127.0.0.1:PORT
  default_backend out
backend out
  server one 127.0.0.1:%d send-proxy-v2
]]):format(start "ssl = ctx")))
      local text, own = ask(proxy.port, { ssl = contexts.client(), server_hostname = "localhost" })
      assert.equal(tostring(own), text:match "^(%b())")
      assert.matches("hello\n$", text)
    end)
  end
end)

describe("haproxy behind a client", function()
  for _, version in ipairs { 1, 2 } do
    test("haproxy", "believes version " .. version, function()
      local proxy = keep(proxies.haproxy(([[
frontend in
  bind 127.0.0.1:PORT accept-proxy
  default_backend out
backend out
  server one 127.0.0.1:%d send-proxy-v2
]]):format(start())))
      local text = ask(proxy.port, {
        proxy_protocol = { version = version, source = { "192.0.2.1", 5000 }, destination = { "192.0.2.2", 80 } },
      })
      assert.equal("('192.0.2.1', 5000) v2 PROXY ('192.0.2.2', 80) - hello\n", text)
    end)
  end
end)

describe("nginx before a server", function()
  test("nginx", "says who the client is", function()
    local proxy = keep(proxies.nginx(([[
      server { listen 127.0.0.1:PORT; proxy_pass 127.0.0.1:%d; proxy_protocol on; }
    ]]):format(start())))
    local text, own, peer = ask(proxy.port)
    assert.equal(("%s v1 PROXY %s - hello\n"):format(own, peer), text)
  end)
end)

describe("nginx behind a client", function()
  if not nginx.path then
    pending "believes a header: no nginx"
    return
  end

  it("believes a header of either version", function()
    local server = keep(nginx.start [[
      server {
        listen 127.0.0.1:PORT proxy_protocol;
        location / { return 200 "$proxy_protocol_addr $proxy_protocol_port\n"; }
      }
    ]])
    for _, source in ipairs { { "192.0.2.1", 5000 }, { "2001:db8::1", 5001 } } do
      for _, version in ipairs { 1, 2 } do
        local text = ask(server.port, { proxy_protocol = { version = version, source = source } },
          "GET / HTTP/1.0\r\n\r")
        assert.matches(("\r\n\r\n%s %d\n$"):format(source[1]:gsub("%p", "%%%0"), source[2]), text)
      end
    end
  end)
end)

describe("curl before a server", function()
  if process.run { "sh", "-c", "command -v curl" } ~= 0 then
    pending "says who the client is: no curl"
    return
  end

  it("says who the client is", function()
    local server = keep(httpd.start [[
      serve(function(request) return 200, nil, tostring(request.client_address) end,
        { proxy_protocol = { "127.0.0.1" } })
      csock.run()
    ]])
    local status, out = process.run { "curl", "-sS", "--noproxy", "*", "--haproxy-protocol", "-w", " %{local_port}",
      ("http://127.0.0.1:%d/"):format(server.port) }
    assert.equal(0, status)
    local seen, own = out:match "^%('127%.0%.0%.1', (%d+)%) (%d+)$"
    assert.equal(own, seen)
  end)
end)

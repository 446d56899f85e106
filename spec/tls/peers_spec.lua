-- With other people's programs: curl, nginx, openssl, Python.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates, peers = tls.certificates, tls.peers

describe("over TLS", function()
  if tls.missing then return it("other programs are spoken with", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- Answers a request for a page.
  local function page(s)
    local request = keep((s:makefile "rw"))
    local first = request:read()
    repeat local line = assert(request:read()) until line == "\r" or line == ""
    local body = first:gsub("\r", "") .. "\n"
    assert(request:write(("HTTP/1.0 200 OK\r\nContent-Length: %d\r\n\r\n%s"):format(#body, body)))
    assert(request:close())
    s:close()
  end

  for _, version in ipairs { "1.2", "1.3" } do
    it("curl gets a page, TLS " .. version, function()
      if not peers.has.curl then return pending "no curl" end
      local listener = keep(csock.create_server { "127.0.0.1", 0 })
      local port = listener:getsockname().port
      local server = tls.server(certificates.chained, { version = version })
      -- This process waits for curl: a child of it serves.
      local pid = assert(csock.fork())
      if pid == 0 then
        local s = assert(listener:accept())
        s:settimeout(tls.LIMIT)
        if server:wrap_socket(s, { server_side = true }) then page(s) end
        csock._exit(0)
      end
      local status, out, err = peers.curl { ("https://localhost:%d/a/page"):format(port) }
      assert.equal("", err)
      assert.equal(0, status)
      assert.equal("GET /a/page HTTP/1.1\n", out)
      assert(require "spec.support.posix".waitpid(pid, tls.LIMIT))
    end)

    tls.ways(function(way, run)
      local where = (", TLS %s, %s"):format(version, way)

      it("nginx gives a page" .. where, function()
        if not peers.has.nginx then return pending "no nginx" end
        run(function()
          local server = keep(peers.nginx(certificates.chained, "TLSv" .. version))
          local context = tls.client()
          for i = 1, 3 do
            local s = assert(tls.dial(server.port, context))
            assert.equal("TLSv" .. version, s:version())
            assert.equal(i > 1, s:session_reused())
            assert(s:sendall "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n")
            local text = assert(keep((s:makefile())):read "a")
            assert.matches("nginx over TLSv" .. version .. "\n$", text)
          end
        end)
      end)

      it("openssl's server and client say lines" .. where, function()
        run(function()
          local server = keep(peers.s_server(certificates.good, { "-tls" .. version:gsub("%.", "_") }))
          local s = assert(tls.dial(server.port))
          assert(s:sendall "from us\n")
          server:expect "from us\r?\n"
          server:write "from it\n"
          assert.equal("from it\n", tls.line(s))

          local listener = keep(csock.create_server { "127.0.0.1", 0 })
          local client = keep(peers.s_client(listener:getsockname().port, { "-tls" .. version:gsub("%.", "_") }))
          s = keep((assert(listener:accept())))
          s:settimeout(tls.LIMIT)
          assert(tls.server():wrap_socket(s, { server_side = true }))
          assert.equal("localhost", s:server_hostname())
          client:write "from it\n"
          assert.equal("from it\n", tls.line(s))
          assert(s:sendall "from us\n")
          client:expect "from us\r?\n"
          client:write "Q\n"
          assert.equal("", s:recv(1))
        end)
      end)

      it("Python sends and takes much" .. where, function()
        run(function()
          local listener = keep(csock.create_server { "127.0.0.1", 0 })
          local client = tls.connect { role = "taker", port = listener:getsockname().port }
          local s = keep((assert(listener:accept())))
          s:settimeout(tls.LIMIT)
          assert(tls.server(nil, { version = version }):wrap_socket(s, { server_side = true }))
          assert(s:sendall(tls.pattern(1000000)))
          s:close()
          assert.equal("1000000", client:result())

          client = tls.connect { role = "source", size = 1000000, port = listener:getsockname().port }
          s = keep((assert(listener:accept())))
          s:settimeout(tls.LIMIT)
          assert(tls.server(nil, { version = version }):wrap_socket(s, { server_side = true }))
          local stream = keep((s:makefile()))
          assert.equal(tls.pattern(1000000), stream:read "a")
          stream:close()
          s:close()
          assert.equal("closed", client:result())
        end)
      end)
    end)
  end

  it("openssl's client refuses our server's bad certificate, and we hear of it", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local client = keep(peers.s_client(listener:getsockname().port))
    local s = keep((assert(listener:accept())))
    s:settimeout(tls.LIMIT)
    local server = tls.server(certificates.expired)
    local ok, err = server:wrap_socket(s, { server_side = true })
    assert.is_nil(ok)
    assert.equal("certificate_expired", err.alert)
    client:wait()
    assert.matches("certificate has expired", client.out)
  end)

  it("a page in plain HTTP from curl to a TLS port is refused", function()
    if not peers.has.curl then return pending "no curl" end
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local curl = keep(require "spec.support.process".start { peers.has.curl, "-sS", "--noproxy", "*",
      ("http://127.0.0.1:%d/"):format(listener:getsockname().port) })
    local s = keep((assert(listener:accept())))
    s:settimeout(tls.LIMIT)
    local ok, err = tls.server():wrap_socket(s, { server_side = true })
    assert.is_nil(ok)
    assert.equal("HTTP_REQUEST", err.name)
    assert.not_equal(0, curl:wait())
  end)
end)

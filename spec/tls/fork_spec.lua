-- Processes that share connections over TLS after a fork; states that come and go.
local csock = require "csock"
local host = require "spec.support.host"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

-- Forks; the child runs `f`, and ends with 0 unless that raises. Gives the child's id.
local function child(f)
  local pid = assert(csock.fork())
  if pid > 0 then return pid end
  local ok, err = pcall(f)
  if not ok then io.stderr:write(tostring(err), "\n") end
  csock._exit(ok and 0 or 1)
end

local function await(pid)
  local _, status = assert(csock.waitpid(pid))
  assert.equal(0, status)
end

describe("a connection that two processes have after a fork", function()
  if tls.missing then return it("is ended by one of them", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  for _, version in ipairs { "1.2", "1.3" } do
    it("goes on in the parent when the child closes it, TLS " .. version, function()
      local a, b = tls.pair(tls.client { version = version })
      await(child(function()
        assert(a:close())
        assert(b:close())
      end))
      assert(a:sendall "still here")
      assert.equal("still here", b:recv(100))
      assert(a:close())
      assert.equal("", b:recv(100)) -- with close_notify
    end)

    it("goes on in the child when the parent closes it, TLS " .. version, function()
      local a, b = tls.pair(tls.client { version = version })
      local gate, other = csock.socketpair()
      keep(gate)
      keep(other)
      local pid = child(function()
        assert(gate:recv(1) == "x") -- the parent has closed its copy
        assert(b:sendall "the child's")
        assert(b:close())
      end)
      assert(b:close())
      assert(other:send "x")
      assert.equal("the child's", a:recv(100))
      assert.equal("", a:recv(100))
      await(pid)
    end)
  end

  it("is not ended by the collector of a child", function()
    local a, b = tls.pair()
    await(child(function()
      a, b = nil, nil -- luacheck: ignore
      keep.close()
      collectgarbage()
    end))
    assert(a:sendall "still here")
    assert.equal("still here", b:recv(100))
  end)

  it("is made in a child with a context from before the fork", function()
    local client, server = tls.client(), tls.server()
    local a, b = tls.plain_pair()
    local pid = child(function()
      assert(server:wrap_socket(b, { server_side = true }))
      assert(b:sendall(assert(b:recv(100))))
      assert(b:unwrap())
    end)
    b:close()
    assert(client:wrap_socket(a, { server_hostname = "localhost" }))
    assert(a:sendall "hello")
    assert.equal("hello", a:recv(100))
    assert.equal("", a:recv(100))
    assert(a:unwrap())
    await(pid)
  end)
end)

describe("states one after the other", function()
  if tls.missing then return it("speak TLS", function() pending(tls.missing) end) end
  teardown(tls.close)

  local CHUNK = ([[
    local csock, ssl = require "csock", require "csock.ssl"
    local dir = %q
    local server = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    assert(server:load_cert_chain(dir .. "/good.pem", dir .. "/good.key"))
    local client = assert(ssl.create_default_context(nil, { cafile = dir .. "/ca.pem" }))
    ssl.create_default_context() -- the process's authorities, if there are any
    local a, b = csock.socketpair()
    a:settimeout(0)
    b:settimeout(0)
    assert(client:wrap_socket(a, { server_hostname = "localhost" }))
    assert(server:wrap_socket(b, { server_side = true }))
    for _ = 1, 5 do
      a:do_handshake()
      b:do_handshake()
    end
    assert(a:sendall "hello")
    left = { a, b, client, server } -- all of it is open when the state is closed
    return b:recv(10)
  ]]):format(tls.certificates.dir)

  it("speak TLS, whatever the earlier ones left open", function()
    for _ = 1, 3 do
      local first, second = host(), host()
      assert.equal("hello", first:run(CHUNK))
      assert.equal("hello", second:run(CHUNK))
      first:close()
      assert.equal("hello", second:run(CHUNK))
      second:close()
    end
  end)
end)

-- TLS under a socket: what happens to it while somebody waits, or while the program's function is asked for a name.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local E = csock.errno

describe("wrap_socket", function()
  if tls.missing then return it("puts TLS under a socket", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  it("that is refused leaves the socket under its context", function()
    local client, server = tls.client(), tls.server()
    local a = tls.pair(client, server)
    local ok, _, errno = server:wrap_socket(a, { server_side = true })
    assert.is_nil(ok)
    assert.equal(E.EISCONN, errno)
    assert.equal(client, a:context())
    local listener = keep((csock.create_server { "127.0.0.1", 0 }))
    assert(server:wrap_socket(listener, { server_side = true }))
    ok, _, errno = tls.server():wrap_socket(listener, { server_side = true })
    assert.is_nil(ok)
    assert.equal(E.EISCONN, errno)
    local s = tls.plain(listener:getsockname().port)
    assert.equal(server, keep((listener:accept())):context())
    assert(s)
  end)

  it("is for a socket again whose TLS was taken off, once what came behind it is read", function()
    local client, server = tls.client(), tls.server()
    local a, b = tls.pair(client, server)
    a:settimeout(0)
    assert.equal(E.EAGAIN, select(3, a:unwrap()))
    assert(b:unwrap())
    assert(b:sendall "in the clear")
    a:settimeout(tls.LIMIT)
    assert(a:unwrap())
    local ok, err, errno = client:wrap_socket(a, { server_hostname = "localhost" })
    assert.is_nil(ok)
    assert.equal(E.EBUSY, errno)
    assert.matches("what came behind the end of TLS must be read first", tostring(err), 1, true)
    assert.equal("in the clear", a:recv(100))
    a:settimeout(0)
    b:settimeout(0)
    assert(client:wrap_socket(a, { server_hostname = "localhost" }))
    assert(server:wrap_socket(b, { server_side = true }))
    assert(tls.shake(a, b))
    assert(a:sendall "secret")
    assert.equal("secret", b:recv(100))
  end)
end)

describe("a socket whose TLS was taken off, with bytes behind it,", function()
  if tls.missing then return it("is plain", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  it("looks at what comes after them, too, and at the end", function()
    local a, b = tls.pair()
    a:settimeout(0)
    assert.equal(E.EAGAIN, select(3, a:unwrap()))
    assert(b:unwrap())
    assert(b:sendall "behind")
    a:settimeout(tls.LIMIT)
    assert(a:unwrap())
    assert.equal("beh", a:recv(3, csock.MSG_PEEK))
    assert.equal("behind", a:recv(100))
    a:settimeout(0.01)
    assert.equal(E.ETIMEDOUT, select(3, a:recv(1, csock.MSG_PEEK)))
    assert(b:sendall "later")
    a:settimeout(tls.LIMIT)
    for _ = 1, 2 do assert.equal("la", a:recv(2, csock.MSG_PEEK)) end
    assert.equal("later", a:recv(100))
    assert(b:shutdown(csock.SHUT_WR))
    assert.equal("", a:recv(1, csock.MSG_PEEK))
    assert.equal("", a:recv(1))
  end)
end)

describe("a socket over TLS", function()
  if tls.missing then return it("is closed while somebody waits", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  local CALLS = {
    do_handshake = function(s) return s:do_handshake() end,
    unwrap = function(s) return s:unwrap() end,
    recv = function(s) return s:recv(1) end,
    sendall = function(s) return s:sendall(("x"):rep(20000000)) end,
  }

  -- Runs a task in the call, that waits, and then `change`. What the call gave.
  local function meanwhile(s, call, change)
    local result
    csock.run(function()
      local task <close> = csock.spawn(function() result = table.pack(pcall(CALLS[call], s)) end)
      for _ = 1, 3 do csock.yield() end
      change(s)
      task:join(tls.LIMIT)
    end)
    assert.is_true(result[1], result[2])
    return table.unpack(result, 2, result.n)
  end

  -- One whose peer does not answer: `made`: after the handshake.
  local function waiting(made)
    if made then return (tls.pair()) end
    local s = tls.plain_pair()
    s:settimeout(0)
    assert(tls.client():wrap_socket(s, { server_hostname = "localhost" }))
    s:settimeout(tls.LIMIT)
    return s
  end

  for call in pairs(CALLS) do
    local made = call ~= "do_handshake"
    it("is closed while a task waits in " .. call, function()
      local ok, err, errno = meanwhile(waiting(made), call, function(s) assert(s:close()) end)
      assert.is_nil(ok)
      assert.equal(E.EBADF, errno, tostring(err))
    end)

    it("gives its descriptor away while a task waits in " .. call, function()
      local ok, err, errno = meanwhile(waiting(made), call, function(s) assert(csock.close(s:detach())) end)
      assert.is_nil(ok)
      assert.equal(E.EBADF, errno, tostring(err))
    end)

    it("loses its context while a task waits in " .. call, function()
      local ok, err, errno = meanwhile(waiting(made), call, function(s)
        collectgarbage()
        collectgarbage()
        s:shutdown(csock.SHUT_RD)
        if call == "sendall" then s:close() end
      end)
      assert(not ok or ok == "", tostring(err) .. tostring(errno))
    end)
  end

  it("is wrapped anew while a task waits in its handshake, which is then the new one's", function()
    local a, b = tls.plain_pair()
    a:settimeout(0)
    assert(tls.client():wrap_socket(a, { server_hostname = "localhost" }))
    a:settimeout(0.05)
    local ok, _, errno = meanwhile(a, "do_handshake", function()
      assert.equal(E.EISCONN, select(3, tls.client():wrap_socket(a, { server_hostname = "localhost" })))
    end)
    assert.is_nil(ok)
    assert.equal(E.ETIMEDOUT, errno)
    assert(b)
  end)
end)

describe("a sni_callback", function()
  if tls.missing then return it("does anything", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- What do_handshake gives, or raises, on a server whose callback is this; and the client.
  local function shake(callback)
    local server = tls.server()
    server.sni_callback = callback
    local a, b = tls.raw_pair(nil, server)
    assert.equal(E.EAGAIN, select(3, a:do_handshake()))
    local deadline = csock.now() + tls.LIMIT
    local result
    repeat
      result = table.pack(pcall(b.do_handshake, b))
    until result[1] == false or result[4] ~= E.EAGAIN or csock.now() > deadline or a:recv(1) == ""
    return result, a, b
  end

  it("may close the socket", function()
    local result = shake(function(s) s:close() end)
    assert.is_true(result[1])
    assert.is_nil(result[2])
    assert.equal(E.ENOTCONN, result[4])
  end)

  it("may close the socket and raise", function()
    local result = shake(function(s)
      s:close()
      error("on purpose", 0)
    end)
    assert.same({ false, "on purpose", n = 2 }, result)
  end)

  it("cannot wait", function()
    csock.run(function()
      local result = shake(function() csock.sleep(0) end)
      assert.is_false(result[1])
      assert.matches("yield", tostring(result[2]))
    end)
    local result = shake(function() coroutine.yield() end)
    assert.is_false(result[1])
  end)

  it("cannot make the handshake itself", function()
    local calls = 0
    local result = shake(function(s)
      calls = calls + 1
      assert(s:do_handshake())
    end)
    assert.is_false(result[1])
    assert.is_true(calls < 250)
  end)

  it("can read nothing, write nothing and end nothing", function()
    local seen = {}
    shake(function(s)
      for _, call in ipairs { s.recv, s.send, s.unwrap, s.shutdown, s.key_update } do
        local ok, got, err = pcall(call, s, call == s.send and "in the clear" or 1)
        seen[#seen + 1] = ok and got and tostring(err) or "nothing"
      end
    end)
    assert.equal("nothing nothing nothing", table.concat(seen, " ", 1, 3))
    assert.equal("nothing", seen[5])
  end)

  it("may give the socket's descriptor to another connection, which it has no say in", function()
    local client, other = tls.client(), nil
    local result = shake(function(s)
      other = keep((csock.socket { fileno = s:detach() }))
      other:settimeout(0)
      assert(client:wrap_socket(other, { server_hostname = "localhost" }))
      return tls.server()
    end)
    assert.equal(E.ENOTCONN, result[4])
    assert.equal(client, other:context())
    assert.is_false(other:server_side())
  end)

  it("may collect all that is not in use", function()
    local result, a = shake(function()
      collectgarbage()
      collectgarbage()
      return tls.server()
    end)
    assert.is_true(result[1])
    assert(a)
  end)
end)

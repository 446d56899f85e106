-- How a connection ends: a close_notify, a cut, a reset; close, unwrap, shutdown and the collector.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

local E = csock.errno

-- Seconds in which something is over that does not wait for anybody.
local AT_ONCE = 0.5 * process.slowness

describe("the end of a connection over TLS", function()
  if tls.missing then return it("is told", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  -- What recv gives behind these bytes.
  local function after(s, data)
    local got = ""
    while #got < #data do
      local piece, err = s:recv(#data - #got)
      assert(piece, tostring(err))
      got = got .. piece
    end
    assert.equal(data, got)
    return s:recv(100)
  end

  for _, version in ipairs { "1.2", "1.3" } do
    tls.ways(function(way, run)
      local where = (", TLS %s, %s"):format(version, way)

      local function dial(role, context)
        local server = tls.listen { role = role, version = version }
        return assert(tls.dial(server.port, context)), server
      end

      it("is \"\" after a close_notify, again and again" .. where, function()
        run(function()
          local s = dial "half"
          assert.equal("", after(s, "before"))
          assert.equal("", s:recv(100))
          assert.equal("", s:recv(1, csock.MSG_PEEK))
        end)
      end)

      it("leaves our own direction open" .. where, function()
        run(function()
          local s, server = dial "half"
          assert.equal("", after(s, "before"))
          assert(s:sendall "and after")
          assert(s:shutdown(csock.SHUT_WR))
          assert.equal("and after", server:result())
        end)
      end)

      it("is an error of its own after a cut" .. where, function()
        run(function()
          local s = dial "ragged"
          for _ = 1, 2 do
            local data, err, errno = after(s, "last words")
            assert.is_nil(data)
            assert.equal(E.EPROTO, errno)
            assert.equal("ssl", err.kind)
            assert.equal("UNEXPECTED_EOF_WHILE_READING", err.name)
            assert.is_true(#err.strerror > 0)
            s = dial "ragged"
          end
        end)
      end)

      it("is \"\" after a cut, where the context says so" .. where, function()
        run(function()
          local s = dial("ragged", tls.client { suppress_ragged_eofs = true })
          assert.equal("", after(s, "last words"))
          assert.equal("", s:recv(1))
        end)
      end)

      it("is ECONNRESET after a reset" .. where, function()
        run(function()
          local s = dial "reset"
          assert(s:sendall "x")
          local data, err, errno = after(s, "last words")
          assert.is_nil(data)
          assert.equal(E.ECONNRESET, errno)
          assert.is_true(#tostring(err) > 0)
        end)
      end)

      it("in the middle of a record is a cut; what came before is whole" .. where, function()
        run(function()
          local s = dial "cut"
          local data, err, errno = after(s, "whole")
          assert.is_nil(data)
          assert.equal(E.EPROTO, errno)
          assert.equal("UNEXPECTED_EOF_WHILE_READING", err.name)
          s = dial "cut"
          assert.equal("whole", s:recv(100))
          local stream = keep((s:makefile()))
          local all, why = stream:read "a"
          assert.is_nil(all)
          assert.equal("UNEXPECTED_EOF_WHILE_READING", why.name)
        end)
      end)

      it("by a forged record is an error, after which nothing goes" .. where, function()
        run(function()
          local s, server = dial "corrupt"
          local data, err, errno = s:recv(100)
          assert.is_nil(data)
          assert.equal(E.EPROTO, errno)
          assert.equal("DECRYPTION_FAILED_OR_BAD_RECORD_MAC", err.name)
          assert.is_nil((s:send "x"))
          assert.is_nil((s:recv(1)))
          s:close()
          assert.matches("BAD_RECORD_MAC", server:result())
        end)
      end)

      it("is said by close, and by shutdown" .. where, function()
        run(function()
          for _, how in ipairs { "close", "shutdown" } do
            local s, server = dial "lines"
            assert.equal("HELLO\n", tls.ask(s, "hello"))
            if how == "close" then s:close() else assert(s:shutdown(csock.SHUT_WR)) end
            assert.equal("closed", server:result())
            if how == "shutdown" then assert.equal("", s:recv(1)) end
          end
        end)
      end)

      it("by close leaves nothing unsent, though nobody has read what the other side said (tickets)" .. where,
        function()
          run(function()
            local server = tls.listen { role = "deaf", version = version }
            local s = assert(tls.dial(server.port))
            assert.equal(300000, s:sendall(("x"):rep(300000)))
            if version == "1.3" then assert(csock.select({ s:fileno() }, nil, nil, tls.LIMIT)) end -- they are there
            s:close()
            tls.release()
            assert.equal("300000 bytes, closed", server:result())
          end)
        end)

      it("is two-sided by unwrap, after which the socket is a plain one" .. where, function()
        run(function()
          local s, server = dial "lines"
          assert.equal("HELLO\n", tls.ask(s, "hello"))
          assert.equal(s, s:unwrap())
          assert.equal("closed", server:result())
          assert.has_error(function() return s:version() end)
        end)
      end)

      it("by unwrap waits for the other side, as long as the socket may" .. where, function()
        run(function()
          local s = dial "deaf"
          s:settimeout(0.05)
          local ok, _, errno = s:unwrap()
          assert.is_nil(ok)
          assert.equal(E.ETIMEDOUT, errno)
          tls.release()
        end)
      end)

      it("by close waits for nobody, also when the other side reads nothing" .. where, function()
        run(function()
          local server = tls.listen { role = "deaf", version = version, buffer = 4096 }
          local s = assert(tls.dial(server.port))
          tls.fill(s)
          s:settimeout(nil)
          local began = csock.now()
          s:close()
          assert.is_true(csock.now() - began < AT_ONCE)
          assert.equal(-1, s:fileno())
          tls.release()
          server:result() -- whatever: no close_notify had room
        end)
      end)
    end)
  end

  it("by unwrap gives the connection back to both sides, on which they may speak in the clear", function()
    local a, b = tls.pair()
    a:settimeout(0)
    b:settimeout(0)
    assert.equal(E.EAGAIN, select(3, a:unwrap()))
    assert.equal(b, b:unwrap())
    assert.equal(a, a:unwrap())
    assert(a:sendall "plain")
    b:settimeout(tls.LIMIT)
    assert.equal("plain", b:recv(100))
    assert(tls.client():wrap_socket(a, { server_hostname = "localhost" })) -- and over TLS once more
    b:settimeout(0)
    assert(tls.server():wrap_socket(b, { server_side = true }))
    assert(tls.shake(a, b))
  end)

  it("by unwrap says that there is input to be read first", function()
    local a, b = tls.pair()
    assert(b:sendall "x")
    local ok, err, errno = a:unwrap()
    assert.is_nil(ok)
    assert.equal(E.EBUSY, errno)
    assert.matches("unwrap: there is input to be read first", tostring(err), 1, true)
  end)

  it("by unwrap leaves in the socket what the other side has said after it", function()
    tls.in_task(function()
      local a, b = tls.pair()
      local other = csock.spawn(function()
        assert(b:unwrap())
        return b:sendall "at once, in the clear"
      end)
      assert.equal(a, a:unwrap())
      other:join(tls.LIMIT)
      assert.equal("at once, in the clear", a:recv(100))
    end)
  end)

  it("is said when the socket is collected, which waits for nobody", function()
    local client, server = tls.client(), tls.server()
    local a, b = csock.socketpair()
    keep(a)
    a:settimeout(0)
    b:settimeout(0)
    assert(client:wrap_socket(a, { server_hostname = "localhost" }))
    assert(server:wrap_socket(b, { server_side = true }))
    assert(tls.shake(a, b))
    b = nil -- luacheck: ignore
    collectgarbage()
    collectgarbage()
    a:settimeout(tls.LIMIT)
    assert.equal("", a:recv(1))

    local c, d = csock.socketpair()
    keep(c)
    c:settimeout(0)
    d:settimeout(0)
    assert(client:wrap_socket(c, { server_hostname = "localhost" }))
    assert(server:wrap_socket(d, { server_side = true }))
    assert(tls.shake(c, d))
    tls.fill(d)
    d:settimeout(nil)
    d = nil -- luacheck: ignore
    local began = csock.now()
    collectgarbage()
    collectgarbage()
    assert.is_true(csock.now() - began < AT_ONCE)
  end)

  it("is not said after an error", function()
    local a, b = tls.pair()
    a:close()
    assert.equal("", b:recv(1))
    b:close()
  end)

  it("by a time-out loses nothing, also of what was written in part", function()
    tls.in_task(function()
      local a, b = tls.narrow_pair()
      local data = tls.pattern(3000000)
      a:settimeout(0.05)
      local n, _, errno, sent = a:sendall(data)
      assert.is_nil(n)
      assert.equal(E.ETIMEDOUT, errno)
      local reader = csock.spawn(function() return b:recv(#data, csock.MSG_WAITALL) end)
      a:settimeout(tls.LIMIT)
      while sent < #data do sent = sent + assert(a:send(data, 0, sent + 1)) end
      assert.is_true(data == reader:join(tls.LIMIT))
    end)
  end)
end)

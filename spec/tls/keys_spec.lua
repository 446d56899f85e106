-- New keys (TLS 1.3) and new handshakes (TLS 1.2, which are refused) on a connection in use.
local csock = require "csock"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

local certificates, peers = tls.certificates, tls.peers

describe("new keys", function()
  if tls.missing then return it("are made", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  tls.ways(function(way, run)
    it("are asked for by either side, and what is said goes on, " .. way, function()
      run(function()
        local a, b = tls.pair()
        for i, s in ipairs { a, b, a, a, b } do
          assert(s:key_update())
          assert(a:sendall("ping " .. i))
          assert.equal("ping " .. i, b:recv(100))
          assert(b:sendall("pong " .. i))
          assert.equal("pong " .. i, a:recv(100))
        end
      end)
    end)

    it("are asked for by openssl's server, " .. way, function()
      run(function()
        local server = keep(peers.s_server(certificates.good))
        local s = assert(tls.dial(server.port))
        for i = 1, 3 do
          server:write(i == 2 and "k\n" or "K\n")
          server:write("line " .. i .. "\n")
          assert.equal("line " .. i .. "\n", tls.line(s))
          assert(s:sendall("answer " .. i .. "\n"))
          server:expect("answer " .. i .. "\r?\n")
        end
      end)
    end)

    it("are asked for by openssl's client, and of it, " .. way, function()
      run(function()
        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local client = keep(peers.s_client(listener:getsockname().port))
        local s = keep((assert(listener:accept())))
        s:settimeout(tls.LIMIT)
        assert(tls.server():wrap_socket(s, { server_side = true }))
        for i = 1, 3 do
          client:write(i == 2 and "k\n" or "K\n")
          client:write("line " .. i .. "\n")
          assert.equal("line " .. i .. "\n", tls.line(s))
          assert(s:key_update())
          assert(s:sendall("answer " .. i .. "\n"))
          client:expect("answer " .. i .. "\r?\n")
        end
      end)
    end)
  end)

  it("are made while one task reads and another writes", function()
    tls.in_task(function()
      local a, b = tls.pair()
      local data = tls.pattern(1000000)
      local tasks = {}
      for _, ends in ipairs { { a, b }, { b, a } } do
        tasks[#tasks + 1] = csock.spawn(function()
          for i = 1, #data, 50000 do
            assert(ends[1]:sendall(data:sub(i, i + 49999)))
            if i % 150000 == 1 then assert(ends[1]:key_update()) end
          end
          return true
        end)
        tasks[#tasks + 1] = csock.spawn(function() return ends[2]:recv(#data, csock.MSG_WAITALL) == data end)
      end
      for _, task in ipairs(tasks) do assert.is_true((task:join(tls.LIMIT))) end
    end)
  end)

  it("are asked of one that is in the middle of a write for which there is no room", function()
    tls.in_task(function()
      local a, b = tls.narrow_pair()
      local data = tls.pattern(3000000)
      local writer = csock.spawn(function() return a:sendall(data) end)
      while writer:status() ~= "waiting" do csock.sleep(0) end
      local reader = csock.spawn(function() return a:recv(100) end)
      csock.sleep(0)
      assert(b:key_update()) -- a has to answer, behind what it has under way
      assert(b:sendall "over")
      assert.equal("over", reader:join(tls.LIMIT))
      assert.equal(data, b:recv(#data, csock.MSG_WAITALL))
      assert.equal(#data, writer:join(tls.LIMIT))
    end)
  end)

  it("are made often, but nobody is kept busy with nothing else", function()
    local a, b = tls.pair()
    b:settimeout(0)
    for _ = 1, 100 do assert(a:key_update()) end
    assert(a:sendall "data")
    assert.equal("data", b:recv(100))
    for _ = 1, 1000 do assert(a:key_update()) end
    local data, err = b:recv(100)
    assert.is_nil(data)
    assert.equal("TOO_MANY_KEY_UPDATES", err.name)
    assert.matches("floods", err.hint)
  end)

  it("are not made once it was said that nothing more comes", function()
    local a, b = tls.pair()
    assert(a:shutdown(csock.SHUT_WR))
    local ok, _, errno = a:key_update()
    assert.is_nil(ok)
    assert.equal(csock.errno.EPIPE, errno)
    assert.equal("", b:recv(1))
    assert(b:key_update()) -- the other side may go on
    assert(b:sendall "more")
    assert.equal("more", a:recv(100))
  end)

  it("are of TLS 1.3: TLS 1.2 has none", function()
    local a, b = tls.pair(tls.client { version = "1.2" })
    local ok, err, errno = a:key_update()
    assert.is_nil(ok)
    assert.is_true(#tostring(err) > 0)
    assert.is_number(errno)
    assert(a:sendall "x") -- and all is well
    assert.equal("x", b:recv(1))
  end)
end)

describe("a new handshake on a connection of TLS 1.2", function()
  if tls.missing then return it("is refused", function() pending(tls.missing) end) end
  after_each(keep.close)
  teardown(tls.close)

  tls.ways(function(way, run)
    it("is refused to a client, " .. way, function()
      run(function()
        local listener = keep(csock.create_server { "127.0.0.1", 0 })
        local client = keep(peers.s_client(listener:getsockname().port, { "-tls1_2" }))
        local s = keep((assert(listener:accept())))
        s:settimeout(tls.LIMIT)
        assert(tls.server():wrap_socket(s, { server_side = true }))
        client:write "before\n"
        assert.equal("before\n", tls.line(s))
        client:write "R\n"
        local data, err, errno = s:recv(100) -- the client gives up
        assert.is_true(data == "" or data == nil and errno ~= csock.errno.ETIMEDOUT, tostring(err))
        assert.equal(1, client:wait())
        assert.matches("no renegotiation", client.out)
      end)
    end)

    it("is refused to a server, and what is said goes on, " .. way, function()
      run(function()
        local server = keep(peers.s_server(certificates.good, { "-tls1_2" }))
        local s = assert(tls.dial(server.port))
        assert(s:sendall "before\n")
        server:expect "before\r?\n"
        server:write "r\n"
        s:settimeout(0.2)
        local data, err, errno = s:recv(100)
        if errno == csock.errno.ETIMEDOUT then -- the server has to live with it
          assert.equal("TLSv1.2", s:version())
        else
          assert.is_true(data == nil and #tostring(err) > 0)
        end
      end)
    end)
  end)
end)

-- Ten thousand connections, of each kind, and not a byte or a descriptor more than before.
local csock = require "csock"
local heap = require "spec.support.heap"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tls = require "spec.support.tls"

local certificates = tls.certificates

-- Under a sanitizer and valgrind each is many times as slow.
local FEWER = process.slowness > 1 and 10 or 1

-- The least that an allocation takes.
local LEAST = 16

-- Runs `round`, which makes so many connections, three times: what the third one leaves is a leak. (At first tables
-- and pools grow.)
local function assert_nothing_left(round, allowed)
  local function clean_up()
    collectgarbage()
    collectgarbage()
  end
  round()
  clean_up()
  local least, descriptors = math.huge, #posix.fds()
  for _ = 1, 2 do
    local before = heap.in_use()
    round()
    clean_up()
    assert.equal(descriptors, #posix.fds())
    if before then least = math.min(least, heap.in_use() - before) end
  end
  assert.is_true(least == math.huge or least < allowed, least .. " bytes more")
end

describe("connections over TLS", function()
  if tls.missing then return it("leave nothing", function() pending(tls.missing) end) end
  teardown(tls.close)

  local function connect(client, server)
    local one, other = csock.socketpair()
    local a <close> = one
    local b <close> = other
    a:settimeout(0)
    b:settimeout(0)
    assert(client:wrap_socket(a, { server_hostname = "localhost" }))
    assert(server:wrap_socket(b, { server_side = true }))
    return tls.shake(a, b) and (b:send "x") and (a:recv(1))
  end

  for name, kind in pairs {
    ["with a handshake each"] = { 1500, tls.client { session_cache = false }, tls.server(), "x" },
    ["that are resumed"] = { 2000, tls.client(), tls.server(), "x" },
    ["of TLS 1.2"] = { 5000, tls.client { version = "1.2" }, tls.server(), "x" },
    ["that fail"] = { 1500, tls.client(), tls.server(certificates.unknown), nil },
  } do
    it(name .. " leave nothing", function()
      local times = kind[1] // FEWER // 3
      assert_nothing_left(function()
        for i = 1, times do
          assert.equal(kind[4], connect(kind[2], kind[3]))
          if i % 100 == 0 then collectgarbage() end
        end
      end, times * LEAST / 2)
    end)
  end

  it("that are never closed are collected with all that they have", function()
    local client, server = tls.client(), tls.server()
    assert_nothing_left(function()
      for i = 1, 300 do
        local a, b = csock.socketpair()
        a:settimeout(0)
        b:settimeout(0)
        assert(client:wrap_socket(a, { server_hostname = "localhost" }))
        assert(server:wrap_socket(b, { server_side = true }))
        if i % 2 == 0 then assert(tls.shake(a, b)) else a:do_handshake() end
        if i % 50 == 0 then collectgarbage() end
      end
    end, 300 * LEAST / 2)
  end)

  it("and contexts that nobody has any more are collected", function()
    assert_nothing_left(function()
      for i = 1, 50 do
        local server = tls.server(nil, { set_alpn_protocols = { "a", "b" } })
        server.sni_callback = { ["*.example.test"] = tls.server(certificates.wildcard), ["localhost"] = server }
        connect(tls.client(), server)
        if i % 10 == 0 then collectgarbage() end
      end
    end, 50 * 100) -- each takes some thousands
  end)
end)

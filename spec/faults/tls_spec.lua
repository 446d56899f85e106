-- Memory runs out in TLS: Lua's, OpenSSL's, and what csock.tls asks libc for, at every request in turn. What comes is
-- an error, nothing is lost, no error stays in OpenSSL's queue, and nothing goes over the wire in the clear. What is
-- tried: allocations_tls.lua. OpenSSL's memory must be ours before it has allocated anything, so each allocator has a
-- process of its own, in which this file runs again. A request that a row makes often is denied only now and then:
-- FAULTS=all in the environment tries each.
local certificates = require "spec.support.certificates"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local FILE = "spec/faults/allocations_tls.lua"
local allocator = os.getenv "FAULTS_ALLOCATOR"

if not allocator then
  describe("with memory running out in TLS", function()
    for _, name in ipairs { "lua", "openssl", "shim" } do
      it("all rows lose nothing: " .. name, function()
        if not package.searchpath("csock.tls", package.cpath) then return pending "csock.tls is not built" end
        if not certificates.available then return pending "no program openssl" end
        assert.equal(0, (process.run { "openssl", "rehash", certificates.dir })) -- it is a capath, too
        local env = { FAULTS_ALLOCATOR = name, CERTIFICATES = certificates.dir }
        if name == "shim" then env.LD_PRELOAD = process.preload "spec.faults.shim" end
        local status, out, err = process.run(
          { process.interpreter, "spec/support/run.lua", "spec/faults/tls_spec.lua" },
          { env = env, timeout = os.getenv "FAULTS" and 3600 or 120 })
        assert(status == 0, out .. err)
        assert.matches("\n%d+ passed, 0 failed", out)
      end)
    end
  end)
  return
end

local openssl = require "spec.faults.openssl"
local oom = require "spec.faults.oom"
local shim = allocator == "shim" and require "spec.faults.shim"
local tls = require "csock.tls"

local ENOMEM = 12

-- Runs a row, with the n-th request failing (nil: none). How many were made; whether it went well; its error; bytes of
-- Lua's that are left.
local function try(name, n, lasting)
  if allocator == "lua" then return oom.try(FILE, name, n or 1 << 40, lasting) end
  if allocator == "openssl" then
    openssl.plan(n, lasting)
  else
    shim.fail("malloc", ENOMEM, { nth = n and n + 1 or 1 << 40, times = lasting and 1 << 40 or 1, later = true })
  end
  local _, fine, message, left = oom.try(FILE, name, -1)
  return shim and shim.calls "malloc" or openssl.asked(), fine, message, left
end

-- Whether this request of so many fails: each where they are few, else some.
local function chosen(n, count)
  if os.getenv "FAULTS" then return true end
  local every = count // (process.slowness > 1 and 6 or 30) + 1
  return n % every == count % every
end

local function is_shortage(message)
  for _, word in ipairs { "not enough memory", "ENOMEM", "error in error handling", "Cannot allocate memory" } do
    if message:find(word, 1, true) then return true end
  end
  -- OpenSSL's own words for what it could not do.
  return allocator == "openssl" and message:find "%[%u[%u%d_]+%]$"
end

local function exhaust(name, lasting)
  tls.errors() -- OpenSSL has loaded its words for errors
  local _, fine, message = try(name)
  assert(fine, message)
  local count = try(name) -- OpenSSL has what it keeps for the process
  collectgarbage()
  collectgarbage()
  local descriptors, blocks = posix.fds(), openssl.blocks()
  for n = 0, count - 1 do
    if chosen(n, count) then
      local left
      _, fine, message, left = try(name, n, lasting)
      local where = ("request %d of %d%s: %s"):format(n, count, lasting and " and all after it" or "", message)
      assert.equal(0, tls.errors(), where)
      assert.same(descriptors, posix.fds(), where)
      assert.equal(0, left, where)
      assert.equal(blocks, openssl.blocks(), where)
      assert(fine or is_shortage(message), where)
    end
  end
end

describe("with memory running out in TLS: " .. allocator, function()
  local names = {}
  for name in pairs(dofile(FILE)) do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    it(name .. " loses nothing", function()
      exhaust(name, false)
      exhaust(name, true)
    end)
  end
end)

-- What must fail does so for want of memory, too, wherever it is missing: every request late in the handshake, where
-- the chain and the name are verified.
if allocator == "openssl" then
  describe("with memory running out in TLS: a certificate that is wrong", function()
    local ssl = require "csock.ssl"
    local SHARE = 0.15 -- of a handshake's requests

    local function contexts(name, version)
      local server = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
      assert(server:load_cert_chain(certificates[name].cert, certificates[name].key))
      local client = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
      assert(client:load_verify_locations(certificates.ca.cert))
      client.maximum_version = ssl.TLSVersion[version]
      return client, server
    end

    -- Whether the client is satisfied; how many requests there were.
    local function handshake(client, server, host, n)
      local up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
      local a = assert(client:wrap_bio(down, up, { server_hostname = host }))
      local b = assert(server:wrap_bio(up, down))
      openssl.plan(n)
      openssl.arm()
      local done, err
      for _ = 1, 6 do
        done, err = a:do_handshake()
        if done or err.name ~= "EAGAIN" then break end
        b:do_handshake()
      end
      openssl.disarm()
      return done, openssl.asked()
    end

    for _, row in ipairs {
      { "wrong_host", "localhost" }, { "wrong_host", "127.0.0.1" },
      { "unknown", "localhost" }, { "expired", "localhost" },
    } do
      for _, version in ipairs { "TLSv1_2", "TLSv1_3" } do
        it(("is refused: %s, for %s, %s"):format(row[1], row[2], version), function()
          local client, server = contexts(row[1], version)
          handshake(client, server, row[2])
          local fine, count = handshake(client, server, row[2])
          assert.is_nil(fine)
          for n = count - count * SHARE // 1, count do
            fine = handshake(client, server, row[2], n)
            assert(not fine, "request " .. n)
          end
        end)
      end
    end
  end)
end

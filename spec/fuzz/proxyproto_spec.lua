-- Headers of the PROXY protocol out of any bytes, the same in every run; with FUZZ_SECONDS in the environment, new ones
-- follow for so long. Nothing raises; what is cut anywhere asks for more or is refused; what is taken says the same
-- again.
local csock = require "csock"
local posix = require "spec.support.posix"
local proxyproto = require "csock.proxyproto"

local PIECES = {
  "PROXY ", "PROXY TCP4 ", "PROXY TCP6 ", "UNKNOWN", "192.0.2.1", "::1", "::ffff:1.2.3.4", " ", "  ", "0", "1", "80",
  "65535", "65536", "\r\n", "\r", "\n", "\0", "\255", "x",
}

local function bytes(random, most)
  local list = {}
  for i = 1, random(0, most) do list[i] = string.char(random(0, 255)) end
  return table.concat(list)
end

local function text(random)
  local list = { random(4) > 1 and PIECES[random(3)] or nil }
  for _ = 1, random(10) do list[#list + 1] = PIECES[random(#PIECES)] end
  return table.concat(list)
end

local FAMILIES = { 0x00, 0x10, 0x11, 0x12, 0x21, 0x22, 0x31, 0x32, 0x01 }

local function binary(random)
  local rest = bytes(random, 20)
  for _ = 1, random(0, 4) do rest = rest .. (">Bs2"):pack(random(0, 40), bytes(random, 9)) end
  if random(3) == 1 then rest = ("x"):rep(({ 12, 36, 216 })[random(3)]) .. rest end
  local kind = random(8) == 1 and random(0, 255) or FAMILIES[random(#FAMILIES)]
  local command = random(8) == 1 and random(0, 255) or 0x21
  local length = random(8) == 1 and random(0, 300) or #rest
  return "\r\n\r\n\0\r\nQUIT\n" .. (">BBI2"):pack(command, kind, length) .. rest
end

local function changed(random, data)
  local at = random(#data)
  return data:sub(1, at - 1) .. string.char(random(0, 255)) .. data:sub(at + 1)
end

local function made(random)
  local port = function() return random(0, 65535) end
  local hosts = { "192.0.2.1", "2001:db8::1", "::", "255.255.255.255" }
  return proxyproto.header {
    version = random(2), source = { hosts[random(#hosts)], port() }, destination = { hosts[random(#hosts)], port() },
    crc32c = random(2) == 1, tlvs = { { random(0x60, 255), bytes(random, 30) } },
  }
end

-- Feeds it as a connection does. The header, how many bytes were taken; or nil.
local function feed(data, size)
  local at = 0
  while true do
    local info, n, errno = proxyproto.parse(data:sub(1, at))
    if info then
      assert(n == at)
      return info, n
    end
    if info == nil then
      assert(csock.is_error(n) and errno == csock.errno.EPROTO)
      return nil
    end
    assert(n > at)
    if n > #data then return false end
    at = math.min(at + size, n)
  end
end

local function check(random)
  local make = ({ text, binary, made, function() return changed(random, made(random)) end })[random(4)]
  local data = make(random)
  local whole, size = proxyproto.parse(data)
  for _, step in ipairs { 1, 2, 3, 7, 1000 } do
    local info, taken = feed(data, step)
    assert(not info == not whole)
    if info then assert(taken == size) end
  end
  if whole and whole.source then
    local again = proxyproto.parse(proxyproto.header {
      version = whole.version, source = whole.source, destination = whole.destination, type = whole.type,
    })
    assert(again.source == whole.source and again.destination == whole.destination)
  end
end

describe("headers of the PROXY protocol out of any bytes", function()
  it("are read or refused, the same in all pieces", function()
    local taken = 0
    local seed = 1
    local stop = posix.monotonic() + (tonumber(os.getenv "FUZZ_SECONDS") or 0)
    math.randomseed(seed)
    repeat
      for i = 1, 3000 do
        local ok, err = pcall(check, math.random)
        if not ok then error(("seed %d, header %d: %s"):format(seed, i, tostring(err)), 0) end
        taken = taken + 1
      end
      seed = seed + 1
      math.randomseed(seed)
    until posix.monotonic() >= stop
    assert.is_true(taken >= 3000)
  end)
end)

-- Frames, as the core reads them out of a stream: which messages there are in which bytes, and what is refused.
local core = require "csock.core".websocket
local csock = require "csock"
local f = require "spec.websocket.frames"
local vectors = require "spec.websocket.vectors"

local LIMITS = { server = true, max_message = 100000, max_fragments = 40 }

-- What is read from what a peer sends, as it is in vectors.lua: up to a refusal, a close or the end.
local function events_of(channel, feed)
  local a <close>, b = csock.socketpair()
  local _ <close> = b
  local stream <close> = assert(a:makefile "rw")
  local list = {}
  local function take_all()
    while true do
      local data, kind, extra = core.receive(stream, channel, 0)
      if data then
        list[#list + 1] = kind .. ":" .. (kind == "close" and math.tointeger(extra) .. ":" or "") .. data
        if kind == "close" then return true end
      elseif kind == nil then
        list[#list + 1] = "end"
        return true
      elseif kind.code then
        assert.equal("websocket", kind.kind)
        assert.same(kind.strerror, select(2, core.receive(stream, channel, 0)).strerror) -- it stays so
        list[#list + 1] = "refused:" .. math.tointeger(kind.code)
        return true
      else
        assert.equal(csock.errno.EAGAIN, extra)
        return false
      end
    end
  end
  feed(function(bytes)
    for i = 1, #bytes, 50000 do -- less than the pair's buffer holds
      assert(b:sendall(bytes:sub(i, i + 49999)))
      if take_all() then return true end
    end
  end)
  return list
end

local function bytes_of(case, make)
  local bytes = {}
  for i, frame in ipairs(case[1]) do bytes[i] = make(table.unpack(frame)) end
  return table.concat(bytes)
end

local function fed(channel, bytes, size)
  return events_of(channel, function(put)
    for i = 1, #bytes, size do
      if put(bytes:sub(i, i + size - 1)) then return end
    end
  end)
end

describe("what a client sends:", function()
  for name, case in pairs(vectors) do
    it(name, function()
      local bytes = bytes_of(case, f.masked)
      assert.same(case[2], fed(core.channel(LIMITS), bytes, #bytes))
    end)
  end

  it("is the same when it comes 1, 2, 3 ... bytes at a time", function()
    for name, case in pairs(vectors) do
      local bytes = bytes_of(case, f.masked)
      local sizes = #bytes < 600 and { 1, 2, 3, 4, 5, 7, 11, 13 } or { 997, 4099 }
      for _, size in ipairs(sizes) do
        assert.same(case[2], fed(core.channel(LIMITS), bytes, size), name .. " by " .. size)
      end
    end
  end)

  it("is refused without a mask", function()
    assert.same({ "refused:1002" }, fed(core.channel(LIMITS), f.plain(0x81, "a"), 99))
    assert.same({ "refused:1002" }, fed(core.channel(LIMITS), f.plain(0x89, "a"), 99))
  end)

  it("is refused by its first two bytes where they say enough", function()
    assert.same({ "refused:1002" }, fed(core.channel(LIMITS), "\x83\x80", 2))
    assert.same({ "refused:1002" }, fed(core.channel(LIMITS), "\x89\xfe", 2))
  end)

  it("is refused by its length before the message has come", function()
    assert.same({ "refused:1009" }, fed(core.channel(LIMITS), "\x82\xff" .. (">I8"):pack(1 << 40) .. "abcd", 99))
    assert.same({ "refused:1002" }, fed(core.channel(LIMITS), "\x82\xff" .. (">I8"):pack(-1) .. "abcd", 99))
  end)

  it("is refused where a text goes wrong, though the frame is not complete", function()
    local bytes = f.masked(0x81, "\xce\xba\xf4\x90" .. ("x"):rep(1000))
    assert.same({ "refused:1007" }, fed(core.channel(LIMITS), bytes:sub(1, 12), 99))
  end)

  it("is unmasked wherever its frames begin, and by each of its masks", function()
    for start = 0, 9 do
      local payload = ("0123456789abcdefghijklmnop"):rep(3):sub(1, 60 + start)
      local bytes = f.frame(0x82, ("x"):rep(start), "\1\2\3\4") .. f.frame(0x82, payload, "\xa1\x0b\x7f\xc0")
      for size = 1, 9 do
        assert.same({ "binary:" .. ("x"):rep(start), "binary:" .. payload }, fed(core.channel(LIMITS), bytes, size))
      end
    end
  end)

  it("may be deflated only where that was agreed on, and only from the first frame of a message on", function()
    local packed = f.masked(0xc1, "\xaa")
    local a <close>, b = csock.socketpair()
    local _ <close> = b
    local stream <close> = a:makefile "rw"
    b:sendall(packed)
    local channel = core.channel { server = true, deflate = true }
    local data, kind, is_packed = core.receive(stream, channel, 0)
    assert.same({ "\xaa", "text", true }, { data, kind, is_packed })
    assert.same({ "refused:1002" }, fed(core.channel { server = true, deflate = true },
      f.masked(0x41, "a") .. f.masked(0xc0, "b"), 99))
    assert.same({ "refused:1002" }, fed(core.channel { server = true, deflate = true }, f.masked(0xc9, "a"), 99))
  end)
end)

describe("what a server sends", function()
  it("is read in the same way, without masks", function()
    for name, case in pairs(vectors) do
      local bytes = bytes_of(case, f.plain)
      local channel = core.channel { max_message = 100000, max_fragments = 40 }
      assert.same(case[2], fed(channel, bytes, #bytes), name)
    end
  end)

  it("is refused with a mask", function()
    assert.same({ "refused:1002" }, fed(core.channel {}, f.masked(0x81, "a"), 99))
  end)
end)

describe("a channel", function()
  local function pair()
    local a, b = csock.socketpair()
    return assert(a:makefile "rw"), b, a
  end

  it("makes a server's frames, with lengths as short as they can be", function()
    for _, size in ipairs { 0, 1, 125, 126, 127, 65535, 65536, 100000 } do
      local stream, b, a = pair()
      local payload = ("z"):rep(size)
      csock.spawn(function()
        assert(core.send(stream, core.channel { server = true }, 0x82, payload, 5))
        stream:close()
        a:close()
      end)
      csock.run(function() assert.equal(f.plain(0x82, payload), b:makefile():read "a") end)
      b:close()
    end
  end)

  it("makes a client's frames, each with another mask", function()
    local stream, b, a = pair()
    local channel = core.channel {}
    local keys, count = {}, 0
    for _ = 1, 200 do
      assert(core.send(stream, channel, 0x81, "hello, world", 5))
      local bytes = b:recv(100)
      assert.equal(f.frame(0x81, "hello, world", bytes:sub(3, 6)), bytes)
      if not keys[bytes:sub(3, 6)] then count = count + 1 end
      keys[bytes:sub(3, 6)] = true
    end
    assert.equal(200, count)
    stream:close()
    a:close()
    b:close()
  end)

  it("sends no text that is none, and goes on", function()
    local stream, b, a = pair()
    local channel = core.channel { server = true }
    for _, frames in ipairs {
      { { 0x81, "\xff" } }, { { 0x81, "a\xe2\x82" } }, { { 0x01, "\xe2\x82" }, { 0x80, "x" } },
    } do
      local ok, err, errno
      for _, frame in ipairs(frames) do ok, err, errno = core.send(stream, channel, frame[1], frame[2], 5) end
      assert.is_nil(ok)
      assert.equal("EILSEQ", err.name)
      assert.equal(csock.errno.EILSEQ, errno)
    end
    assert(core.send(stream, channel, 0x80, "\xac", 5)) -- the end of the one that was begun
    assert.equal(f.plain(0x01, "\xe2\x82") .. f.plain(0x80, "\xac"), b:recv(100))
    assert(core.send(stream, channel, 0x82, "\xff", 5))
    stream:close()
    a:close()
    b:close()
  end)

  it("knows SHA-1", function()
    local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end
    assert.equal("da39a3ee5e6b4b0d3255bfef95601890afd80709", hex(core.sha1 ""))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", hex(core.sha1 "abc"))
    assert.equal("84983e441c3bd26ebaae4aa1f95129e5e54670f1",
      hex(core.sha1 "abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"))
    assert.equal("34aa973cd4c4daa4f61eeb2bdbad27316534016f", hex(core.sha1(("a"):rep(1000000))))
    for size = 50, 70 do assert.equal(20, #core.sha1(("a"):rep(size))) end
    assert.equal("c1c8bbdc22796e28c0e15163d20899b65621d65a", hex(core.sha1(("a"):rep(55))))
    assert.equal("c2db330f6083854c99d4b5bfb6e8f29f201be699", hex(core.sha1(("a"):rep(56))))
    assert.equal("0098ba824b5c16427bd7a1122a5a442a25ec644d", hex(core.sha1(("a"):rep(64))))
  end)

  it("takes for UTF-8 what Lua does, of all that is up to three bytes long", function()
    local interesting = {}
    for _, byte in ipairs {
      0x00, 0x61, 0x7f, 0x80, 0x8f, 0x90, 0x9f, 0xa0, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xe1, 0xec, 0xed, 0xee, 0xef,
      0xf0, 0xf1, 0xf3, 0xf4, 0xf5, 0xff,
    } do
      interesting[#interesting + 1] = string.char(byte)
    end
    for _, one in ipairs(interesting) do
      for _, two in ipairs(interesting) do
        for _, three in ipairs(interesting) do
          local bytes = one .. two .. three
          assert.equal(utf8.len(bytes) ~= nil, core.is_utf8(bytes), ("%q"):format(bytes))
          bytes = bytes .. "\x80"
          assert.equal(utf8.len(bytes) ~= nil, core.is_utf8(bytes), ("%q"):format(bytes))
        end
      end
    end
  end)
end)

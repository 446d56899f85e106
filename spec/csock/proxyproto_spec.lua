-- Headers of the PROXY protocol as bytes: reading and writing. On connections: proxyproto/.
local csock = require "csock"
local proxyproto = require "csock.proxyproto"

local E = csock.errno
local header, parse = proxyproto.header, proxyproto.parse

local SIGNATURE = "\r\n\r\n\0\r\nQUIT\n"
local V4 = { source = { "192.0.2.1", 5000 }, destination = { "192.0.2.2", 80 } }
local V6 = { source = { "2001:db8::1", 5000 }, destination = { "2001:db8::2", 80 } }

-- A header of version 2 by its bytes.
local function binary(command, kind, rest) return SIGNATURE .. (">BBs2"):pack(command, kind, rest) end

local function with(fields, more)
  local all = {}
  for name, value in pairs(fields) do all[name] = value end
  for name, value in pairs(more) do all[name] = value end
  return all
end

local function refused(text, why)
  local info, err, errno = parse(text)
  assert.is_nil(info, text)
  assert.equal(E.EPROTO, errno)
  assert.matches("^proxy_protocol: ", tostring(err))
  if why then assert.matches(why, tostring(err), 1, true) end
end

local SAMPLES = {
  text4 = header(with(V4, { version = 1 })), text6 = header(with(V6, { version = 1 })), unknown = "PROXY UNKNOWN\r\n",
  chatty = "PROXY UNKNOWN ffff:f 65535 whatever\r\n",
  longest = "PROXY UNKNOWN " .. ("ffff:"):rep(7) .. "ffff " .. ("ffff:"):rep(7) .. "ffff 65535 65535\r\n",
  binary4 = header(V4), binary6 = header(V6), unix = header { source = "/a", destination = "\0b" },
  ["local"] = header { command = "LOCAL" }, nothing = header {},
  fields = header(with(V4, { authority = "x.example", alpn = "h2", unique_id = "\0id", netns = "blue", crc32c = true,
    tlvs = { { 0xE0, "" }, { 0x04, ("\0"):rep(300) } } })),
}

describe("proxyproto.parse", function()
  it("reads version 1", function()
    local info, size = parse(SAMPLES.text4 .. "GET /")
    assert.equal(#SAMPLES.text4, size)
    assert.same({ 1, "PROXY", csock.AF_INET, csock.SOCK_STREAM },
      { info.version, info.command, info.family, info.type })
    assert.equal(csock.address(csock.AF_INET, "192.0.2.1", 5000), info.source)
    assert.equal(csock.address(csock.AF_INET, "192.0.2.2", 80), info.destination)
    info = parse(SAMPLES.text6)
    assert.equal(csock.address(csock.AF_INET6, "2001:db8::1", 5000), info.source)
    assert.equal(csock.AF_INET6, info.family)
  end)

  it("reads a line that says nothing, up to the longest one", function()
    assert.equal(107, #SAMPLES.longest)
    for _, name in ipairs { "unknown", "chatty", "longest" } do
      local info, size = parse(SAMPLES[name] .. "x")
      assert.equal(#SAMPLES[name], size)
      assert.same({ version = 1, command = "PROXY", type = csock.SOCK_STREAM, tlvs = {} }, info)
    end
    refused("PROXY UNKNOWN " .. ("x"):rep(92) .. "\r\n", "107")
    refused("PROXY UNKNOWN " .. ("x"):rep(500), "107")
  end)

  it("refuses lines that are not exactly as they should be", function()
    for _, rest in ipairs {
      "TCP4 192.0.2.1 192.0.2.2 5000 80 ", " TCP4 192.0.2.1 192.0.2.2 5000 80", "TCP4  192.0.2.1 192.0.2.2 5000 80",
      "TCP4 192.0.2.1 192.0.2.2 5000", "TCP4 192.0.2.1 192.0.2.2 +5000 80", "TCP4 192.0.2.1 192.0.2.2 0x50 80",
      "TCP4 192.0.2.1 192.0.2.2 05000 80", "TCP4 192.0.2.1 192.0.2.2 65536 80", "TCP4 192.0.2.1 192.0.2.2 999999 80",
      "TCP4 192.0.2.1 192.0.2 5000 80", "TCP4 192.0.2.01 192.0.2.2 5000 80", "TCP4 192.0.2.256 192.0.2.2 5000 80",
      "TCP4 192.0.2.1.1 192.0.2.2 5000 80", "TCP4 localhost 192.0.2.2 5000 80", "TCP4 ::1 ::2 5000 80",
      "TCP6 192.0.2.1 192.0.2.2 5000 80", "TCP6 ::1%lo ::2 5000 80", "TCP6 :::1 ::2 5000 80",
      "tcp4 1.1.1.1 1.1.1.2 1 2",
      "UDP4 192.0.2.1 192.0.2.2 5000 80", "UNKNOWNX xxxxxx", "TCP4\t192.0.2.1 192.0.2.2 5000 80", "",
    } do
      refused("PROXY " .. rest .. "\r\n")
    end
    refused("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\n", "end of a line")
    refused("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\rx", "end of a line")
    refused("PROXY TCP4 192.0.2.1\0", "end of a line")
  end)

  it("reads version 2 of every family", function()
    local info, size = parse(SAMPLES.binary4 .. "GET /")
    assert.equal(28, size)
    assert.same({ 2, "PROXY", csock.AF_INET, csock.SOCK_STREAM },
      { info.version, info.command, info.family, info.type })
    assert.equal(csock.address(csock.AF_INET, "192.0.2.1", 5000), info.source)
    assert.equal(csock.address(csock.AF_INET6, "2001:db8::2", 80), parse(SAMPLES.binary6).destination)
    info = parse(SAMPLES.unix)
    assert.same({ "/a", "\0b", csock.AF_UNIX }, { info.source, info.destination, info.family })
    assert.equal(csock.SOCK_DGRAM, parse(header(with(V4, { type = csock.SOCK_DGRAM }))).type)
  end)

  it("knows no addresses where the proxy tells none, or speaks for itself", function()
    assert.same({ version = 2, command = "PROXY", tlvs = {} }, (parse(SAMPLES.nothing)))
    assert.same({ version = 2, command = "LOCAL", tlvs = {} }, (parse(SAMPLES["local"])))
    assert.same({ version = 2, command = "LOCAL", tlvs = {} }, (parse(binary(0x20, 0x11, "any thing"))))
    local info, size = parse(binary(0x21, 0x10, ("x"):rep(12) .. "\2\0\1y"))
    assert.same({ nil, "y", 32 }, { info.source, info.authority, size })
  end)

  it("reads the fields behind the addresses", function()
    local info = parse(SAMPLES.fields)
    assert.same({ "x.example", "h2", "\0id", "blue" }, { info.authority, info.alpn, info.unique_id, info.netns })
    assert.same({ 0xE0, "" }, info.tlvs[5])
    assert.equal(7, #info.tlvs)
    local ssl = (">BI4"):pack(5, 0) .. "\x21\0\7TLSv1.3\x22\0\3joe\x7f\0\0"
    info = parse(header(with(V4, { tlvs = { { 0x20, ssl } } })))
    assert.same({ client = 5, verify = 0, version = "TLSv1.3", cn = "joe" }, info.ssl)
  end)

  it("refuses fields that are cut, or wrong", function()
    local addresses = SAMPLES.binary4:sub(17)
    for _, rest in ipairs {
      addresses:sub(1, 11), addresses .. "\1", addresses .. "\1\0", addresses .. "\1\0\5abc",
      addresses .. "\5\0\129" .. ("x"):rep(129), addresses .. "\x20\0\4abcd", addresses .. "\x20\0\7\1\0\0\0\0\x21\0",
      addresses .. "\3\0\3abc", addresses .. "\3\0\4abcd",
    } do
      refused(binary(0x21, 0x11, rest))
    end
    for _, bytes in ipairs { "\x11\x11", "\x31\x11", "\x22\x11", "\x21\x13", "\x21\x41", "\x21\xF1" } do
      refused(SIGNATURE .. bytes .. "\0\12" .. addresses)
    end
  end)

  it("checks the sum where there is one", function()
    assert.equal(0xe3069283, proxyproto.crc32c "123456789")
    for at = 17, #SAMPLES.fields do
      if at ~= #SAMPLES.fields - 6 then -- there it says that what follows is a sum
        local byte = SAMPLES.fields:byte(at) ~ 1
        assert.is_nil((parse(SAMPLES.fields:sub(1, at - 1) .. string.char(byte) .. SAMPLES.fields:sub(at + 1))))
      end
    end
  end)

  it("refuses what is no header from the first byte that is none", function()
    local texts = { "G", "GET / HTTP/1.0\r\n\r\n", "PROXYX", "proxy ", "\r\n\r\n\1", "\r\nP", "\22\3\1", "\0" }
    for _, text in ipairs(texts) do
      refused(text, "no header")
    end
  end)

  it("refuses what is longer than the limit before it has come", function()
    local head = SIGNATURE .. "\x21\x11\xff\xff"
    refused(head, "longer than 4096 bytes")
    assert.same({ false, 65551 }, { parse(head, 65551) })
    assert.is_nil((parse(SAMPLES.binary4, 27)))
    assert.is_table((parse(SAMPLES.binary4, 28)))
  end)

  for name, sample in pairs(SAMPLES) do
    it("asks for no byte behind the header, however it comes: " .. name, function()
      local whole = parse(sample)
      for size = 1, #sample do
        local data = ""
        while true do
          local info, wanted = parse(data)
          assert.not_nil(info)
          if info then
            assert.equal(#sample, wanted)
            assert.same(whole, info)
            break
          end
          assert.is_true(wanted > #data and wanted <= #sample)
          data = sample:sub(1, math.min(#data + size, wanted))
        end
      end
    end)
  end
end)

describe("proxyproto.header", function()
  it("writes what others read", function()
    assert.equal("PROXY TCP4 192.0.2.1 192.0.2.2 5000 80\r\n", SAMPLES.text4)
    assert.equal("PROXY TCP6 2001:db8::1 2001:db8::2 5000 80\r\n", SAMPLES.text6)
    assert.equal(SIGNATURE .. "\x21\x11\0\12\192\0\2\1\192\0\2\2\x13\x88\0\80", SAMPLES.binary4)
    assert.equal(SIGNATURE .. "\x20\0\0\0", SAMPLES["local"])
    assert.equal("PROXY UNKNOWN\r\n", header { version = 1 })
    assert.equal("PROXY UNKNOWN\r\n", header { version = 1, source = "/a", destination = "/b" })
    assert.equal(216 + 16, #SAMPLES.unix)
  end)

  it("takes addresses as values, and both of one family", function()
    local from, to = csock.address(csock.AF_INET6, "fe80::1", 1), csock.address(csock.AF_INET, "192.0.2.2", 2)
    assert.equal("PROXY TCP6 fe80::1 ::ffff:192.0.2.2 1 2\r\n", header { version = 1, source = from, destination = to })
    assert.equal("PROXY TCP6 ::ffff:192.0.2.2 fe80::1 2 1\r\n", header { version = 1, source = to, destination = from })
  end)

  it("raises for what cannot be said", function()
    for _, fields in ipairs {
      { source = { "localhost", 1 }, destination = { "::1", 1 } }, { source = { "::1", 1 } }, { source = { "::1" } },
      { source = "/a", destination = { "::1", 1 } }, { source = { "::1", 65536 }, destination = { "::1", 1 } },
      { source = ("x"):rep(109), destination = "" }, { version = 3 }, { command = "NEW" }, { tlvs = { 1 } },
      { tlvs = { { 256, "" } } }, { tlvs = { { 1, ("x"):rep(65536) } } }, { unique_id = ("x"):rep(129) },
      { tlvs = { { 1, ("x"):rep(65000) }, { 1, ("x"):rep(65000) } } }, { unknown = 1 },
    } do
      assert.error_matches(function() header(fields) end, "bad argument #1 to 'header'")
    end
  end)
end)

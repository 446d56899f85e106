local csock = require "csock"

local address = csock.address
local AF_INET, AF_INET6, AF_UNIX = csock.AF_INET, csock.AF_INET6, csock.AF_UNIX

-- The index of the loopback interface, which every Linux calls lo, from the system's own lips.
local ifindex <close> = io.open "/sys/class/net/lo/ifindex"
local LO = ifindex and ifindex:read "n" or 1

-- What the failed call's results are, as one line.
local function failure(value, err, errno)
  assert.is_nil(value)
  assert.are.equal(err.errno, errno)
  return err.name
end

local function message(...)
  local ok, text = pcall(...)
  assert.is_false(ok)
  return text
end

-- How long making so many addresses takes, all of which stay: in seconds of the processor.
local function time_of(count, key)
  local held, begun = {}, os.clock()
  for i = 1, count do
    local host, port = key(i)
    held[i] = csock.address(csock.AF_INET, host, port)
  end
  return os.clock() - begun, held
end

describe("addresses that strangers choose", function()
  it("take no longer when all would be in one place of a table", function()
    -- A place is the remainder by 2^k - 1 of (port, host) as they are in memory.
    local function chosen(i)
      local raw = string.pack("<I4I4", i * 32767 & 0xffffffff, i * 32767 >> 32)
      return ("%d.%d.%d.%d"):format(raw:byte(1, 4)), raw:byte(5) << 8 | raw:byte(6)
    end
    local function plain(i) return ("10.%d.%d.1"):format(i >> 8, i & 255), i % 1000 end
    collectgarbage()
    local usual = time_of(20000, plain)
    assert.is_true(time_of(20000, chosen) < 10 * usual + 0.05)
  end)
end)

describe("an address value", function()
  local addr = address(AF_INET, "127.0.0.1", 1040)

  it("has its parts by number and by name", function()
    assert.are.same({ "127.0.0.1", 1040 }, { addr[1], addr[2] })
    assert.are.same({ "127.0.0.1", 1040 }, { addr.host, addr.port })
    assert.are.equal(AF_INET, addr.family)
    assert.are.equal("127.0.0.1", addr[1.0])
  end)

  it("has nothing else", function()
    assert.is_nil(addr[0])
    assert.is_nil(addr[3])
    assert.is_nil(addr[1.5])
    assert.is_nil(addr.flowinfo)
    assert.is_nil(addr.data)
    assert.is_nil(addr[true])
  end)

  it("can be counted, unpacked and walked through", function()
    assert.are.equal(2, #addr)
    assert.are.same({ "127.0.0.1", 1040 }, { table.unpack(addr) })
    local seen = {}
    for i, part in ipairs(addr) do seen[i] = part end
    assert.are.same({ "127.0.0.1", 1040 }, seen)
  end)

  it("reads as Python's tuple", function()
    assert.are.equal("('127.0.0.1', 1040)", tostring(addr))
    assert.are.equal("from ('127.0.0.1', 1040)!", "from " .. addr .. "!")
    assert.are.equal("('::1', 80, 0, 0)", tostring(address(AF_INET6, "::1", 80)))
  end)

  it("is one object for each distinct address, so that == compares by value", function()
    assert.is_true(rawequal(addr, address(AF_INET, "127.0.0.1", 1040)))
    assert.is_true(rawequal(address(AF_INET6, "::1", 80), address(AF_INET6, "0:0::1", 80, 0, 0)))
    assert.are_not.equal(addr, address(AF_INET, "127.0.0.1", 1041))
    assert.are_not.equal(addr, address(AF_INET, "127.0.0.2", 1040))
    assert.are_not.equal(address(AF_INET6, "::1", 80), address(AF_INET6, "::1", 80, 0, 1))
  end)

  it("is a key of a table", function()
    local clients = { [addr] = "the first" }
    assert.are.equal("the first", clients[address(AF_INET, "127.0.0.1", 1040)])
    assert.is_nil(clients[address(AF_INET, "127.0.0.1", 1041)])
  end)

  it("cannot be changed", function()
    assert.matches("cannot be changed", message(function() addr.host = "127.0.0.2" end))
    assert.matches("cannot be changed", message(function() addr[1] = "127.0.0.2" end))
    assert.are.equal("127.0.0.1", addr.host)
  end)

  it("names its class in error messages", function()
    assert.matches("csock%.address", message(string.rep, addr, 1))
  end)

  it("refuses to be something else", function()
    local index = getmetatable(addr).__index
    assert.matches("csock%.address expected", message(index, io.stdout, 1))
    assert.matches("csock%.address expected", message(index, {}, "host"))
  end)

  it("is collected when nobody has it, and can be made again", function()
    local seen = setmetatable({}, { __mode = "v" })
    for port = 1, 200 do
      seen[port] = address(AF_INET, "127.9.9.9", port)
      seen[port + 200] = address(AF_INET6, "::9", port)
    end
    collectgarbage()
    collectgarbage()
    assert.is_nil(next(seen))
    assert.are.equal("('127.9.9.9', 7)", tostring(address(AF_INET, "127.9.9.9", 7)))
  end)

  it("keeps one object through any number of collections while somebody has it", function()
    for _ = 1, 3 do
      for port = 1, 300 do address(AF_INET, "127.9.9.8", port) end
      collectgarbage "step"
      assert.is_true(rawequal(addr, address(AF_INET, "127.0.0.1", 1040)))
    end
  end)
end)

describe("csock.address(AF_INET)", function()
  it("takes the parts as arguments, as a sequence and by name", function()
    local addr = address(AF_INET, "10.1.2.3", 65535)
    assert.are.equal(addr, address(AF_INET, { "10.1.2.3", 65535 }))
    assert.are.equal(addr, address(AF_INET, { host = "10.1.2.3", port = 65535 }))
    assert.are.equal(addr, address(AF_INET, { "10.1.2.3", port = 65535 }))
  end)

  it("takes an address of the family, and gives it back", function()
    local addr = address(AF_INET, "10.1.2.3", 4)
    assert.are.equal(addr, address(AF_INET, addr))
    assert.are.equal("EAFNOSUPPORT", failure(address(AF_INET6, addr)))
  end)

  it("knows any address and the broadcast address", function()
    assert.are.equal("('0.0.0.0', 0)", tostring(address(AF_INET, "", 0)))
    assert.are.equal("('255.255.255.255', 9)", tostring(address(AF_INET, "<broadcast>", 9)))
  end)

  it("looks no name up", function()
    for _, name in ipairs { "localhost", "127.1", "256.0.0.1", "::1", ("x"):rep(300) } do
      local value, err, code = address(AF_INET, name, 80)
      assert.is_nil(value)
      assert.are.equal("EAI_NONAME", err.name)
      assert.is_true(err:is(csock.gaierror))
      assert.are.equal(name, err.address)
      assert.are.equal(csock.EAI_NONAME, code)
    end
  end)

  it("has no field whose name only begins as one of its own", function()
    local a = address(AF_INET, "127.0.0.1", 80)
    assert.same({}, { a["port\0x"], a["host\0"], a["family\0x"], a["raw\0"] })
  end)

  it("raises for a host that is no string, or that has a zero byte", function()
    assert.matches("#2.*host: string expected, got no value", message(address, AF_INET, nil, 80))
    assert.matches("#2.*host: string expected, got number", message(address, AF_INET, 1, 80))
    assert.matches("#2.*host: string expected", message(address, AF_INET, {}))
    assert.matches("#2.*host: string contains a zero byte",
      message(address, AF_INET, "127.0.0.1\0", 80))
    assert.matches("#2.*address expected, got no value", message(address, AF_INET))
  end)

  it("raises for a port that is missing, no integer, or out of 0..65535", function()
    assert.matches("#3.*port: integer expected, got no value", message(address, AF_INET, "", nil))
    assert.matches("#3.*port: integer expected, got string", message(address, AF_INET, "", "http"))
    assert.matches("#3.*port: number has no integer", message(address, AF_INET, "", 80.5))
    assert.matches("#3.*port: 0 to 65535 expected, got %-1", message(address, AF_INET, "", -1))
    assert.matches("#3.*port: 0 to 65535 expected, got 65536", message(address, AF_INET, "", 65536))
    assert.matches("#2.*port: 0 to 65535", message(address, AF_INET, { "", 65536 }))
    assert.matches("#2.*port: integer expected", message(address, AF_INET, { "" }))
  end)

  it("raises for a family that is no integer", function()
    assert.matches("#1", message(address))
    assert.matches("#1", message(address, "127.0.0.1", 80))
  end)

  it("refuses a family that it does not know", function()
    assert.are.equal("EAFNOSUPPORT", failure(address(12345, "x", 1)))
    assert.are.equal("EAFNOSUPPORT", failure(address(csock.AF_UNSPEC, "x", 1)))
  end)
end)

describe("csock.address(AF_INET6)", function()
  it("has the flow label and the scope", function()
    local addr = address(AF_INET6, "fe80::1", 80, 5, 9)
    assert.are.same({ "fe80::1", 80, 5, 9 }, { table.unpack(addr) })
    assert.are.same({ "fe80::1", 80, 5, 9 }, { addr.host, addr.port, addr.flowinfo, addr.scope_id })
    assert.are.equal(4, #addr)
    assert.are.equal(addr, address(AF_INET6, { "fe80::1", 80, scope_id = 9, flowinfo = 5 }))
    assert.are.equal(9, address(AF_INET6, "fe80::1", 80, nil, 9).scope_id)
  end)

  it("takes a zone after the host, as a name or a number", function()
    assert.are.equal(LO, address(AF_INET6, "fe80::1%lo", 80).scope_id)
    assert.are.equal(7, address(AF_INET6, "fe80::1%7", 80).scope_id)
    assert.are.equal(4294967295, address(AF_INET6, "fe80::1%4294967295", 80).scope_id)
    assert.are.equal("fe80::1", address(AF_INET6, "fe80::1%7", 80).host)
  end)

  it("lets a scope that is given win over the zone, but not a 0", function()
    assert.are.equal(9, address(AF_INET6, "fe80::1%7", 80, 0, 9).scope_id)
    assert.are.equal(7, address(AF_INET6, "fe80::1%7", 80, 0, 0).scope_id)
  end)

  it("refuses a zone that is not there", function()
    assert.are.equal("ENODEV", failure(address(AF_INET6, "fe80::1%nosuch0", 80)))
    assert.are.equal("ENODEV", failure(address(AF_INET6, "fe80::1%4294967296", 80)))
    assert.are.equal("ENODEV", failure(address(AF_INET6, "fe80::1%", 80)))
    assert.are.equal("EAI_NONAME", failure(address(AF_INET6, "fe80::1%" .. ("x"):rep(60), 80)))
  end)

  it("knows any address, and that IPv6 has no broadcast", function()
    assert.are.equal("('::', 0, 0, 0)", tostring(address(AF_INET6, "", 0)))
    assert.are.equal("EAFNOSUPPORT", failure(address(AF_INET6, "<broadcast>", 0)))
    assert.are.equal("EAI_NONAME", failure(address(AF_INET6, "127.0.0.1", 0)))
  end)

  it("raises for a flow label or a scope out of range", function()
    assert.are.equal(0xfffff, address(AF_INET6, "::1", 80, 0xfffff).flowinfo)
    assert.matches("#4.*flowinfo: 0 to 1048575", message(address, AF_INET6, "::1", 80, 0x100000))
    assert.matches("#4.*flowinfo: 0 to", message(address, AF_INET6, "::1", 80, -1))
    assert.matches("#5.*scope_id: 0 to 4294967295", message(address, AF_INET6, "::1", 80, 0, 2 ^ 32))
    assert.matches("#2.*scope_id", message(address, AF_INET6, { "::1", 80, scope_id = -1 }))
  end)
end)

describe("csock.address(AF_UNIX)", function()
  it("gives the path back, however it was given", function()
    assert.are.equal("/tmp/x", address(AF_UNIX, "/tmp/x"))
    assert.are.equal("/tmp/x", address(AF_UNIX, { "/tmp/x" }))
    assert.are.equal("/tmp/x", address(AF_UNIX, { path = "/tmp/x" }))
    assert.are.equal("", address(AF_UNIX, ""))
  end)

  it("takes a path of at most 107 bytes", function()
    local longest = ("p"):rep(107)
    assert.are.equal(longest, address(AF_UNIX, longest))
    assert.are.equal("ENAMETOOLONG", failure(address(AF_UNIX, longest .. "p")))
    assert.are.equal("ENAMETOOLONG", failure(address(AF_UNIX, ("p"):rep(5000))))
  end)

  it("takes an abstract name of at most 108 bytes, of any value", function()
    assert.are.equal("\0a\0b\255", address(AF_UNIX, "\0a\0b\255"))
    local longest = "\0" .. ("p"):rep(107)
    assert.are.equal(longest, address(AF_UNIX, longest))
    assert.are.equal("ENAMETOOLONG", failure(address(AF_UNIX, longest .. "p")))
  end)

  it("raises for what is no path", function()
    assert.matches("#2.*path: string contains a zero byte", message(address, AF_UNIX, "a\0b"))
    assert.matches("#2.*path: string expected, got number", message(address, AF_UNIX, 1))
    assert.matches("#2.*path: string expected", message(address, AF_UNIX, {}))
    assert.are.equal("EAFNOSUPPORT", failure(address(AF_UNIX, address(AF_INET, "", 0))))
  end)
end)

-- Each family both ways: parts, their text, and the bytes that Linux expects. The first number in
-- the bytes is the family; `names` are the parts' names.
local rows = {
  { "AF_NETLINK", { 4294967295, 9 }, "(4294967295, 9)", "I2I2I4I4", { 0, 4294967295, 9 },
    { "pid", "groups" } },
  { "AF_PACKET", { "lo", 0x0806, 1, 772, "\1\2'" }, [[('lo', 2054, 1, 772, b'\x01\x02\'')]],
    "I2>I2=I4I2BBc8", { 0x0806, LO, 772, 1, 3, "\1\2'\0\0\0\0\0" },
    { "ifname", "proto", "pkttype", "hatype", "addr" } },
  { "AF_CAN", { "lo" }, "('lo',)", "I2I2i4I8I8", { 0, LO, 0, 0 }, { "interface" } },
  { "AF_CAN", { "lo", 0x123, 0x80000456 }, "('lo', 291, 2147484758)", "I2I2i4I4I4I8",
    { 0, LO, 0x123, 0x80000456, 0 }, { "interface", "rx_addr", "tx_addr" } },
  { "AF_CAN", { "lo", 0x1122334455667788, 0x3ffff, 255 },
    "('lo', 1234605616436508552, 262143, 255)", "I2I2i4I8I4Bxxx",
    { 0, LO, 0x1122334455667788, 0x3ffff, 255 }, { "interface", "name", "pgn", "addr" } },
  { "AF_TIPC", { 1, 18888, 17, 19, 3 }, "(1, 18888, 17, 19, 3)", "I2BBI4I4I4",
    { 1, 3, 18888, 17, 19 }, { "addr_type", "v1", "v2", "v3", "scope" } },
  { "AF_VSOCK", { 4294967295, 1024 }, "(4294967295, 1024)", "I2I2I4I4I4",
    { 0, 1024, 4294967295, 0 }, { "cid", "port" } },
  { "AF_ALG", { "hash", "sha256", 7, 8 }, "('hash', 'sha256', 7, 8)", "I2c14I4I4c64",
    { "hash" .. ("\0"):rep(10), 7, 8, "sha256" .. ("\0"):rep(58) },
    { "type", "name", "feat", "mask" } },
  { "AF_QIPCRTR", { 1, 4294967294 }, "(1, 4294967294)", "I2I2I4I4", { 0, 1, 4294967294 },
    { "node", "port" } },
}

for _, row in ipairs(rows) do
  local family, parts, text, format, fields, names = table.unpack(row)
  local number = csock[family]
  local suite = number and describe or pending
  suite(("an address of %s with %d parts"):format(family, #parts), function()
    local raw = string.pack("=" .. format, number, table.unpack(fields))
    local addr = assert(address(number, table.unpack(parts)))
    local by_name = {}
    for i, name in ipairs(names) do by_name[name] = parts[i] end

    it("has the bytes that the system expects", function()
      assert.are.equal(raw, addr.raw)
      assert.are.equal(number, addr.family)
    end)

    it("has the parts that it was made of, by number and by name", function()
      assert.are.same(parts, { table.unpack(addr) })
      assert.are.equal(#parts, #addr)
      for i, name in ipairs(names) do assert.are.equal(parts[i], addr[name]) end
      assert.are.equal(text, tostring(addr))
    end)

    it("can be made from a table and from its bytes, too", function()
      assert.are.equal(addr, address(number, parts))
      assert.are.equal(addr, address(number, by_name))
      local proto = family == "AF_CAN" and ({ [3] = csock.CAN_ISOTP, [4] = csock.CAN_J1939 })[#parts]
      assert.are.equal(addr, address { raw = raw, proto = proto or nil })
    end)

    it("is foreign when it is cut", function()
      for len = 2, #raw - 1 do
        local cut = address { raw = raw:sub(1, len) }
        if cut.data then
          assert.are.equal(number, cut.family)
          assert.are.equal(raw:sub(3, len), cut.data)
          assert.are.equal(raw:sub(1, len), cut.raw)
          assert.are.equal(2, #cut)
        else -- what is missing is no part of it
          assert.are.equal(number, cut.family)
          assert.are.equal(address { raw = raw:sub(1, len) .. ("\0"):rep(#raw - len) }, cut)
        end
      end
    end)
  end)
end

if csock.AF_PACKET then
  describe("an interface in an address", function()
    it("may be given by its index", function()
      assert.are.equal(address(csock.AF_PACKET, "lo", 3), address(csock.AF_PACKET, LO, 3))
    end)

    it("may be none", function()
      assert.are.equal("('', 3, 0, 0, b'')", tostring(address(csock.AF_PACKET, "", 3)))
      assert.are.equal("", address(csock.AF_PACKET, 0, 3).ifname)
    end)

    it("is ENODEV for a name that no interface has", function()
      assert.are.equal("ENODEV", failure(address(csock.AF_PACKET, "nosuch0", 3)))
      assert.are.equal("ENODEV", failure(address(csock.AF_PACKET, ("x"):rep(100), 3)))
    end)

    it("reads as the index where it has no name", function()
      assert.are.equal(1999999999, address(csock.AF_PACKET, 1999999999, 3).ifname)
    end)

    it("raises for what is neither", function()
      assert.matches("#2.*ifname: interface name or index expected, got boolean",
        message(address, csock.AF_PACKET, true, 3))
      assert.matches("#2.*ifname: 0 to 2147483647", message(address, csock.AF_PACKET, -1, 3))
      assert.matches("#2.*ifname: string contains a zero byte",
        message(address, csock.AF_PACKET, "lo\0", 3))
    end)
  end)

  describe("csock.address(AF_PACKET)", function()
    it("needs no more than the interface and the protocol", function()
      local addr = address(csock.AF_PACKET, "lo", 0x0800)
      assert.are.same({ "lo", 0x0800, 0, 0, "" }, { table.unpack(addr) })
    end)

    it("raises for a hardware address of more than 8 bytes", function()
      assert.are.equal(8, #address(csock.AF_PACKET, "lo", 0, 0, 0, "12345678").addr)
      assert.matches("#6.*addr: at most 8 bytes expected, got 9",
        message(address, csock.AF_PACKET, "lo", 0, 0, 0, "123456789"))
    end)

    it("reads a longer one that the system gave, and no byte beyond the address", function()
      local head = string.pack("=I2>I2=I4I2B", csock.AF_PACKET, 0, LO, 32, 0)
      local infiniband = address { raw = head .. "\20" .. ("h"):rep(20) }
      assert.are.equal(("h"):rep(20), infiniband.addr)
      assert.are.equal(32, #infiniband.raw)
      local cut = address { raw = head .. "\255" .. ("h"):rep(10) }
      assert.are.equal(("h"):rep(10), cut.addr)
      local bare = address { raw = head .. "\6" }
      assert.are.equal(("\0"):rep(6), bare.addr)
    end)
  end)
end

if csock.AF_CAN then
  describe("csock.address(AF_CAN)", function()
    it("tells the protocol by the parts, or is told", function()
      local raw = address(csock.AF_CAN, "lo")
      assert.are.equal(raw, address(csock.AF_CAN, { "lo", proto = csock.CAN_RAW }))
      assert.are.equal(raw, address(csock.AF_CAN, { interface = "lo", proto = csock.CAN_BCM }))
      local isotp = address(csock.AF_CAN, { "lo", 1, 2, proto = csock.CAN_ISOTP })
      assert.are.equal(isotp, address(csock.AF_CAN, "lo", 1, 2))
      assert.are.equal(isotp, address(csock.AF_CAN, { interface = "lo", rx_addr = 1, tx_addr = 2 }))
      assert.are_not.equal(isotp, address(csock.AF_CAN, "lo"))
    end)

    it("raises when a part of the protocol is missing", function()
      assert.matches("#2.*tx_addr: integer expected",
        message(address, csock.AF_CAN, { "lo", 1, proto = csock.CAN_ISOTP }))
      assert.matches("#2.*proto", message(address, csock.AF_CAN, { "lo", proto = "isotp" }))
    end)

    it("takes every 64-bit name", function()
      local addr = address(csock.AF_CAN, "lo", -1, 0, 0)
      assert.are.equal(-1, addr.name)
      assert.are.equal("('lo', 18446744073709551615, 0, 0)", tostring(addr))
    end)

    it("raises for numbers that do not fit", function()
      assert.matches("#5.*addr: 0 to 255", message(address, csock.AF_CAN, "lo", 0, 0, 256))
      assert.matches("#3.*rx_addr: 0 to 4294967295", message(address, csock.AF_CAN, "lo", 2 ^ 32, 0))
    end)
  end)
end

if csock.AF_TIPC then
  describe("csock.address(AF_TIPC)", function()
    it("has the parts of each address type", function()
      local function show(...) return tostring(address(csock.AF_TIPC, ...)) end
      assert.are.equal("(1, 18888, 17, 19, 2)", show(csock.TIPC_ADDR_NAMESEQ, 18888, 17, 19))
      assert.are.equal("(2, 18888, 17, 17, 1)", show(csock.TIPC_ADDR_NAME, 18888, 17, 0, 1))
      assert.are.equal("(3, 5, 6, 0, 2)", show(csock.TIPC_ADDR_ID, 5, 6, 99))
    end)

    it("puts an identity's reference before its node, as the system does", function()
      local addr = address(csock.AF_TIPC, csock.TIPC_ADDR_ID, 5, 6, 0)
      assert.are.equal(string.pack("=I2BBI4I4I4", csock.AF_TIPC, 3, 2, 6, 5, 0), addr.raw)
    end)

    it("knows no other address type", function()
      assert.matches("#2.*addr_type: 1 to 3", message(address, csock.AF_TIPC, 4, 0, 0, 0))
      local odd = address { raw = string.pack("=I2BBI4I4I4", csock.AF_TIPC, 9, 0, 1, 2, 3) }
      assert.are.equal(14, #odd.data)
    end)
  end)
end

if csock.AF_ALG then
  describe("csock.address(AF_ALG)", function()
    it("refuses names that do not fit", function()
      local name = ("n"):rep(63)
      assert.are.equal(name, address(csock.AF_ALG, "hash", name).name)
      assert.are.equal("ENAMETOOLONG", failure(address(csock.AF_ALG, "hash", name .. "n")))
      assert.are.equal("ENAMETOOLONG", failure(address(csock.AF_ALG, ("t"):rep(14), "sha256")))
      assert.matches("#3.*name: string contains a zero byte",
        message(address, csock.AF_ALG, "hash", "sha\0"))
    end)
  end)
end

describe("csock.address(AF_BLUETOOTH)", function()
  local sentences = { "has the parts of each protocol", "refuses what is no device address" }
  -- The constants may be there without the header that the addresses need.
  if not (csock.AF_BLUETOOTH and address(csock.AF_BLUETOOTH, "00:11:22:aa:bb:cc", 3)) then
    for _, sentence in ipairs(sentences) do
      it(sentence, function() pending "built without <bluetooth/bluetooth.h>" end)
    end
    return
  end

  it(sentences[1], function()
    local function show(parts) return tostring(address(csock.AF_BLUETOOTH, parts)) end
    assert.are.equal("('00:11:22:AA:BB:CC', 3)", show { "00:11:22:aa:bb:cc", 3 })
    assert.are.equal("('00:11:22:AA:BB:CC', 3)",
      show { "00:11:22:aa:bb:cc", 3, proto = csock.BTPROTO_RFCOMM })
    assert.are.equal("(1,)", show { 1, proto = csock.BTPROTO_HCI })
    assert.are.equal("('00:11:22:AA:BB:CC',)",
      show { "00:11:22:aa:bb:cc", proto = csock.BTPROTO_SCO })
  end)

  it(sentences[2], function()
    for _, bad in ipairs { "", "00:11:22:33:44", "00:11:22:33:44-55", "0g:11:22:33:44:55" } do
      assert.are.equal("EINVAL", failure(address(csock.AF_BLUETOOTH, bad, 1)))
    end
  end)
end)

describe("csock.address{raw = bytes}", function()
  it("gives the address that the bytes are", function()
    for _, addr in ipairs { address(AF_INET, "10.0.0.1", 80), address(AF_INET6, "fe80::2", 80, 1, 2) } do
      assert.are.equal(addr, address { raw = addr.raw })
    end
    assert.are.equal("/tmp/x", address { raw = string.pack("=I2z", AF_UNIX, "/tmp/x") })
    assert.are.equal("\0x\0", address { raw = string.pack("=I2", AF_UNIX) .. "\0x\0" })
    assert.are.equal("", address { raw = string.pack("=I2", AF_UNIX) })
  end)

  it("reads a path that fills its field and has no zero byte", function()
    local path = ("p"):rep(108)
    assert.are.equal(path, address { raw = string.pack("=I2", AF_UNIX) .. path })
  end)

  it("takes no notice of an AF_INET address's padding", function()
    local addr = address(AF_INET, "10.0.0.1", 80)
    assert.are.equal(addr, address { raw = addr.raw:sub(1, 8) .. "rubbish!" })
    assert.are.equal(addr, address { raw = addr.raw .. "rubbish" })
  end)

  it("gives family and data for a cut address", function()
    local cut = address { raw = address(AF_INET, "10.0.0.1", 80).raw:sub(1, 6) }
    assert.are.same({ AF_INET, "\0\80\10\0" }, { table.unpack(cut) })
    assert.are.same({ AF_INET, "\0\80\10\0" }, { cut.family, cut.data })
    assert.are.equal(2, #cut)
    assert.are.equal([[(2, b'\x00P\x0a\x00')]], tostring(cut))
    assert.is_nil(cut.host)
    local cut6 = address { raw = address(AF_INET6, "fe80::2", 80).raw:sub(1, 24) }
    assert.are.equal(22, #cut6.data)
  end)

  it("gives family and data for a family that it does not know", function()
    local odd = address { raw = string.pack("=I2", 12345) .. "abc" }
    assert.are.equal("(12345, b'abc')", tostring(odd))
    assert.are.equal(odd, address { raw = odd.raw })
    assert.are_not.equal(odd, address { raw = odd.raw .. "d" })
  end)

  it("reads an address as one without a protocol when the protocol's parts are cut away", function()
    if not csock.AF_CAN then return end
    local isotp = address(csock.AF_CAN, "lo", 1, 2)
    local cut = address { raw = isotp.raw:sub(1, 12), proto = csock.CAN_ISOTP }
    assert.are.equal(address(csock.AF_CAN, "lo").interface, cut.interface)
    assert.are.equal(cut, address { raw = cut.raw })
  end)

  it("makes an address of any bytes, and the same one of its own bytes", function()
    math.randomseed(1)
    local random = math.random
    for _ = 1, 3000 do
      local bytes = {}
      for i = 1, random(126) do bytes[i] = string.char(random(0, 255)) end
      local raw = string.pack("=I2", random(0, 45)) .. table.concat(bytes)
      local proto = random(0, 8)
      local addr = address { raw = raw, proto = proto }
      if type(addr) ~= "string" then
        assert.are.equal(#addr, select("#", table.unpack(addr)))
        assert.matches("^%(.*%)$", tostring(addr))
        local again = address { raw = addr.raw, proto = proto }
        -- A cut address of AF_CAN, made whole, may have got its protocol's parts.
        if addr.family ~= csock.AF_CAN then assert.are.equal(addr, again) end
      end
    end
  end)

  it("takes 1 to 128 bytes", function()
    assert.are.equal("(0, b'')", tostring(address { raw = "x" }))
    assert.are.equal(126, #address { raw = ("x"):rep(128) }.data)
    assert.matches("#1.*raw: 1 to 128 bytes expected, got 0", message(address, { raw = "" }))
    assert.matches("#1.*raw: 1 to 128 bytes expected, got 129",
      message(address, { raw = ("x"):rep(129) }))
    assert.matches("#1.*raw: string expected", message(address, {}))
    assert.matches("#1.*proto", message(address, { raw = "x", proto = -1 }))
  end)
end)

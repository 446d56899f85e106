-- Byte order, addresses as text and bytes, names of interfaces, services, protocols, of this host.
local csock = require "csock"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local function raises(pattern, f, ...)
  local ok, err = pcall(f, ...)
  assert.is_false(ok)
  assert.matches(pattern, tostring(err))
end

local function fails(errno, value, err, number)
  assert.is_nil(value)
  assert.equal(errno, csock.errno[number])
  assert.equal(number, err.errno)
end

describe("htonl, htons, ntohl, ntohs", function()
  it("turn numbers around where the host's order is not the network's", function()
    assert.equal((">I4"):pack(0x01020304), ("=I4"):pack(csock.htonl(0x01020304)))
    assert.equal((">I2"):pack(0x0102), ("=I2"):pack(csock.htons(0x0102)))
    assert.equal((">I4"):pack(0xfffefdfc), ("=I4"):pack(csock.htonl(0xfffefdfc)))
  end)

  it("undo each other", function()
    for _, n in ipairs { 0, 1, 255, 256, 65535 } do
      assert.equal(n, csock.ntohs(csock.htons(n)))
      assert.equal(n, csock.ntohl(csock.htonl(n)))
    end
    assert.equal(2 ^ 32 - 1, csock.ntohl(csock.htonl(2 ^ 32 - 1)))
  end)

  it("raise when the number is out of range or none", function()
    for _, name in ipairs { "htons", "ntohs" } do
      raises("between 0 and 65535", csock[name], 65536)
      raises("between 0 and 65535", csock[name], -1)
    end
    for _, name in ipairs { "htonl", "ntohl" } do
      raises("between 0 and 4294967295", csock[name], 2 ^ 32)
      raises("between 0 and 4294967295", csock[name], -1)
      raises("no integer representation", csock[name], 1.5)
      raises("number expected", csock[name])
    end
  end)
end)

describe("inet_aton", function()
  it("takes every form that the C library knows", function()
    for _, text in ipairs { "127.0.0.1", "127.1", "127.0.1", "0x7f000001", "2130706433", "0177.0.0.01" } do
      assert.equal("\127\0\0\1", csock.inet_aton(text), text)
    end
    assert.equal("\255\255\255\255", csock.inet_aton "255.255.255.255")
  end)

  it("fails with EINVAL for anything else", function()
    for _, text in ipairs { "", "localhost", "256.0.0.1", "1.2.3.4.5", "::1" } do
      fails("EINVAL", csock.inet_aton(text))
    end
  end)

  it("names the text in its error", function()
    local _, err = csock.inet_aton "nowhere"
    assert.equal("inet_aton 'nowhere': Invalid argument [EINVAL]", tostring(err))
  end)

  it("raises for what is no string, or has a zero byte", function()
    raises("string expected", csock.inet_aton)
    raises("zero byte", csock.inet_aton, "127.0.0.1\0")
  end)
end)

describe("inet_ntoa", function()
  it("gives the text of four bytes", function()
    assert.equal("127.0.0.1", csock.inet_ntoa "\127\0\0\1")
    assert.equal("255.254.253.252", csock.inet_ntoa(csock.buffer "\255\254\253\252"))
  end)

  it("raises for more or less than four", function()
    raises("4 bytes expected, got 3", csock.inet_ntoa, "abc")
    raises("4 bytes expected, got 16", csock.inet_ntoa, ("a"):rep(16))
    raises("4 bytes expected, got 0", csock.inet_ntoa, "")
  end)
end)

describe("inet_pton and inet_ntop", function()
  it("undo each other for IPv4", function()
    for _, text in ipairs { "0.0.0.0", "127.0.0.1", "192.0.2.33", "255.255.255.255" } do
      assert.equal(4, #csock.inet_pton(csock.AF_INET, text))
      assert.equal(text, csock.inet_ntop(csock.AF_INET, csock.inet_pton(csock.AF_INET, text)))
    end
  end)

  it("undo each other for IPv6", function()
    for _, text in ipairs { "::", "::1", "2001:db8::8:800:200c:417a", "ff02::fb", "::ffff:192.0.2.1" } do
      assert.equal(16, #csock.inet_pton(csock.AF_INET6, text))
      assert.equal(text, csock.inet_ntop(csock.AF_INET6, csock.inet_pton(csock.AF_INET6, text)))
    end
  end)

  it("shorten what can be shortened", function()
    assert.equal("1:0:0:2::3", csock.inet_ntop(csock.AF_INET6,
      csock.inet_pton(csock.AF_INET6, "0001:0000:0:2:0:0:0:3")))
  end)

  it("fail with EINVAL for a text that is no address of the family", function()
    for _, text in ipairs { "", "127.1", "1.2.3", "1.2.3.4.5", "1.2.3.256", "::1", "localhost" } do
      fails("EINVAL", csock.inet_pton(csock.AF_INET, text))
    end
    for _, text in ipairs { "", ":", "1.2.3.4", ":::", "1::2::3", "::g", "::1%lo" } do
      fails("EINVAL", csock.inet_pton(csock.AF_INET6, text))
    end
  end)

  it("fail with EAFNOSUPPORT for another family", function()
    fails("EAFNOSUPPORT", csock.inet_pton(csock.AF_UNIX, "127.0.0.1"))
    fails("EAFNOSUPPORT", csock.inet_ntop(csock.AF_UNIX, "\127\0\0\1"))
  end)

  it("raise for a wrong number of bytes", function()
    raises("4 bytes expected, got 16", csock.inet_ntop, csock.AF_INET, ("\0"):rep(16))
    raises("16 bytes expected, got 4", csock.inet_ntop, csock.AF_INET6, "\127\0\0\1")
  end)

  it("raise for arguments that are missing or of another type", function()
    raises("bad argument #1", csock.inet_pton)
    raises("bad argument #2", csock.inet_pton, csock.AF_INET)
    raises("zero byte", csock.inet_pton, csock.AF_INET, "1.2.3.4\0")
    raises("bad argument #2", csock.inet_ntop, csock.AF_INET)
    raises("bad argument #2", csock.inet_ntop, csock.AF_INET, {})
    raises("bad argument #1", csock.inet_ntop, 2 ^ 40, "abcd")
  end)
end)

describe("if_nameindex", function()
  it("lists the interfaces with their indices", function()
    local interfaces = assert(csock.if_nameindex())
    assert.is_true(#interfaces > 0)
    for _, interface in ipairs(interfaces) do
      local index, name = table.unpack(interface)
      assert.equal(index, csock.if_nametoindex(name))
      assert.equal(name, csock.if_indextoname(index))
    end
  end)
end)

describe("if_nametoindex and if_indextoname", function()
  it("fail for an interface that is not there", function()
    fails("ENODEV", csock.if_nametoindex "nosuch0")
    fails("ENODEV", csock.if_nametoindex "")
    fails("ENODEV", csock.if_nametoindex(("x"):rep(300)))
    fails("ENXIO", csock.if_indextoname(0))
    fails("ENXIO", csock.if_indextoname(2 ^ 32 - 1))
  end)

  it("raise on a wrong argument", function()
    raises("zero byte", csock.if_nametoindex, "lo\0")
    raises("string expected, got number", csock.if_nametoindex, 0)
    raises("string expected", csock.if_nametoindex)
    raises("between 0 and 4294967295", csock.if_indextoname, -1)
    raises("between 0 and 4294967295", csock.if_indextoname, 2 ^ 32)
  end)
end)

describe("gethostname and sethostname", function()
  it("gives this host's name", function()
    local _, name = process.run { "uname", "-n" }
    assert.equal(name, csock.gethostname() .. "\n")
  end)

  it("sets it where one may, and fails with EPERM where not", function()
    local name = csock.gethostname()
    local ok, err, errno = csock.sethostname(name)
    if ok then
      assert.is_true(ok)
    else
      fails("EPERM", ok, err, errno)
    end
    assert.equal(name, csock.gethostname())
  end)

  it("fails when the name is too long", function()
    assert.is_nil((csock.sethostname(("x"):rep(300))))
    assert.is_nil((csock.sethostname(("x"):rep(100000))))
  end)

  it("raises when there is no name", function()
    raises("string expected", csock.sethostname)
  end)
end)

-- A minimal system has no list of services.
local function listed(file, line)
  local ok, text = pcall(tree.read, file)
  return ok and text:find(line) ~= nil
end

describe("getservbyname and getservbyport", function()
  local there = listed("/etc/services", "\nhttp%s+80/tcp")

  it("know the well-known ports", function()
    if not there then return pending "no /etc/services" end
    assert.equal(80, csock.getservbyname "http")
    assert.equal(80, csock.getservbyname("http", "tcp"))
    assert.equal("http", csock.getservbyport(80))
    assert.equal("http", csock.getservbyport(80, "tcp"))
    assert.equal(csock.IPPORT_SMTP, csock.getservbyname "smtp")
  end)

  it("look for the protocol asked for", function()
    if not there then return pending "no /etc/services" end
    fails("ENOENT", csock.getservbyname("smtp", "udp"))
    fails("ENOENT", csock.getservbyname("http", "nosuch"))
    fails("ENOENT", csock.getservbyport(25, "udp"))
  end)

  it("fail with ENOENT for what is not in the list", function()
    fails("ENOENT", csock.getservbyname "nosuchservice")
    fails("ENOENT", csock.getservbyport(65535))
    fails("ENOENT", csock.getservbyname(("x"):rep(5000)))
  end)

  it("raise on a wrong argument", function()
    raises("between 0 and 65535", csock.getservbyport, 65536)
    raises("between 0 and 65535", csock.getservbyport, -1)
    raises("number expected", csock.getservbyport)
    raises("string expected", csock.getservbyname)
    raises("string expected", csock.getservbyname, "http", {})
    raises("zero byte", csock.getservbyname, "http\0")
    raises("zero byte", csock.getservbyname, "http", "tcp\0")
  end)
end)

describe("getprotobyname", function()
  it("gives the number of a protocol", function()
    if not listed("/etc/protocols", "\nicmp%s+1") then return pending "no /etc/protocols" end
    assert.equal(csock.IPPROTO_ICMP, csock.getprotobyname "icmp")
    assert.equal(csock.IPPROTO_TCP, csock.getprotobyname "tcp")
    assert.equal(csock.IPPROTO_UDP, csock.getprotobyname "udp")
  end)

  it("fails with ENOENT for one that is not in the list", function()
    fails("ENOENT", csock.getprotobyname "nosuchprotocol")
  end)

  it("raises on a wrong argument", function()
    raises("string expected", csock.getprotobyname)
    raises("zero byte", csock.getprotobyname, "tcp\0")
  end)
end)

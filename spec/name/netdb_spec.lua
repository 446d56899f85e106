-- Only names from /etc/hosts, literal addresses, and names that cannot exist (RFC 6761: .invalid).
local csock = require "csock"

describe("getaddrinfo", function()
  it("turns a literal address and a port into an address for each socket type", function()
    local infos = assert(csock.getaddrinfo("127.0.0.1", 80))
    local types = {}
    for _, info in ipairs(infos) do
      assert.equal(csock.AF_INET, info.family)
      assert.equal(csock.address(csock.AF_INET, "127.0.0.1", 80), info.addr)
      types[info.type] = info.proto
    end
    assert.equal(csock.IPPROTO_TCP, types[csock.SOCK_STREAM])
    assert.equal(csock.IPPROTO_UDP, types[csock.SOCK_DGRAM])
  end)

  it("gives each entry's values by name and by number", function()
    local info = assert(csock.getaddrinfo("::1", 22, csock.AF_INET6, csock.SOCK_STREAM))[1]
    assert.same({ csock.AF_INET6, csock.SOCK_STREAM, csock.IPPROTO_TCP, "",
      csock.address(csock.AF_INET6, "::1", 22) }, { table.unpack(info) })
    assert.equal(info[1], info.family)
    assert.equal(info[2], info.type)
    assert.equal(info[3], info.proto)
    assert.equal(info[4], info.canonname)
    assert.equal(info[5], info.addr)
  end)

  it("finds a name from /etc/hosts", function()
    local infos = assert(csock.getaddrinfo("localhost", 80, csock.AF_INET, csock.SOCK_STREAM))
    assert.equal(csock.address(csock.AF_INET, "127.0.0.1", 80), infos[1].addr)
  end)

  it("takes family, type, proto and flags from a final table, too", function()
    local infos = assert(csock.getaddrinfo("127.0.0.1", 80,
      { type = csock.SOCK_DGRAM, flags = csock.AI_NUMERICHOST }))
    assert.equal(1, #infos)
    assert.equal(csock.SOCK_DGRAM, infos[1].type)
    infos = assert(csock.getaddrinfo("127.0.0.1", 80, csock.AF_INET, { proto = csock.IPPROTO_TCP }))
    assert.equal(1, #infos)
  end)

  it("knows services by name and ports as strings", function()
    assert.equal(80, csock.getaddrinfo("127.0.0.1", "http", { type = csock.SOCK_STREAM })[1].addr.port)
    assert.equal(8080, csock.getaddrinfo("127.0.0.1", "8080")[1].addr.port)
  end)

  it("gives the loopback address for no host, and any address with AI_PASSIVE", function()
    local loopback = assert(csock.getaddrinfo(nil, 80, csock.AF_INET, csock.SOCK_STREAM))
    assert.equal("127.0.0.1", loopback[1].addr.host)
    local any = assert(csock.getaddrinfo(nil, 80, csock.AF_INET, csock.SOCK_STREAM, 0, csock.AI_PASSIVE))
    assert.equal("0.0.0.0", any[1].addr.host)
  end)

  it("gives the canonical name when it is asked for", function()
    local infos = assert(csock.getaddrinfo("127.0.0.1", 80, { flags = csock.AI_CANONNAME }))
    assert.equal("127.0.0.1", infos[1].canonname)
  end)

  it("fails with a gaierror for a name that does not exist", function()
    local infos, err, code = csock.getaddrinfo("no.such.host.invalid", 80)
    assert.is_nil(infos)
    assert.is_true(err:is(csock.gaierror))
    assert.is_true(err:is(csock.error))
    assert.is_false(err:is(csock.herror))
    assert.equal("no.such.host.invalid", err.address)
    assert.equal("getaddrinfo", err.call)
    assert.equal(err.errno, code)
    -- A machine without a network cannot tell, and says so.
    assert.is_true(err.name == "EAI_NONAME" or err.name == "EAI_AGAIN", err.name)
  end)

  it("refuses a name where only a number was allowed, and a service that is not there", function()
    local _, err = csock.getaddrinfo("localhost", 80, { flags = csock.AI_NUMERICHOST })
    assert.equal("EAI_NONAME", err.name)
    _, err = csock.getaddrinfo("127.0.0.1", "no-such-service")
    assert.equal("EAI_SERVICE", err.name)
  end)

  it("fails with a gaierror for a host name of 300 characters", function()
    local infos, err = csock.getaddrinfo(("x"):rep(300), 80)
    assert.is_nil(infos)
    assert.equal("gaierror", err.kind)
  end)

  it("raises for a host with a zero byte, naming the argument", function()
    assert.error_matches(function() csock.getaddrinfo("local\0host", 80) end, "bad argument #1")
    assert.error_matches(function() csock.getaddrinfo("localhost", "ht\0tp") end, "bad argument #2")
  end)

  it("raises for a port outside 0 to 65535, as a number or in digits", function()
    for _, port in ipairs { -1, 65536, 2 ^ 40, 1.5, "65536", "99999999999999999999" } do
      assert.error_matches(function() csock.getaddrinfo("127.0.0.1", port) end, "bad argument #2")
    end
  end)

  it("knows no service by a number with a sign or blanks before it", function()
    for _, port in ipairs { "+80", "-1", " 80", "\t80", "\n+70000", " 70000", "-0", "+99999999999999999999" } do
      local infos, err, code = csock.getaddrinfo("127.0.0.1", port)
      assert.same({ nil, "EAI_SERVICE", csock.EAI_SERVICE }, { infos, err.name, code }, port)
      assert.is_true(err:is(csock.gaierror))
    end
    for _, port in ipairs { "80", "080", 80 } do
      assert.equal(80, csock.getaddrinfo("127.0.0.1", port)[1].addr.port)
    end
    assert.equal("EAI_SERVICE", select(2, csock.getaddrinfo("127.0.0.1", "80 ")).name)
    assert.equal("EAI_SERVICE", select(2, csock.getaddrinfo("127.0.0.1", "+")).name)
  end)

  it("raises for a host that is no string", function()
    assert.error_matches(function() csock.getaddrinfo(127, 80) end, "#1.*string expected, got number")
    assert.error_matches(function() csock.gethostbyname(127) end, "#1.*string expected, got number")
  end)

  it("raises for arguments and options of a wrong type", function()
    assert.error_matches(function() csock.getaddrinfo() end, "bad argument #1")
    assert.error_matches(function() csock.getaddrinfo({}, 80) end, "bad argument #1")
    assert.error_matches(function() csock.getaddrinfo("127.0.0.1", 80, "inet") end, "bad argument #3")
    assert.error_matches(function() csock.getaddrinfo("127.0.0.1", 80, { type = "stream" }) end,
      "bad argument #3 .*type: integer expected")
    assert.error_matches(function() csock.getaddrinfo("127.0.0.1", 80, { timeout = -1 }) end,
      "timeout: seconds >= 0 expected")
  end)
end)

describe("getnameinfo", function()
  it("finds the names of a host and of a service", function()
    local host, service = csock.getnameinfo({ "127.0.0.1", 80 }, 0)
    assert.equal("localhost", host)
    assert.equal("http", service)
  end)

  it("gives numbers when they are asked for", function()
    local numeric = csock.NI_NUMERICHOST | csock.NI_NUMERICSERV
    assert.same({ "127.0.0.1", "80" }, { csock.getnameinfo({ "127.0.0.1", 80 }, numeric) })
    assert.same({ "::1", "80" }, { csock.getnameinfo({ host = "::1", port = 80 }, numeric) })
    assert.same({ "::1", "80" }, { csock.getnameinfo("::1", 80, 0, 0, numeric) })
    assert.same({ "10.0.0.1", "53" },
      { csock.getnameinfo(csock.address(csock.AF_INET, "10.0.0.1", 53), numeric) })
  end)

  it("takes the parts as arguments, without flags", function()
    assert.equal("localhost", (csock.getnameinfo("127.0.0.1", 80)))
  end)

  it("fails for an address without a name where one was required", function()
    local host, err = csock.getnameinfo({ "192.0.2.1", 80 }, csock.NI_NAMEREQD)
    assert.is_nil(host)
    assert.equal("gaierror", err.kind)
    assert.equal(csock.address(csock.AF_INET, "192.0.2.1", 80), err.address)
  end)

  it("looks no name up: its host is numeric", function()
    local host, err = csock.getnameinfo({ "localhost", 80 }, 0)
    assert.is_nil(host)
    assert.equal("EAI_NONAME", err.name)
  end)

  it("raises for what is no address", function()
    assert.error_matches(function() csock.getnameinfo() end, "bad argument #1")
    assert.error_matches(function() csock.getnameinfo(80) end, "bad argument #1")
    assert.error_matches(function() csock.getnameinfo "127.0.0.1" end, "port")
    assert.error_matches(function() csock.getnameinfo({ "127.0.0.1", 80 }, "x") end, "bad argument #2")
  end)
end)

describe("gethostbyname", function()
  it("gives the IPv4 address as a string", function()
    assert.equal("127.0.0.1", csock.gethostbyname "localhost")
    assert.equal("10.1.2.3", csock.gethostbyname "10.1.2.3")
  end)

  it("knows the names of any address and of the broadcast address", function()
    assert.equal("0.0.0.0", csock.gethostbyname "")
    assert.equal("255.255.255.255", csock.gethostbyname "<broadcast>")
  end)

  it("fails with a gaierror, as Python's does", function()
    local ip, err = csock.gethostbyname "no.such.host.invalid"
    assert.is_nil(ip)
    assert.is_true(err:is(csock.gaierror))
    assert.equal("no.such.host.invalid", err.address)
    ip, err = csock.gethostbyname "::1"
    assert.is_nil(ip)
    assert.equal("gaierror", err.kind)
  end)

  it("raises for a name with a zero byte", function()
    assert.error_matches(function() csock.gethostbyname "a\0b" end, "bad argument #1")
  end)
end)

describe("gethostbyname_ex", function()
  it("gives the name, the aliases and the addresses", function()
    local name, aliases, addresses = csock.gethostbyname_ex "localhost"
    assert.is_string(name)
    assert.is_table(aliases)
    assert.equal("127.0.0.1", addresses[1])
  end)

  it("fails for a name that does not exist", function()
    local name, err = csock.gethostbyname_ex "no.such.host.invalid"
    assert.is_nil(name)
    assert.equal("gaierror", err.kind)
  end)
end)

describe("gethostbyaddr", function()
  it("gives the names of an address", function()
    local name, aliases, addresses = csock.gethostbyaddr "127.0.0.1"
    assert.equal("localhost", name)
    assert.is_table(aliases)
    assert.same({ "127.0.0.1" }, addresses)
  end)

  it("fails with a herror for an address that has no name", function()
    local name, err, code = csock.gethostbyaddr "192.0.2.1"
    assert.is_nil(name)
    assert.is_true(err:is(csock.herror))
    assert.equal("192.0.2.1", err.address)
    assert.equal(err.errno, code)
  end)
end)

describe("an address given by name", function()
  it("is looked up by bind, connect and sendto, in the socket's family", function()
    local listener <close> = csock.socket()
    assert(listener:bind("localhost", 0))
    assert(listener:listen())
    local addr = listener:getsockname()
    assert.equal("127.0.0.1", addr.host)
    local client <close> = csock.socket()
    assert.is_true(client:connect { "localhost", addr.port })
    assert.equal(addr, client:getpeername())

    local receiver <close> = csock.socket(csock.AF_INET, csock.SOCK_DGRAM)
    assert(receiver:bind("localhost", 0))
    local sender <close> = csock.socket(csock.AF_INET, csock.SOCK_DGRAM)
    assert.equal(5, sender:sendto("hello", "localhost", receiver:getsockname().port))
    assert.equal("hello", receiver:recv(10))
  end)

  it("is looked up by a non-blocking socket, too, before the call goes on without waiting", function()
    local listener <close> = csock.socket()
    assert(listener:bind("localhost", 0))
    assert(listener:listen())
    local client <close> = csock.socket()
    client:settimeout(0)
    local ok, err = client:connect("localhost", listener:getsockname().port)
    assert.is_true(ok or err.name == "EINPROGRESS", tostring(err))
  end)

  it("is looked up for a protocol that getaddrinfo does not know", function()
    local s <close> = csock.socket(csock.AF_INET, csock.SOCK_STREAM, csock.IPPROTO_MPTCP or 262)
    if not s then return pending "no MPTCP here" end
    assert.is_true(s:bind("localhost", 0))
  end)

  it("ends the call with a gaierror that names the host", function()
    local s <close> = csock.socket()
    for _, call in ipairs { "bind", "connect", "connect_ex" } do
      local ok, err = s[call](s, "no.such.host.invalid", 80)
      assert.is_nil(ok)
      assert.equal("gaierror", err.kind)
      assert.equal("no.such.host.invalid", err.address)
      assert.equal(call, err.call)
    end
  end)

  it("leaves connect_ex's number what it is without a name", function()
    local busy <close> = csock.socket()
    assert(busy:bind("127.0.0.1", 0)) -- bound, not listening
    local s <close> = csock.socket()
    assert.equal(csock.errno.ECONNREFUSED, s:connect_ex("localhost", busy:getsockname().port))
  end)

  it("is not looked up for a closed socket", function()
    local s = csock.socket()
    s:close()
    local ok, err = s:connect("no.such.host.invalid", 80)
    assert.is_nil(ok)
    assert.equal("EBADF", err.name)
  end)
end)

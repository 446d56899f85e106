local csock = require "csock"
local example = require "spec.support.example"

-- A port of 127.0.0.1 at which nobody listens; taken as long as the socket is open.
local function refusing_port()
  local s = assert(csock.socket())
  assert(s:bind("127.0.0.1", 0))
  return s:getsockname().port, s
end

-- Lets every look-up give these literal addresses while `f` runs.
local function with_addresses(hosts, f)
  local real = csock.getaddrinfo
  csock.getaddrinfo = function(_, port, options)
    local infos = {}
    for i, host in ipairs(hosts) do infos[i] = assert(real(host, port, options))[1] end
    return infos
  end
  local ok, err = pcall(f)
  csock.getaddrinfo = real
  if not ok then error(err, 0) end
end

-- The address of a listener whose backlog is full, and the sockets that make it so.
local function full_listener()
  local sockets = { assert(csock.socket()) }
  assert(sockets[1]:bind("127.0.0.1", 0))
  assert(sockets[1]:listen(0))
  local address = sockets[1]:getsockname()
  for i = 2, 6 do
    sockets[i] = csock.socket()
    sockets[i]:settimeout(0)
    sockets[i]:connect(address)
  end
  return address, setmetatable(sockets, { __close = function()
    for _, s in ipairs(sockets) do s:close() end
  end })
end

describe("create_connection", function()
  local listener, port

  before_each(function()
    listener = assert(csock.create_server { "127.0.0.1", 0 })
    port = listener:getsockname().port
  end)

  after_each(function() listener:close() end)

  it("goes to no other port for one with a sign or blanks before it", function()
    for _, before in ipairs { "+", " ", "\n+" } do
      local s, err = csock.create_connection { "127.0.0.1", before .. (port + 65536) }
      assert.is_nil(s)
      assert.equal("EAI_SERVICE", err.name)
    end
  end)

  it("connects to a host by name, given as a table, as arguments, or as an address value", function()
    for _, address in ipairs {
      { { "localhost", port } }, { { host = "127.0.0.1", port = port } }, { "localhost", port },
      { "127.0.0.1", tostring(port) }, { listener:getsockname() },
    } do
      local s <close> = assert(csock.create_connection(table.unpack(address)))
      assert.equal(listener:getsockname(), s:getpeername())
      assert.equal(csock.SOCK_STREAM, s.type)
    end
  end)

  it("tries every address in turn", function()
    with_addresses({ "127.0.0.2", "127.0.0.1" }, function()
      local s <close> = assert(csock.create_connection { "two.example", port })
      assert.equal("127.0.0.1", s:getpeername().host)
    end)
  end)

  it("names each address and why it failed", function()
    local closed, _ <close> = refusing_port()
    with_addresses({ "127.0.0.2", "127.0.0.1" }, function()
      local s, err, errno = csock.create_connection { "two.example", closed }
      assert.is_nil(s)
      assert.equal(("create_connection ('127.0.0.2', %d): Connection refused [ECONNREFUSED]; " ..
        "('127.0.0.1', %d): Connection refused [ECONNREFUSED]"):format(closed, closed), tostring(err))
      assert.equal(csock.errno.ECONNREFUSED, errno)
      assert.equal(errno, err.errno)
      assert.equal("ECONNREFUSED", err.name)
      assert.equal("create_connection", err.call)
      assert.equal(2, #err.errors)
      assert.equal(csock.address(csock.AF_INET, "127.0.0.2", closed), err.errors[1].address)
      assert.equal(csock.address(csock.AF_INET, "127.0.0.1", closed), err.errors[2].address)
      assert.is_true(err:is(csock.error))
      assert.is_false(err:is(csock.timeout))
    end)
  end)

  it("fails with the look-up's error for a host that does not exist", function()
    local s, err = csock.create_connection { "no.such.host.invalid", 80 }
    assert.is_nil(s)
    assert.is_true(err:is(csock.gaierror))
  end)

  it("gives the socket its timeout, else the default one", function()
    local s <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 7.5 }))
    assert.equal(7.5, s:gettimeout())
    csock.setdefaulttimeout(3)
    finally(function() csock.setdefaulttimeout(nil) end)
    local t <close> = assert(csock.create_connection("127.0.0.1", port))
    assert.equal(3, t:gettimeout())
    csock.setdefaulttimeout(nil)
    local u <close> = assert(csock.create_connection("127.0.0.1", port))
    assert.is_nil(u:gettimeout())
  end)

  it("has no timeout where it is false or math.huge, whatever the default one is", function()
    csock.setdefaulttimeout(3)
    finally(function() csock.setdefaulttimeout(nil) end)
    for _, none in ipairs { { timeout = false }, { timeout = math.huge } } do
      local s <close> = assert(csock.create_connection({ "127.0.0.1", port }, none))
      assert.is_nil(s:gettimeout())
    end
  end)

  it("tells of wrong arguments at the line that called it, also of those that the core finds", function()
    for _, wrong in ipairs {
      function() csock.create_connection() end,
      function() csock.create_connection "localhost" end,
      function() csock.create_connection({ "localhost", 1 }, { time = 1 }) end,
      function() csock.create_connection({ "localhost", 1 }, { timeout = -1 }) end,
      function() csock.create_connection { "localhost", {} } end,
      function() csock.create_connection({ "127.0.0.1", port }, { source_address = 7 }) end,
      function() csock.create_server { "", "x" } end,
      function() csock.create_server({ "", 0 }, { backlog = "x" }) end,
      function() csock.create_server({ "", 0 }, { dualstack_ipv6 = true, family = csock.AF_INET }) end,
      function() csock.getfqdn(7) end,
      function() csock.run(function() csock.create_connection { "localhost", {} } end) end,
    } do
      local ok, err = pcall(wrong)
      assert.is_false(ok)
      assert.matches("^spec/csock/net_spec.lua:%d+: ", err)
    end
  end)

  it("ends with a time-out when a peer takes no connection", function()
    local address, _ <close> = full_listener()
    local start = csock.now()
    local s, err = csock.create_connection(address, { timeout = 0.2 })
    assert.is_nil(s)
    assert.is_true(err:is(csock.timeout))
    assert.is_true(csock.now() - start >= 0.2)
  end)

  it("spends its timeout on all addresses together", function()
    local given = {}
    local real = csock.socket
    csock.socket = function(...)
      local s = assert(real(...))
      return setmetatable({
        connect = function() return csock.make_error { call = "connect", errno = 1 } end,
      }, { __index = function(_, name)
        return function(_, ...)
          if name == "settimeout" then given[#given + 1] = ... end
          return s[name](s, ...)
        end
      end })
    end
    finally(function() csock.socket = real end)
    with_addresses({ "127.0.0.1", "127.0.0.2", "127.0.0.3" }, function()
      csock.create_connection({ "three.example", 1 }, { timeout = 60 })
    end)
    assert.equal(3, #given)
    assert.is_true(60 > given[1] and given[1] > given[2] and given[2] > given[3] and given[3] > 0)
  end)

  it("binds the socket to the source address", function()
    local s <close> = assert(csock.create_connection({ "127.0.0.1", port },
      { source_address = { "127.0.0.1", 0 }, all_errors = true }))
    assert.equal("127.0.0.1", s:getsockname().host)
    local t, err = csock.create_connection({ "127.0.0.1", port },
      { source_address = listener:getsockname() })
    assert.is_nil(t)
    assert.equal("EADDRINUSE", err.name)
    assert.matches("bind", tostring(err), 1, true)
  end)

  it("closes what it has begun when its task is cancelled", function()
    local posix = require "spec.support.posix"
    local address, _ <close> = full_listener()
    local task = csock.spawn(function() csock.create_connection(address) end)
    local during, after
    csock.spawn(function()
      csock.yield()
      collectgarbage "stop" -- so that nothing else closes it
      during = #posix.fds()
      task:cancel()
      csock.yield()
      after = #posix.fds()
      collectgarbage "restart"
    end)
    csock.run()
    assert.equal(1, during - after)
  end)

  it("raises for wrong arguments", function()
    assert.error_matches(function() csock.create_connection() end, "bad argument #1")
    assert.error_matches(function() csock.create_connection(true) end, "bad argument #1")
    assert.error_matches(function() csock.create_connection "localhost" end, "port expected")
    assert.error_matches(function() csock.create_connection { "localhost", 65536 } end, "65535")
    assert.error_matches(function() csock.create_connection({ "localhost", 1 }, { time = 1 }) end,
      "bad argument #2 .*unknown option 'time'")
    assert.error_matches(function() csock.create_connection { "localhost", 1, timeout = 1 } end,
      "bad argument #1 .*option 'timeout' in the address")
    for _, timeout in ipairs { -1, "1", 0 / 0 } do
      assert.error_matches(function()
        csock.create_connection({ "127.0.0.1", port }, { timeout = timeout })
      end, "timeout: seconds >= 0 expected")
    end
  end)
end)

describe("create_server", function()
  it("listens at the address, which is given as a table, as arguments or as a value", function()
    for _, address in ipairs {
      { { "127.0.0.1", 0 } }, { { host = "127.0.0.1", port = 0 } }, { "127.0.0.1", 0 },
      { csock.address(csock.AF_INET, "127.0.0.1", 0) },
    } do
      local server <close> = assert(csock.create_server(table.unpack(address)))
      local client <close> = assert(csock.create_connection(server:getsockname()))
      local conn <close> = assert(server:accept())
      assert.equal(client:getsockname(), conn:getpeername())
    end
  end)

  it("takes an empty host as any address", function()
    local server <close> = assert(csock.create_server { "", 0 })
    assert.equal("0.0.0.0", server:getsockname().host)
  end)

  it("sets SO_REUSEADDR, and SO_REUSEPORT when asked", function()
    local one <close> = assert(csock.create_server({ "127.0.0.1", 0 }, { backlog = 5, reuse_port = true }))
    assert.not_equal(0, one:getsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR))
    local two <close> = assert(csock.create_server(one:getsockname(), { reuse_port = true }))
    assert.equal(one:getsockname(), two:getsockname())
  end)

  it("names the address that is in use", function()
    local one <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local two, err, errno = csock.create_server(one:getsockname())
    assert.is_nil(two)
    assert.equal(csock.errno.EADDRINUSE, errno)
    assert.equal(one:getsockname(), err.address)
    assert.matches(tostring(one:getsockname()), tostring(err), 1, true)
  end)

  it("fails with a gaierror for a host that does not exist", function()
    local server, err = csock.create_server { "no.such.host.invalid", 0 }
    assert.is_nil(server)
    assert.is_true(err:is(csock.gaierror))
  end)

  it("listens on IPv6 for an IPv6 address, and for nothing else", function()
    if not example.has_ipv6 then return pending "no ::1 here" end
    local server <close> = assert(csock.create_server { "::1", 0 })
    assert.equal(csock.AF_INET6, server.family)
    assert.equal(1, server:getsockopt(csock.IPPROTO_IPV6, csock.IPV6_V6ONLY))
    local client <close> = assert(csock.create_connection { "::1", server:getsockname().port })
    assert.equal(server:getsockname(), client:getpeername())
  end)

  it("serves both families from one dual-stack socket", function()
    if not csock.has_dualstack_ipv6() then return pending "no dual-stack sockets here" end
    local server <close> = assert(csock.create_server({ "", 0 }, { dualstack_ipv6 = true }))
    local port = server:getsockname().port
    for _, host in ipairs { "127.0.0.1", example.has_ipv6 and "::1" or nil } do
      local client <close> = assert(csock.create_connection(host, port))
      local conn <close>, addr = assert(server:accept())
      assert.equal(csock.AF_INET6, addr.family)
      assert.equal(client:getsockname().port, conn:getpeername().port)
    end
  end)

  it("listens at a path with family AF_UNIX", function()
    local posix = require "spec.support.posix"
    local directory = posix.mkdtemp()
    local path = directory .. "/socket"
    finally(function()
      os.remove(path)
      os.remove(directory)
    end)
    local server <close> = assert(csock.create_server(path, { family = csock.AF_UNIX }))
    local client <close> = csock.socket(csock.AF_UNIX)
    assert(client:connect(path))
    assert.equal(path, client:getpeername())
    assert.equal(path, server:getsockname())
  end)

  it("raises for wrong arguments and for options that do not go together", function()
    assert.error_matches(function() csock.create_server() end, "bad argument #1")
    assert.error_matches(function() csock.create_server "localhost" end, "port")
    assert.error_matches(function() csock.create_server { "", 65536 } end, "65535")
    assert.error_matches(function() csock.create_server({ "", 0 }, { reuseport = true }) end,
      "unknown option 'reuseport'")
    assert.error_matches(function() csock.create_server { "", 0, backlog = 5 } end,
      "bad argument #1 .*option 'backlog' in the address")
    assert.error_matches(function()
      csock.create_server({ "", 0 }, { family = csock.AF_INET, dualstack_ipv6 = true })
    end, "dualstack_ipv6 requires the family AF_INET6")
  end)
end)

describe("getfqdn", function()
  local real = csock.gethostbyaddr

  after_each(function() csock.gethostbyaddr = real end)

  local function with_names(name, aliases)
    csock.gethostbyaddr = function() return name, aliases, {} end
  end

  it("takes the first name with a dot", function()
    with_names("mail.example.org", { "mail", "www.example.org" })
    assert.equal("mail.example.org", csock.getfqdn "mail")
    with_names("mail", { "m", "mail.example.org", "www.example.org" })
    assert.equal("mail.example.org", csock.getfqdn "mail")
    with_names("mail", { "m" })
    assert.equal("mail", csock.getfqdn "m")
  end)

  it("gives the name back when the resolver knows none", function()
    assert.equal("192.0.2.1", csock.getfqdn "192.0.2.1")
    assert.equal("192.0.2.1", csock.getfqdn " 192.0.2.1 ")
  end)

  it("raises for anything but a string", function()
    for _, wrong in ipairs { 5, {}, true } do
      assert.error_matches(function() csock.getfqdn(wrong) end, "bad argument #1 to 'getfqdn' %(string expected, got")
    end
  end)

  it("asks for this machine's name without an argument", function()
    local asked
    csock.gethostbyaddr = function(name)
      asked = name
      return nil
    end
    assert.equal(csock.gethostname(), csock.getfqdn())
    assert.equal(csock.gethostname(), asked)
    assert.equal(csock.gethostname(), csock.getfqdn "0.0.0.0")
  end)
end)

-- csock.testing: a network in memory: who reaches whom in it. What befalls on the way: weather_spec.lua.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local http = require "csock.http"
local httpserver = require "csock.httpserver"
local keep = require "spec.support.keep"
local loop = require "csock.loop"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local socketserver = require "csock.socketserver"
local testing = require "csock.testing"

local AF_INET, SOCK_STREAM, SOCK_DGRAM = csock.AF_INET, csock.SOCK_STREAM, csock.SOCK_DGRAM

-- A spec in a network of these options, run as users' specs are.
local function in_network(options, f)
  return function() testing.run(f, { network = options, virtual_time = true, leaks = true }) end
end

local HOSTS = { hosts = { "server", "example.org" } }

local function echo(conn)
  for line in conn:makefile():lines "L" do conn:sendall(line) end
end

-- A connected pair of the network's, in blocking code.
local function pair(net)
  local listener <close> = assert(net:socket())
  assert(listener:bind("", 0))
  assert(listener:listen())
  local client = keep(net:socket())
  assert(client:connect("localhost", listener:getsockname().port))
  return client, keep(listener:accept())
end

describe("a network's sockets", function()
  after_each(keep.close)

  it("are csock's, with the addresses of the network at both ends", in_network(HOSTS, function()
    local listener <close> = assert(csock.create_server { "", 80 })
    assert.equal("('0.0.0.0', 80)", tostring(listener:getsockname()))
    local s <close> = assert(csock.create_connection { "server", 80 })
    local conn <close>, addr = assert(listener:accept())
    assert.equal("('198.18.0.1', 80)", tostring(s:getpeername()))
    assert.equal(s:getpeername(), conn:getsockname())
    assert.equal(s:getsockname(), conn:getpeername())
    assert.equal(addr, conn:getpeername())
    assert.same({ AF_INET, SOCK_STREAM }, { conn.family, conn.type })
    assert.matches("^<csock.socket fd=%d+, family=AF_INET, .*laddr=%('198.18.0.1', 80%)", tostring(conn))
  end))

  it("have every method of others", function()
    local net <close> = testing.network()
    local a, other = pair(net), keep(csock.socketpair())
    for name in pairs(getmetatable(other).methods) do assert.equal("function", type(a[name]), name) end
    a:settimeout(1.5)
    assert.equal(1.5, a.timeout)
    a:settimeout(nil)
    assert.is_nil(a.timeout)
    assert.is_nil(a.no_such_method)
  end)

  it("carry bytes in every way", function()
    local net <close> = testing.network()
    local a, b = pair(net)
    assert.equal(5, a:send "hello")
    assert.equal("he", b:recv(2, csock.MSG_PEEK))
    assert.equal("hello", b:recv(10))
    assert.equal(5, a:sendmsg { "wo", "rld" })
    local buffer = csock.buffer(10)
    assert.equal(5, b:recv_into(buffer))
    assert.equal("world", buffer:tostring():sub(1, 5))
    local out, into = keep(a:makefile "w"), keep(b:makefile "r")
    assert(out:write("a line\n", 42, "\n"):flush())
    assert.equal("a line", into:read())
    assert.equal(42, into:read "n")
    assert(a:sendall "rest")
    assert(a:shutdown(csock.SHUT_WR))
    into:read "L"
    assert.equal("rest", into:read "a")
    assert.equal("", b:recv(1))
    assert(b:sendall "the other way still goes")
    assert.equal("the other way still goes", a:recv(100))
  end)

  it("can be waited for among others", function()
    local net <close> = testing.network()
    local a, b = pair(net)
    assert.same({ {}, { a }, {} }, { csock.select({ a, b }, { a }, {}, 0) })
    assert(a:sendall "x")
    assert.same({ { b }, {}, {} }, { csock.select({ a, b }, {}, {}) })
    local poll = csock.poll()
    poll:register(b, csock.POLLIN)
    assert.equal(b, poll:poll(0)[1].object)
    if csock.epoll then
      local epoll <close> = assert(csock.epoll())
      assert(epoll:register(b, csock.EPOLLIN))
      assert.equal(b:fileno(), epoll:poll(0)[1].fd)
    end
    assert.equal("x", b:recv(1))
    assert.same({}, poll:poll(0))
    a:close()
    assert.equal(b, poll:poll(0)[1].object)
    assert.equal("", b:recv(1))
  end)

  it("that listen can be waited for, too", function()
    local net <close> = testing.network()
    local listener = keep(net:socket())
    assert(listener:bind("", 7))
    assert(listener:listen())
    assert.same({}, (csock.select({ listener }, {}, {}, 0)))
    listener:settimeout(0)
    assert.equal("EAGAIN", select(2, listener:accept()).name)
    listener:settimeout(0.01)
    local _, err = listener:accept()
    assert.equal("ETIMEDOUT", err.name)
    assert.matches("^accept: ", tostring(err))
    local client = keep(net:socket())
    assert.equal(0, client:connect_ex("localhost", 7))
    assert.same({ listener }, (csock.select({ listener }, {}, {}, 0)))
    keep(listener:accept())
    assert.same({}, (csock.select({ listener }, {}, {}, 0)))
    listener:close()
    assert.equal("EBADF", select(2, listener:accept()).name)
  end)

  it("are refused where nobody listens, or is", function()
    local net <close> = testing.network(HOSTS)
    local function refusal(host, port)
      local s <close> = assert(net:socket())
      local ok, err = s:connect(host, port)
      assert.is_nil(ok)
      return err
    end
    assert.equal("ECONNREFUSED", refusal("server", 81).name)
    assert.equal("connect ('198.18.0.1', 81): Connection refused [ECONNREFUSED]", tostring(refusal("server", 81)))
    assert.equal("ENETUNREACH", refusal("192.0.2.1", 80).name)
    local err = refusal("nowhere", 80)
    assert.equal("EAI_NONAME", err.name)
    assert.is_true(err:is(csock.gaierror))
    local listener = keep(net:socket())
    assert(listener:bind("server", 80))
    assert(listener:listen())
    assert.equal("ECONNREFUSED", refusal("example.org", 80).name) -- it listens on one host alone
    listener:close()
    assert.equal("ECONNREFUSED", refusal("server", 80).name)
  end)

  it("share no address", function()
    local net <close> = testing.network(HOSTS)
    local function bind(...)
      local s = keep(net:socket())
      local ok, err = s:bind(...)
      return ok or err.name, s
    end
    local _, first = bind("server", 80)
    assert.equal("EADDRINUSE", bind("server", 80))
    assert.is_true(bind("example.org", 80))
    assert.equal("EADDRNOTAVAIL", bind("192.0.2.1", 80))
    first:close()
    assert.is_true(bind("server", 80))
    local _, a = bind("", 0)
    local _, b = bind("", 0)
    assert.is_true(a:getsockname().port >= 49152)
    assert.not_equal(a:getsockname(), b:getsockname())
  end)

  it("say what is wrong when they are used in a wrong way", function()
    local net <close> = testing.network(HOSTS)
    local a = pair(net)
    assert.equal("EISCONN", select(2, a:connect("server", 80)).name)
    assert.equal("EINVAL", select(2, a:bind("", 80)).name)
    assert.equal("EINVAL", select(2, a:accept()).name)
    assert.equal("EISCONN", csock.errno[a:connect_ex("server", 80)])
    local s = keep(net:socket())
    assert.equal("ENOTCONN", select(2, s:getpeername()).name)
    assert.equal("EAFNOSUPPORT", select(2, s:connect(csock.address(csock.AF_INET6, "::1", 80))).name)
    s:close()
    for _, call in ipairs { "bind", "connect", "connect_ex" } do
      local _, err = s[call](s, "server", 80)
      assert.equal("EBADF", err and err.name or csock.errno[s[call](s, "server", 80)])
    end
    assert.error_matches(function() s:connect(1) end, "address")
  end)

  it("keep options of protocols, which change nothing", function()
    local net <close> = testing.network()
    local a = pair(net)
    assert(a:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true))
    assert.equal(1, a:getsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY))
    assert.equal(0, a:getsockopt(csock.IPPROTO_IP, csock.IP_TTL))
    assert.equal(SOCK_STREAM, a:getsockopt(csock.SOL_SOCKET, csock.SO_TYPE))
  end)

  it("of IPv6 reach each other", in_network(nil, function()
    local listener <close> = assert(csock.create_server { "::1", 80 })
    local s <close> = assert(csock.create_connection { "::1", 80 })
    local _ <close>, addr = assert(listener:accept())
    assert.equal("::1", addr.host)
    assert.equal(s:getsockname(), addr)
  end))

  it("end with the network, and its connections with it", function()
    local net = testing.network { delay = 0.001 }
    testing.virtual_time(function()
      net:run(function()
        local server <close> = assert(csock.serve({ "", 80 }, echo))
        local s = keep(csock.create_connection { "localhost", 80 })
        net:close()
        assert.equal("", s:recv(1) or "")
        assert.equal("ECONNREFUSED", select(2, csock.create_connection { "localhost", 80 }).name)
        assert.is_truthy(server)
      end)
    end)
  end)
end)

describe("datagrams in a network", function()
  after_each(keep.close)

  it("come from and go to its addresses", in_network(HOSTS, function()
    local server <close> = assert(csock.socket(AF_INET, SOCK_DGRAM))
    assert(server:bind("", 53))
    local client <close> = assert(csock.socket(AF_INET, SOCK_DGRAM))
    assert.equal(5, client:sendto("hello", { "server", 53 }))
    local data, addr = server:recvfrom(100)
    assert.equal("hello", data)
    assert.equal(client:getsockname(), addr)
    assert.equal("198.18.0.1", addr.host)
    assert.equal(0, server:sendto("", addr))
    assert.same({ "", csock.address(AF_INET, "198.18.0.1", 53) }, { client:recvfrom(100) })
    assert.equal(6, client:sendto("flags!", 0, "server", 53))
    local buffer = csock.buffer(3)
    assert.same({ 3, addr, 6 }, { server:recvfrom_into(buffer) })
    assert.equal(4, client:sendmsg({ "in ", "2" }, {}, 0, csock.address(AF_INET, "198.18.0.1", 53)))
    local message, _, _, from = server:recvmsg(100)
    assert.same({ "in 2", addr }, { message, from })
  end))

  it("are the peer's alone once they are connected", in_network(HOSTS, function()
    local a <close> = csock.socket(AF_INET, SOCK_DGRAM)
    assert(a:bind("server", 53))
    local b <close> = csock.socket(AF_INET, SOCK_DGRAM)
    local c <close> = csock.socket(AF_INET, SOCK_DGRAM)
    assert.equal("EDESTADDRREQ", select(2, b:send "to whom?").name)
    assert(b:connect("server", 53))
    assert(b:send "x")
    local _, addr = a:recvfrom(1)
    assert(c:bind("", 9))
    assert(c:sendto("not for b", addr))
    assert(a:sendto("for b", addr))
    assert.equal("for b", b:recv(100))
    assert.equal(a:getsockname(), b:getpeername())
  end))

  it("to nobody are lost", in_network(HOSTS, function()
    local a <close> = csock.socket(AF_INET, SOCK_DGRAM)
    assert.equal(1, a:sendto("x", { "server", 53 }))
    a:settimeout(1)
    assert.equal("ETIMEDOUT", select(2, a:recv(1)).name)
  end))
end)

describe("in a network", function()
  after_each(keep.close)

  it("names are those of its hosts", in_network({ hosts = { "Server", ["db.example"] = "192.0.2.7" } }, function(net)
    assert.equal("198.18.0.1", csock.gethostbyname "server")
    assert.equal("192.0.2.7", csock.getaddrinfo("DB.example", 5432, AF_INET, SOCK_STREAM)[1].addr.host)
    assert.equal("127.0.0.1", csock.gethostbyname "localhost")
    assert.same({ "server", {}, { "198.18.0.1" } }, { csock.gethostbyname_ex "server" })
    assert.equal("db.example", csock.gethostbyaddr "192.0.2.7")
    assert.equal("db.example", csock.getfqdn "192.0.2.7")
    assert.equal("10.0.0.1", csock.gethostbyname "10.0.0.1")
    for _, call in ipairs { "getaddrinfo", "gethostbyname", "gethostbyname_ex" } do
      local _, err = csock[call]("nowhere", 80)
      assert.equal("EAI_NONAME", err.name)
    end
    assert.equal("198.18.0.2", net:host "other")
    assert.equal("198.18.0.2", csock.gethostbyname "other")
    assert.equal("198.18.0.2", net:host "other")
  end))

  it("csock.serve serves, and blocking code in a task connects", in_network(HOSTS, function()
    local server <close> = assert(csock.serve({ "", 21567 }, echo))
    local tasks = loop.group()
    for i = 1, 20 do
      tasks:spawn(function()
        local s <close> = assert(csock.create_connection({ "example.org", 21567 }, { timeout = 5 }))
        local stream <close> = s:makefile "rw"
        stream:write("client ", i, "\n"):flush()
        assert.equal("client " .. i, stream:read())
      end)
    end
    assert(tasks:join())
    assert.is_truthy(server)
  end))

  it("HTTP's client and server work as they are", in_network(HOSTS, function()
    local server <close> = assert(httpserver.serve({ "", 80 }, function(request)
      return 200, { ["content-type"] = "text/plain" }, request.body:read "a" .. " for " .. request.headers.host
    end))
    local answer = assert(http.post("http://example.org/path", { data = "words" }))
    assert.same({ 200, "words for example.org" }, { answer.status, answer:read() })
    assert.is_truthy(server)
    local conn <close> = http.HTTPConnection "server"
    assert(conn:request("POST", "/", "more"))
    assert.equal("more for server", assert(conn:getresponse()):read())
  end))

  it("socketserver's classes do", in_network(HOSTS, function()
    local class = require "csock.class"
    local Upper = class("Upper", socketserver.StreamRequestHandler)
    function Upper:handle() self.wfile:write(self.rfile:readline():upper()) end
    local server = socketserver.ThreadingTCPServer({ "", 99 }, Upper)
    local serving = csock.spawn(server.serve_forever, server)
    local s <close> = assert(csock.create_connection { "server", 99 })
    assert(s:sendall "words\n")
    assert.equal("WORDS\n", s:recv(100))
    server:shutdown()
    serving:join()
    server:server_close()

    local Datagram = class("Datagram", socketserver.DatagramRequestHandler)
    function Datagram:handle() self.wfile:write(self.rfile:read "a":upper()) end
    local udp = socketserver.UDPServer({ "", 99 }, Datagram)
    csock.spawn(udp.handle_request, udp)
    local u <close> = csock.socket(AF_INET, SOCK_DGRAM)
    assert(u:sendto("a datagram", { "server", 99 }))
    assert.equal("A DATAGRAM", u:recv(100))
    udp:server_close()
  end))

  it("the reactor does, with streams and datagrams", function()
    local net <close> = testing.network(HOSTS)
    local class = require "csock.class"
    local Upper = class("Upper", protocol.LineReceiver)
    function Upper:lineReceived(line) self:sendLine(line:upper()) end
    local Datagrams = class("Datagrams", protocol.DatagramProtocol)
    function Datagrams:datagramReceived(data, addr) self.transport:write(data:upper(), addr) end
    local got = {}
    local Client = class("Client", protocol.LineReceiver)
    function Client:connectionMade() self:sendLine "words" end
    function Client:lineReceived(line)
      got.line = line
      got.peer = tostring(self.transport:getPeer())
      self.transport:loseConnection()
    end
    reactors.run(function()
      net:run(function()
        local port = assert(reactor.listenTCP(99, protocol.Factory:forProtocol(Upper)))
        local udp = assert(reactor.listenUDP(99, Datagrams()))
        local factory, lost = protocol.ClientFactory:forProtocol(Client), loop.event()
        function factory.clientConnectionLost() lost:set() end
        reactor.connectTCP("server", 99, factory)
        assert(lost:wait(10))
        local u <close> = csock.socket(AF_INET, SOCK_DGRAM)
        assert(u:sendto("a datagram", { "server", 99 }))
        got.datagram, got.from = u:recvfrom(100)
        port:stopListening()
        udp:stopListening()
      end)
    end)
    assert.same({ "WORDS", "('198.18.0.1', 99)", "A DATAGRAM" }, { got.line, got.peer, got.datagram })
    assert.equal("('198.18.0.1', 99)", tostring(got.from))
  end)

  it("asyncore's channels do", in_network(HOSTS, function()
    local asyncore, class = require "csock.asyncore", require "csock.class"
    local server <close> = assert(csock.serve({ "", 99 }, echo))
    local Client = class("Client", asyncore.dispatcher)
    local got
    function Client:handle_connect() self:send "words\n" end
    function Client:writable() return not self.connected end
    function Client:handle_read()
      got = self:recv(100)
      self:close()
    end
    local client = Client()
    client:create_socket(AF_INET, SOCK_STREAM)
    client:connect { "198.18.0.1", 99 }
    asyncore.loop(5)
    assert.equal("words\n", got)
    assert.is_truthy(server)
  end))

  local test = contexts.missing and pending or it
  test("TLS does, over short reads and writes", function()
    testing.run(function()
      local server <close> = assert(csock.serve({ "", 443 }, echo, { ssl = contexts.server() }))
      local s <close> = assert(csock.create_connection({ "localhost", 443 }, { ssl = contexts.client() }))
      assert(s:sendall(("x"):rep(1000) .. "\n"))
      local stream <close> = s:makefile()
      assert.equal(("x"):rep(1000), stream:read())
      assert.matches("transport=ssl", tostring(s), 1, true)
      assert.equal("127.0.0.1", s:getpeername().host)
      assert.is_truthy(server)
    end, { network = { short_reads = true, short_writes = true } })
  end)

  it("sockets of other families are the system's", in_network(nil, function()
    local a <close> = csock.socket(csock.AF_UNIX, SOCK_DGRAM)
    assert.equal("", a:getsockname())
  end))

  it("all is as it was when the function has returned, failed, or was cancelled", function()
    local names = { "socket", "getaddrinfo", "gethostbyname", "gethostbyname_ex", "gethostbyaddr" }
    local before = {}
    for i, name in ipairs(names) do before[i] = csock[name] end
    local function check()
      for i, name in ipairs(names) do assert.equal(before[i], csock[name]) end
    end
    local net <close> = testing.network()
    assert.equal("result", net:run(function()
      assert.not_equal(before[1], csock.socket)
      return "result"
    end))
    check()
    assert.is_false((pcall(net.run, net, error)))
    check()
    local task = csock.spawn(net.run, net, loop.event().wait, loop.event())
    loop.step()
    assert.not_equal(before[1], csock.socket)
    task:cancel()
    check()
  end)

  it("there is one at a time", function()
    local a <close> = testing.network()
    a:run(function()
      a:run(function() end)
      local other <close> = testing.network()
      assert.error_matches(function() other:run(print) end, "in another network already")
    end)
  end)
end)

-- What is tried with a failing allocator (allocations_spec.lua): every constructor and operation of
-- csock that allocates. Each row: `prepare`, with memory, returns what `run` is called with; `run`
-- does the one thing, and when it ends without an error it has done it right. The file is loaded
-- into a fresh state for every try, and must not load csock itself.
--
-- A row must never wait for anything: what it reads has already come.

-- csock, with what is written in Lua: that has a row of its own, and takes a thousand allocations.
local function all_of_csock()
  local csock = require "csock"
  return csock.loop and csock
end

local function pair()
  local csock = require "csock"
  local a, b = assert(csock.socketpair())
  return csock, a, b
end

-- A listener and a client that it can accept.
local function listener()
  local csock = all_of_csock()
  local server, client = assert(csock.socket()), assert(csock.socket())
  assert(server:bind("127.0.0.1", 0))
  assert(server:listen())
  assert(client:connect(server:getsockname()))
  return csock, server, client
end

local function udp_pair()
  local csock = require "csock"
  local a = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  local b = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
  assert(a:bind("127.0.0.1", 0))
  assert(b:bind("127.0.0.1", 0))
  return csock, a, b
end

-- Two streams over a pair; the second one's other end has been fed with `text` and closed.
local function fed(text)
  local csock, a, b = pair()
  local stream = assert(b:makefile "rw")
  assert(a:sendall(text))
  a:close()
  return csock, stream, b
end

local function feeding(text)
  return function() return fed(text) end
end

local function just_csock()
  return (require "csock")
end

local LINES = ("line\n"):rep(10)
local LONG = ("x"):rep(20000)

return {
  ["users and groups"] = {
    run = function()
      local csock = require "csock"
      assert(csock.getpwnam("root").pw_uid == 0 and csock.getpwuid(0).pw_name == "root")
      assert(select(3, csock.getgrnam "no such group") == csock.errno.ENOENT)
      assert(csock.getgrouplist("root", 0)[1] == 0)
      csock.setgroups(assert(csock.getgroups())) -- which root alone may
    end,
  },
  ["a policy"] = {
    run = function()
      local csock = require "csock"
      assert(csock.policy(function(ask)
        if ask.what == "connect" then return false, "not " .. ask.address.host end
        return true
      end))
      local s <close> = assert(csock.socket())
      local _, err = s:connect {"127.0.0.1", 9}
      assert(err.strerror == "not 127.0.0.1", err)
    end,
  },
  ["a PID file"] = {
    prepare = function()
      local csock, service = require "csock", require "csock.service"
      return csock, service, ("/tmp/csock-%d.pid"):format(csock.getpid())
    end,
    run = function(csock, service, path)
      local file <close> = assert(service.pidfile(path))
      local again, _, errno = service.pidfile(path)
      assert(not again and errno == csock.errno.EBUSY and file.path == path)
    end,
  },
  ["require"] = {
    run = function() assert(require("csock").AF_INET) end,
  },
  ["what is written in Lua, asked for the first time"] = {
    prepare = just_csock,
    run = function(csock) assert(csock.serve and csock.loop) end,
  },
  ["names and numbers of errors, asked for the first time"] = {
    prepare = just_csock,
    run = function(csock)
      assert(csock.errno[csock.errno.EAGAIN] == "EAGAIN")
      local count = 0
      for _ in pairs(csock.errno) do count = count + 1 end
      assert(count > 140)
    end,
  },

  -- making ---------------------------------------------------------------------------------------

  ["socket"] = {
    prepare = just_csock,
    run = function(csock) assert(csock.socket()) end,
  },
  ["socket of every mode"] = {
    prepare = just_csock,
    run = function(csock)
      for _, family in ipairs { csock.AF_INET, csock.AF_INET6, csock.AF_UNIX } do
        for _, kind in ipairs { csock.SOCK_STREAM, csock.SOCK_DGRAM } do
          local s, err, errno = csock.socket(family, kind)
          assert(s or errno == csock.errno.EAFNOSUPPORT, err)
          if s then
            assert(s:settimeout(1))
            assert(s:settimeout(nil))
            assert(s.family == family and s.type == kind)
          end
        end
      end
    end,
  },
  ["socket that fails"] = {
    prepare = just_csock,
    run = function(csock)
      local s, err, errno = csock.socket(csock.AF_INET, 999)
      assert(s == nil and tostring(err) ~= "" and math.type(errno) == "integer")
    end,
  },
  ["socketpair"] = {
    prepare = just_csock,
    run = function(csock)
      local a, b = assert(csock.socketpair())
      assert(a:close() and b:close())
    end,
  },
  ["fromfd and dup"] = {
    prepare = pair,
    run = function(csock, a)
      assert(assert(csock.fromfd(a:fileno(), csock.AF_UNIX, csock.SOCK_STREAM)):close())
      assert(a:dup())
      local number = assert(csock.dup(a:fileno()))
      assert(csock.close(number))
    end,
  },
  ["socket over a descriptor"] = {
    prepare = function()
      local csock, a = pair()
      local options = { fileno = a:detach() }
      -- The descriptor is ours to close until there is a socket.
      local box = setmetatable({}, {
        __close = function(self) if not self[1] then csock.close(options.fileno) end end,
      })
      box[1] = false
      return csock, options, box
    end,
    run = function(csock, options, box)
      local owner <close> = box
      owner[1] = assert(csock.socket(options))
    end,
  },
  ["accept"] = {
    prepare = listener,
    run = function(_, server)
      local conn, addr = server:accept()
      assert(conn, addr)
      assert(conn:fileno() >= 0 and addr.host == "127.0.0.1" and #addr == 2)
    end,
  },
  ["accept with nobody there"] = {
    prepare = function()
      local csock, server = listener()
      assert(server:accept())
      assert(server:settimeout(0))
      return csock, server
    end,
    run = function(csock, server)
      local _, err, errno = server:accept()
      assert(errno == csock.errno.EAGAIN and err.name == "EAGAIN")
    end,
  },
  ["connect"] = {
    prepare = listener,
    run = function(csock, server)
      local s = assert(csock.socket())
      assert(s:connect("127.0.0.1", server:getsockname()[2]))
      assert(s:getpeername() == server:getsockname())
    end,
  },
  ["connect refused"] = {
    prepare = function()
      local csock, server = listener()
      local addr = server:getsockname()
      server:close()
      return csock, addr
    end,
    run = function(csock, addr)
      local s = assert(csock.socket())
      local ok, err = s:connect(addr)
      assert(not ok and err.name == "ECONNREFUSED" and err.address == addr)
      assert(tostring(err):find("refused", 1, true) and #(err .. "!") > 10)
    end,
  },
  ["connect to a name"] = {
    prepare = function()
      local csock, server = listener()
      return csock, server, server:getsockname()[2]
    end,
    run = function(csock, _, port)
      local s = assert(csock.socket())
      assert(s:connect("localhost", port))
    end,
  },
  ["create_server"] = {
    prepare = all_of_csock,
    run = function(csock)
      local s = assert(csock.create_server({ "127.0.0.1", 0 }, { backlog = 1 }))
      assert(s:getsockname().port > 0)
    end,
  },
  ["create_server on both stacks"] = {
    prepare = all_of_csock,
    run = function(csock)
      if not csock.has_dualstack_ipv6() then return end
      assert(csock.create_server({ "", 0 }, { family = csock.AF_INET6, dualstack_ipv6 = true }))
    end,
  },
  ["create_server on a port that is taken"] = {
    prepare = listener,
    run = function(csock, server)
      local s, err = csock.create_server(server:getsockname())
      assert(s == nil and err.name == "EADDRINUSE")
    end,
  },
  ["create_connection"] = {
    prepare = listener,
    run = function(csock, server)
      assert(csock.create_connection(server:getsockname(), { timeout = 10 }))
    end,
  },
  ["create_connection refused"] = {
    prepare = function()
      local csock, server = listener()
      local port = server:getsockname().port
      server:close()
      return csock, port
    end,
    run = function(csock, port)
      local s, err = csock.create_connection({ "localhost", port }, { all_errors = true })
      assert(s == nil and tostring(err) ~= "")
    end,
  },

  -- addresses ------------------------------------------------------------------------------------

  ["addresses"] = {
    prepare = just_csock,
    run = function(csock)
      local addr = csock.address(csock.AF_INET, "127.0.0.1", 80)
      assert(addr == csock.address(csock.AF_INET, "127.0.0.1", 80))
      assert(addr.host == "127.0.0.1" and addr[2] == 80 and #addr == 2)
      assert(tostring(addr) == "('127.0.0.1', 80)")
      local six = csock.address(csock.AF_INET6, "::1", 80, 1, 2)
      assert(select("#", table.unpack(six)) == 4)
    end,
  },
  ["names of a socket"] = {
    prepare = listener,
    run = function(_, server, client)
      assert(server:getsockname() == client:getpeername())
      assert(tostring(client):find("raddr=", 1, true))
    end,
  },
  ["bind to a Unix path"] = {
    prepare = function()
      local csock = require "csock"
      local name = os.tmpname()
      os.remove(name)
      return csock, name
    end,
    run = function(csock, name)
      local gone <close> = setmetatable({}, { __close = function() os.remove(name) end })
      local s = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
      assert(s:bind(name))
      assert(s:getsockname() == name and gone)
    end,
  },

  -- bytes ----------------------------------------------------------------------------------------

  ["send and recv"] = {
    prepare = pair,
    run = function(_, a, b)
      assert(a:sendall "hello" == 5)
      assert(b:recv(100) == "hello")
    end,
  },
  ["recv of much"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(a:sendall(LONG))
      return csock, a, b
    end,
    run = function(_, _, b) assert(b:recv(#LONG) == LONG) end,
  },
  ["recv of all"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(a:sendall(LONG))
      a:close()
      return csock, b
    end,
    run = function(csock, b) assert(b:recv(100000, csock.MSG_WAITALL) == LONG) end,
  },
  ["recv with nothing there"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(b:settimeout(0))
      return csock, b, a
    end,
    run = function(csock, b)
      local data, err, errno = b:recv(10)
      assert(data == nil and errno == csock.errno.EAGAIN and tostring(err) ~= "")
    end,
  },
  ["sendto and recvfrom"] = {
    prepare = udp_pair,
    run = function(_, a, b)
      assert(a:sendto("hello", b:getsockname()) == 5)
      local data, addr = b:recvfrom(100)
      assert(data == "hello" and addr == a:getsockname())
    end,
  },
  ["recvfrom_into"] = {
    prepare = udp_pair,
    run = function(csock, a, b)
      local buffer = csock.buffer(10)
      assert(a:sendto("hello", b:getsockname()) == 5)
      local n, addr = b:recvfrom_into(buffer)
      assert(n == 5 and addr == a:getsockname() and #buffer:sub(1, 5) == 5)
    end,
  },
  ["sendto a name"] = {
    prepare = udp_pair,
    run = function(_, a, b)
      assert(a:sendto("hello", { "localhost", b:getsockname().port }) == 5)
    end,
  },
  ["a buffer"] = {
    prepare = pair,
    run = function(csock, a, b)
      local buffer = csock.buffer(100)
      assert(a:send "hello")
      assert(b:recv_into(buffer) == 5)
      assert(buffer:sub(1, 5) == "hello")
    end,
  },

  -- messages -------------------------------------------------------------------------------------

  ["sendmsg and recvmsg"] = {
    prepare = pair,
    run = function(_, a, b)
      assert(a:sendmsg { "hel", "lo" } == 5)
      local data, ancillary, flags = b:recvmsg(100, 100)
      assert(data == "hello" and #ancillary == 0 and math.type(flags) == "integer")
    end,
  },
  ["recvmsg_into"] = {
    prepare = pair,
    run = function(csock, a, b)
      assert(a:send "hello")
      assert(b:recvmsg_into { csock.buffer(3), csock.buffer(3) } == 5)
    end,
  },
  ["send_fds"] = {
    prepare = pair,
    run = function(csock, a, b)
      assert(csock.send_fds(a, { "x" }, { a:fileno(), b:fileno() }))
    end,
  },
  ["recv_fds"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(csock.send_fds(a, { "x" }, { a:fileno(), b:fileno(), a:fileno() }))
      return csock, b
    end,
    run = function(csock, b)
      local data, fds = csock.recv_fds(b, 10, 3)
      -- From here on they are the program's: numbers, which no collector closes.
      for _, fd in ipairs(fds or {}) do csock.close(fd) end
      assert(data == "x" and #fds == 3)
    end,
  },
  ["recvmsg of descriptors that do not fit"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(csock.send_fds(a, { "x" }, { a:fileno(), b:fileno(), a:fileno() }))
      return csock, b
    end,
    run = function(csock, b)
      local data, fds, flags = csock.recv_fds(b, 10, 1)
      for _, fd in ipairs(fds or {}) do csock.close(fd) end
      assert(data == "x" and flags & csock.MSG_CTRUNC ~= 0)
    end,
  },
  ["recv of a message with descriptors"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(csock.send_fds(a, { "x" }, { a:fileno() }))
      return csock, b
    end,
    run = function(_, b) assert(b:recv(10) == "x") end,
  },
  ["sendfile"] = {
    prepare = function()
      local csock, a, b = pair()
      local file = assert(io.tmpfile())
      assert(file:write(LINES))
      file:seek "set"
      return csock, a, b, file
    end,
    run = function(_, a, b, file)
      assert(a:sendfile(file) == #LINES)
      assert(b:recv(1000) == LINES)
    end,
  },

  ["connect_ex"] = {
    prepare = listener,
    run = function(csock, server)
      assert(csock.socket():connect_ex(server:getsockname()) == 0)
      assert(math.type(csock.socket():connect_ex("127.0.0.1", 0)) == "integer")
    end,
  },

  -- options --------------------------------------------------------------------------------------

  ["options"] = {
    prepare = pair,
    run = function(csock, a)
      assert(a:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 10000))
      assert(math.type(a:getsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF)) == "integer")
      assert(#a:getsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 4) == 4)
    end,
  },
  ["ioctl and credentials"] = {
    prepare = function()
      local csock, a, b = pair()
      assert(b:send "hello")
      return csock, a, b
    end,
    run = function(csock, a)
      assert(a:ioctl(csock.FIONREAD) == 5)
      assert(csock.ioctl(a:fileno(), csock.FIONREAD) == 5)
      assert(a:getpeercred())
    end,
  },

  -- names ----------------------------------------------------------------------------------------

  ["getaddrinfo"] = {
    prepare = just_csock,
    run = function(csock)
      local infos = assert(csock.getaddrinfo("localhost", 80, csock.AF_INET, csock.SOCK_STREAM))
      assert(infos[1].addr.port == 80 and infos[1].addr.host == "127.0.0.1")
    end,
  },
  ["getaddrinfo of numbers"] = {
    prepare = just_csock,
    run = function(csock)
      local infos = assert(csock.getaddrinfo("127.0.0.1", "80", 0, 0, 0, csock.AI_NUMERICHOST | csock.AI_CANONNAME))
      assert(#infos >= 1)
    end,
  },
  ["getaddrinfo that fails"] = {
    prepare = just_csock,
    run = function(csock)
      local infos, err = csock.getaddrinfo("no such host", 80, 0, 0, 0, csock.AI_NUMERICHOST)
      assert(infos == nil and err:is(csock.gaierror))
    end,
  },
  ["getnameinfo"] = {
    prepare = just_csock,
    run = function(csock)
      local flags = csock.NI_NUMERICHOST | csock.NI_NUMERICSERV
      local host, service = csock.getnameinfo({ "127.0.0.1", 80 }, flags)
      assert(host == "127.0.0.1" and service == "80")
    end,
  },
  ["gethostbyname and its kin"] = {
    prepare = just_csock,
    run = function(csock)
      assert(csock.gethostbyname "localhost" == "127.0.0.1")
      local name, aliases, addresses = csock.gethostbyname_ex "localhost"
      assert(name and type(aliases) == "table" and addresses[1] == "127.0.0.1")
      assert(csock.gethostbyaddr "127.0.0.1")
    end,
  },
  ["host and service names"] = {
    prepare = all_of_csock,
    run = function(csock)
      assert(csock.gethostname())
      assert(csock.getfqdn "localhost")
      csock.getservbyname "http"
      csock.getservbyport(80)
      csock.getprotobyname "tcp"
      assert(csock.inet_ntoa(csock.inet_aton "1.2.3.4") == "1.2.3.4")
      assert(csock.inet_ntop(csock.AF_INET6, csock.inet_pton(csock.AF_INET6, "::1")) == "::1")
    end,
  },
  ["random bytes"] = {
    prepare = just_csock,
    run = function(csock) assert(#assert(csock.random(5000)) == 5000) end,
  },
  ["interfaces"] = {
    prepare = just_csock,
    run = function(csock)
      local list = assert(csock.if_nameindex())
      if #list > 0 then
        assert(csock.if_indextoname(list[1][1]) == list[1][2])
        assert(csock.if_nametoindex(list[1][2]) == list[1][1])
      end
    end,
  },

  -- waiting for many -----------------------------------------------------------------------------

  ["select"] = {
    prepare = pair,
    run = function(csock, a, b)
      local r, w, x = assert(csock.select({ a, b }, { a }, { b }, 0))
      assert(#r == 0 and w[1] == a and #x == 0)
    end,
  },
  ["poll"] = {
    prepare = pair,
    run = function(csock, a, b)
      local p = assert(csock.poll())
      assert(p:register(a, csock.POLLOUT))
      assert(p:register(b, csock.POLLIN | csock.POLLOUT))
      assert(p:modify(b, csock.POLLIN))
      local events = assert(p:poll(0))
      assert(#events == 1 and events[1][1] == a:fileno() and events[1][3] == a)
      assert(p:unregister(a))
    end,
  },
  ["epoll"] = {
    prepare = pair,
    run = function(csock, a, b)
      if not csock.epoll then return end
      local p = assert(csock.epoll())
      assert(p:register(a, csock.EPOLLOUT))
      assert(p:register(b, csock.EPOLLIN))
      local events = assert(p:poll(0))
      assert(#events == 1)
      assert(p:modify(a, csock.EPOLLIN))
      assert(p:unregister(b))
      assert(p:close())
    end,
  },
  ["kqueue"] = {
    prepare = pair,
    run = function(csock, a, b)
      if not csock.kqueue then return end
      local kq = assert(csock.kqueue())
      local change = assert(csock.kevent(a, csock.KQ_FILTER_WRITE))
      local events = assert(kq:control({ change, csock.kevent(b) }, 2, 0))
      assert(#events == 1 and tostring(events[1]) ~= "")
      assert(kq:close())
    end,
  },

  -- streams --------------------------------------------------------------------------------------

  ["makefile"] = {
    prepare = pair,
    run = function(_, a) assert(assert(a:makefile "rw"):close()) end,
  },
  ["makefile of every mode"] = {
    prepare = pair,
    run = function(_, a)
      for _, mode in ipairs { "r", "w", "rb", "rwb" } do assert(a:makefile(mode)) end
    end,
  },
  ["a stream over a file"] = {
    prepare = function()
      local file = assert(io.tmpfile())
      assert(file:write(LINES))
      file:seek "set"
      return require "csock", file
    end,
    run = function(csock, file)
      local stream = assert(csock.stream(file, "r"))
      assert(stream:read "a" == LINES)
    end,
  },
  ["stream:read of lines"] = {
    prepare = feeding(LINES),
    run = function(_, stream)
      assert(stream:read "l" == "line" and stream:read "L" == "line\n")
      assert(select("#", stream:read("l", "l")) == 2)
    end,
  },
  ["stream:read of a long line"] = {
    prepare = feeding(LONG .. "\n"),
    run = function(_, stream) assert(stream:read() == LONG) end,
  },
  ["stream:read of numbers and bytes"] = {
    prepare = feeding "12 0x10 3.5e1 rest",
    run = function(_, stream)
      local a, b, c = stream:read("n", "n", "n")
      assert(a == 12 and b == 16 and c == 35.0)
      assert(stream:read(5) == " rest")
    end,
  },
  ["stream:read of all"] = {
    prepare = feeding(LONG),
    run = function(_, stream) assert(stream:read "a" == LONG) end,
  },
  ["stream:lines"] = {
    prepare = feeding(LINES),
    run = function(_, stream)
      local n = 0
      for line in stream:lines() do
        assert(line == "line")
        n = n + 1
      end
      assert(n == 10)
    end,
  },
  ["stream:readline and readlines"] = {
    prepare = feeding(LINES),
    run = function(_, stream)
      assert(stream:readline() == "line\n")
      assert(#stream:readlines() == 9)
    end,
  },
  ["stream:read_until"] = {
    prepare = feeding "one;two;",
    run = function(_, stream)
      assert(stream:read_until ";" and stream:peek(3) == "two")
    end,
  },
  ["stream:write"] = {
    prepare = pair,
    run = function(_, a, b)
      local stream = assert(a:makefile "w")
      assert(stream:write("one", 2, "three"):write("4"))
      assert(stream:flush())
      assert(b:recv(100) == "one2three4")
    end,
  },
  ["stream:write of much"] = {
    prepare = pair,
    run = function(_, a, b)
      local stream = assert(a:makefile "w")
      assert(stream:setvbuf("full", 100))
      assert(stream:write(LONG))
      assert(stream:flush())
      assert(b:recv(#LONG, 0) == LONG)
    end,
  },
}

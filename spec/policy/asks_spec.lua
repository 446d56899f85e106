-- What is asked for: each way in which a script reaches out of its state, one by one.
local csock = require "csock"
local hosts = require "spec.policy.hosts"
local keep = require "spec.support.keep"

after_each(keep.close)

-- name, what is denied, the script that tries it and gives what `refused` makes of it.
local WAYS = {
  { "connect", "connect 127.0.0.1:9 ", [[ return refused(csock.socket():connect {"127.0.0.1", 9}) ]] },
  { "connect by a name, with the address that it leads to", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket():connect {"localhost", 9}) ]] },
  { "create_connection", "connect 127.0.0.1:9 ", [[ return refused(csock.create_connection {"localhost", 9}) ]] },
  { "connect to IPv4's address as IPv6's", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET6):connect {"::ffff:127.0.0.1", 9}) ]] },
  { "connect to no address in particular, which is this host", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket():connect {"0.0.0.0", 9}) ]] },
  { "the same with IPv6", "connect ::1:9 ", [[ return refused(csock.socket(csock.AF_INET6):connect {"::", 9}) ]] },
  { "the same with IPv4 as IPv6", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET6):connect {"::ffff:0.0.0.0", 9}) ]] },
  { "connect of a datagram socket", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):connect {"127.0.0.1", 9}) ]] },
  { "connect to a path", "connect /nowhere/s ",
    [[ return refused(csock.socket(csock.AF_UNIX):connect "/nowhere/s") ]] },
  { "bind", "bind 127.0.0.1:0 ", [[ return refused(csock.socket():bind {"127.0.0.1", 0}) ]] },
  { "bind to a path", "bind /nowhere/s ", [[ return refused(csock.socket(csock.AF_UNIX):bind "/nowhere/s") ]] },
  { "create_server", "bind 127.0.0.1:0 ", [[ return refused(csock.create_server {"127.0.0.1", 0}) ]] },
  { "listen, also without an address", "listen 0.0.0.0:0 ", [[ return refused(csock.socket():listen()) ]] },
  { "sendto", "send 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendto("x", {"127.0.0.1", 9})) ]] },
  { "sendto by a name", "send 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendto("x", {"localhost", 9})) ]] },
  { "sendto IPv4's address as IPv6's", "send 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET6, csock.SOCK_DGRAM):sendto("x", {"::ffff:127.0.0.1", 9})) ]] },
  { "sendmsg to an address", "send 127.0.0.1:9 ",
    [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendmsg({"x"}, nil, 0, {"127.0.0.1", 9})) ]] },
  { "sendto of a stream, which connects", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket():sendto("x", csock.MSG_FASTOPEN or 0x20000000, {"127.0.0.1", 9})) ]] },
  { "sendmsg of a stream", "connect 127.0.0.1:9 ",
    [[ return refused(csock.socket():sendmsg({"x"}, nil, 0x20000000, {"127.0.0.1", 9})) ]] },
  { "the reactor's datagrams", "send 127.0.0.1:9 ", [[
    local reactor, protocol = require "csock.reactor", require "csock.protocol"
    local p = protocol.DatagramProtocol()
    assert(reactor.listenUDP(0, p, "127.0.0.1"))
    return refused(p.transport:write("x", csock.getaddrinfo("127.0.0.1", 9)[1].addr))
  ]] },
  { "getaddrinfo", "lookup nowhere.invalid ", [[ return refused(csock.getaddrinfo("nowhere.invalid", 80)) ]] },
  { "gethostbyname", "lookup nowhere.invalid ", [[ return refused(csock.gethostbyname "nowhere.invalid") ]] },
  { "gethostbyname_ex", "lookup nowhere.invalid ", [[ return refused(csock.gethostbyname_ex "nowhere.invalid") ]] },
  { "gethostbyaddr", "lookup 127.0.0.9 ", [[ return refused(csock.gethostbyaddr "127.0.0.9") ]] },
  { "getnameinfo", "lookup 127.0.0.9:80 ", [[ return refused(csock.getnameinfo({"127.0.0.9", 80}, 0)) ]] },
  { "the look-up of an operation", "lookup nowhere.invalid connect",
    [[ return refused(csock.socket():connect {"nowhere.invalid", 9}) ]] },
  { "socket, of each family and type", "socket 2/2 ",
    [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)) ]] },
  { "socketpair", "socket 1/1 ", [[ return refused(csock.socketpair()) ]] },
  { "fork", "process fork", [[ return refused(csock.fork()) ]] },
  { "kill", "process kill", [[ return refused(csock.kill(csock.getpid(), 0)) ]] },
  { "waitpid", "process waitpid", [[ return refused(csock.waitpid(-1, csock.WNOHANG)) ]] },
  { "_exit", "process _exit", [[ return refused(csock._exit(1)) ]] },
  { "setuid", "process setuid", [[ return refused(csock.setuid(csock.getuid())) ]] },
  { "setgid", "process setgid", [[ return refused(csock.setgid(csock.getgid())) ]] },
  { "setgroups", "process setgroups", [[ return refused(csock.setgroups(csock.getgroups())) ]] },
  { "chdir", "process chdir", [[ return refused(csock.chdir ".") ]] },
  { "umask", "process umask", [[ return refused(csock.umask(18)) ]] },
  { "setsid", "process setsid", [[ return refused(csock.setsid()) ]] },
  { "sethostname", "process sethostname", [[ return refused(csock.sethostname(csock.gethostname())) ]] },
  { "signals", "process on_signal", [[ return refused(csock.loop.on_signal("SIGUSR1", print)) ]] },
  { "Ctrl-C", "process interrupts", [[ return refused(csock.loop.interrupts(true)) ]] },
  { "unsetenv", "process unsetenv", [[ return refused(require "csock.core".service.unsetenv "NOTHING") ]] },
  { "a daemon's standard files", "process daemonize", [[ return refused(require "csock.core".service.silence()) ]] },
  { "a PID file", "file /nowhere/pid ",
    [[ return refused(require "csock.core".service.lock("/nowhere/pid", "1\n")) ]] },
  { "a server's files", "file /etc/hosts ", [[ return refused(require "csock.core".http.open("/etc", "hosts")) ]] },
  { "a program", "process run",
    [[ return refused(require "csock.core".program.run({ "/bin/true" }, {}, {}, { 0, io.stdin, 1, io.stdout })) ]] },
  { "a jar's file", "file /nowhere/f load", [[
    local ok, err = require "csock.cookies".MozillaCookieJar "/nowhere/f":load()
    return not ok and tostring(err):find("the host says no", 1, true) and "refused: the host says no" or "ALLOWED"
  ]] },
  { "a server's mode at a path, which it gets or not at all", "process umask", [[
    return refused(require "csock.unixpath".bind("/nowhere/s", "600", function() return "BOUND" end))
  ]] },
  { "a file: URL", "file /etc/hosts urlopen", [[ return refused(require "csock.url".urlopen "file:///etc/hosts") ]] },
  { "a file for what a URL gives", "file /nowhere/f urlretrieve",
    [[ return refused(require "csock.url".urlretrieve("data:,x", "/nowhere/f")) ]] },
  { "a download", "file /nowhere/f download",
    [[ return refused(require "csock.http".download("http://127.0.0.1:9/", "/nowhere/f")) ]] },
  { "a mailbox's file", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.open("/nowhere/f", "r")) ]] },
  { "a mailbox's new name", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.rename("/nowhere/f", "/nowhere/g")) ]] },
  { "whether a mailbox's file is still there", "file /nowhere/f stat",
    [[ return refused(require "csock.core".file.open("/etc/hosts", "r"):is "/nowhere/f") ]] },
  { "a mailbox's second name", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.link("/nowhere/f", "/nowhere/g")) ]] },
  { "the end of a mailbox's file", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.unlink "/nowhere/f") ]] },
  { "a mailbox's folder", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.mkdir "/nowhere/f") ]] },
  { "the end of a mailbox's folder", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.rmdir "/nowhere/f") ]] },
  { "what a mailbox's file is", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.kind "/nowhere/f") ]] },
  { "the names in a mailbox's folder", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.names "/nowhere/f") ]] },
  { "a mailbox's folder on the disk", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.sync "/nowhere/f") ]] },
  { "the time of a mailbox's file", "file /nowhere/f ",
    [[ return refused(require "csock.core".file.utime("/nowhere/f", 1)) ]] },
  { "whether there is a socket at a path", "file /etc/passwd ", [[ return refused(csock.is_socket "/etc/passwd") ]] },
}

for _, kind in ipairs(hosts.kinds) do
  describe("a policy " .. kind.name, function()
    for _, way in ipairs(WAYS) do
      local name, deny, script = table.unpack(way)
      it("is asked for " .. name, function()
        local host = kind.new(deny)
        assert.equal(hosts.REFUSED, host:script(script))
        assert.matches(deny, host:asked(), 1, true)
      end)
    end

    it("is asked in a task as well, in its coroutine, and in a finalizer", function()
      local host = kind.new "connect 127.0.0.1:9 "
      assert.equal(hosts.REFUSED, host:script [[
        local result
        csock.run(function() result = refused(csock.create_connection {"localhost", 9}) end)
        return result
      ]])
      assert.equal(hosts.REFUSED, host:script [[
        return coroutine.wrap(function() return refused(csock.socket():connect {"127.0.0.1", 9}) end)()
      ]])
      assert.equal(hosts.REFUSED, host:script [[
        local result
        setmetatable({}, {__gc = function() result = refused(csock.socket():connect {"127.0.0.1", 9}) end})
        collectgarbage()
        return result
      ]])
    end)

    it("gives connect_ex EPERM", function()
      local host = kind.new "connect 127.0.0.1:9 "
      assert.equal(tostring(csock.errno.EPERM), host:script [[ return csock.socket():connect_ex {"127.0.0.1", 9} ]])
    end)

    it("is asked for each address that happy eyeballs tries", function()
      local host = kind.new "connect "
      host:script [[
        csock.run(function() csock.create_connection {"localhost", 9} end)
      ]]
      local infos = csock.getaddrinfo("localhost", 9, { type = csock.SOCK_STREAM })
      for _, info in ipairs(infos) do
        assert.matches(("connect %s:9 "):format(info.addr.host), host:asked(), 1, true)
      end
    end)

    it("lets through what it allows", function()
      local host = kind.new "nothing at all"
      assert.equal("ping pong", host:script [[
        local out = {}
        csock.run(function()
          local server <close> = assert(csock.serve({"127.0.0.1", 0}, function(conn)
            conn:sendall(conn:recv(4) .. " pong")
          end))
          local s <close> = assert(csock.create_connection(server:getsockname()))
          s:sendall "ping"
          out[1] = s:recv(9)
        end)
        return out[1]
      ]])
    end)

    it("is not asked for numbers that need no look-up, nor for what only changes how bytes travel", function()
      local host = kind.new "nothing at all"
      host:script [[
        local s = csock.socket()
        csock.getaddrinfo("127.0.0.1", 80)
        assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, true))
        assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 10000))
        assert(s:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true))
        s:getsockopt(csock.SOL_SOCKET, csock.SO_TYPE)
        s:ioctl(csock.FIONREAD)
      ]]
      assert.equal("socket 2/1 socket\n", host:asked())
    end)
  end)
end

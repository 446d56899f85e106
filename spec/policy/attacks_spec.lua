-- Ways around a policy, each of which must end in a refusal.
local csock = require "csock"
local hosts = require "spec.policy.hosts"
local keep = require "spec.support.keep"

after_each(keep.close)

-- A connection of the host's, which no script has been given: its descriptor's number, and the other end.
local function hosts_own()
  local a, b = keep(csock.socketpair())
  b:sendall "secret"
  return a:fileno(), b
end

-- %d: the number of a descriptor that is the host's.
local DESCRIPTORS = {
  { "fromfd", [[ return refused(csock.fromfd(%d)) ]] },
  { "fromfd of an object that gives the number",
    [[ return refused(csock.fromfd {fileno = function() return %d end}) ]] },
  { "a socket made of the number", [[ return refused(csock.socket {fileno = %d}) ]] },
  { "dup", [[ return refused(csock.dup(%d)) ]] },
  { "close", [[ return refused(csock.close(%d)) ]] },
  { "a stream", [[ return refused(csock.stream(%d, "rw")) ]] },
  { "a stream that does not own it", [[ return refused(csock.stream(%d, "rw", {closefd = false})) ]] },
  { "a stream over an object", [[ return refused(csock.stream({fileno = function() return %d end}, "rw")) ]] },
  { "sendfile", [[ return refused((csock.socketpair()):sendfile(%d)) ]] },
  { "sendfile of an object", [[ return refused((csock.socketpair()):sendfile {fileno = function() return %d end}) ]] },
  { "ioctl", [[ return refused(csock.ioctl(%d, csock.FIONREAD)) ]] },
  { "send_fds", [[ return refused(csock.send_fds((csock.socketpair()), "x", {%d})) ]] },
  { "sendmsg with SCM_RIGHTS", [[
    return refused((csock.socketpair()):sendmsg({"x"}, {{csock.SOL_SOCKET, csock.SCM_RIGHTS, ("i4"):pack(%d)}}))
  ]] },
  { "an epoll object", [[ return refused((csock.epoll or csock.kqueue).fromfd(%d)) ]] },
  { "a method of a socket that has another number", [[
    local s = csock.socket()
    getmetatable(s).__index.fileno = function() return %d end
    return refused(csock.dup(s))
  ]] },
  { "a program's output", [[
    return refused(require "csock.core".program.run({ "/bin/cat" }, { "cat" }, {}, { 0, %d, 1, io.stdout }))
  ]] },
}

-- What may be done with descriptors that are the script's own, and what not.
local OWN = {
  { "may be copied", [[
    local a, b = csock.socketpair()
    local c = assert(csock.fromfd(a:fileno()))
    assert(csock.socket {fileno = csock.dup(c)}):sendall "x"
    assert(csock.close(csock.dup(a)))
    assert(csock.socket {fileno = c:detach()}):sendall "x"
    return b:recv(2)
  ]], "xx" },
  { "may not be closed behind its object's back: the number would be the host's next one", [[
    local a = csock.socketpair()
    return refused(csock.close(a:fileno()))
  ]] },
  { "may not be taken over by a second object", [[
    local a = csock.socketpair()
    return refused(csock.socket {fileno = a:fileno()})
  ]] },
  { "may not be followed by a stream, which would go on when the number is another's", [[
    local a = csock.socketpair()
    local number = a:fileno()
    return refused(csock.stream({fileno = function() return number end}, "rw"))
  ]] },
  { "may not be followed by a stream as a number either, which anybody may close", [[
    local a = csock.socketpair()
    return refused(csock.stream(csock.dup(a), "rw", {closefd = false}))
  ]] },
  { "may not be followed by a stream over an object", [[
    local number = csock.dup((csock.socketpair()))
    return refused(csock.stream({fileno = function() return number end}, "rw"))
  ]] },
  { "may not be known by its number when it is closed", [[
    local a = csock.socketpair()
    local number = a:fileno()
    a:close()
    return refused(csock.dup(number))
  ]] },
  { "may not be said to be of another kind than it is", [[
    local a = csock.socket(csock.AF_INET, csock.SOCK_DGRAM)
    local b = csock.socket {fileno = csock.dup(a), family = 0, type = csock.SOCK_STREAM}
    return tostring(b.family == csock.AF_INET and b.type == csock.SOCK_DGRAM)
  ]], "true" },
}

-- The script that tries it; what is denied is "option".
local OPTIONS = {
  { "a filter, which is an address of memory",
    [[ return refused(csock.socket():setsockopt(csock.SOL_SOCKET, 26, ("i2xxxxxxT"):pack(1, 4096))) ]] },
  { "a filter by its descriptor", [[ return refused(csock.socket():setsockopt(csock.SOL_SOCKET, 50, 3)) ]] },
  { "a table of the packet filter",
    [[ return refused(csock.socket():setsockopt(csock.IPPROTO_IP, 64, ("x"):rep(100))) ]] },
  { "an interface", [[ return refused(csock.socket():setsockopt(csock.SOL_SOCKET, 25, "lo\0")) ]] },
  { "what connects (SCTP)", [[ return refused(csock.socket():setsockopt(132, 110, ("x"):rep(16))) ]] },
  { "a value with a length alone", [[ return refused(csock.socket():setsockopt(279, 1, nil, 16)) ]] },
  { "an option that gives descriptors", [[ return refused(csock.socket():getsockopt(132, 102, 8)) ]] },
  { "ioctl with an address of memory",
    [[ return refused(csock.socket():ioctl(csock.SIOCGIFCONF or 0x8912, ("i4xxxxT"):pack(64, 4096))) ]] },
  { "ioctl with a number", [[ return refused(csock.socket():ioctl(0x8902, csock.getpid())) ]] },
  { "counting ioctls with bytes",
    [[ return refused(csock.socket():ioctl(csock.FIONREAD, ("x"):rep(8))) ]] },
  { "credentials in a message", [[
    return refused((csock.socketpair()):sendmsg({"x"}, {{csock.SOL_SOCKET, 2, ("i4i4i4"):pack(1, 0, 0)}}))
  ]] },
  { "an address to send from", [[
    local u = csock.socket(csock.AF_INET, csock.SOCK_DGRAM)
    return refused(u:sendmsg({"x"}, {{csock.IPPROTO_IP, 8, ("x"):rep(12)}}, 0, {"127.0.0.1", 9}))
  ]] },
}

-- Datagrams to an address whose bytes are unusual: its words in the policy, the script that sends to it.
local DESTINATIONS = {
  { "an address of no family, which is IPv4's for the system", "send 127.0.0.1:9 ", [[
    local to = csock.address {raw = ("=I2>I2c12"):pack(csock.AF_UNSPEC, 9, "\127\0\0\1")}
    return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendto("x", to))
  ]] },
  { "the same in a message", "send 127.0.0.1:9 ", [[
    local to = csock.address {raw = ("=I2>I2c12"):pack(csock.AF_UNSPEC, 9, "\127\0\0\1")}
    return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendmsg({"x"}, {}, 0, to))
  ]] },
  { "an unspecified address of no family", "send 127.0.0.1:9 ", [[
    local to = csock.address {raw = ("=I2>I2c12"):pack(csock.AF_UNSPEC, 9, "")}
    return refused(csock.socket(csock.AF_INET, csock.SOCK_DGRAM):sendto("x", to))
  ]] },
  { "an IPv6 address without its last part", "send ::1:9 ", [[
    local to = csock.address {raw = ("=I2>I2I4c15B"):pack(csock.AF_INET6, 9, 0, "", 1)}
    return refused(csock.socket(csock.AF_INET6, csock.SOCK_DGRAM):sendto("x", to))
  ]] },
  { "an IPv4 address in IPv6's notation without its last part", "send 127.0.0.1:9 ", [[
    local to = csock.address {raw = ("=I2>I2I4c10c6"):pack(csock.AF_INET6, 9, 0, "", "\255\255\127\0\0\1")}
    return refused(csock.socket(csock.AF_INET6, csock.SOCK_DGRAM):sendto("x", to))
  ]] },
}

local KINDS = {
  { "AF_ALG", "socket 38/5 ", [[ return refused(csock.socket(38, csock.SOCK_SEQPACKET)) ]] },
  { "raw sockets", "socket 2/3 ", [[ return refused(csock.socket(csock.AF_INET, csock.SOCK_RAW, 1)) ]] },
  { "packets", "socket 17/3 ", [[ return refused(csock.socket(17, csock.SOCK_RAW, 0)) ]] },
  { "netlink", "socket 16/3 ", [[ return refused(csock.socket(16, csock.SOCK_RAW, 0)) ]] },
}

-- What a script with `debug` may do to the state's insides; `%s` follows, an attempt to connect.
local TAMPERING = {
  { "hooks of all kinds", [[
    local seen = {}
    debug.sethook(function()
      for level = 2, 20 do
        local info = debug.getinfo(level, "fS")
        if not info then break end
        if info.short_src:find "policy" or info.what == "Lua" then seen[info.func] = true end
      end
    end, "crl", 1)
    local result = attempt()
    debug.sethook()
    for f in next, seen do
      for i = 1, 100 do
        local name = debug.getupvalue(f, i)
        if not name then break end
        if name == "deny" then debug.setupvalue(f, i, "nothing at all") end
      end
    end
    return result
  ]] },
  { "a finalizer that looks around", [[
    local function spoil()
      for level = 1, 30 do
        local info = debug.getinfo(level, "f")
        if not info then break end
        for i = 1, 100 do
          local name = debug.getupvalue(info.func, i)
          if not name then break end
          if name == "deny" then debug.setupvalue(info.func, i, "nothing at all") end
        end
      end
    end
    local s, address, finalizer = make(), {"127.0.0.1", 9}, {__gc = spoil}
    for _ = 1, 5000 do
      setmetatable({}, finalizer)
      setmetatable({}, finalizer)
      local _, _, errno = connect(s, address)
      if errno ~= csock.errno.EPERM then return "ALLOWED" end
    end
  ]] },
  { "taking the record out of the registry", [[
    local s, registry = make(), debug.getregistry()
    for key, value in pairs(registry) do
      if type(key) == "userdata" and type(value) == "thread" then registry[key] = nil end
    end
    local result = attempt()
    collectgarbage() collectgarbage() -- it comes back: sockets point at it
    local garbage = {}
    for i = 1, 1000 do garbage[i] = csock.buffer(500) end
    assert(select(3, connect(s, {"127.0.0.1", 9})) == csock.errno.EPERM)
    assert(attempt() == "REFUSED")
    return result
  ]] },
  { "opening csock anew", [[
    local registry = debug.getregistry()
    for key, value in pairs(registry) do
      local module = type(value) == "table" and rawget(value, "socketpair")
      if type(key) == "userdata" and (type(value) == "thread" or module) then registry[key] = nil end
    end
    for name in pairs(package.loaded) do
      if name:find "^csock" then package.loaded[name] = nil end
    end
    local ok, csock = pcall(require, "csock")
    if ok then return refused(csock.socket():connect {"127.0.0.1", 9}) end
  ]] },
  { "opening it anew while the old record is kept", [[
    local registry, kept = debug.getregistry(), {}
    for key, value in pairs(registry) do
      if type(key) == "userdata" then kept[key], registry[key] = value, nil end
    end
    for name in pairs(package.loaded) do
      if name:find "^csock" then package.loaded[name] = nil end
    end
    local ok, csock = pcall(require, "csock")
    if ok then return refused(csock.socket():connect {"127.0.0.1", 9}) end
    for key, value in pairs(kept) do registry[key] = value end
  ]] },
  { "other values in the registry", [[
    local registry = debug.getregistry()
    for key, value in pairs(registry) do
      if type(value) == "thread" and type(key) == "userdata" then registry[key] = csock.buffer(1000) end
    end
  ]] },
  { "other threads in the registry", [[
    local registry = debug.getregistry()
    for key, value in pairs(registry) do
      if type(value) == "thread" and type(key) == "userdata" then
        registry[key] = coroutine.create(function() return true end)
      end
    end
  ]] },
  { "closing every thread in the registry", [[
    for key, value in pairs(debug.getregistry()) do
      if type(value) == "thread" and type(key) == "userdata" then pcall(coroutine.close, value) end
    end
    collectgarbage()
  ]] },
  { "resuming every thread in the registry", [[
    for key, value in pairs(debug.getregistry()) do
      if type(value) == "thread" and type(key) == "userdata" then
        for i = 0, 3 do coroutine.resume(value, table.unpack({function() return true end, 2, 3}, 1, i)) end
      end
    end
  ]] },
  { "hooks on every thread in the registry", [[
    for key, value in pairs(debug.getregistry()) do
      if type(value) == "thread" and type(key) == "userdata" then
        debug.sethook(value, function()
          local info = debug.getinfo(2, "f")
          for i = 1, 100 do
            local name = debug.getupvalue(info.func, i)
            if not name then break end
            if name == "deny" then debug.setupvalue(info.func, i, "nothing at all") end
          end
        end, "crl", 1)
      end
    end
  ]] },
  { "locals of every thread in the registry", [[
    for key, value in pairs(debug.getregistry()) do
      if type(value) == "thread" and type(key) == "userdata" then
        for level = 0, 3 do
          for i = -3, 20 do pcall(debug.setlocal, value, level, i, function() return true end) end
        end
      end
    end
  ]] },
  { "other metatables and values of its objects", [[
    local a = csock.getaddrinfo("127.0.0.1", 9)[1].addr
    debug.getmetatable(a).__index = function() return "8.8.8.8" end
    for _, o in ipairs {a, csock.socket(), csock.buffer(10)} do
      pcall(debug.setuservalue, o, csock, 1)
      pcall(debug.setuservalue, o, nil, 2)
      debug.setmetatable(o, {__index = function() return function() return true end end})
    end
  ]] },
  { "strings with other methods", [[
    for name in pairs(string) do string[name] = function() end end
  ]] },
  { "upvalues of its functions", [[
    for _, f in pairs(csock) do
      for i = 1, type(f) == "function" and 20 or 0 do
        local name, value = debug.getupvalue(f, i)
        if not name then break end
        if type(value) == "string" and value ~= "" then debug.setupvalue(f, i, "other") end
      end
    end
  ]] },
  { "a policy of its own", [[ csock.policy(function() return true end) ]] },
  { "other modules in package.loaded", [[
    package.loaded["csock.core"], package.loaded["csock"], package.loaded["csock.net"] = nil, nil, nil
    csock = require "csock"
  ]] },
}

local ATTEMPT = [[
  local connect, make = csock.socket().connect, csock.socket
  local function attempt()
    local ok, s = pcall(make)
    if not ok then return "RAISED" end
    local fine, a, b, c = pcall(connect, s, {"127.0.0.1", 9})
    if not fine then return "RAISED" end
    if a or c ~= csock.errno.EPERM then return "ALLOWED" end
    return "REFUSED"
  end
  local function tampered()
    %s
  end
  local result = tampered()
  local now = attempt()
  assert(result ~= "ALLOWED" and now ~= "ALLOWED", tostring(result) .. ", then " .. now)
  return now
]]

for _, kind in ipairs(hosts.kinds) do
  describe("a policy " .. kind.name .. " is not got around by", function()
    for _, way in ipairs(DESCRIPTORS) do
      local name, script = table.unpack(way)
      it(name .. ", for a descriptor of the host's", function()
        local fd, other = hosts_own()
        assert.equal(hosts.REFUSED, kind.new("descriptor " .. fd):script(script:format(fd)))
        assert.is_truthy(other:sendall "more")
      end)
    end

    it("recv_fds, or recvmsg with room for descriptors", function()
      local calls = { "csock.recv_fds(b, 10, 1)", "b:recvmsg(10, 100)", "b:recvmsg_into({csock.buffer(10)}, 100)" }
      for _, call in ipairs(calls) do
        assert.equal(hosts.REFUSED, kind.new("descriptor -1"):script(([[
          local a, b = csock.socketpair()
          a:sendall "x"
          return refused(%s)
        ]]):format(call)), call)
      end
    end)

    for _, way in ipairs(OPTIONS) do
      it(way[1], function() assert.equal(hosts.REFUSED, kind.new("option "):script(way[2])) end)
    end

    for _, way in ipairs(KINDS) do
      it(way[1], function() assert.equal(hosts.REFUSED, kind.new(way[2]):script(way[3])) end)
    end

    for _, way in ipairs(DESTINATIONS) do
      it(way[1], function() assert.equal(hosts.REFUSED, kind.new(way[2]):script(way[3])) end)
    end

    for _, way in ipairs(TAMPERING) do
      it(way[1], function()
        local host = kind.new "connect 127.0.0.1:9 "
        host:script(ATTEMPT:format(way[2]))
      end)
    end

    it("an http redirect to a host that is denied", function()
      local server = keep(csock.create_server { "127.0.0.1", 0 })
      local port = server:getsockname().port
      local host = kind.new "connect 127.0.0.2:"
      host.state:spawn(([[
        local http = require "csock.http"
        local response, err, errno = http.get "http://127.0.0.1:%d/"
        return tostring(response), tostring(err), tostring(errno)
      ]]):format(port))
      server:settimeout(5)
      repeat
        host.state:step(0.01)
        local ready = csock.select({ server }, {}, {}, 0)
      until #ready > 0
      local conn <close> = assert(server:accept())
      repeat host.state:step(0.01) until #csock.select({ conn }, {}, {}, 0) > 0
      conn:recv(1000)
      conn:sendall("HTTP/1.1 302 Found\r\nLocation: http://127.0.0.2:" .. port .. "/\r\nContent-Length: 0\r\n\r\n")
      while host.state:step(0.1) > 0 do end
      assert.matches("the host says no", host.state:ended(), 1, true)
      assert.matches(("connect 127.0.0.2:%d"):format(port), host:asked(), 1, true)
    end)
  end)

  describe("a descriptor of the script's own, under a policy " .. kind.name .. ",", function()
    for _, way in ipairs(OWN) do
      it(way[1], function()
        assert.equal(way[3] or hosts.REFUSED, kind.new("descriptor "):script(way[2]))
      end)
    end
  end)
end

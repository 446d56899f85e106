local csock = require "csock"
local keep = require "spec.support.keep"
local memory = require "spec.support.memory"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local E = csock.errno

local function nonblocking(s)
  local _, flags = assert(posix.fd_flags(s:fileno()))
  return flags & posix.O_NONBLOCK ~= 0
end

describe("a socket's attributes", function()
  after_each(keep.close)

  it("are family, type, proto and timeout, whatever the timeout is", function()
    local s = keep(csock.socket(csock.AF_INET, csock.SOCK_DGRAM, csock.IPPROTO_UDP))
    for _, given in ipairs{ false, 0, 1.5, false } do
      local timeout = given or nil
      s:settimeout(timeout)
      assert.equal(csock.AF_INET, s.family)
      assert.equal(csock.SOCK_DGRAM, s.type)
      assert.equal(csock.IPPROTO_UDP, s.proto)
      assert.equal(timeout, s.timeout)
      assert.equal("function", type(s.recv))
    end
  end)

  it("are not to be changed, and there are no others", function()
    local s = keep(csock.socket())
    assert.has_error(function() s.family = 1 end)
    assert.has_error(function() s.extra = 1 end)
    assert.is_nil(s.extra)
    s:settimeout(1)
    assert.has_error(function() s.family = 1 end)
    assert.is_nil(s.extra)
    assert.is_nil(s[1])
    for name in pairs { timeout = 1, family = 1, type = 1, proto = 1, recv = 1 } do
      assert.is_nil(s[name .. "\0x"])
    end
  end)
end)

describe("settimeout", function()
  after_each(keep.close)

  it("sets what gettimeout gives", function()
    local s = keep(csock.socket())
    assert.is_nil(s:gettimeout())
    for _, seconds in ipairs{ 0, 0.5, 3, 1e300 } do
      assert.is_true(s:settimeout(seconds))
      assert.equal(seconds < 1e10 and seconds or nil, s:gettimeout())
    end
    assert.is_true(s:settimeout(nil))
    assert.is_nil(s:gettimeout())
  end)

  it("switches O_NONBLOCK with it, as Python does", function()
    local s = keep(csock.socket())
    for _, seconds in ipairs{ 0, 1, false, 0.001, false } do
      s:settimeout(seconds or nil)
      assert.equal(seconds ~= false, nonblocking(s))
    end
  end)

  it("never takes a short time for none", function()
    local s = keep(csock.socket())
    s:settimeout(1e-300)
    assert.is_true(s:gettimeout() > 0)
    assert.is_true(s:getblocking())
  end)

  it("raises on what is no time", function()
    local s = keep(csock.socket())
    for _, wrong in ipairs{ -1, -1e-9, 0 / 0, -math.huge, "soon", {}, true } do
      assert.has_error(function() s:settimeout(wrong) end)
    end
    assert.has_error(function() s:settimeout() end)
    assert.is_nil(s:gettimeout())
  end)
end)

describe("setblocking", function()
  after_each(keep.close)

  it("is settimeout of nil or 0", function()
    local s = keep(csock.socket())
    assert.is_true(s:getblocking())
    assert.is_true(s:setblocking(false))
    assert.equal(0, s:gettimeout())
    assert.is_false(s:getblocking())
    assert.is_true(nonblocking(s))
    assert.is_true(s:setblocking(true))
    assert.is_nil(s:gettimeout())
    assert.is_false(nonblocking(s))
  end)

  it("takes 0 and 1, as in Python", function()
    local s = keep(csock.socket())
    s:setblocking(0)
    assert.is_false(s:getblocking())
    s:setblocking(1)
    assert.is_true(s:getblocking())
  end)

  it("wants an argument", function()
    local s = keep(csock.socket())
    assert.has_error(function() s:setblocking() end)
  end)
end)

describe("set_inheritable", function()
  after_each(keep.close)

  it("says whether another program keeps the descriptor", function()
    local s = keep(csock.socket())
    assert.is_false(s:get_inheritable())
    assert.is_true(s:set_inheritable(true))
    assert.is_true(s:get_inheritable())
    assert.equal(0, posix.fd_flags(s:fileno()) & posix.FD_CLOEXEC)
    assert.is_true(s:set_inheritable(false))
    assert.is_false(s:get_inheritable())
    assert.has_error(function() s:set_inheritable() end)
  end)
end)

describe("shutdown", function()
  after_each(keep.close)

  it("ends one direction and leaves the other", function()
    local a, b = keep(csock.socketpair())
    assert.is_true(a:shutdown(csock.SHUT_WR))
    assert.equal("", b:recv(1))
    assert.equal(1, b:send("x"))
    assert.equal("x", a:recv(1))
    assert.equal(E.EPIPE, select(3, a:send("x")))
  end)

  it("ends both, with 2", function()
    local a, b = keep(csock.socketpair())
    assert.is_true(a:shutdown(2))
    assert.equal("", a:recv(1))
    assert.equal("", b:recv(1))
  end)

  it("fails where there is nothing to end", function()
    local s = keep(csock.socket())
    local _, err, errno = s:shutdown(csock.SHUT_RDWR)
    assert.equal(E.ENOTCONN, errno)
    assert.equal("shutdown", err.call)
    local a = keep(csock.socketpair())
    assert.equal(E.EINVAL, select(3, a:shutdown(17)))
  end)

  it("wants a number", function()
    local s = keep(csock.socket())
    assert.has_error(function() s:shutdown() end)
    assert.has_error(function() s:shutdown("w") end)
    assert.has_error(function() s:shutdown(1 << 40) end)
  end)
end)

-- Each method that uses the descriptor, with arguments that would do on an open socket.
local function methods_of_a_closed_socket()
  local buffer = csock.buffer(8)
  local level, name = csock.SOL_SOCKET, csock.SO_TYPE
  return {
    accept = {}, bind = { "127.0.0.1", 0 }, connect = { "127.0.0.1", 1 }, dup = {},
    get_inheritable = {}, getpeername = {}, getsockname = {}, listen = {}, recv = { 1 },
    recv_into = { buffer }, recvfrom = { 1 }, recvfrom_into = { buffer }, send = { "x" },
    sendall = { "x" }, sendto = { "x", { "127.0.0.1", 1 } }, set_inheritable = { true },
    setblocking = { false }, settimeout = { 1 }, shutdown = { 1 },
    getpeercred = {}, getsockopt = { level, name }, ioctl = { csock.FIONREAD }, makefile = {},
    recvmsg = { 1 }, recvmsg_into = { buffer }, sendfile = { io.stdin }, sendmsg = { "x" },
    sendmsg_afalg = csock.socket().sendmsg_afalg and { "x", { op = 0 } }, setsockopt = { level, name, 1 },
  }
end

describe("a closed socket", function()
  local function closed_ones()
    local closed, detached = csock.socket(), csock.socket()
    assert.is_true(closed:close())
    csock.close(detached:detach())
    return { closed = closed, detached = detached }
  end

  for name in pairs(methods_of_a_closed_socket()) do
    it("gives EBADF from " .. name .. ", also when it was detached", function()
      for how, s in pairs(closed_ones()) do
        local args = methods_of_a_closed_socket()[name]
        local result, err, errno = s[name](s, table.unpack(args))
        assert.is_nil(result, how)
        assert.equal(E.EBADF, errno, how)
        assert.equal("EBADF", err.name)
        assert.equal(name, err.call)
      end
    end)
  end

  it("has no other method that asks the system for anything", function()
    local known = methods_of_a_closed_socket()
    for _, name in ipairs { "close", "connect_ex", "counters", "detach", "dirty", "fileno", "getblocking", "getstats",
      "gettimeout" } do
      known[name] = {}
    end
    local _, out = process.run { process.interpreter, "-e", [[ -- other modules may add methods
      for name, value in pairs(getmetatable(require("csock").socket()).__index) do
        if type(value) == "function" then print(name) end
      end
    ]] }
    for name in out:gmatch "%S+" do assert.is_truthy(known[name], name) end
    assert.matches("getstats", out)
  end)

  it("gives EBADF's number from connect_ex", function()
    for _, s in pairs(closed_ones()) do
      assert.equal(E.EBADF, s:connect_ex("127.0.0.1", 1))
    end
  end)

  it("has the descriptor -1", function()
    for _, s in pairs(closed_ones()) do assert.equal(-1, s:fileno()) end
  end)

  it("can be closed again, and detached to nothing", function()
    for _, s in pairs(closed_ones()) do
      assert.is_true(s:close())
      assert.equal(-1, s:detach())
      assert.is_true(s:close())
    end
  end)

  it("closes nobody else's descriptor that got the same number", function()
    collectgarbage() -- nothing frees a lower number meanwhile
    local s = csock.socket()
    local fd = s:fileno()
    s:close()
    local other = keep(csock.socket())
    assert.equal(fd, other:fileno())
    s:close()
    s = nil -- luacheck: ignore
    collectgarbage()
    assert.equal(fd, other:fileno())
    assert.truthy(posix.fd_flags(fd))
    keep.close()
  end)

  it("still has its attributes", function()
    for _, s in pairs(closed_ones()) do
      assert.equal(csock.AF_INET, s.family)
      assert.equal(csock.SOCK_STREAM, s.type)
      assert.is_nil(s:gettimeout())
    end
  end)
end)

describe("a method of a socket", function()
  after_each(keep.close)

  it("raises when it is called on something else", function()
    local s = keep(csock.socket())
    local buffer = csock.buffer(1)
    for _, wrong in ipairs{ 1, "x", {}, io.stdout, buffer, print } do
      assert.error_matches(function() s.recv(wrong, 1) end, "csock.socket expected")
      assert.has_error(function() s.close(wrong) end)
    end
    assert.has_error(function() s.recv() end)
    assert.has_error(function() s.fileno(nil) end)
  end)
end)

describe("detach", function()
  it("gives the descriptor away without closing it", function()
    local s = csock.socket()
    local fd = s:fileno()
    assert.equal(fd, s:detach())
    assert.truthy(posix.fd_flags(fd))
    posix.close(fd)
  end)
end)

describe("the end of a socket", function()
  it("comes by <close>", function()
    local fd
    do
      local s <close> = csock.socket()
      fd = s:fileno()
    end
    assert.is_nil(posix.fd_flags(fd))
  end)

  it("comes by <close> when an error passes", function()
    local fd
    pcall(function()
      local s <close> = csock.socket()
      fd = s:fileno()
      error("something else")
    end)
    assert.is_nil(posix.fd_flags(fd))
  end)

  it("comes by the collector, whatever its timeout", function()
    for _, timeout in ipairs{ false, 0, 1 } do
      local fd
      do
        local s = csock.socket()
        s:settimeout(timeout or nil)
        fd = s:fileno()
      end
      collectgarbage()
      assert.is_nil(posix.fd_flags(fd))
    end
  end)

  -- In a program of its own, whose standard error is the warning.
  local function warnings(body)
    local status, _, err = process.run{ process.interpreter, "-e", [[
      warn("@on")
      local csock = require "csock"
    ]] .. body }
    assert.equal(0, status)
    return err
  end

  it("comes with a warning when nobody closed it, if Lua's warnings are on", function()
    local text = warnings[[
      csock.socket(csock.AF_INET, csock.SOCK_STREAM)
      collectgarbage()
    ]]
    assert.equal("Lua warning: csock: collected without close: <csock.socket fd=N, family=AF_INET, " ..
      "type=SOCK_STREAM, proto=0, laddr=('0.0.0.0', 0)>\n", (text:gsub("fd=%d+", "fd=N")))
  end)

  it("comes with a warning at the end of the program too", function()
    assert.truthy(warnings("s = csock.socket()"):find("collected without close", 1, true))
  end)

  it("comes without one when it was closed, detached or never opened", function()
    assert.equal("", warnings[[
      csock.socket():close()
      csock.close(csock.socket():detach())
      do local s <close> = csock.socket() end
      csock.socket(250)
      csock.fromfd(0)
      collectgarbage()
    ]])
  end)
end)

describe("tostring of a socket", function()
  after_each(keep.close)

  it("shows what Python's repr shows, with names for numbers", function()
    local s = keep(csock.socket(csock.AF_INET, csock.SOCK_STREAM, 6))
    assert.equal(
      "<csock.socket fd=" .. s:fileno() ..
      ", family=AF_INET, type=SOCK_STREAM, proto=6, laddr=('0.0.0.0', 0)>",
      tostring(s))
  end)

  it("shows both ends of a connection", function()
    local listener = keep(csock.socket())
    assert(listener:bind("127.0.0.1", 0))
    assert(listener:listen())
    local s = keep(csock.socket())
    assert(s:connect(listener:getsockname()))
    assert.equal(
      ("<csock.socket fd=%d, family=AF_INET, type=SOCK_STREAM, proto=0, laddr=%s, raddr=%s>")
        :format(s:fileno(), s:getsockname(), listener:getsockname()),
      tostring(s))
  end)

  it("shows that it is closed", function()
    local s = csock.socket(csock.AF_INET6, csock.SOCK_DGRAM)
    s:close()
    assert.equal(
      "<csock.socket [closed] fd=-1, family=AF_INET6, type=SOCK_DGRAM, proto=0>", tostring(s))
  end)

  it("shows no address where there is none", function()
    local a = keep(csock.socketpair())
    assert.equal(
      "<csock.socket fd=" .. a:fileno() .. ", family=AF_UNIX, type=SOCK_STREAM, proto=0>",
      tostring(a))
  end)

  it("shows Unix paths and abstract names", function()
    local path = os.tmpname()
    os.remove(path)
    local s = keep(csock.socket(csock.AF_UNIX))
    assert(s:bind(path))
    assert.truthy(tostring(s):find(", laddr='" .. path .. "'>", 1, true))
    os.remove(path)
    local name = "\0csock-spec-" .. path
    local abstract = keep(csock.socket(csock.AF_UNIX))
    if abstract:bind(name) then
      assert.truthy(tostring(abstract):find([[, laddr='\x00csock-spec-]] .. path .. "'>", 1, true))
    end
  end)

  it("shows numbers that have no name", function()
    local a = keep(csock.socketpair())
    local odd = keep(csock.fromfd(a, 77, 9, 5))
    assert.truthy(tostring(odd):find("family=77, type=9, proto=5", 1, true))
  end)

  it("says what it is to error messages", function()
    local s = keep(csock.socket())
    assert.error_matches(function() string.rep(s, 2) end, "csock.socket")
  end)
end)

describe("the size of a socket", function()
  it("is 200 bytes at most", function()
    local made = {}
    local function fill(family, timeout)
      for i = 1, 200 do
        made[i]:close()
        made[i] = csock.socket(family)
        made[i]:settimeout(timeout)
      end
    end
    for i = 1, 200 do made[i] = csock.socket() end
    for _, given in ipairs{ false, 0, 2 } do
      local timeout = given or nil
      fill(csock.AF_INET, timeout) -- whatever is made once for all of them
      local bytes = memory.allocated(function() fill(csock.AF_INET, timeout) end)
      assert.is_true(bytes // 200 <= 200, bytes // 200 .. " bytes")
    end
    for i = 1, 200 do made[i]:close() end
  end)
end)

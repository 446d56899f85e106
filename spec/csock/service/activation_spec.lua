-- Sockets that a service manager hands over, and a restart that keeps its connections.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local serving = require "spec.support.serving"

local LIMIT = 10 * process.slowness

after_each(keep.close)

-- Starts `code` as a service manager would, with these descriptors from 3 on.
local function activate(code, fds, names, env)
  env = env or {}
  env.LUA = process.interpreter
  env.CODE = ([[
    local posix = require "spec.support.posix"
    for i, fd in ipairs { %s } do posix.dup2(fd, 2 + i) end
    local csock, service = require "csock", require "csock.service"
  ]]):format(table.concat(fds, ", ")) .. code
  env.LISTEN_FDS, env.LISTEN_FDNAMES = tostring(#fds), names
  env.LD_PRELOAD = os.getenv "LD_PRELOAD" or false -- a sanitizer's library, which the shell passes on
  return keep(process.start({ "sh", "-c", 'LISTEN_PID=$$ exec "$LUA" -e "$CODE"' }, { env = env }))
end

-- Sockets whose numbers do not meet those from 3 on, and that are inherited.
local function inheritable(...)
  local fds = {}
  for i, thing in ipairs { ... } do
    local copies = {}
    repeat
      local fd = assert(csock.dup(thing:fileno()))
      copies[#copies + 1] = fd
    until fd >= 20
    for k = 1, #copies - 1 do csock.close(copies[k]) end
    fds[i] = copies[#copies]
    local socket = keep(csock.socket { fileno = fds[i] })
    assert(socket:set_inheritable(true))
  end
  return fds
end

describe("service.listen_fds", function()
  it("gives sockets, also by their names, which are this program's alone", function()
    local web, other = keep(csock.create_server { "127.0.0.1", 0 }), keep(csock.create_server { "127.0.0.1", 0 })
    local p = activate([[
      local sockets, named = service.listen_fds()
      print(#sockets, #named.web, #named.admin, named.web[1] == sockets[1], named.admin[2] == sockets[3])
      for _, s in ipairs(sockets) do print(s:getsockname().port, s:get_inheritable()) end
      print(os.getenv "LISTEN_PID", os.getenv "LISTEN_FDS", os.getenv "LISTEN_FDNAMES")
      print(#service.listen_fds(), #require("csock.socketserver").listen_fds())
      print(io.popen("echo ${LISTEN_FDS-none}"):read())
    ]], inheritable(web, other, other), "web:admin:admin")
    assert.equal(0, p:wait())
    local ports = { web:getsockname().port, other:getsockname().port }
    assert.equal(("3\t1\t2\ttrue\ttrue\n%d\tfalse\n%d\tfalse\n%d\tfalse\nnil\tnil\tnil\n0\t0\nnone\n")
      :format(ports[1], ports[2], ports[2]), p.out)
  end)

  it("gives the number of what is no socket", function()
    local p = activate([[
      local things = service.listen_fds()
      print(#things, math.type(things[1]), math.type(things[2]))
    ]], { 0, 0 }, nil)
    p:close_stdin()
    assert.equal(0, p:wait())
    assert.equal("2\tinteger\tinteger\n", p.out)
  end)

  it("gives nothing to another process", function()
    local p = keep(process.lua({ "-e", [[print(#require "csock.service".listen_fds())]] },
      { env = { LISTEN_PID = "1", LISTEN_FDS = "1" } }))
    assert.equal("0", p:read_line())
  end)

  it("takes what systemd-socket-activate hands over", function()
    if process.run { "sh", "-c", "command -v systemd-socket-activate" } ~= 0 then
      return pending "no systemd-socket-activate"
    end
    local probe <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local port = probe:getsockname().port
    probe:close()
    local p = keep(process.start { "systemd-socket-activate", "-l", "127.0.0.1:" .. port, "--fdname=web",
      "-E", "LUA_PATH", "-E", "LUA_CPATH", "-E", "LD_PRELOAD=" .. (os.getenv "LD_PRELOAD" or ""),
      process.interpreter, "-e", [[
        local csock, service = require "csock", require "csock.service"
        local _, named = service.listen_fds()
        local conn = assert(named.web[1]:accept())
        conn:sendall("hello, " .. conn:recv(100))
      ]] })
    p:expect_err "Listening on"
    local s = keep(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
    assert(s:sendall "you")
    assert.equal("hello, you", s:recv(100))
    assert.equal(0, p:wait())
  end)
end)

describe("a restart", function()
  local SERVER = [[
    io.stdout:setvbuf "line"
    local life = os.getenv "LIFE"
    local function serve(conn)
      for line in conn:makefile():lines() do conn:sendall(life .. " " .. line .. "\n") end
    end
    local sockets, named = service.listen_fds()
    for _, conn in ipairs(named.client or {}) do csock.spawn(serve, conn) end
    local listener = (named.listener or {})[1]
    if not listener then
      listener = assert(csock.create_server { "127.0.0.1", 0 })
      assert(service.store(listener, "listener"))
    end
    print("port " .. listener:getsockname().port)
    csock.serve(listener, function(conn)
      assert(service.store(conn, "client"))
      serve(conn)
    end)
    csock.loop.on_signal("SIGTERM", function() csock._exit(0) end)
    service.notify "READY=1"
    csock.run()
  ]]

  it("keeps the listening socket and the connections", function()
    local dir = assert(posix.mkdtemp())
    finally(function() os.execute("rm -rf '" .. dir .. "'") end)
    local manager = keep(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
    manager:settimeout(LIMIT)
    assert(manager:bind(dir .. "/notify"))
    local kept, names = {}, {}
    local function hear() -- what a service manager does with a message
      local text, fds = assert(csock.recv_fds(manager, 1000, 10))
      for _, fd in ipairs(fds) do
        kept[#kept + 1] = keep(csock.socket { fileno = fd })
        names[#names + 1] = text:match "FDNAME=(%w+)"
      end
      return text
    end
    local first = activate(SERVER, {}, nil, { LIFE = "1", NOTIFY_SOCKET = dir .. "/notify" })
    local port = tonumber(first:expect "port (%d+)\n")
    while hear() ~= "READY=1" do end
    local a = keep(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
    local b = keep(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
    assert.equal("1 one", serving.ask(a, "one"))
    assert.equal("1 two", serving.ask(b, "two"))
    while #kept < 3 do hear() end
    first:signal "SIGTERM"
    assert.equal(0, first:wait())
    assert(a:sendall "meanwhile\n")
    local second = activate(SERVER, inheritable(table.unpack(kept)), table.concat(names, ":"),
      { LIFE = "2", NOTIFY_SOCKET = dir .. "/notify" })
    assert.equal(port, tonumber(second:expect "port (%d+)\n"))
    assert.equal("2 meanwhile\n", a:recv(100))
    assert.equal("2 three", serving.ask(b, "three"))
    local c = keep(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
    assert.equal("2 four", serving.ask(c, "four"))
  end)
end)

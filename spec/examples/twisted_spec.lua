-- The programs on what Twisted has beside its core: portforward_tw, finger_tw, process_tw.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

after_each(function()
  keep.close()
  example.stop_all()
end)

local function connect(port)
  return keep(assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 20 * process.slowness })))
end

local function listen()
  local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
  listener:settimeout(20 * process.slowness)
  return listener, listener:getsockname().port
end

local function accept(listener)
  local conn = keep((assert(listener:accept())))
  conn:settimeout(20 * process.slowness)
  return conn
end

describe("examples/portforward_tw", function()
  local listener, port, forward
  before_each(function()
    listener, port = listen()
    forward = example.server("portforward_tw", "--to", "tcp:127.0.0.1:" .. port)
  end)

  -- Both ends of a connection that goes through it.
  local function pair()
    local client = connect(forward.port)
    return client, accept(listener)
  end

  it("passes on what comes from either side, and the end", function()
    local client, server = pair()
    assert(client:sendall "to the server")
    assert.equal("to the server", server:recv(100))
    assert(server:sendall "to the client")
    assert.equal("to the client", client:recv(100))
    server:close()
    assert.equal("", client:recv(1))
    client, server = pair()
    client:close()
    assert.equal("", server:recv(1))
  end)

  it("keeps the conversations of its clients apart", function()
    local pairs_of = {}
    for i = 1, 20 do pairs_of[i] = { pair() } end
    for i = 20, 1, -1 do assert(pairs_of[i][1]:sendall(("%03d"):format(i))) end
    for i, both in ipairs(pairs_of) do assert.equal(("%03d"):format(i), both[2]:recv(3)) end
  end)

  it("takes no more from one side than the other one reads, and loses nothing", function()
    local client, server = pair()
    client:settimeout(0)
    local sent, piece = 0, ("0123456789abcdef"):rep(4096)
    repeat
      local n = client:send(piece:sub(sent % #piece + 1))
      sent = sent + (n or 0)
    until not n and #csock.select({}, { client }, {}, 0.5) == 0
    assert.is_true(sent < 100e6)
    local received, same = 0, true
    while received < sent do
      local data = assert(server:recv(65536))
      for i = 1, #data, 4096 do same = same and data:byte(i) == piece:byte((received + i - 1) % 16 + 1) end
      received = received + #data
    end
    assert.equal(sent, received)
    assert.is_true(same)
    assert(client:send "!")
    assert.equal("!", server:recv(10))
  end)

  it("ends a client's connection when there is no server, and goes on", function()
    listener:close()
    local client = connect(forward.port)
    assert.equal("", client:recv(1))
    forward:expect "Connection was refused by other side"
    assert.equal("", connect(forward.port):recv(1))
    forward:interrupt()
    assert.equal("", forward:ends(0))
  end)
end)

describe("examples/finger_tw", function()
  local function ask(port, name)
    local socket = connect(port)
    assert(socket:sendall(name .. "\r\n"))
    return keep(assert(socket:makefile())):read "a"
  end

  it("answers a name with what is said of it, and closes", function()
    local server = example.server "finger_tw"
    assert.equal("Happy and well\r\n", ask(server.port, "moshez"))
    assert.equal("No such user\r\n", ask(server.port, "nobody"))
  end)

  it("reads the users from a file", function()
    local path = os.tmpname()
    local file <close> = assert(io.open(path, "w"))
    assert(file:write "# people\nmoshez: Happy and well\n  shawn :  Writing: docs  \n\nnonsense\n"):close()
    local server = example.server("finger_tw", "--users", path)
    os.remove(path)
    assert.equal("Writing: docs\r\n", ask(server.port, "shawn"))
  end)

  it("says why it cannot read them", function()
    local program = example.start("finger_tw", "--users", "/nonexistent/users")
    assert.matches("^finger_tw%.lua: /nonexistent/users: No such file or directory\n$", program:ends(1))
  end)

  it("takes what is to be said of somebody at another port", function()
    local server = example.server("finger_tw", "--set", "tcp:0:interface=127.0.0.1")
    local setting = connect(math.tointeger(server:expect "listening on port (%d+)\n"))
    assert(setting:sendall "moshez\r\nAway\r\n")
    assert.equal("", setting:recv(1))
    assert.equal("Away\r\n", ask(server.port, "moshez"))
  end)

  it("shows pages to browsers, in which names are but text", function()
    local server = example.server("finger_tw", "--web", 0, "--set", "tcp:0:interface=127.0.0.1")
    local set, web = server:expect "listening on port (%d+)\n", server:expect "listening on port (%d+)\n"
    local function page(port, path)
      return process.run { "curl", "-s", "-m", "20", ("http://127.0.0.1:%s/%s"):format(port, path) }
    end
    local setting = connect(math.tointeger(set))
    assert(setting:sendall "<b>/&?\r\n<script>\r\n")
    assert.equal("", setting:recv(1))
    local _, list = page(web, "")
    assert.equal('<h1>Users</h1><ul><li><a href="/%3Cb%3E%2F%26%3F">&lt;b&gt;/&amp;?</a>'
      .. '<li><a href="/moshez">moshez</a></ul>', list)
    local _, one = page(web, "%3Cb%3E%2F%26%3F")
    assert.equal("<h1>&lt;b&gt;/&amp;?</h1><p>&lt;script&gt;", one)
  end)

  it("is asked through a Unix socket, which it removes in the end", function()
    local path = os.tmpname()
    os.remove(path)
    local server = example.server("finger_tw", "--on", "unix:" .. path)
    server:expect("listening at " .. path:gsub("%p", "%%%0") .. "\n")
    local socket = keep(assert(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM)))
    socket:settimeout(20 * process.slowness)
    assert(socket:connect(path))
    assert(socket:sendall "moshez\r\n")
    assert.equal("Happy and well\r\n", socket:recv(100))
    server:interrupt()
    assert.equal("", server:ends(0))
    assert.is_nil(io.open(path))
  end)

  it("answers private messages as a bot in IRC", function()
    local listener, port = listen()
    example.server("finger_tw", "--irc", "tcp:127.0.0.1:" .. port)
    local conn = accept(listener)
    local stream = keep(assert(conn:makefile()))
    assert.equal("NICK fingerbot", stream:read())
    assert.equal("USER fingerbot 0 * :finger", stream:read())
    assert(conn:sendall "PING :here\r\n:ann!a@b PRIVMSG #all :moshez\r\n:ann!a@b PRIVMSG fingerbot :moshez\r\n")
    assert.equal("PONG :here", stream:read())
    assert.equal("PRIVMSG ann :moshez: Happy and well", stream:read())
  end)

  it("ends when it cannot listen where it is to", function()
    local listener, port = listen()
    local program = example.start("finger_tw", "--on", "tcp:" .. port .. ":interface=127.0.0.1", "127.0.0.1", 0)
    assert.matches("Address already in use", program:ends(0))
    listener:close()
  end)
end)

describe("examples/clock_tw_spec", function()
  it("passes, without waiting", function()
    local status, out = process.run { process.interpreter, "spec/support/run.lua", "--", "examples/clock_tw_spec.lua" }
    assert.matches("5 passed", out)
    assert.equal(0, status)
  end)
end)

describe("examples/process_tw", function()
  it("has a process for each client, who gets its output when its input has ended", function()
    local server = example.server("process_tw", "--run", "env -u LD_PRELOAD tr a-z A-Z") -- (a sanitizer's library)
    local first, second = connect(server.port), connect(server.port)
    assert(second:sendall "two")
    assert(first:sendall "one")
    for _, client in ipairs { first, second } do assert(client:shutdown(csock.SHUT_WR)) end
    assert.equal("ONE", first:recv(100))
    assert.equal("TWO", second:recv(100))
    assert.equal("", first:recv(1))
    assert.equal("", second:recv(1))
    server:expect "process %d+ for [^\n]*\n"
    server:expect "process %d+: A process has ended without apparent errors"
  end)

  it("passes complaints on, and tells how the program ended", function()
    local server = example.server("process_tw", "--run", "echo no >&2; exit 3")
    local client = connect(server.port)
    assert.equal("no\n", client:recv(100))
    assert.equal("", client:recv(1))
    server:expect "process %d+: [^\n]*exit code 3"
  end)

  it("ends the program of a client that goes away", function()
    local server = example.server("process_tw", "--run", "echo $$; exec sleep 1000")
    local client = connect(server.port)
    local pid = math.tointeger(client:recv(100):match "^(%d+)\n$")
    assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0)))
    client:close()
    server:expect("process " .. pid .. ": [^\n]*signal 1")
    assert.is_nil(csock.kill(pid, 0))
  end)

  it("gives it a terminal when told to", function()
    local server = example.server("process_tw", "--run", "test -t 0 && test -t 1 && echo a terminal", "--terminal")
    local client = connect(server.port)
    assert.equal("a terminal\r\n", client:recv(100))
  end)
end)

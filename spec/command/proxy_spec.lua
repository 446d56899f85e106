-- csock proxy, with servers of this process, curl, openssl and nc around it.
local certificates = require "spec.support.certificates"
local command = require "spec.support.command"
local csock = require "csock"
local peers = require "spec.support.tls_peers"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness
local with_curl = peers.has.curl and it or pending
local has_tls = peers.has.openssl and package.searchpath("csock.tls", package.cpath)
local with_tls = has_tls and peers.has.curl and it or pending

-- A proxy between a free port and this target: it, and its port.
local function start(target, ...)
  local p = command.start { "proxy", "127.0.0.1:0", target, ... }
  return p, math.tointeger(p:expect "^listening on 127%.0%.0%.1:(%d+), passing on to [^\n]*\n")
end

local function listen()
  local listener = assert(csock.create_server { "127.0.0.1", 0 })
  listener:settimeout(LIMIT)
  return listener, "127.0.0.1:" .. listener:getsockname()[2]
end

local function accept(listener)
  local conn = assert(listener:accept())
  conn:settimeout(LIMIT)
  return conn
end

local function connect(port) return assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT })) end

local function read_all(conn)
  local parts = {}
  for data in function() return assert(conn:recv(65536)) end do
    if data == "" then break end
    parts[#parts + 1] = data
  end
  return table.concat(parts)
end

-- A directory that is served: the server, and its address.
local function http_server()
  local server = command.start { "http", "--bind=127.0.0.1", "lua", "0" }
  return server, "127.0.0.1:" .. server:expect "listening on port (%d+)\n"
end

describe("csock proxy", function()
  with_curl("passes on what curl asks and gets, and counts it", function()
    local server <close>, target = http_server()
    local p <close>, port = start(target)
    local status, out = peers.curl { ("http://127.0.0.1:%d/csock.lua"):format(port) }
    assert.equal(0, status)
    local file <close> = assert(io.open "lua/csock.lua")
    assert.equal(file:read "a", out)
    p:expect "^ +%d+%.%d+ #1 from 127%.0%.0%.1:%d+\n"
    local up, down = p:expect "^ +%d+%.%d+ #1 closed after %d+%.%d+ s: (%d+) bytes >, (%d+) bytes <\n"
    assert.is_true(tonumber(up) > 50 and tonumber(down) > #out)
    assert.equal(0, (peers.curl { ("http://127.0.0.1:%d/csock.lua"):format(port) }))
    p:expect "#2 closed after"
    assert.is_true(server:running())
  end)

  it("passes on the end of each direction alone", function()
    local listener <close>, target = listen()
    local p <close>, port = start(target)
    local client <close> = connect(port)
    local conn <close> = accept(listener)
    assert(client:sendall "question")
    assert(client:shutdown(csock.SHUT_WR))
    assert.equal("question", read_all(conn))
    assert(conn:sendall "answer")
    conn:close()
    assert.equal("answer", read_all(client))
    p:expect "8 bytes >, 6 bytes <\n"
  end)

  it("lets a slow reader hold up the writer", function()
    local listener <close>, target = listen()
    local _ <close>, port = start(target)
    local client <close> = connect(port)
    local conn <close> = accept(listener)
    client:settimeout(0.5)
    local piece, sent = ("x"):rep(65536), 0
    repeat
      local n, _, _, partly = client:sendall(piece)
      sent = sent + (n and #piece or partly or 0)
    until not n
    assert.is_true(sent < 64 * 1024 * 1024)
    client:settimeout(LIMIT)
    local received = 0
    while received < sent do received = received + #assert(conn:recv(1 << 20)) end
    assert.equal(sent, received)
    assert(client:sendall "on")
    assert.equal("on", conn:recv(10))
  end)

  it("tells of a target that is not there, and goes on", function()
    local listener, target = listen()
    listener:close()
    local p <close>, port = start(target)
    for i = 1, 2 do
      local client <close> = connect(port)
      assert.equal("", client:recv(1))
      p:expect("#" .. i .. " no connection to the target: [^\n]*%[ECONNREFUSED%]\n")
    end
  end)

  it("ends both sides when one breaks off", function()
    local listener <close>, target = listen()
    local p <close>, port = start(target)
    local client <close> = connect(port)
    local conn <close> = accept(listener)
    assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0)))
    client:close()
    assert.equal("", conn:recv(1) or "")
    p:expect "closed after [^\n]*: [^\n]*%[ECONNRESET%]\n"
  end)

  it("listens at a Unix socket and passes on to one", function()
    local dir = assert(posix.mkdtemp())
    local last <close> = command.start { "nc", "-lvU", dir .. "/last" }
    last:expect_err "listening on"
    local first <close> = command.start { "proxy", "unix:" .. dir .. "/first", "unix:" .. dir .. "/last" }
    first:expect "^listening on unix:[^\n]*/first, passing on to unix:[^\n]*/last\n"
    local client <close> = command.start { "nc", "-N", "-U", dir .. "/first" }
    client:write "through both"
    client:close_stdin()
    assert.equal(0, client:wait())
    assert.equal(0, last:wait())
    assert.equal("through both", last.out)
    first:signal "SIGINT"
    assert.equal("signal 2", first:wait())
    assert.equal(0, os.execute(("rmdir '%s'"):format(dir)) and 0) -- both paths are gone
  end)

  it("prints what passes as hexadecimal and text, with times", function()
    local listener <close>, target = listen()
    local p <close>, port = start(target, "--trace")
    local client <close> = connect(port)
    local conn <close> = accept(listener)
    assert(client:sendall "GET / HTTP/1.0\r\n\r\n\0\255")
    assert.equal(20, #conn:recv(100))
    p:expect "^ +%d+%.%d%d%d%d%d%d #1 from [^\n]*\n"
    p:expect "^ +%d+%.%d%d%d%d%d%d #1 > 20 bytes\n"
    p:expect "^  000000  47 45 54 20 2f 20 48 54 54 50 2f 31 2e 30 0d 0a  GET / HTTP/1%.0%.%.\n"
    p:expect "^  000010  0d 0a 00 ff                                      %.%.%.%.\n"
    assert(conn:sendall "ok")
    assert.equal("ok", client:recv(100))
    p:expect "^ +%d+%.%d+ #1 < 2 bytes\n  000000  6f 6b  +ok\n"
    assert(conn:sendall(("x"):rep(5000))) -- all of it
    local shown = 0
    repeat shown = shown + #(p:expect "^[^\n]*\n":match " (x+)\n$" or "") until shown == 5000
  end)

  it("ends by SIGPIPE when nobody reads what it prints", function()
    local _ <close>, target = listen()
    local p <close> = process.start({ "sh", "-c", '{ "$@"; echo $? >&2; } | { read line; echo "$line" >&2; }', "sh",
      process.interpreter, command.path, "proxy", "127.0.0.1:0", target },
      { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
    local port = p:expect_err "^listening on 127%.0%.0%.1:(%d+)"
    for _ = 1, 1000 do -- until the reader is gone
      local client <close> = csock.create_connection { "127.0.0.1", port }
      p:skip()
      if not client or not p:running() then break end
    end
    p:expect_err "\n141\n"
  end)
end)

describe("csock proxy over TLS", function()
  with_tls("speaks it with those who come", function()
    local server <close>, target = http_server()
    local _ <close>, port = start(target, "--tls-listen", certificates.good.cert, certificates.good.key)
    local status, out, err = peers.curl { ("https://localhost:%d/csock.lua"):format(port) }
    assert.equal("", err)
    assert.equal(0, status)
    assert.is_true(#out > 0 and server:running())
  end)

  with_tls("tells of a handshake that failed", function()
    local p <close>, port = start("127.0.0.1:1", "--tls-listen", certificates.good.cert, certificates.good.key)
    local client <close> = connect(port)
    assert(client:sendall "GET / HTTP/1.0\r\n\r\n")
    p:expect "#1 from 127%.0%.0%.1:%d+: do_handshake"
  end)

  with_tls("speaks it with the target, whose certificate it verifies, and shows what is said", function()
    local target <close> = command.start { "nc", "-lvk", "--tls", "--cert", certificates.good.cert, "--key",
      certificates.good.key, "127.0.0.1", "0" }
    local address = "localhost:" .. target:expect_err "listening on [^\n]*:(%d+)\n"
    local p <close>, port = start(address, "-t", "--tls-target", "--cafile", certificates.ca.cert)
    local client <close> = connect(port)
    assert(client:sendall "hello")
    target:expect "^hello"
    p:expect "68 65 6c 6c 6f +hello\n"
    client:close() -- nc serves one after the other
    local distrustful <close>, its_port = start(address, "--tls-target")
    assert.equal("", connect(its_port):recv(1))
    distrustful:expect "#1 no connection to the target: [^\n]*certificate"
  end)
end)

describe("csock proxy refuses", function()
  it("a standard output that takes nothing", function()
    local full <close> = io.open("/dev/full", "w")
    if not full then return pending "no /dev/full" end
    local status, _, err = command.run_in_shell('"$@" > /dev/full', { "proxy", "127.0.0.1:0", "80" })
    assert.equal(1, status)
    assert.matches("^csock proxy: [^\n]*%[ENOSPC%]\n$", err)
  end)

  for what, row in pairs {
    ["an address that is none"] = { 2, "127.0.0.1", "80", says = "an address is" },
    ["port 0 of the target"] = { 2, "0", "0", says = "from 1 to 65535" },
    ["a target that is missing"] = { 2, "80", says = "too few" },
    ["options of TLS without it"] = { 2, "1", "2", "--insecure", says = "%-%-tls%-target" },
    ["half a certificate"] = { 2, "1", "2", "--tls-listen", "x", says = "needs CERT and KEY" },
    ["an address that it cannot have"] = { 1, "192.0.2.1:0", "80", says = "EADDRNOTAVAIL" },
  } do
    it(what .. " in one line", function()
      local status, out, err = command.run { "proxy", table.unpack(row, 2) }
      assert.equal("", out)
      assert.matches("^csock proxy: [^\n]*" .. row.says .. "[^\n]*\n$", err)
      assert.equal(row[1], status)
    end)
  end
end)

-- csock nc, against OpenBSD's nc and against openssl.
local certificates = require "spec.support.certificates"
local command = require "spec.support.command"
local csock = require "csock"
local peers = require "spec.support.tls_peers"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local real_nc = process.run { "sh", "-c", "nc -h 2>&1 | grep -q OpenBSD" } == 0
local with_nc = real_nc and it or pending
local with_openssl = peers.has.openssl and package.searchpath("csock.tls", package.cpath) and it or pending

-- Every byte there is, 3 MB of them in an order of their own.
local bytes = {}
for i = 0, 255 do bytes[i + 1] = string.char(i) end
local BIG = table.concat(bytes):rep(4096):gsub("\255", "\r\n\0") .. "the end"

local function start(...) return command.start { "nc", ... } end

-- One that listens, and its port.
local function listening(...)
  local p = start("-l", "-v", ...)
  return p, p:expect_err "listening on [^\n]*:(%d+)\n"
end

local function real(...) return process.start { "nc", ... } end

local function real_listening(...)
  local p = real("-lvn", ...)
  return p, p:expect_err "on 127%.0%.0%.1 (%d+)\n"
end

-- Writes all of it and ends the input, while what comes is read, and gives what has come.
local function exchange(p, data)
  p:write(data)
  p:close_stdin()
  assert.equal(0, p:wait())
  return p.out
end

-- A server of this process that accepts one connection.
local function one_server()
  local listener = assert(csock.create_server { "127.0.0.1", 0 })
  listener:settimeout(10 * process.slowness)
  return listener, tostring(listener:getsockname()[2])
end

local function accept(listener)
  local conn = assert(listener:accept())
  conn:settimeout(10 * process.slowness)
  return conn
end

describe("csock nc", function()
  after_each(command.remove_files)

  with_nc("sends what it reads to nc, every byte of it", function()
    local input, output = command.file(BIG), command.file ""
    local server <close> = process.start { "sh", "-c", ('exec nc -lvn 127.0.0.1 0 > "%s"'):format(output) }
    local port = server:expect_err "on 127%.0%.0%.1 (%d+)\n"
    local status, _, err = command.run_in_shell(('"$@" < "%s"'):format(input), { "nc", "-N", "127.0.0.1", port })
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal(0, server:wait())
    assert.is_true(tree.read(output) == BIG)
  end)

  with_nc("prints what nc sends, every byte of it", function()
    local input = command.file(BIG)
    local server <close>, port = listening("127.0.0.1", "0")
    local client <close> = process.start { "sh", "-c", ('exec nc -N 127.0.0.1 %s < "%s"'):format(port, input) }
    assert.equal(0, server:wait())
    assert.is_true(server.out == BIG)
    assert.equal(0, client:wait())
  end)

  with_nc("talks with nc both ways", function()
    local server <close>, port = listening("127.0.0.1", "0")
    local client <close> = real("127.0.0.1", port)
    client:write "to the server\n"
    server:expect "^to the server\n"
    server:write "and back\n"
    client:expect "^and back\n"
    server:close_stdin()
    client:write "still there\n" -- without -N that is no end
    server:expect "^still there\n"
    client:kill()
    assert.equal(0, server:wait())
  end)

  with_nc("talks with nc in datagrams", function()
    local server <close>, port = listening("-u", "127.0.0.1", "0")
    local client <close> = real("-u", "127.0.0.1", port)
    client:write "one\n"
    server:expect "^one\n"
    server:write "two\n"
    client:expect "^two\n"
    local other <close>, its_port = real_listening("-u", "127.0.0.1", "0")
    local mine <close> = start("-u", "127.0.0.1", its_port)
    mine:write "three\n"
    other:expect "three\n"
    other:write "four\n"
    mine:expect "^four\n"
  end)

  with_nc("talks with nc over a Unix socket, and takes its path away", function()
    local dir = assert(posix.mkdtemp())
    local path = dir .. "/socket"
    local server <close> = start("-l", "-v", "-U", path)
    server:expect_err "listening on unix:"
    local client <close> = real("-N", "-U", path)
    assert.equal("", exchange(client, "hello"))
    assert.equal(0, server:wait())
    assert.equal("hello", server.out)
    assert.same({}, tree.files(dir, "."))
    os.execute("rmdir '" .. dir .. "'")
  end)

  it("takes the place of a dead server at its path", function()
    local dir = assert(posix.mkdtemp())
    local path = dir .. "/socket"
    local dead <close> = start("-l", "-v", "-U", path)
    dead:expect_err "listening on"
    dead:kill()
    local server <close> = start("-l", "-v", "-U", path)
    server:expect_err "listening on"
    assert.equal("", exchange(start("-N", "-U", path), "hello"))
    assert.equal(0, server:wait())
    assert.equal("hello", server.out)
    os.execute("rm -r '" .. dir .. "'")
  end)
end)

describe("csock nc ends", function()
  it("only when both have ended, and tells the peer with -N", function()
    local listener <close>, port = one_server()
    local client <close> = start("-N", "127.0.0.1", port)
    local conn <close> = accept(listener)
    client:write "question"
    client:close_stdin()
    assert.equal("question", conn:recv(100))
    assert.equal("", conn:recv(100))
    assert.is_true(client:running())
    assert(conn:sendall "answer")
    conn:close()
    assert.equal(0, client:wait())
    assert.equal("answer", client.out)
  end)

  it("not by the end of its input without -N, which the peer does not see", function()
    local listener <close>, port = one_server()
    local client <close> = start("127.0.0.1", port)
    local conn <close> = accept(listener)
    client:write "question"
    client:close_stdin()
    assert.equal("question", conn:recv(100))
    assert(conn:sendall "late answer")
    client:expect "^late answer"
    conn:settimeout(0)
    assert.equal("EAGAIN", select(2, conn:recv(1)).name)
    conn:close()
    assert.equal(0, client:wait())
  end)

  it("not by the peer's end while there is input, which still arrives", function()
    local listener <close>, port = one_server()
    local client <close> = start("127.0.0.1", port)
    local conn <close> = accept(listener)
    assert(conn:sendall "first")
    assert(conn:shutdown(csock.SHUT_WR))
    client:expect "^first"
    client:write "after that"
    assert.equal("after that", conn:recv(100))
    client:close_stdin()
    assert.equal(0, client:wait())
  end)

  it("quietly when it writes to a peer that has told that it is over", function()
    local listener <close>, port = one_server()
    local client <close> = start("127.0.0.1", port)
    accept(listener):close()
    for _ = 1, 100 do -- the first is answered by a reset, which the next one meets
      if not client:running() then break end
      posix.write(client.stdin, "x", 1)
      client:skip()
    end
    client:close_stdin()
    assert.equal(0, client:wait())
    assert.equal("", client.err)
  end)

  it("quietly when it writes to a peer whose end it has not read yet", function()
    local input = command.file(("x"):rep(1 << 20))
    local server <close> = process.start({ "sh", "-c", 'exec "$@" < "$0"', input, process.interpreter, command.path,
      "nc", "-l", "-v", "127.0.0.1", "0" }, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
    local port = server:expect_err "listening on [^\n]*:(%d+)\n"
    server:signal "SIGSTOP" -- it accepts a connection that is over
    assert(csock.create_connection { "127.0.0.1", port }):close()
    server:signal "SIGCONT"
    assert.equal(0, server:wait())
    assert.matches("connection from [^\n]*\n$", server.err)
  end)

  it("with -l when the peer has ended", function()
    local server <close>, port = listening("127.0.0.1", "0")
    assert.equal("", exchange(start("-N", "127.0.0.1", port), "hello"))
    assert.equal(0, server:wait())
    assert.equal("hello", server.out)
  end)

  it("with -w when nothing has passed for so long", function()
    local listener <close>, port = one_server()
    local client <close> = start("-w", "0.2", "127.0.0.1", port)
    local conn <close> = accept(listener)
    assert(conn:sendall "hello")
    assert.equal(0, client:wait())
    assert.equal("hello", client.out)
  end)

  it("with one line and status 1 when the peer breaks the connection", function()
    local listener <close>, port = one_server()
    local client <close> = start("127.0.0.1", port)
    local conn <close> = accept(listener)
    assert(conn:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0)))
    conn:close()
    assert.equal(1, client:wait())
    assert.matches("^csock nc: [^\n]*ECONNRESET%]\n$", client.err)
  end)

  it("by SIGPIPE when nobody reads what it prints", function()
    local listener <close>, port = one_server()
    local client <close> = process.start({ "sh", "-c", '{ "$@"; echo $? >&2; } | :', "sh", process.interpreter,
      command.path, "nc", "127.0.0.1", port }, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
    local conn <close> = accept(listener)
    repeat until not conn:sendall(("x"):rep(65536)) or client.channels.err == nil
    client:expect_err "^141\n"
  end)

  it("quietly on Ctrl-C", function()
    local server <close> = listening("127.0.0.1", "0")
    server:signal "SIGINT"
    assert.equal("signal 2", server:wait())
    assert.matches("^[^\n]+\n$", server.err)
  end)
end)

describe("csock nc without standard input and output", function()
  it("has an input that is at its end, and says nothing", function()
    local listener <close>, port = one_server()
    local client <close> = process.start({ "sh", "-c", '"$@" <&- >&-; echo $?', "sh", process.interpreter, command.path,
      "nc", "-N", "127.0.0.1", port }, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
    local conn <close> = accept(listener)
    assert.equal("", conn:recv(1))
    assert(conn:sendall "to nobody")
    conn:close()
    client:expect "^0\n"
    assert.equal("", client.err)
  end)
end)

describe("csock nc -k", function()
  it("takes one after the other, also when one breaks off", function()
    local server <close>, port = listening("-k", "127.0.0.1", "0")
    for i = 1, 3 do
      local conn <close> = assert(csock.create_connection { "127.0.0.1", port })
      assert(conn:sendall(("number %d\n"):format(i)))
      server:expect(("^number %d\n"):format(i))
      if i == 2 then assert(conn:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 0))) end
    end
    server:write "to the fourth"
    local conn <close> = assert(csock.create_connection { "127.0.0.1", port })
    conn:settimeout(10 * process.slowness)
    assert.equal("to the fourth", conn:recv(100))
  end)

  it("prints datagrams from everybody", function()
    local server <close>, port = listening("-ku", "127.0.0.1", "0")
    for i = 1, 3 do
      local sock <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
      assert(sock:sendto("", "127.0.0.1", port))
      assert(sock:sendto(tostring(i), "127.0.0.1", port))
      server:expect("^" .. i)
    end
  end)
end)

describe("csock nc --tls", function()
  local good = certificates.good

  with_openssl("talks with openssl s_server, whose certificate it verifies", function()
    local server <close> = peers.s_server(good)
    local client <close> = start("--tls", "--cafile", certificates.ca.cert, "localhost", server.port)
    client:write "hello\n"
    server:expect "hello\r?\n"
    server:write "and back\n"
    client:expect "^and back\n"
    server:write "Q\n" -- it just hangs up, which others in between could do, too
    assert.equal(1, client:wait())
    assert.matches("^csock nc: [^\n]*the connection was cut[^\n]*\n$", client.err)
  end)

  with_openssl("refuses a certificate in one line, unless it is --insecure or for that name", function()
    local server <close> = peers.s_server(certificates.other, { "-naccept", "4" })
    local status, _, err = command.run { "nc", "--tls", "--cafile", certificates.ca.cert, "localhost", server.port }
    assert.equal(1, status)
    assert.matches("^csock nc: [^\n]*certificate[^\n]*\n$", err)
    local named = { "--cafile", certificates.ca.cert, "--name", "other.example.test" }
    for _, options in ipairs { { "--insecure" }, named } do
      local client <close> = start("-v", "--tls", "127.0.0.1", server.port, table.unpack(options))
      client:expect_err "connected to"
    end
  end)

  with_openssl("listens for openssl s_client", function()
    local server <close>, port = listening("--tls", "--cert", good.cert, "--key", good.key, "127.0.0.1", "0")
    local client <close> = peers.s_client(port, { "-quiet" })
    client:write "hello\n"
    server:expect "^hello\r?\n"
    server:write "and back\n"
    client:expect "and back\r?\n"
  end)

  with_openssl("carries many bytes both ways between two of its own, to the end of each", function()
    local server <close>, port = listening("-N", "--tls", "--cert", good.cert, "--key", good.key, "127.0.0.1", "0")
    server:write "an answer"
    server:close_stdin()
    local name = command.file(BIG)
    local status, out = command.run_in_shell(('"$@" < "%s"'):format(name),
      { "nc", "-N", "--tls", "--cafile", certificates.ca.cert, "localhost", port })
    assert.equal("an answer", out)
    assert.equal(0, status)
    assert.equal(0, server:wait())
    assert.is_true(server.out == BIG)
    command.remove_files()
  end)
end)

describe("csock nc refuses", function()
  for what, row in pairs {
    ["what does not listen"] = { 1, "127.0.0.1", "1", says = "%[ECONNREFUSED%]" },
    ["a host that there is not"] = { 1, "nothing.invalid", "1", says = "nothing%.invalid" },
    ["a path where nobody listens"] = { 1, "-U", "/nothing/here", says = "%[ENOENT%]" },
    ["a port that is none"] = { 2, "127.0.0.1", "65536", says = "a port is" },
    ["the name of a port"] = { 2, "127.0.0.1", "http", says = "a port is" },
    ["port 0 to connect to"] = { 2, "127.0.0.1", "0", says = "a port is" },
    ["a host alone"] = { 2, "127.0.0.1", says = "a host and a port" },
    ["-k without -l"] = { 2, "-k", "127.0.0.1", "1", says = "%-k is for %-l" },
    ["-u with -U"] = { 2, "-uU", "x", says = "do not go together" },
    ["--tls -l without a certificate"] = { 2, "-l", "--tls", "1", says = "%-%-cert" },
    ["options of TLS without it"] = { 2, "--insecure", "a", "1", says = "for %-%-tls" },
    ["seconds that are none"] = { 2, "-w", "soon", "a", "1", says = "seconds" },
    ["a certificate that is not there"] = { 1, "-l", "--tls", "--cert", "/nothing/here", "0", says = "ENOENT" },
  } do
    local test = what:find "certificate that" and not package.searchpath("csock.tls", package.cpath) and pending or it
    test(what .. " in one line", function()
      local status, out, err = command.run { "nc", table.unpack(row, 2) }
      assert.equal("", out)
      assert.matches("^csock nc: [^\n]*" .. row.says .. "[^\n]*\n$", err)
      assert.equal(row[1], status)
    end)
  end
end)

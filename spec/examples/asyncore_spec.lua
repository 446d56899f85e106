-- The servers on asyncore and asynchat.
local channels = require "spec.support.channels"
local csock = require "csock"
local example = require "spec.support.example"
local process = require "spec.support.process"

local LIMIT = channels.LIMIT

local function connect(server)
  return assert(csock.create_connection({ "127.0.0.1", server.port }, { timeout = LIMIT }))
end

-- An address as Lua's patterns want it.
local function pattern(socket) return (tostring(socket:getsockname()):gsub("%p", "%%%0")) end

local function have(command) return os.execute("command -v " .. command .. " >/dev/null") end

describe("examples/async_echo", function()
  after_each(example.stop_all)

  it("sends back what comes, to its client program", function()
    local server = example.server("async_echo")
    local client = example.start("echo_stream_client", "127.0.0.1", server.port)
    client:expect "> "
    client:type "hi"
    client:expect "^hi\n> "
    server:expect "^connected: %('127%.0%.0%.1', %d+%)\n"
    client:finish_input()
    client:ends(0)
    server:expect "^disconnected: %('127%.0%.0%.1', %d+%), 3 bytes echoed\n"
  end)

  it("serves many clients at once", function()
    local server = example.server("async_echo")
    csock.run(function()
      local group <close> = csock.loop.group()
      for i = 1, 50 do
        group:spawn(function()
          local socket <close> = connect(server)
          for k = 1, 20 do
            local text = ("client %d, message %d\n"):format(i, k)
            assert(socket:sendall(text))
            assert.equal(text, channels.read(socket, #text))
          end
        end)
      end
    end)
    for _ = 1, 50 do server:expect "disconnected" end
  end)

  it("sends everything back to a client that has finished before it reads", function()
    local server = example.server("async_echo")
    local socket <close> = connect(server)
    local data = {}
    for i = 1, 20000 do data[i] = ("%09d\n"):format(i) end
    data = table.concat(data)
    assert(socket:sendall(data))
    assert(socket:shutdown(csock.SHUT_WR))
    assert.is_true(channels.read_all(socket) == data)
    server:expect("disconnected: " .. pattern(socket) .. ", 200000 bytes echoed\n")
  end)

  it("goes on while a client sends and never reads, and when that is gone", function()
    local server = example.server("async_echo")
    local mute, other = connect(server), connect(server)
    mute:settimeout(0)
    csock.run(function() -- until nothing more goes for a while
      local last = csock.now()
      while csock.now() - last < 0.2 do
        if mute:send(("x"):rep(65536)) then last = csock.now() else csock.sleep(0.01) end
      end
    end)
    assert(other:sendall "hi")
    assert.equal("hi", channels.read(other, 2))
    server:expect(pattern(other))
    mute:close()
    server:expect "disconnected"
    assert(other:sendall "still")
    assert.equal("still", channels.read(other, 5))
    other:close()
    server:expect("disconnected: .*7 bytes echoed\n")
    server:interrupt()
    assert.equal("", server:ends(0))
  end)
end)

describe("examples/async_chat", function()
  after_each(example.stop_all)

  local GREETING = "Each line comes back with its number; quit ends this.\r\n"

  it("numbers the lines of each client, and ends with quit", function()
    local server = example.server("async_chat")
    local one <close> = connect(server)
    local two <close> = connect(server)
    for _, socket in ipairs { one, two } do
      assert.equal(GREETING, channels.read(socket, #GREETING))
      server:expect("^Got connection from " .. pattern(socket) .. "\n")
    end
    assert(one:sendall "hello\r\nworld\n")
    assert.equal("1: hello\r\n2: world\r\n", channels.read(one, 20))
    server:expect("^" .. pattern(one) .. ": hello\n" .. pattern(one) .. ": world\n")
    assert(two:sendall "hi\n")
    assert.equal("1: hi\r\n", channels.read(two, 7))
    server:expect("^" .. pattern(two) .. ": hi\n")
    assert(one:sendall "quit\r\nnot heard\r\n")
    assert.equal("Goodbye.\r\n", channels.read_all(one))
    server:expect("^" .. pattern(one) .. ": quit\n" .. pattern(one) .. " disconnected\n")
    two:close()
    server:expect " disconnected\n"
  end)

  it("takes a line byte by byte", function()
    local server = example.server("async_chat")
    local socket <close> = connect(server)
    assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    channels.read(socket, #GREETING)
    for byte in ("slow\r\n"):gmatch "." do assert(socket:sendall(byte)) end
    assert.equal("1: slow\r\n", channels.read(socket, 9))
  end)

  it("answers lines that are too long, 10 MB too, and goes on", function()
    local server = example.server("async_chat")
    local socket <close> = connect(server)
    channels.read(socket, #GREETING)
    local reply = "A line has 1024 bytes at most.\r\n"
    assert(socket:sendall(("x"):rep(1024) .. "\n"))
    assert.equal(1024 + 5, #channels.read(socket, 1024 + 5))
    for _, size in ipairs { 1025, 10000000 } do
      assert(socket:sendall(("x"):rep(size) .. "\nshort\n"))
      assert.equal(reply, channels.read(socket, #reply))
      channels.read(socket, #"1: short\r\n")
    end
    assert.is_nil(server.out:find(("x"):rep(1025)))
  end)

  it("replies to all lines of a client that has finished, and forgets one that leaves in the middle", function()
    local server = example.server("async_chat")
    local one <close> = connect(server)
    assert(one:sendall "a\nb\nhalf a li")
    assert(one:shutdown(csock.SHUT_WR))
    assert.equal(GREETING .. "1: a\r\n2: b\r\n", channels.read_all(one))
    server:expect(pattern(one) .. " disconnected\n")
    assert.is_nil(server.out:find "half")
  end)

  it("shows nothing raw that would do something to a terminal", function()
    local server = example.server("async_chat")
    local socket <close> = connect(server)
    assert(socket:sendall "\27[2Jhi\a\n")
    server:expect(pattern(socket) .. ": %?%[2Jhi%?\n")
  end)

  it("talks to telnet", function()
    if not have "telnet" then return pending "no telnet" end
    local server = example.server("async_chat")
    local telnet <close> = process.start { "telnet", "127.0.0.1", tostring(server.port) }
    telnet:expect "Each line"
    telnet:write "hello\n"
    telnet:expect "1: hello"
    telnet:write "quit\n"
    telnet:expect "Goodbye"
  end)

  it("talks to nc", function()
    if not have "nc" then return pending "no nc" end
    local server = example.server("async_chat")
    local nc <close> = process.start { "nc", "127.0.0.1", tostring(server.port) }
    nc:expect "Each line"
    nc:write "hello\n"
    nc:expect "1: hello"
    nc:write "quit\n"
    nc:expect "Goodbye"
  end)
end)

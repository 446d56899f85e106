-- The programs on csock.reactor: tsTservTW, tsTclntTW, logger_tw, line_logger_tw.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local STAMP = "%[%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d%] "

after_each(function()
  keep.close()
  example.stop_all()
end)

local function connect(server)
  return keep(assert(csock.create_connection({ "127.0.0.1", server.port }, { timeout = 10 * process.slowness })))
end

-- An address as Lua's patterns want it.
local function pattern(address)
  return (tostring(address):gsub("%p", "%%%0"))
end

-- Reads from the socket until the text matches the pattern.
local function receive(socket, wanted)
  local text = ""
  while not text:find(wanted) do
    local data = assert(socket:recv(4096))
    assert(data ~= "", "the connection ended after: " .. text)
    text = text .. data
  end
  return text
end

-- Closing with a linger time of zero sends a reset.
local function reset(socket)
  assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
  socket:close()
end

describe("examples/tsTservTW", function()
  local server
  before_each(function()
    server = example.server("tsTservTW")
    server:expect("^waiting for connection%.%.%.\n")
  end)

  it("says who connected, and stamps what it receives", function()
    local client = connect(server)
    server:expect("^%.%.%.connected from: 127%.0%.0%.1\n")
    for _, text in ipairs { "hi", "a longer line, with spaces", "\0\255\r\n" } do
      assert(client:sendall(text))
      assert.equal(text, receive(client, "^" .. STAMP .. "."):match("^" .. STAMP .. "(.*)$"))
    end
  end)

  it("serves many clients at once", function()
    local clients = {}
    for i = 1, 30 do clients[i] = connect(server) end
    for round = 1, 3 do
      for i = 30, 1, -1 do
        local text = ("client %d, round %d"):format(i, round)
        assert(clients[i]:sendall(text))
        assert.matches("^" .. STAMP .. text .. "$", receive(clients[i], text))
      end
    end
  end)

  it("outlives a client that resets the connection, and ends on Ctrl-C with one connected", function()
    reset(connect(server))
    local client = connect(server)
    assert(client:sendall("hi"))
    receive(client, "hi$")
    server:interrupt()
    assert.equal("", server:ends(0))
    assert.equal("", client:recv(1))
  end)
end)

describe("examples/tsTclntTW", function()
  it("holds the whole conversation with tsTservTW, until an empty line", function()
    local server = example.server("tsTservTW")
    local client = example.start("tsTclntTW", "127.0.0.1", server.port)
    for _, line in ipairs { "hi", "hello there" } do
      client:expect("^> ")
      client:type(line)
      client:expect("^%.%.%.sending " .. line .. "%.%.%.\n" .. STAMP .. line .. "\n")
    end
    client:expect("^> ")
    client:type("")
    assert.equal("", client:ends(0))
  end)

  it("gets a line back that is longer than a buffer", function()
    local client = example.start("tsTclntTW", "127.0.0.1", example.server("tsTservTW").port)
    client:expect("^> ")
    client:type(("x"):rep(3000) .. "END")
    client:expect("xEND%.%.%.\n" .. STAMP)
    client:expect("xEND\n> $")
    client:type("next")
    client:expect(STAMP .. "next\n")
  end)

  it("waits for a reply that comes in pieces", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    listener:settimeout(10 * process.slowness)
    local client = example.start("tsTclntTW", "127.0.0.1", listener:getsockname().port)
    local conn = keep((assert(listener:accept())))
    assert(conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    client:type("hi")
    assert.equal("hi", conn:recv(1024))
    for byte in ("[Sat Jun 17 17:27:21 2006] hi"):gmatch "." do assert(conn:sendall(byte)) end
    client:expect("^> %.%.%.sending hi%.%.%.\n%[Sat Jun 17 17:27:21 2006%] hi\n> $")
  end)

  it("says at once that the server is gone, although nobody types", function()
    local server = example.server("tsTservTW")
    local client = example.start("tsTclntTW", "127.0.0.1", server.port)
    client:expect("^> ")
    server:expect("connected from") -- else its end would be a reset
    server:interrupt()
    assert.equal("tsTclntTW.lua: the server has closed the connection\n", client:ends(1))
  end)

  it("says that the connection was reset", function()
    local listener = keep(assert(csock.create_server { "127.0.0.1", 0 }))
    listener:settimeout(10 * process.slowness)
    local client = example.start("tsTclntTW", "127.0.0.1", listener:getsockname().port)
    client:expect("^> ")
    reset(assert(listener:accept()))
    assert.matches("^tsTclntTW%.lua: Connection to the other side was lost[^\n]*ECONNRESET[^\n]*\n$", client:ends(1))
  end)
end)

for _, name in ipairs { "logger_tw", "line_logger_tw" } do
  describe("examples/" .. name, function()
    local server
    before_each(function() server = example.server(name) end)

    it("says who connects, what each sends, and who disconnects, of many at once", function()
      local clients = {}
      for i = 1, 10 do
        clients[i] = connect(server)
        server:expect("^Got connection from " .. pattern(clients[i]:getsockname()) .. "\n")
      end
      for i = 10, 1, -1 do
        assert(clients[i]:sendall(("line %d\r\n"):format(i)))
        server:expect("^" .. pattern(clients[i]:getsockname()) .. ": line " .. i .. "\n")
      end
      for _, client in ipairs(clients) do
        local address = pattern(client:getsockname())
        client:close()
        server:expect("^" .. address .. " disconnected\n")
      end
    end)

    it("passes no control character on to the terminal", function()
      local client = connect(server)
      local address = pattern(client:getsockname())
      assert(client:sendall("\27[2J\7bell\r\n"))
      server:expect(address .. ": %?%[2J%?bell\n")
    end)

    it("outlives a client that resets the connection, and ends on Ctrl-C", function()
      local client = connect(server)
      local address = pattern(client:getsockname())
      server:expect("^Got connection[^\n]*\n")
      reset(client)
      server:expect("^" .. address .. " disconnected\n")
      local other = connect(server)
      server:expect("Got connection")
      server:interrupt()
      assert.equal("", server:ends(0))
      assert.equal("", other:recv(1))
    end)
  end)
end

describe("examples/logger_tw", function()
  it("prints what comes before a line ends", function()
    local server = example.server("logger_tw")
    local client = connect(server)
    local address = pattern(client:getsockname())
    assert(client:sendall("no end"))
    server:expect("\n" .. address .. ": no end\n")
    assert(client:sendall("two\nlines"))
    server:expect("^" .. address .. ": two\n" .. address .. ": lines\n")
  end)
end)

describe("examples/line_logger_tw", function()
  local server
  before_each(function() server = example.server("line_logger_tw") end)

  it("prints whole lines, in whatever pieces they come, and forgets what has no end", function()
    local client = connect(server)
    local address = pattern(client:getsockname())
    assert(client:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    for byte in ("one\r\ntwo\n\nthree"):gmatch "." do assert(client:sendall(byte)) end
    client:close()
    server:expect("^[^\n]+\n" .. address .. ": one\n" .. address .. ": two\n" .. address .. ": \n"
      .. address .. " disconnected\n$")
  end)

  it("says that a line is too long, passes it over, and goes on", function()
    local client = connect(server)
    local address = pattern(client:getsockname())
    local block = ("x"):rep(1000000)
    for _ = 1, 10 do assert(client:sendall(block)) end
    assert(client:sendall("\nshort\n"))
    assert.equal("error: a line of over 1024 bytes\r\n", receive(client, "\n$"))
    server:expect("^[^\n]+\n" .. address .. ": short\n$")
    assert(client:sendall((("x"):rep(2000) .. "\n"):rep(30) .. "many\n")) -- of which several come in one piece
    receive(client, ("error: a line of over 1024 bytes\r\n"):rep(30) .. "$")
    server:expect("^" .. address .. ": many\n$")
  end)
end)

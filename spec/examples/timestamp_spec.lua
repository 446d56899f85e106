-- The timestamp family: tsTserv, tsTclnt, tsTserv6, tsTclnt6, tsUserv, tsUclnt and the safe pair.
local example = require "spec.support.example"
local csock = require "csock"

local STAMP = "%[%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d%] "

-- Reads from the socket until the text matches the pattern.
local function receive(socket, pattern)
  local text = ""
  while not text:find(pattern) do
    local data = assert(socket:recv(1024))
    assert(data ~= "", "the connection ended after: " .. text)
    text = text .. data
  end
  return text
end

-- A connection from a spec to a program: never waits for ever.
local function connect(host, port)
  return assert(csock.create_connection({ host, port }, { timeout = 5 }))
end

for _, name in ipairs { "tsTserv", "tsTserv_safe", "tsTserv6" } do
  local host = name == "tsTserv6" and "::1" or "127.0.0.1"
  local it = name == "tsTserv6" and not example.has_ipv6 and pending or it

  describe("examples/" .. name, function()
    local server
    before_each(function() server = example.server_on(host, name) end)
    after_each(example.stop_all)

    it("waits, says who connected, and stamps what it receives", function()
      server:expect("^waiting for connection%.%.%.\n")
      local client <close> = connect(host, server.port)
      server:expect(("...connected from: %s\n"):format(client:getsockname()):gsub("%p", "%%%0"))
      for _, text in ipairs { "hi", "a longer line, with spaces", "\0\255\r\n" } do
        assert(client:sendall(text))
        assert.equal(text, receive(client, "^" .. STAMP .. "."):match("^" .. STAMP .. "(.*)$"))
      end
    end)

    it("stamps as C's ctime does", function()
      local client <close> = connect(host, server.port)
      assert(client:sendall("hi"))
      local date = receive(client, "hi$"):match("^%[(.-)%]")
      local _, _, day, hour, min, sec, year = date:find("^%a+ %a+ +(%d+) (%d+):(%d+):(%d+) (%d+)$")
      local months = { Jan = 1, Feb = 2, Mar = 3, Apr = 4, May = 5, Jun = 6,
        Jul = 7, Aug = 8, Sep = 9, Oct = 10, Nov = 11, Dec = 12 }
      local time = os.time { day = day, hour = hour, min = min, sec = sec, year = year,
        month = months[date:match("^%a+ (%a+)")] }
      assert.is_true(math.abs(os.time() - time) < 60)
    end)

    it("serves the next client when one has finished", function()
      for _ = 1, 3 do
        local client <close> = connect(host, server.port)
        assert(client:sendall("hi"))
        receive(client, "hi$")
      end
    end)

    it("lets a client finish its half and still answers", function()
      local client <close> = connect(host, server.port)
      assert(client:sendall("hi"))
      assert(client:shutdown(csock.SHUT_WR))
      receive(client, "hi$")
      assert.equal("", client:recv(1024))
    end)

    it("outlives a client that resets the connection", function()
      local client <close> = connect(host, server.port)
      -- Closing with a linger time of zero sends a reset.
      assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      assert(client:sendall("hi"))
      receive(client, "hi$")
      client:close()
      server:expect("%.%.%.lost: [^\n]*ECONNRESET")
      local other <close> = connect(host, server.port)
      assert(other:sendall("hi"))
      receive(other, "hi$")
    end)

    it("ends on Ctrl-C while it serves a client", function()
      local client <close> = connect(host, server.port)
      server:expect("connected from")
      server:interrupt()
      assert.equal("", server:ends(0))
      assert.equal("", client:recv(1))
    end)
  end)
end

for client_name, server_name in pairs {
  tsTclnt = "tsTserv", tsTclnt6 = "tsTserv6", tsTclnt_safe = "tsTserv_safe", tsUclnt = "tsUserv",
} do
  local host = client_name == "tsTclnt6" and "::1" or "127.0.0.1"
  local it = client_name == "tsTclnt6" and not example.has_ipv6 and pending or it

  describe("examples/" .. client_name, function()
    local server
    before_each(function() server = example.server_on(host, server_name) end)
    after_each(example.stop_all)

    it("prompts, sends each line and prints the reply", function()
      local client = example.start(client_name, host, server.port)
      for _, line in ipairs { "hi", "hello there" } do
        client:expect("^> ")
        client:type(line)
        client:expect("^" .. STAMP .. line .. "\n")
      end
      client:expect("^> ")
      client:type("")
      assert.equal("", client:ends(0))
    end)

    it("gets a line back that is longer than a buffer", function()
      local client = example.start(client_name, host, server.port)
      client:expect("^> ")
      client:type(("x"):rep(1500) .. "END")
      client:expect("xEND\n> $")
      client:type("next")
      client:expect("^" .. STAMP .. "next\n")
    end)

    it("says so when the server is gone", function()
      local client = example.start(client_name, host, server.port)
      client:type("hi")
      client:expect("hi\n")
      server:interrupt()
      server:ends(0)
      if client_name == "tsUclnt" then client:type("again") end -- the others notice it by themselves
      local complaint = client:ends(1)
      assert.matches("^" .. client_name .. "%.lua: [^\n]+\n$", complaint)
    end)
  end)
end

describe("examples/tsTclnt_safe", function()
  after_each(example.stop_all)

  it("puts a reply together that comes in pieces", function()
    local server <close> = assert(csock.create_server { "127.0.0.1", 0 })
    server:settimeout(5)
    local client = example.start("tsTclnt_safe", "127.0.0.1", server:getsockname()[2])
    local socket <close> = assert(server:accept())
    assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    client:expect("^> ")
    client:type("hi")
    assert.equal("hi", socket:recv(1024))
    for piece in ("[Sat Jun 17 17:27:21 2006] hi"):gmatch(".") do assert(socket:sendall(piece)) end
    client:expect("^%[Sat Jun 17 17:27:21 2006%] hi\n> ")
  end)

  it("says so when the server closes in the middle of a reply", function()
    local server <close> = assert(csock.create_server { "127.0.0.1", 0 })
    server:settimeout(5)
    local client = example.start("tsTclnt_safe", "127.0.0.1", server:getsockname()[2])
    client:type("hi")
    do
      local socket <close> = assert(server:accept())
      assert.equal("hi", socket:recv(1024))
      assert(socket:sendall("[Sat"))
    end
    assert.matches("the server has closed the connection\n$", client:ends(1))
  end)
end)

describe("examples/tsUserv", function()
  local server
  before_each(function() server = example.server("tsUserv") end)
  after_each(example.stop_all)

  local function client()
    local socket = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    socket:settimeout(5)
    assert(socket:connect("127.0.0.1", server.port))
    return socket
  end

  it("waits, stamps each datagram, and says to whom it returned it", function()
    server:expect("^waiting for message%.%.%.\n")
    local socket <close> = client()
    assert(socket:send("hi"))
    assert.matches("^" .. STAMP .. "hi$", assert(socket:recv(1024)))
    local address = tostring(socket:getsockname()):gsub("%p", "%%%0")
    server:expect("^%.%.%.received from and returned to: " .. address .. "\n")
    server:expect("^waiting for message%.%.%.\n")
  end)

  it("answers an empty datagram", function()
    local socket <close> = client()
    assert(socket:send(""))
    assert.matches("^" .. STAMP .. "$", assert(socket:recv(1024)))
  end)

  it("serves several clients in turn", function()
    local first <close> = client()
    local second <close> = client()
    assert(first:send("one"))
    assert(second:send("two"))
    assert.matches("one$", assert(first:recv(1024)))
    assert.matches("two$", assert(second:recv(1024)))
  end)
end)

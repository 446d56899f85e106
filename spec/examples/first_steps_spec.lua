-- The first steps: thanks, echo, datagrams, options, look-ups, safe_send.
local example = require "spec.support.example"
local csock = require "csock"

local function connect(port)
  return assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
end

-- An address as Lua's patterns want it.
local function pattern(address)
  return (tostring(address):gsub("%p", "%%%0"))
end

local function receive_all(socket)
  local stream <close> = assert(socket:makefile("r"))
  return assert(stream:read("a"))
end

describe("examples/thanks_server and thanks_client", function()
  after_each(example.stop_all)

  it("thank each client that connects, and print it", function()
    local server = example.server("thanks_server")
    for _ = 1, 2 do
      local socket <close> = connect(server.port)
      server:expect("^Got connection from " .. pattern(socket:getsockname()) .. "\n")
      assert.equal("Thank you for connecting", receive_all(socket))
    end
    local client = example.start("thanks_client", "127.0.0.1", server.port)
    client:expect("^Thank you for connecting\n")
    assert.equal("", client:ends(0))
    server:expect("Got connection from %('127%.0%.0%.1', %d+%)\n")
  end)

  it("read a message that comes in pieces", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    listener:settimeout(5)
    local client = example.start("thanks_client", "127.0.0.1", listener:getsockname()[2])
    do
      local socket <close> = assert(listener:accept())
      assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
      for piece in ("Thank you"):gmatch(".") do assert(socket:sendall(piece)) end
    end
    client:expect("^Thank you\n$")
    client:ends(0)
  end)
end)

for _, name in ipairs { "select_server", "poll_server" } do
  describe("examples/" .. name, function()
    local server
    before_each(function() server = example.server(name) end)
    after_each(example.stop_all)

    it("says who connects, what each sends, and who disconnects, of many at once", function()
      local clients <close> = setmetatable({}, {
        __close = function(list) for _, client in ipairs(list) do client:close() end end,
      })
      for i = 1, 10 do
        clients[i] = connect(server.port)
        server:expect("^Got connection from " .. pattern(clients[i]:getsockname()) .. "\n")
      end
      for i = 10, 1, -1 do
        assert(clients[i]:sendall(("line %d\r\n"):format(i)))
        local name_of = pattern(clients[i]:getsockname())
        server:expect("^" .. name_of .. ": line " .. i .. "\n")
      end
      for i = 1, 10 do
        local name_of = pattern(clients[i]:getsockname())
        clients[i]:close()
        server:expect("^" .. name_of .. " disconnected\n")
      end
    end)

    it("prints each line of what comes in one piece, without control characters", function()
      local client <close> = connect(server.port)
      local name_of = pattern(client:getsockname())
      assert(client:sendall("one\r\n\ntwo\27[2J\7\r\n"))
      server:expect("^Got[^\n]*\n" .. name_of .. ": one\n" .. name_of .. ": \n" .. name_of .. ": two%?%[2J%?\n$")
      assert(client:sendall("no end"))
      server:expect("^" .. name_of .. ": no end\n$")
    end)

    it("outlives a client that resets the connection", function()
      local client = connect(server.port)
      local name_of = pattern(client:getsockname())
      server:expect("Got connection")
      assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      client:close()
      server:expect(name_of .. " disconnected\n")
      local other <close> = connect(server.port)
      server:expect("Got connection from " .. pattern(other:getsockname()))
    end)

    it("ends on Ctrl-C with clients connected, and closes their sockets", function()
      local client <close> = connect(server.port)
      server:expect("Got connection")
      server:interrupt()
      assert.equal("", server:ends(0))
      assert.equal("", client:recv(1))
    end)
  end)
end

describe("examples/echo_stream_server and echo_stream_client", function()
  local server
  before_each(function() server = example.server("echo_stream_server") end)
  after_each(example.stop_all)

  it("send back every byte, also of a large message", function()
    local socket <close> = connect(server.port)
    server:expect("^connected: " .. pattern(socket:getsockname()) .. "\n")
    local message = ("0123456789abcdef\0\n"):rep(1000)
    assert(socket:sendall(message))
    assert(socket:shutdown(csock.SHUT_WR))
    assert.equal(message, receive_all(socket))
    server:expect("^disconnected: [^\n]*, 18000 bytes echoed\n")
  end)

  it("print what comes back", function()
    local client = example.start("echo_stream_client", "127.0.0.1", server.port)
    for _, line in ipairs { "hi", "a longer line", ("x"):rep(20000) } do
      client:expect("^> ")
      client:type(line)
      client:expect("^" .. line .. "\n")
    end
    client:finish_input()
    assert.equal("", client:ends(0))
  end)

  it("outlive a client that resets the connection", function()
    local socket = connect(server.port)
    assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    server:expect("^connected")
    socket:close()
    server:expect("disconnected: [^\n]*ECONNRESET[^\n]*\n")
    local other <close> = connect(server.port)
    assert(other:sendall("hi"))
    assert.equal("hi", other:recv(10))
  end)

  it("say so when the server is gone", function()
    local client = example.start("echo_stream_client", "127.0.0.1", server.port)
    client:type("hi")
    client:expect("hi\n")
    server:interrupt()
    server:ends(0)
    assert.matches("^echo_stream_client%.lua: [^\n]+\n$", client:ends(1))
  end)
end)

describe("examples/echo_dgram_server and echo_dgram_client", function()
  local server
  before_each(function() server = example.server("echo_dgram_server") end)
  after_each(example.stop_all)

  it("send back every datagram, also a large one and an empty one", function()
    local socket <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    socket:settimeout(5)
    assert(socket:connect("127.0.0.1", server.port))
    for _, message in ipairs { "hi", ("x"):rep(60000), "" } do
      assert(socket:send(message))
      assert.equal(message, socket:recv(65535))
      server:expect(("^%d bytes from %s\n"):format(#message, pattern(socket:getsockname())))
    end
  end)

  it("print what comes back, and from whom", function()
    local client = example.start("echo_dgram_client", "127.0.0.1", server.port)
    client:expect("^> ")
    client:type("hi")
    client:expect(("^hi from %%('127%%.0%%.0%%.1', %d%%)\n"):format(server.port))
    client:expect("^> ")
    client:type(("x"):rep(70000))
    client:expect("^[^\n]*EMSGSIZE[^\n]*\n> ")
    client:type("")
    assert.equal("", client:ends(0))
  end)
end)

describe("examples/connected_dgram", function()
  after_each(example.stop_all)

  it("sends to the one address and prints the answer", function()
    local server = example.server("echo_dgram_server")
    local client = example.start("connected_dgram", "127.0.0.1", server.port, "good morning")
    client:expect(("^from [^\n]+ to %%('127%%.0%%.0%%.1', %d%%)\n"):format(server.port))
    client:expect("^sent 12 bytes\nreceived good morning\n$")
    assert.equal("", client:ends(0))
  end)
end)

describe("examples/socket_options", function()
  after_each(example.stop_all)

  it("prints the options that it reads and sets", function()
    local program = example.start("socket_options")
    program:expect("^SO_SNDBUF: %d+ bytes wait at most to be sent\n")
    program:expect("^SO_REUSEADDR: 0 at first, 1 after setting it\n")
    program:expect("^IP_TTL: %d+ hops, then a packet is dropped\n$")
    assert.equal("", program:ends(0))
  end)
end)

describe("examples/select_stdin", function()
  after_each(example.stop_all)

  it("prints each line that is typed, also several at once", function()
    local program = example.start("select_stdin")
    program:expect("^Type something; Ctrl%-D ends it%.\n")
    program:type("one")
    program:expect("^You typed: one\n")
    program:type("two\nthree")
    program:expect("^You typed: two\nYou typed: three\n")
    program:finish_input()
    assert.equal("", program:ends(0))
  end)

  it("says that five seconds have passed, and ends on Ctrl-C", function()
    local program = example.start("select_stdin")
    program:expect("Five seconds elapsed%.\n", 10)
    program:interrupt()
    assert.equal("", program:ends(0))
  end)
end)

describe("examples/select_two", function()
  after_each(example.stop_all)

  it("prints what each of two connections receives", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    listener:settimeout(5)
    local program = example.start("select_two", "127.0.0.1", listener:getsockname()[2])
    local first <close> = assert(listener:accept())
    local second <close> = assert(listener:accept())
    assert(second:sendall("two"))
    program:expect("^second: two\n")
    assert(first:sendall("one"))
    program:expect("^first: one\n")
    second:close()
    program:expect("^second has ended\n")
    assert(first:sendall("more"))
    program:expect("^first: more\n")
    first:close()
    program:expect("^first has ended\n$")
    assert.equal("", program:ends(0))
  end)

  it("gives up after five seconds", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    local program = example.start("select_two", "127.0.0.1", listener:getsockname()[2])
    program:expect("^Five seconds elapsed%.\n$", 10)
    assert.equal("", program:ends(0))
  end)

  it("talks to thanks_server, as its page says", function()
    local program = example.start("select_two", "127.0.0.1", example.server("thanks_server").port)
    program:expect("first: Thank you for connecting\n")
    assert.equal("", program:ends(0))
  end)
end)

describe("examples/hosts_and_services", function()
  after_each(example.stop_all)

  it("prints a row for each call", function()
    local program = example.start("hosts_and_services")
    local function row(call, result)
      program:expect("\n" .. call:gsub("%p", "%%%0") .. " +" .. result:gsub("%p", "%%%0"))
    end
    program:expect("^gethostname%(%) +%S+")
    row('gethostbyname("localhost")', "127.0.0.1")
    row('gethostbyname_ex("localhost")', "localhost")
    row('getaddrinfo("localhost")', "(")
    row('inet_aton("222.76.216.16")', [["\xde\x4c\xd8\x10"]])
    row([[inet_ntoa("\xde\x4c\xd8\x10")]], "222.76.216.16")
    row("htons(20000)", tostring(csock.htons(20000)))
    row("ntohs(htons(20000))", "20000")
    row("htonl(20000)", tostring(csock.htonl(20000)))
    row("ntohl(htonl(20000))", "20000")
    assert.equal("", program:ends(0))
  end)

  it("says what cannot be found, and goes on", function()
    local program = example.start("hosts_and_services", ("x"):rep(300))
    program:expect("\ngethostbyname[^\n]+\n")
    program:expect("\nntohl%(htonl%(20000%)%) +20000\n$")
    assert.equal("", program:ends(0))
  end)
end)

describe("examples/safe_send", function()
  after_each(example.stop_all)

  it("sends a large message in pieces, and at once, and all of it comes", function()
    local receiver = example.server("safe_send", "--receive")
    local sender = example.start("safe_send", "127.0.0.1", receiver.port, 5000000)
    sender:expect("^send: 5000000 bytes in %d+ pieces; the receiver counted 5000000\n")
    sender:expect("^sendall: 5000000 bytes; the receiver counted 5000000\n$")
    assert.equal("", sender:ends(0))
    for _ = 1, 2 do receiver:expect("^5000000 bytes from %('127%.0%.0%.1', %d+%)\n") end
  end)

  it("sends nothing when there is nothing to send", function()
    local receiver = example.server("safe_send", "--receive")
    local sender = example.start("safe_send", "127.0.0.1", receiver.port, 0)
    sender:expect("^send: 0 bytes in 0 pieces; the receiver counted 0\n")
    sender:ends(0)
  end)
end)

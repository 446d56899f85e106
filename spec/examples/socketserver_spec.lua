-- The programs on csock.socketserver: tsTservSS and its variants, thanks_*, hello_ss, echo_threading.
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local csock = require "csock"

local STAMP = "%[%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d%] "

after_each(function()
  keep.close()
  example.stop_all()
end)

-- A connection from a spec to a program: never waits for ever.
local function connect(server)
  return keep(assert(csock.create_connection({ "127.0.0.1", server.port }, { timeout = 5 })))
end

-- An address as Lua's patterns want it.
local function pattern(address)
  return (tostring(address):gsub("%p", "%%%0"))
end

-- All that comes until the end.
local function receive_all(socket)
  local stream <close> = assert(socket:makefile())
  return assert(stream:read("a"))
end

-- Sends a line and receives one.
local function ask(socket, line)
  assert(socket:sendall(line .. "\r\n"))
  local reply = ""
  repeat
    local data = assert(socket:recv(4096))
    assert(data ~= "", "the connection ended after: " .. reply)
    reply = reply .. data
  until reply:find("\n$")
  return reply
end

for _, command in ipairs { "tsTservSS", "tsTservSS_async", "tsTservSS_async --fork" } do
  local name, option = command:match("^(%S+) ?(.*)$")
  local function start()
    if option ~= "" then return example.server(name, option) end
    return example.server(name)
  end

  describe("examples/" .. command, function()
    it("waits, says who connected, and stamps one line a connection", function()
      local server = start()
      server:expect("^waiting for connection%.%.%.\n")
      for _, line in ipairs { "hi", "a longer line, with spaces" } do
        local client = connect(server)
        server:expect("%.%.%.connected from: " .. pattern(client:getsockname()) .. "\n")
        assert(client:sendall(line .. "\r\nmore\r\n"))
        assert.matches("^" .. STAMP .. line .. "\r\n$", receive_all(client))
      end
    end)

    it("stamps as much as it reads of a line without an end", function()
      local server = start()
      local client = connect(server)
      assert(client:sendall(("x"):rep(1024)))
      assert.matches("^" .. STAMP .. ("x"):rep(1024) .. "$", receive_all(client))
    end)

    it("outlives clients that say nothing, leave in the middle of a line, or send 10 MB without a newline", function()
      local server = start()
      connect(server):close()
      local half = connect(server)
      assert(half:sendall("half"))
      half:close()
      local flood = connect(server)
      flood:sendall(("x"):rep(10000000)) -- fails when the server has enough
      flood:close()
      local client = connect(server)
      assert(client:sendall("hi\r\n"))
      assert.matches("^" .. STAMP .. "hi\r\n$", receive_all(client))
    end)

    it("outlives a client that resets the connection", function()
      local server = start()
      local client = connect(server)
      -- Closing with a linger time of zero sends a reset.
      assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
      server:expect("connected from")
      client:close()
      server:expect("%.%.%.lost: [^\n]*ECONNRESET")
      local other = connect(server)
      assert(other:sendall("hi\r\n"))
      assert.matches("hi", receive_all(other))
    end)

    it("serves tsTclntSS", function()
      local server = start()
      local client = example.start("tsTclntSS", "127.0.0.1", server.port)
      for _, line in ipairs { "hi", "hello there" } do
        client:expect("^> ")
        client:type(line)
        client:expect("^" .. STAMP .. line .. "\n")
        server:expect("connected from")
      end
      client:type("")
      assert.equal("", client:ends(0))
    end)
  end)
end

for _, option in ipairs { "", "--fork" } do
  describe("examples/tsTservSS_async " .. option, function()
    local function start()
      if option ~= "" then return example.server("tsTservSS_async", option) end
      return example.server("tsTservSS_async")
    end

    it("serves several clients at once, and their output interleaves", function()
      local server = start()
      local clients = {}
      for i = 1, 5 do
        clients[i] = connect(server)
        server:expect("connected from: " .. pattern(clients[i]:getsockname()))
      end
      for i = 5, 1, -1 do -- the last comes first
        assert(clients[i]:sendall("hi " .. i .. "\r\n"))
        assert.matches("^" .. STAMP .. "hi " .. i .. "\r\n$", receive_all(clients[i]))
        server:expect("finished: " .. pattern(clients[i]:getsockname()))
      end
    end)

    it("serves 30 clients while others say nothing", function()
      local server = start()
      for _ = 1, 5 do connect(server) end
      local clients = {}
      for i = 1, 30 do clients[i] = connect(server) end
      for i = 1, 30 do assert(clients[i]:sendall("hi " .. i .. "\r\n")) end
      for i = 1, 30 do assert.matches("hi " .. i .. "\r\n$", receive_all(clients[i])) end
    end)

    it("ends on Ctrl-C while a client says nothing", function()
      local server = start()
      connect(server)
      server:expect("connected from")
      server:interrupt()
      assert.equal("", server:ends(0))
    end)
  end)
end

describe("examples/tsTservSS_persist", function()
  local server
  before_each(function() server = example.server("tsTservSS_persist") end)

  it("keeps a connection for many lines, of many clients in parallel", function()
    server:expect("^waiting for connection%.%.%.\n")
    local clients = {}
    for i = 1, 20 do
      clients[i] = connect(server)
      server:expect("connected from: " .. pattern(clients[i]:getsockname()) .. "\n")
    end
    for round = 1, 3 do
      for i = 1, 20 do
        local line = ("client %d, round %d"):format(i, round)
        assert.matches("^" .. STAMP .. line .. "\r\n$", ask(clients[i], line))
      end
    end
    clients[1]:close()
    server:expect("%.%.%.finished: %('127%.0%.0%.1', %d+%)\n")
    assert.matches("still here", ask(clients[2], "still here"))
  end)

  it("says that a line is too long, and goes on with the others", function()
    local other = connect(server)
    assert.matches("hi", ask(other, "hi"))
    local client = connect(server)
    assert(client:sendall(("x"):rep(1025)))
    assert.equal("error: a line of over 1024 bytes\r\n", ask(client, "x"))
    assert.matches("after it", ask(client, "after it"))
    local flood = connect(server)
    flood:sendall(("x"):rep(10000000)) -- fails when the server has enough
    assert.matches(("x"):rep(1022) .. "\r\n", ask(connect(server), ("x"):rep(1022)))
    assert.matches("hi", ask(other, "hi"))
  end)

  it("is not stopped by a client that does not read, or is reset", function()
    local deaf = connect(server)
    deaf:settimeout(0)
    local sent = 0
    while sent < 20000000 do -- until nothing fits any more
      local n = deaf:send(("x\r\n"):rep(10000))
      if not n then break end
      sent = sent + n
    end
    local client = connect(server)
    assert(client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    assert.matches("hi", ask(client, "hi"))
    client:close()
    server:expect("%.%.%.lost: [^\n]*ECONNRESET")
    assert.matches("hi", ask(connect(server), "hi"))
  end)

  it("serves tsTclntSS_persist on one connection", function()
    local client = example.start("tsTclntSS_persist", "127.0.0.1", server.port)
    for _, line in ipairs { "hi", "hello there", ("x"):rep(1022) } do
      client:expect("^> ")
      client:type(line)
      client:expect("^" .. STAMP .. line .. "\n")
    end
    client:expect("^> ")
    client:type(("y"):rep(2000)) -- in two pieces
    client:expect("^" .. STAMP .. ("y"):rep(1022) .. "\n" .. STAMP .. ("y"):rep(2000 - 1022) .. "\n")
    client:finish_input()
    assert.equal("", client:ends(0))
    server:expect("finished")
    assert.equal(1, select(2, server.out:gsub("connected from", "")))
  end)

  it("is told of by tsTclntSS_persist when it is gone", function()
    local client = example.start("tsTclntSS_persist", "127.0.0.1", server.port)
    client:type("hi")
    client:expect("hi\n")
    server:interrupt()
    server:ends(0)
    assert.matches("^tsTclntSS_persist%.lua: [^\n]+\n$", client:ends(1))
  end)
end)

for _, name in ipairs { "thanks_ss", "thanks_forking", "thanks_threading" } do
  describe("examples/" .. name, function()
    it("thanks each client that connects", function()
      local server = example.server(name)
      for _ = 1, 3 do
        local socket = connect(server)
        assert.equal("Thank you for connecting", receive_all(socket))
        server:expect("^Got connection from " .. pattern(socket:getsockname()) .. "\n")
      end
      local client = example.start("thanks_client", "127.0.0.1", server.port)
      client:expect("^Thank you for connecting\n")
      assert.equal("", client:ends(0))
    end)

    it("thanks 20 clients that come together", function()
      local server = example.server(name)
      local clients = {}
      for i = 1, 20 do clients[i] = connect(server) end
      for i = 1, 20 do assert.equal("Thank you for connecting", receive_all(clients[i])) end
      for _ = 1, 20 do server:expect("Got connection from %('127%.0%.0%.1', %d+%)\n") end
    end)
  end)
end

describe("examples/hello_ss", function()
  it("says hello to whoever connects", function()
    local server = example.server("hello_ss")
    for _ = 1, 3 do assert.equal("Hello World!\r\n", receive_all(connect(server))) end
  end)
end)

describe("examples/echo_threading", function()
  it("says what happens, and sends back what comes", function()
    local server = example.server("echo_threading")
    local client = connect(server)
    server:expect("^Got new connection!\n")
    assert.equal("hi\r\n", ask(client, "hi"))
    server:expect("^Received: hi\n")
    assert.equal("\27[2J\r\n", ask(client, "\27[2J"))
    server:expect("^Received: %?%[2J\n") -- not raw, to the terminal
    client:close()
    server:expect("^Done with connection\n")
  end)

  it("serves many clients at once", function()
    local server = example.server("echo_threading")
    local clients = {}
    for i = 1, 20 do clients[i] = connect(server) end
    for i = 20, 1, -1 do assert.equal("hi " .. i .. "\r\n", ask(clients[i], "hi " .. i)) end
    local data = ("0123456789"):rep(3000) -- it is printed, too: less than a pipe holds
    csock.run(function()
      csock.spawn(function() assert(clients[1]:sendall(data)) end)
      local back = {}
      local count = 0
      while count < #data do
        back[#back + 1] = assert(clients[1]:recv(65536))
        count = count + #back[#back]
      end
      assert.equal(data, table.concat(back))
    end)
  end)
end)

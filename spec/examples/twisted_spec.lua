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

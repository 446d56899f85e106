-- Datagrams at Unix sockets: in one process, and with Debian's Twisted.
local class = require "csock.class"
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local reactors = require "spec.support.reactors"
local reason = require "csock.reactor.reason"
local twisted = require "spec.support.twisted"

local loop, run, expect = csock.loop, reactors.run, reactors.expect

local dir, path, mine

before_each(function()
  dir = assert(posix.mkdtemp())
  path, mine = dir .. "/server", dir .. "/client"
end)

after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
  assert.same({}, reactor.getDelayedCalls())
end)

local function names()
  local list <close> = assert(io.popen("ls -A '" .. dir .. "'"))
  return list:read "a"
end

local function mode_of(name)
  local pipe <close> = assert(io.popen(("ls -l '%s'"):format(name)))
  return pipe:read(10)
end

-- A protocol that tells a queue of what befalls it.
local function recorder(events, base)
  local Recorder = class("Recorder", base or protocol.DatagramProtocol)
  function Recorder:startProtocol() events:put { "start", self } end
  function Recorder:stopProtocol() events:put { "stop", self } end
  function Recorder.datagramReceived(_, data, address) events:put { "data", data, address } end
  function Recorder:connectionRefused() events:put { "refused", self } end
  function Recorder.connectionFailed(_, why) events:put { "failed", why } end
  return Recorder()
end

local function listen(...)
  local events = loop.queue()
  local port, err = reactor.listenUNIXDatagram(path, recorder(events), ...)
  if port then expect(events, "start") end
  return port, events, err
end

local function connect(...)
  local events = loop.queue()
  local port, err, errno = reactor.connectUNIXDatagram(path, recorder(events, protocol.ConnectedDatagramProtocol), ...)
  return port, events, err, errno
end

describe("listenUNIXDatagram", function()
  it("passes datagrams on with their senders' paths, and answers", function()
    local port, events = listen()
    assert.equal(path, port:getHost())
    run(function()
      local s <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
      assert(s:bind(mine))
      for _, text in ipairs { "one", "", "three" } do
        assert(s:sendto(text, path))
        local data, from = expect(events, "data")
        assert.equal(text, data)
        assert.equal(mine, from)
        assert.equal(#text + 4, port:write("re: " .. text, from))
        assert.equal("re: " .. text, s:recv(100))
        assert.equal(4, port:writeSequence({ "a", "nd", "!" }, from))
        assert.equal("and!", s:recv(100))
      end
    end)
    expect(events, "stop")
  end)

  it("takes datagrams of nobody in particular", function()
    local port, events = listen()
    run(function()
      local s <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
      assert(s:sendto("hello", path))
      local data, from = expect(events, "data")
      assert.equal("hello", data)
      assert.is_true(from == nil or from == "")
      port:stopListening()
    end)
  end)

  it("cuts what is longer than maxPacketSize, however long that may be", function()
    for _, size in ipairs { 5, 100000 } do
      local port, events = listen(size)
      run(function()
        local s <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
        assert(s:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 200000))
        local longer = ("0123456789"):rep(size // 10 + 1)
        for _, text in ipairs { longer:sub(1, size), longer, longer:sub(1, size - 1) } do
          local sent, err = s:sendto(text, path)
          if not sent then return pending(("no datagrams of that size here: %s"):format(err)) end
          assert.equal(text:sub(1, size), (expect(events, "data")))
        end
        port:stopListening()
      end)
    end
  end)

  it("gives the error of what cannot be sent", function()
    local port = listen()
    local function fails(name, data, address)
      local sent, err, errno = port:write(data, address)
      assert.is_nil(sent)
      assert.equal(name, err.name)
      assert.equal(csock.errno[name], errno)
    end
    fails("ENOENT", "x", dir .. "/nobody")
    fails("EMSGSIZE", ("x"):rep(10000000), path)
    port:stopListening()
  end)

  it("gives the path the mode that it is told", function()
    local port = listen(nil, "620")
    assert.equal("srw--w----", mode_of(path))
    port:stopListening()
  end)

  it("replaces a socket that a dead program has left, and removes the path in the end", function()
    local dead = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
    assert(dead:bind(path))
    dead:close()
    assert.equal("server\n", names())
    local port, events = listen()
    port:stopListening()
    expect(events, "stop")
    assert.equal("", names())
  end)

  it("leaves a path alone that somebody has, or that is no socket", function()
    local port = listen()
    local _, _, err = listen()
    assert.equal("EADDRINUSE", err.name)
    assert.equal(1, port:write("x", path))
    port:stopListening()
    assert(io.open(path, "w")):close()
    _, _, err = listen()
    assert.equal("EADDRINUSE", err.name)
    assert.equal("server\n", names())
  end)

  it("removes the path when the reactor stops, too", function()
    listen()
    run(function() end)
    assert.equal("", names())
  end)

  it("leaves nothing behind when startProtocol raises an error, and the protocol can be used again", function()
    local broken = protocol.DatagramProtocol()
    function broken.startProtocol() error "not today" end
    assert.error_matches(function() reactor.listenUNIXDatagram(path, broken) end, "not today")
    assert.equal("", names())
    broken.startProtocol = nil
    assert(reactor.listenUNIXDatagram(path, broken)):stopListening()
  end)

  it("refuses what is no protocol, one that has a port, and other wrong arguments", function()
    local port = listen()
    for wrong, call in pairs {
      ["#1 to 'listenUNIXDatagram' %(path: string expected, got nil"] = {},
      ["#2 to 'listenUNIXDatagram' %(protocol expected"] = { mine, protocol.DatagramProtocol },
      ["#2 to 'listenUNIXDatagram' %(the protocol has a transport already%)"] = { mine, port.protocol },
      ["#3 to 'listenUNIXDatagram' %(maxPacketSize: integer >= 1 expected"] = { mine, protocol.DatagramProtocol(), 0 },
      ["#4 to 'listenUNIXDatagram' %(mode such as"] = { mine, protocol.DatagramProtocol(), 1, "999" },
    } do
      assert.error_matches(function() reactor.listenUNIXDatagram(table.unpack(call)) end, wrong)
    end
    port:stopListening()
  end)
end)

describe("connectUNIXDatagram", function()
  it("exchanges datagrams with a path", function()
    local port, served = listen()
    local client, events = connect(nil, "600", mine)
    expect(events, "start")
    assert.equal(mine, client:getHost())
    assert.equal(path, client:getPeer())
    assert.equal("srw-------", mode_of(mine))
    run(function()
      assert.equal(5, client:write "hello")
      local data, from = expect(served, "data")
      assert.equal("hello", data)
      assert.equal(mine, from)
      assert(port:write("you, too", from))
      assert.equal("you, too", (expect(events, "data")))
      assert.equal(2, client:writeSequence { "o", "k" })
      assert.error_matches(function() client:write("x", mine) end, "#2 to 'write' %(the port is connected to ")
      client:stopListening()
      expect(events, "stop")
    end)
    assert.equal("", names())
  end)

  it("needs no path of its own", function()
    local _, served = listen()
    local client = assert(connect())
    run(function()
      assert(client:write "hello")
      assert.equal("hello", (expect(served, "data")))
    end)
  end)

  it("says why it cannot be had, before it returns", function()
    local function fails(class_of_reason, name)
      local client, events, err, errno = connect(nil, nil, mine)
      assert.is_nil(client)
      assert.equal(name, err.name)
      assert.equal(csock.errno[name], errno)
      assert.is_false(events:empty())
      local why = expect(events, "failed")
      assert.equal(class_of_reason, why:check(class_of_reason))
      assert.equal(err, why.value)
      assert.is_true(events:empty())
    end
    fails(reason.ConnectionRefusedError, "ENOENT")
    assert.equal("", names())
    local dead = assert(csock.socket(csock.AF_UNIX, csock.SOCK_DGRAM))
    assert(dead:bind(path))
    dead:close()
    fails(reason.ConnectionRefusedError, "ECONNREFUSED")
    assert.equal("server\n", names())
    assert(io.open(mine, "w")):close()
    fails(reason.ConnectBindError, "EADDRINUSE")
    assert.equal("client\nserver\n", names())
  end)

  it("says when the peer is gone", function()
    local port = listen()
    local client, events = connect()
    expect(events, "start")
    port:stopListening()
    run(function()
      local sent, err = client:write "hello"
      assert.is_nil(sent)
      assert.equal("ECONNREFUSED", err.name)
      expect(events, "refused")
    end)
  end)

  it("gives the error when the peer does not read", function()
    local port = listen()
    port:stopReading()
    local client = assert(connect())
    local sent, err
    repeat sent, err = client:write "hello" until not sent
    assert.matches("^E[AN]", err.name) -- EAGAIN; ENOBUFS on some systems
    port:stopListening()
    client:stopListening()
  end)
end)

describe("datagrams at Unix sockets", function()
  local SCRIPT = "spec/support/twisted/unix_datagram.py"

  local function peer(...) return keep(process.start { "/usr/bin/python3", SCRIPT, ... }) end

  it("go to Twisted and back", function()
    if not twisted.there then return pending "Twisted is not installed" end
    local server = peer("listen", path)
    server:expect "ready\n"
    local client, events = connect(nil, nil, mine)
    expect(events, "start")
    run(function()
      assert(client:write "hello")
      assert.equal("re: hello", (expect(events, "data")))
      assert(client:write "bye")
    end)
    assert.equal(("hello %s\nbye %s\n"):format(mine, mine), server:read_all())
  end)

  it("come from Twisted and go back", function()
    if not twisted.there then return pending "Twisted is not installed" end
    local port, events = listen()
    run(function()
      local client = peer("connect", path, mine)
      local data, from = expect(events, "data")
      assert.equal("hello", data)
      assert.equal(mine, from)
      assert(port:write("re: hello", from))
      assert(port:write("bye", from))
      assert.equal("re: hello\nbye\n", client:read_all())
    end)
  end)
end)

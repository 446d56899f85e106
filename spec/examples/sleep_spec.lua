-- examples/sleep_server.lua and its client.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

describe("examples/sleep_server", function()
  local server
  before_each(function() server = example.server("sleep_server", "--most", 5) end)
  after_each(function()
    keep.close()
    example.stop_all()
  end)

  local function connect()
    local socket = keep(assert(csock.create_connection({ "127.0.0.1", server.port },
      { timeout = 10 * process.slowness })))
    return socket, keep(assert(socket:makefile("rw", 0)))
  end

  local function ask(text)
    local socket, stream = connect()
    assert(socket:sendall(text .. "\n"))
    return stream:read "l"
  end

  it("sleeps as long as it was asked to, and says how long that was", function()
    local began = csock.now()
    local slept = tonumber(ask("0.3"):match "^slept for (%d+%.%d%d%d) s$")
    local took = csock.now() - began
    assert.is_true(slept >= 0.3)
    assert.is_true(took >= slept - 0.001)
    server:expect "%('127%.0%.0%.1', %d+%): sleeping for 0.3 s\n"
    server:expect "%('127%.0%.0%.1', %d+%): slept for %d"
  end)

  it("sleeps for many clients at once", function()
    local began = csock.now()
    local streams = {}
    for i = 1, 50 do
      local socket, stream = connect()
      assert(socket:sendall "0.5\n")
      streams[i] = stream
    end
    for _, stream in ipairs(streams) do assert.matches("^slept for %d", stream:read "l") end
    assert.is_true(csock.now() - began < 50 * 0.5 / 2)
  end)

  it("sleeps in turn for one client, in whatever pieces its lines come", function()
    local socket, stream = connect()
    socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
    for piece in ("0.01\r\n0\n 0.02 \n1e-2\n.01\n"):gmatch "." do assert(socket:sendall(piece)) end
    for _ = 1, 5 do assert.matches("^slept for 0%.%d%d%d s$", stream:read "l") end
  end)

  it("answers at once what is no time to sleep for", function()
    for text, answer in pairs {
      [""] = "error: for how many seconds? 0 to 5",
      ["-1"] = "error: nobody can sleep for less than no time",
      ["-1e300"] = "error: nobody can sleep for less than no time",
      ["5.001"] = "error: that is too long: at most 5 seconds",
      ["1e999"] = "error: that is too long: at most 5 seconds",
      ["99999999999999999999999"] = "error: that is too long: at most 5 seconds",
      ["a while"] = "error: 'a while' is no number of seconds",
      ["nan"] = "error: 'nan' is no number of seconds",
      ["inf"] = "error: 'inf' is no number of seconds",
      ["0x10"] = "error: '0x10' is no number of seconds",
      ["1 2"] = "error: '1 2' is no number of seconds",
      ["1.2.3"] = "error: '1.2.3' is no number of seconds",
      ["\27[2J\0\194\155"] = "error: '?[2J??' is no number of seconds",
    } do
      assert.equal(answer, ask(text))
    end
    assert.matches("^slept for", ask "0")
  end)

  it("says that a line is too long, passes it over, and goes on", function()
    local socket, stream = connect()
    assert(socket:sendall(("1"):rep(101)))
    assert.equal("error: a line of over 100 bytes", stream:read "l")
    assert(socket:sendall "1\n0\n")
    assert.matches("^slept for", stream:read "l")
  end)

  it("does not mind clients that leave while it sleeps, or in the middle of a line", function()
    local socket, stream = connect()
    assert(socket:sendall "0.1\n")
    server:expect "sleeping for 0.1 s\n"
    assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    stream:close()
    socket:close()
    socket, stream = connect()
    assert(socket:sendall "0.")
    stream:close()
    socket:close()
    server:expect "%('127%.0%.0%.1', %d+%): slept for"
    assert.matches("^slept for", ask "0")
  end)

  it("ends on Ctrl-C while it sleeps", function()
    local socket, stream = connect()
    assert(socket:sendall "5\n")
    server:expect "sleeping for 5 s\n"
    server:interrupt()
    assert.equal("", server:ends(0))
    assert.is_nil(stream:read "l")
  end)

  it("has a client that looks at its own clock", function()
    local client = example.start("sleep_client", "127.0.0.1", server.port)
    client:expect "^> "
    client:type "0.2"
    client:expect "^slept for 0%.%d%d%d s; %d+%.%d%d%d s by the clock here: %a+\n> "
    client:type "-3"
    client:expect "^error: nobody can sleep for less than no time\n> "
    client:finish_input()
    assert.equal("", client:ends(0))
  end)

  it("has a client that notices lies", function()
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    listener:settimeout(10)
    local client = example.start("sleep_client", "127.0.0.1", listener:getsockname().port)
    local conn <close> = assert(listener:accept())
    local stream <close> = assert(conn:makefile "rw")
    for asked, lie in pairs { ["0.001"] = { "slept for 100.000 s", "that cannot be" },
      ["9"] = { "slept for 0.000 s", "it got up too early" } } do
      client:type(asked)
      assert.equal(asked, stream:read "l")
      assert(stream:write(lie[1], "\n"):flush())
      client:expect("; %d+%.%d%d%d s by the clock here: " .. lie[2] .. "\n")
    end
    stream:close()
    conn:close()
    assert.matches("^sleep_client%.lua: [^\n]+\n$", client:ends(1))
  end)
end)

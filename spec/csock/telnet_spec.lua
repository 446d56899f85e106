-- The client of telnet, against servers that do as they are told, and against telnetd.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"
local streams = require "spec.support.streams"
local telnet = require "csock.telnet"
local tls = require "spec.support.tls"

local E = csock.errno
local LIMIT = 10 * process.slowness

local function start(...) return keep(scripted.start(...)) end

local function connect(server, options)
  options = options or {}
  options.timeout = options.timeout or LIMIT
  return keep(telnet.Telnet("127.0.0.1", server.port, options))
end

describe("a client of telnet", function()
  after_each(keep.close)

  for how, run in pairs(streams.ways) do
    it("reads up to a text, and keeps what follows, " .. how, function()
      local server = start { { send = "login: x\255\255\r\0y Password: ", piece = 1 }, { close = true } }
      run(function()
        local tn = connect(server)
        assert.same({ "login: ", true }, { tn:read_until "login: " })
        assert.same({ "x\255\ry Pass", true }, { tn:read_until "Pass" })
        assert.same({ "word: ", false }, { tn:read_until "!" })
        assert.same({ nil, nil }, { tn:read_until "!" })
      end)
    end)

    it("waits for the first of several patterns, " .. how, function()
      local server = start { { send = "Linux 6.1 \nPassword: ", piece = 1 }, { send = "more" }, { close = true } }
      run(function()
        local tn = connect(server)
        assert.same({ 2, { "6", "1" }, "Linux 6.1 " }, { tn:expect { "login: ", "(%d+)%.(%d+) " } })
        assert.same({ 1, { "Password:" }, "\nPassword:" }, { tn:expect { "Pass%a+:", "word:" } })
        assert.same({ -1, nil, " more" }, { tn:expect { "login: " } })
      end)
    end)

    it("loses nothing when the time is up, " .. how, function()
      local server = start { "hello", { upto = "go" }, "world" }
      run(function()
        local tn = connect(server)
        assert.same({ nil, E.ETIMEDOUT }, (function(_, _, ...) return { nil, ... } end)(tn:read_until("world", 0.05)))
        assert.equal(E.ETIMEDOUT, select(3, tn:expect({ "world" }, 0.05)))
        tn:write "go\r\n"
        assert.equal("hello\r\nworld", (tn:read_until "world"))
      end)
    end)

    it("has one deadline for what trickles, " .. how, function()
      local server = start { { send = ("x"):rep(10000), piece = 1, every = 0.01 } }
      run(function()
        local tn = connect(server)
        assert.equal(E.ETIMEDOUT, select(3, tn:read_until("y", 0.2)))
      end)
    end)
  end

  it("reads all up to the end", function()
    local server = start { { send = ("abc"):rep(100000) }, { close = true } }
    assert.equal(("abc"):rep(100000), connect(server):read_all())
  end)

  it("reads what there is: with waiting, without, or what it has already", function()
    local server = start { "one", { upto = "go" }, "two", { upto = "end" }, { close = true } }
    local tn = connect(server)
    assert.equal("one\r\n", (tn:read_until "\n"))
    assert.equal("", tn:read_very_eager())
    assert.equal("", tn:read_lazy())
    tn:write "go\r\n"
    assert.equal("tw", (tn:read_until "tw"))
    assert.equal("o\r\n", tn:read_eager() .. (tn:read_lazy() or ""))
    tn:write "end\r\n"
    assert.equal("", tn:read_some())
    assert.is_nil((tn:read_very_eager()))
    assert.is_nil((tn:read_lazy()))
  end)

  it("keeps no more than its limit", function()
    local server = start { { endless = "x" } }
    local tn = connect(server, { limit = 1000 })
    local none, err, errno = tn:read_until "y"
    assert.same({ nil, E.EMSGSIZE }, { none, errno })
    assert.matches("more than 1000 bytes", tostring(err))
    assert.equal(E.EMSGSIZE, select(3, tn:expect { "y" }))
    assert.is_true(#tn:read_some() >= 1000)
  end)

  it("refuses options that nobody asked for", function()
    local server = start { { send = "\255\253\24\255\253\31\255\251\5\255\253\24go\r\n" } }
    local tn = connect(server)
    assert.equal("go\r\n", (tn:read_until "\n"))
    tn:close()
    assert.same({ "\255\252\24\255\252\31\255\254\5\255\252\24" }, server:heard())
  end)

  it("tells the terminal's name and size to who asks", function()
    local server = start {
      { send = "\255\253\24\255\253\31\255\250\24\1\255\240go\r\n" }, { expect = "resized" }, { close = true },
    }
    local tn = connect(server, { terminal = "vt100", size = { 80, 24 } })
    tn:read_until "go"
    tn:resize(255, 30)
    tn:write "resized\n"
    tn:read_all()
    assert.same({ "\255\251\24\255\251\31\255\250\31\0\80\0\24\255\240\255\250\24\0vt100\255\240"
      .. "\255\250\31\0\255\255\0\30\255\240resized" }, server:heard())
  end)

  it("has a function called in the place of that", function()
    local server = start { { send = "\255\253\24\255\250\24\1\255\240\255\246go\r\n" }, { close = true } }
    local tn, heard = connect(server), {}
    tn:set_option_negotiation_callback(function(self, command, option)
      assert.equal(tn, self)
      heard[#heard + 1] = { command, option, command == telnet.SE and self:read_sb_data() or nil }
    end)
    tn:read_all()
    assert.same({ { telnet.DO, 24 }, { telnet.SE, 0, "\24\1" }, { telnet.AYT, 0 } }, heard)
    assert.equal("", tn:read_sb_data())
  end)

  it("doubles the byte 255", function()
    local server = start { { expect = "^a" }, { close = true } }
    local tn = connect(server)
    tn:write "a\255b\n"
    tn:read_all()
    assert.same({ "a\255\255b" }, server:heard())
  end)

  it("is open once, and closed for good", function()
    local server = start { "hello" }
    local tn = keep(telnet.Telnet())
    assert.equal(-1, tn:fileno())
    assert.is_nil(tn:get_socket())
    assert.is_true(tn:open("127.0.0.1", server.port))
    assert.equal(E.EISCONN, select(3, tn:open("127.0.0.1", server.port)))
    assert.equal(tn:get_socket():fileno(), tn:fileno())
    assert.is_true(tn:close())
    assert.is_true(tn:close())
    for _, call in ipairs { "read_all", "read_some", "read_eager", "read_very_eager", "read_lazy", "interact" } do
      assert.equal(E.EBADF, select(3, tn[call](tn)), call)
    end
    assert.equal(E.EBADF, select(3, tn:write "x"))
    assert.equal(E.EBADF, select(3, tn:read_until "x"))
  end)

  it("says what it could not connect to", function()
    local none, err, errno = telnet.Telnet("127.0.0.1", 1, { timeout = LIMIT })
    assert.same({ nil, E.ECONNREFUSED }, { none, errno })
    assert.matches("127.0.0.1", tostring(err))
  end)

  it("takes no wrong arguments", function()
    assert.error_matches(function() telnet.Telnet(nil, nil, { size = { 1, 70000 } }) end, "size")
    assert.error_matches(function() telnet.Telnet(nil, nil, { colour = 1 }) end, "unknown option 'colour'")
    assert.error_matches(function() telnet.Telnet():read_until(7) end, "bad argument #1 to 'read_until'")
    assert.error_matches(function() telnet.Telnet():read_until("x", -1) end, "bad argument #2 to 'read_until'")
  end)

  it("connects a person with the server", function()
    local server = start { "hello", { upto = "typed" }, "bye", { close = true } }
    local tn = connect(server)
    local near, far = streams.pair()
    local shown = {}
    far:sendall "typed\n"
    assert.is_true(tn:interact(streams.keep(assert(near:makefile "r")), {
      write = function(_, text)
        shown[#shown + 1] = text
        return true
      end,
      flush = function() return true end,
    }))
    assert.equal("hello\r\nbye\r\n", table.concat(shown))
    streams.close_all()
  end)

  it("goes over TLS", function()
    local context = tls.server()
    local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn) conn:sendall "secret" end, { ssl = context }))
    csock.run(function()
      local tn = keep(telnet.Telnet("localhost", server:getsockname().port,
        { tls = true, context = tls.client(), timeout = LIMIT }))
      assert.equal("secret", tn:read_all())
      server:close()
    end)
  end)
end)

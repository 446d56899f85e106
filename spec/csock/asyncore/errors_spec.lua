-- What becomes of errors in the handlers of a channel.
local csock = require "csock"
local asyncore = require "csock.asyncore"
local channels = require "spec.support.channels"
local class = require "csock.class"

local dispatcher = asyncore.dispatcher
local LIMIT = channels.LIMIT

local function fail() error "on purpose" end

-- A channel in a map of its own, and its peer.
local function channel(base, hooks)
  local peer, socket = channels.pair()
  local map = {}
  return channels.recorder(base, hooks)(socket, map), peer, map
end

describe("asyncore.ExitNow", function()
  it("passes handle_error by, and comes out of the loop", function()
    for _, what in ipairs { asyncore.ExitNow, asyncore.ExitNow "enough", class("Mine", asyncore.ExitNow)() } do
      for _, run in ipairs { function(f) return f() end, csock.run } do
        local one, peer, map = channel(nil, { handle_read = function() error(what) end })
        assert(peer:send "hi")
        local ok, err
        run(function() ok, err = pcall(asyncore.loop, LIMIT, false, map) end)
        assert.is_false(ok)
        assert.equal(what, err)
        assert.equal("", one.log_text)
        assert.equal(one, map[one._fileno])
        one:close()
        peer:close()
      end
    end
    assert.equal("ExitNow: enough", tostring(asyncore.ExitNow "enough"))
    assert.equal("ExitNow", tostring(asyncore.ExitNow()))
  end)

  it("comes out of handle_close, of handle_error and of readable, too", function()
    for _, name in ipairs { "handle_close", "handle_error", "readable" } do
      local hooks = { [name] = function() error(asyncore.ExitNow()) end }
      if name == "handle_error" then hooks.handle_read = fail end
      local one, peer, map = channel(nil, hooks)
      peer:close()
      local ok, err = pcall(asyncore.loop, LIMIT, false, map)
      assert.is_false(ok)
      assert.is_true(class.isinstance(err, asyncore.ExitNow))
      one:close()
    end
  end)
end)

describe("an error in a handler", function()
  for _, name in ipairs { "handle_read", "handle_write", "readable", "writable", "handle_close" } do
    it("of a channel goes to handle_error and ends nothing: " .. name, function()
      local one, peer, map = channel(nil, { [name] = fail })
      local other_peer, other_socket = channels.pair()
      local other = channels.recorder()(other_socket, map)
      if name == "handle_close" then peer:shutdown(csock.SHUT_WR) else assert(peer:send "hi") end
      assert(other_peer:send "hi")
      channels.turn_until(map, function() return one.closing and other.log_text ~= "" end)
      assert.equal("error:on purpose ", (one.log_text:gsub("read:hi ", "")))
      assert.equal("read:hi ", other.log_text)
      other:close()
      peer:close()
      other_peer:close()
    end)
  end

  it("is told with where it came from, in one line", function()
    local told
    local one, peer, map = channel(nil, {
      handle_read = function() fail() end,
      handle_error = function(self, err, info)
        told = { err, info }
        self:close()
      end,
    })
    assert(peer:send "hi")
    channels.turn_until(map, function() return told end)
    assert.matches("errors_spec.lua:%d+: on purpose$", told[1])
    assert.matches("^%[[^|]*lua/csock/asyncore/dispatcher.lua|[^]]+|%d+%] .*%[spec/csock/.*|fail|%d+%]$", told[2])
    assert.is_true(one.closing)
    peer:close()
  end)

  it("is printed by default, and closes the channel", function()
    local one, peer, map = channel(nil, { handle_read = fail, handle_error = dispatcher.handle_error })
    assert(peer:send "hi")
    local text = channels.printed(function()
      channels.turn_until(map, function() return one.closing end)
    end)
    assert.matches("^error: uncaught error, closing channel <Recorder connected 127.0.0.1:%d+ at 0x%x+> "
      .. "%(spec/[^:]*errors_spec.lua:%d+: on purpose %[.*dispatcher.lua|.*errors_spec.lua|[%w_]+|%d+%]%)$", text)
    assert.equal("close ", one.log_text)
    peer:close()
  end)

  it("may be anything", function()
    local without_fields = debug.upvalueid(fail, 1) -- a userdata that cannot be indexed
    for _, what in ipairs { {}, 42, false, function() end, without_fields } do
      local told
      local one, peer, map = channel(nil, {
        handle_read = function() error(what) end,
        handle_error = function(self, err)
          told = { err }
          self:close()
        end,
      })
      assert(peer:send "hi")
      channels.turn_until(map, function() return one.closing end)
      assert.equal(what, told[1])
      peer:close()
    end
  end)

  it("that says that nothing was there is none", function()
    local one, peer, map = channel(nil, { handle_read = function(self)
      self:note(self:recv(10))
      error((select(2, self:recv(10))), 0)
    end })
    assert(peer:send "hi")
    channels.turn_until(map, function() return one.log_text ~= "" end)
    assert.equal("hi ", one.log_text)
    assert.equal(one, map[one._fileno])
    one:close()
    peer:close()
  end)

  it("that says that a peer has gone goes to handle_close", function()
    local one, peer, map = channel(nil, { handle_read = function()
      local a, b = assert(csock.socketpair())
      b:close()
      local _, err = a:send "x"
      a:close()
      error(err, 0)
    end })
    assert(peer:send "hi")
    channels.turn_until(map, function() return one.closing end)
    assert.equal("close ", one.log_text)
    peer:close()
  end)

  it("closes the channel also when its handle_close fails as well", function()
    local one, peer, map = channel(nil, {
      handle_read = fail, handle_close = fail, handle_error = dispatcher.handle_error,
    })
    assert(peer:send "hi")
    channels.printed(function() channels.turn_until(map, function() return one.closing end) end)
    assert.same({}, map)
    peer:close()
  end)

  it("that handle_error raises ends the loop, as in Python", function()
    local one, peer, map = channel(nil, { handle_read = fail, handle_error = function(_, err) error(err, 0) end })
    assert(peer:send "hi")
    assert.error_matches(function() asyncore.loop(LIMIT, false, map) end, "on purpose")
    one:close()
    peer:close()
  end)
end)

describe("asyncore.compact_traceback", function()
  it("says where an error comes from", function()
    local _, results = xpcall(function() fail() end, function(err)
      return table.pack(asyncore.compact_traceback(err, 2))
    end)
    local where, kind, err, info = table.unpack(results)
    assert.matches("errors_spec.lua$", where[1])
    assert.equal("fail", where[2])
    assert.is_true(where[3] > 0)
    assert.equal("string", kind)
    assert.matches("on purpose$", err)
    assert.matches("^%[spec/.*errors_spec.lua|.*|%d+%] %[spec/.*errors_spec.lua|fail|%d+%]$", info)
  end)

  it("names errors of csock and classes", function()
    local _, err = csock.create_connection { "127.0.0.1", 1 }
    assert.equal("ECONNREFUSED", (select(2, asyncore.compact_traceback(err))))
    assert.equal("ExitNow", (select(2, asyncore.compact_traceback(asyncore.ExitNow()))))
    assert.equal("nil", (select(2, asyncore.compact_traceback())))
  end)

  it("stays short for a deep stack", function()
    local function deep(n)
      if n == 0 then return (select(4, asyncore.compact_traceback())) end
      return (deep(n - 1))
    end
    assert.is_true(#deep(150) < 2000)
  end)
end)

-- What is tried with a failing allocator of WebSockets; see allocations.lua.
-- As spec.websocket.frames has them: the state that is tried must not load more than it needs.
local function frames(first, payload)
  local length = #payload < 126 and string.char(#payload) or string.char(126) .. (">I2"):pack(#payload)
  return string.char(first) .. length .. payload
end

local LONG = ("x"):rep(5000)

-- A client's channel over a stream that has received `bytes`.
local function fed(bytes)
  return function()
    local csock = require "csock"
    local core = require "csock.core".websocket
    local a, b = assert(csock.socketpair())
    local stream = assert(b:makefile "rw")
    assert(a:sendall(bytes))
    return core, stream, a, b
  end
end

return {
  ["channel"] = {
    prepare = function() return require "csock.core".websocket end,
    run = function(core) assert(core.channel { server = true, max_message = 10 }) end,
  },
  ["receive, messages whole and in fragments"] = {
    prepare = fed(frames(0x81, "hello") .. frames(0x01, LONG) .. frames(0x89, "now") .. frames(0x80, LONG)
      .. frames(0x88, "\x03\xe8bye")),
    run = function(core, stream)
      local channel = core.channel { max_message = 10000 }
      assert(assert(core.receive(stream, channel)) == "hello")
      assert(select(2, assert(core.receive(stream, channel))) == "ping")
      assert(assert(core.receive(stream, channel)) == LONG .. LONG)
      assert(select(3, assert(core.receive(stream, channel))) == 1000)
    end,
  },
  ["receive, after memory has run out in it"] = {
    prepare = fed(frames(0x81, LONG) .. frames(0x81, LONG)),
    run = function(core, stream)
      local channel = core.channel {}
      local failed
      for _ = 1, 2 do
        local ok, message, err = pcall(core.receive, stream, channel)
        -- Whoever goes on gets the message as it was, or none any more: never a spoilt one.
        if ok and message then
          assert(message == LONG and not failed)
        elseif ok then
          assert(err.name == "ENOMEM")
          failed = true
        else
          failed = true
        end
      end
      assert(not failed, "ENOMEM")
    end,
  },
  ["a refusal of what comes"] = {
    prepare = fed "\x83\x00",
    run = function(core, stream)
      assert(select(2, core.receive(stream, core.channel {})).code == 1002)
    end,
  },
  ["send, a server's frames and a client's"] = {
    prepare = fed "",
    run = function(core, stream, other)
      for _, options in ipairs { { server = true }, {} } do
        local channel = core.channel(options)
        assert(core.send(stream, channel, 0x81, "hello", 0))
        assert(core.send(stream, channel, 0x82, LONG, 0))
        assert(#assert(other:recv(20000)) > 5000)
      end
      assert(core.pending(stream) == 0)
    end,
  },
  ["sha1, is_utf8"] = {
    prepare = function() return require "csock.core".websocket end,
    run = function(core) assert(#core.sha1 "abc" == 20 and core.is_utf8 "abc" and core.may_say(1000)) end,
  },
}

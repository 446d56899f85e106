-- The order in which frames may be queued (csrc/websocket/channel.c).
local core = require("csock.core").websocket
local csock = require "csock"
local f = require "spec.websocket.frames"

local E = csock.errno

describe("a channel", function()
  local near, far, stream, channel

  before_each(function()
    near, far = assert(csock.socketpair())
    stream, channel = assert(near:makefile "rw"), core.channel { server = true }
  end)

  after_each(function()
    for _, object in ipairs { stream, near, far } do object:close() end
  end)

  local function send(first, data)
    local ok, _, errno = core.send(stream, channel, first, data)
    return ok or errno
  end

  it("takes no other message into the middle of one, and no rest of none", function()
    assert.equal(E.EBUSY, send(f.FIN | f.NEXT, "rest"))
    assert.is_true(send(f.TEXT, "a"))
    assert.equal(E.EBUSY, send(f.FIN | f.TEXT, "b"))
    assert.equal(E.EBUSY, send(f.BINARY, "b"))
    assert.is_true(send(f.FIN | f.PING, "p"))
    assert.is_true(send(f.NEXT, "c"))
    assert.is_true(send(f.FIN | f.NEXT, ""))
    assert.is_true(send(f.FIN | f.BINARY, "d"))
    assert.equal(f.plain(f.TEXT, "a") .. f.plain(f.FIN | f.PING, "p") .. f.plain(f.NEXT, "c")
      .. f.plain(f.FIN | f.NEXT, "") .. f.plain(f.FIN | f.BINARY, "d"), far:recv(100))
  end)

  it("takes nothing behind a close frame", function()
    assert.is_true(send(f.FIN | f.CLOSE, "\3\xe8"))
    for _, first in ipairs { f.FIN | f.TEXT, f.BINARY, f.FIN | f.NEXT, f.FIN | f.PING, f.FIN | f.CLOSE } do
      assert.equal(E.ECANCELED, send(first, ""))
    end
    assert.equal(f.plain(f.FIN | f.CLOSE, "\3\xe8"), far:recv(100))
  end)
end)

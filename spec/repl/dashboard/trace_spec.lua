-- What the dashboard's page gets of a trace.
local csock = require "csock"
local trace = require "csock.repl.dashboard.trace"

describe("csock.repl.dashboard.trace", function()
  -- What a trace of `a` says, up to its end, or the first `most` events, when `f` has done something with a pair of
  -- sockets.
  local function traced(f, most)
    return csock.run(function()
      local a, b = csock.socketpair()
      local tap <close> = assert(trace.tap(a))
      local body, pieces = trace.body(tap), {}
      f(a, b)
      for piece in body do
        pieces[#pieces + 1] = piece
        if #pieces == most then break end
      end
      a:close()
      b:close()
      return table.concat(pieces)
    end)
  end

  it("has what passed in both directions, as hexadecimal digits and as text, and the end", function()
    local text = traced(function(a, b)
      a:sendall "hello\r\n"
      b:sendall "<\0>"
      a:recv(10)
      a:close()
    end)
    assert.matches("^data: %d%.%d%d%d > 7 bytes\ndata:   000000  68 65 6c 6c 6f 0d 0a  +hello%.%.\n\n", text)
    assert.matches("\n\ndata: %d%.%d%d%d < 3 bytes\ndata:   000000  3c 00 3e  +<%.>\n\n", text)
    assert.matches("\n\nevent: end\ndata: \n\n$", text)
  end)

  it("says how much it has not kept", function()
    local text = traced(function(a, b)
      a:settimeout(0)
      local data, left = ("x"):rep(10000), 500000
      while left > 0 do
        left = left - (a:send(data) or 0)
        b:recv(10000)
      end
    end, 20)
    assert.matches("data:   … 8976 more\n", text)
    local lost = 0
    for count in text:gmatch "data: %d%.%d%d%d > (%d+) bytes that were not kept\n" do lost = lost + tonumber(count) end
    assert.is_true(lost >= 300000, lost)
  end)

  it("sends something now and then where nothing passes, to learn whether anybody reads", function()
    assert.equal(": \n\n", traced(function() end, 1))
  end)

  it("gives nothing of a socket that is closed", function()
    local a = csock.socketpair()
    a:close()
    assert.is_nil((trace.tap(a)))
  end)
end)

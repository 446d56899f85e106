-- csock.random: bytes from the system.
local csock = require "csock"

describe("random", function()
  it("gives as many bytes as were asked for", function()
    for _, n in ipairs { 0, 1, 16, 255, 256, 257, 100000 } do
      assert.equal(n, #assert(csock.random(n)))
    end
  end)

  it("gives other bytes each time, and every byte in time", function()
    assert.not_equal(csock.random(16), csock.random(16))
    local seen, count = {}, 0
    for byte in csock.random(100000):gmatch "." do
      if not seen[byte] then seen[byte], count = true, count + 1 end
    end
    assert.equal(256, count)
  end)

  it("fills a long string to its end", function()
    assert.not_equal(("\0"):rep(16), csock.random(2 ^ 20):sub(-16))
  end)

  it("gives a forked child bytes of its own", function()
    local a, b = csock.socketpair()
    local pid = assert(csock.fork())
    if pid == 0 then
      b:sendall(csock.random(16))
      csock._exit()
    end
    assert.not_equal(csock.random(16), a:recv(16))
    csock.waitpid(pid)
    a:close()
    b:close()
  end)

  it("wants a number of bytes", function()
    assert.error_matches(function() csock.random() end, "#1")
    assert.error_matches(function() csock.random(-1) end, "between 0 and")
    assert.error_matches(function() csock.random(1.5) end, "#1")
  end)
end)

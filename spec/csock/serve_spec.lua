local csock = require "csock"
local keep = require "spec.support.keep"

describe("csock.serve", function()
  after_each(keep.close)

  it("serves so many at once, and the others when one of them has left", function()
    csock.run(function()
      local most, now = 0, 0
      local server = keep(csock.serve({ "127.0.0.1", 0 }, function(conn)
        now = now + 1
        most = math.max(most, now)
        conn:sendall "hello"
        conn:recv(1)
        now = now - 1
      end, { max_connections = 2, backlog = 16 }))
      local group <close> = csock.loop.group()
      for _ = 1, 6 do
        group:spawn(function()
          local s <close> = assert(csock.create_connection(server:getsockname()))
          assert.equal("hello", s:recv(10))
        end)
      end
      group:join()
      assert.equal(2, most)
      server:close()
    end)
  end)

  it("raises for options that are none", function()
    assert.error_matches(function() csock.serve({ "127.0.0.1", 0 }, print, { color = 1 }) end, "unknown option 'color'")
    assert.error_matches(function() csock.serve { "127.0.0.1", 0 } end, "function expected, got nil")
  end)
end)

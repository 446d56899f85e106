-- What the prompt and the dashboard know of this process, and do with it.
local csock = require "csock"
local httpserver = require "csock.httpserver"
local state = require "csock.repl.state"

describe("csock.repl.state", function()
  local before
  before_each(function() before = csock.debug(true) end)
  after_each(function() csock.debug(before) end)

  local function row_of(socket)
    for _, row in ipairs(state.sockets()) do
      if row.socket == socket then return row end
    end
  end

  it("closes the socket with a number", function()
    local a, b <close> = csock.socketpair()
    assert.is_true(state.close(row_of(a).id))
    assert.equal(-1, a:fileno())
    assert.equal("", b:recv(1))
    local ok, err = state.close(1000000)
    assert.is_nil(ok)
    assert.equal("there is no open socket 1000000", err)
  end)

  it("ends a connection that a stream keeps open: that finds the end", function()
    local a, b <close> = csock.socketpair()
    local stream <close> = a:makefile("rw")
    assert(state.close(row_of(a).id))
    b:settimeout(10)
    assert.equal("", b:recv(1))
    assert.is_nil((stream:read(1)))
  end)

  it("ends an HTTP server's connection that waits for the next request", function()
    csock.run(function()
      local server <close> = assert(httpserver.serve({ "127.0.0.1", 0 }, function() return 204 end))
      local client <close> = assert(csock.create_connection(server:getsockname(), { timeout = 10 }))
      client:settimeout(10)
      client:sendall "GET / HTTP/1.1\r\nHost: a\r\n\r\n"
      assert.matches("^HTTP/1.1 204", client:recv(1000))
      for _, row in ipairs(state.sockets()) do
        if row.raddr == client:getsockname() then assert(state.close(row.id)) end
      end
      assert.equal("", client:recv(1))
    end)
  end)
end)

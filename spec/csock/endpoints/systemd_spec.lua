-- Endpoints of what a service manager has handed over.
local csock = require "csock"
local endpoints = require "csock.endpoints"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local proto_helpers = require "csock.proto_helpers"

-- Runs `code` as a service manager would, with a listening socket under the numbers 3 and 4; what it prints.
local function activate(listener, code)
  assert(listener:set_inheritable(true))
  local env = {
    LUA = process.interpreter, LISTEN_FDS = "2", LISTEN_FDNAMES = "other:web",
    LD_PRELOAD = os.getenv "LD_PRELOAD" or false, -- a sanitizer's library, which the shell passes on
    CODE = ([[
      local posix = require "spec.support.posix"
      local fd = posix.dup2(%d, 20) and 20
      for copy = 3, 4 do posix.dup2(fd, copy) end
      local csock, defer, endpoints = require "csock", require "csock.defer", require "csock.endpoints"
      local protocol, reactor = require "csock.protocol", require "csock.reactor"
    ]]):format(listener:fileno()) .. code,
  }
  local p <close> = process.start({ "sh", "-c", 'LISTEN_PID=$$ exec "$LUA" -e "$CODE"' }, { env = env })
  local status = p:wait()
  assert(status == 0, p.err)
  return p.out
end

describe("an endpoint of systemd's", function()
  after_each(keep.close)

  it("listens at the descriptor under this index or name", function()
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    local port = listener:getsockname().port
    assert.equal(("3\t%d\n4\t%d\n"):format(port, port), activate(listener, [[
      for _, text in ipairs { "systemd:domain=INET:index=0", "systemd:INET:name=web" } do
        local endpoint = assert(endpoints.serverFromString(reactor, text))
        local fd = endpoint.fileno
        endpoint:listen(protocol.Factory()):addCallback(function(port)
          print(fd, port:getHost().port)
          assert(select(3, csock.dup(fd)) == csock.errno.EBADF)
          port:stopListening()
        end)
      end
    ]]))
  end)

  it("is refused where nothing of that kind was handed over", function()
    local words = "systemd: 2 descriptors were handed over, and none is '%s' [EBADF]\n"
    local listener = keep(csock.create_server { "127.0.0.1", 0 })
    assert.equal(words:format "2" .. words:format "-1" .. words:format "mail", activate(listener, [[
      for _, text in ipairs { "systemd:INET:2", "systemd:INET:-1", "systemd:domain=UNIX:name=mail" } do
        local _, err = endpoints.serverFromString(reactor, text)
        print(err)
      end
    ]]))
    local _, err, errno = endpoints.serverFromString(proto_helpers.MemoryReactor(), "systemd:INET:0")
    assert.equal(csock.errno.EBADF, errno)
    assert.match("0 descriptors were handed over, and none is '0'", tostring(err))
  end)

  it("has a family, and an index or a name", function()
    local function read(text)
      return function() endpoints.serverFromString(proto_helpers.MemoryReactor(), text) end
    end
    assert.error_matches(read "systemd:index=0", "systemd: missing 1 required positional argument: 'domain'")
    assert.error_matches(read "systemd:NOTHING:0", "systemd: there is no family AF_NOTHING")
    assert.error_matches(read "systemd:INET", "systemd: specify one of 'index' and 'name'")
    assert.error_matches(read "systemd:INET:0:web", "systemd: specify one of 'index' and 'name'")
  end)
end)

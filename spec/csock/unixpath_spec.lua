-- csock.unixpath: a path that a dead server has left behind goes, another one's stays.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local socketserver = require "csock.socketserver"
local unixpath = require "csock.unixpath"

local dir, path

before_each(function()
  dir = assert(posix.mkdtemp())
  path = dir .. "/socket"
end)

after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
end)

local function bound(kind)
  local socket = keep(assert(csock.socket(csock.AF_UNIX, kind or csock.SOCK_STREAM)))
  assert(socket:bind(path))
  return socket
end

local function leave(kind) bound(kind):close() end

local function answers()
  local socket <close> = assert(csock.socket(csock.AF_UNIX, csock.SOCK_STREAM))
  return socket:connect(path) == true
end

local function names()
  local list <close> = assert(io.popen("ls -A '" .. dir .. "'"))
  return list:read "a"
end

describe("remove_dead", function()
  it("removes what a socket of any kind has left, and leaves nothing else there", function()
    for _, kind in ipairs { csock.SOCK_STREAM, csock.SOCK_DGRAM, csock.SOCK_SEQPACKET } do
      leave(kind)
      assert.is_true(unixpath.remove_dead(path))
      assert.equal("", names())
    end
  end)

  it("leaves a socket that somebody has, also before it listens", function()
    local socket = bound()
    assert.is_false(unixpath.remove_dead(path))
    assert(socket:listen(1))
    assert.is_false(unixpath.remove_dead(path))
    assert.equal("socket\n", names())
    assert.is_true(answers())
  end)

  it("gives the path back to a server that has taken it just before it would go", function()
    local real = { rename = os.rename, remove = os.remove }
    finally(function() rawset(os, "rename", real.rename) rawset(os, "remove", real.remove) end)
    local function take(f)
      return function(...)
        rawset(os, "rename", real.rename)
        rawset(os, "remove", real.remove)
        assert(os.remove(path))
        assert(bound():listen(1))
        return f(...)
      end
    end
    leave()
    rawset(os, "rename", take(real.rename))
    rawset(os, "remove", take(real.remove))
    assert.is_false(unixpath.remove_dead(path))
    assert.equal("socket\n", names())
    assert.is_true(answers())
  end)
end)

describe("the mode of a Unix server", function()
  local function mode_of()
    local list <close> = assert(io.popen("ls -l '" .. path .. "'"))
    return list:read "a":match "^s(%S%S%S%S%S%S%S%S%S)"
  end

  it("says who may connect, whatever the umask", function()
    local umask = csock.umask(18)
    finally(function() csock.umask(umask) end)
    for mode, expected in pairs { ["660"] = "rw-rw----", ["0777"] = "rwxrwxrwx", [384] = "rw-------" } do
      local server <close> = assert(socketserver.UnixStreamServer(path, print, { mode = mode }))
      assert.equal(path, server.server_address)
      assert.equal(expected, mode_of())
      assert.equal(18, csock.umask(18))
    end
    leave()
    local server <close> = assert(socketserver.UnixDatagramServer(path, print, { mode = "600" }))
    assert.equal(path, server.server_address)
    assert.equal("rw-------", mode_of())
  end)

  it("is what the umask leaves when it is not given", function()
    local umask = csock.umask(63)
    finally(function() csock.umask(umask) end)
    local server <close> = assert(socketserver.UnixStreamServer(path, print))
    assert.equal(path, server.server_address)
    assert.equal("rwx------", mode_of())
  end)

  it("raises for what is none", function()
    for _, bad in ipairs { "680", "rw", -1, 512, 1.5, true } do
      local ok, err = pcall(function() return socketserver.UnixStreamServer(path, print, { mode = bad }) end)
      assert.is_false(ok)
      assert.matches("^spec/csock/unixpath_spec.lua:%d+: bad argument #3 to 'UnixStreamServer' %(mode: mode", err)
    end
  end)
end)

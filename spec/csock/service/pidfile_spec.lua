-- PID files: one process at a time has one, and none is left.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local service = require "csock.service"
local tree = require "spec.support.tree"

local E = csock.errno

local dir, path
before_each(function()
  dir = assert(posix.mkdtemp())
  path = dir .. "/pid"
end)
after_each(function()
  keep.close()
  os.execute("rm -rf '" .. dir .. "'")
end)

local function holder(code)
  return keep(process.lua { "-e", ([[
    io.stdout:setvbuf "line"
    local csock, service = require "csock", require "csock.service"
    local file = assert(service.pidfile %q)
    print "has it"
    %s
    io.read()
  ]]):format(path, code or "") })
end

local function exists()
  local file = io.open(path)
  return file ~= nil and file:close()
end

describe("service.pidfile", function()
  it("says which process it is, until it is closed", function()
    local file = assert(service.pidfile(path))
    assert.equal(("%d\n"):format(csock.getpid()), tree.read(path))
    assert.matches(path, tostring(file), 1, true)
    assert.is_true(file:close())
    assert.is_false(exists())
    assert.is_true(file:close())
    do
      local again <close> = assert(service.pidfile(path))
      assert.is_true(again ~= nil and exists())
    end
    assert.is_false(exists())
  end)

  it("is had by one process at a time", function()
    local p = holder()
    p:expect "has it"
    local file, err, errno = service.pidfile(path)
    assert.is_nil(file)
    assert.equal(E.EBUSY, errno)
    assert.equal(("pidfile %s: process %d has it"):format(path, p.pid), tostring(err))
    p:close_stdin()
    assert.equal(0, p:wait())
    assert.is_false(exists())
  end)

  it("takes over what a dead process has left behind", function()
    local p = holder()
    p:expect "has it"
    p:signal "SIGKILL"
    assert.equal("signal 9", p:wait())
    assert.is_true(exists())
    local file <close> = assert(service.pidfile(path))
    assert.equal(("%d\n"):format(csock.getpid()), tree.read(file.path))
  end)

  it("does not become longer than what it says", function()
    local old <close> = assert(io.open(path, "w"))
    assert(old:write(("9"):rep(1000)))
    old:close()
    local file <close> = assert(service.pidfile(path))
    assert.equal(("%d\n"):format(csock.getpid()), tree.read(file.path))
  end)

  it("is not a child's: it neither holds nor removes it", function()
    local p = holder [[
      if csock.fork() == 0 then
        file:close()
        print "child"
        csock.sleep(60)
      end
    ]]
    p:expect "child"
    assert.is_true(exists())
    p:signal "SIGKILL"
    p:wait()
    local file <close> = assert(service.pidfile(path))
    assert.not_nil(file)
  end)

  it("leaves alone what is no file of its own", function()
    assert(os.execute(("ln -s '%s/elsewhere' '%s'"):format(dir, path)))
    assert.equal(E.ELOOP, (select(3, service.pidfile(path))))
    assert(os.execute(("rm '%s'; mkfifo '%s'"):format(path, path)))
    assert.equal(E.EINVAL, (select(3, service.pidfile(path))))
    assert.equal(E.EISDIR, (select(3, service.pidfile(dir))))
    local _, err, errno = service.pidfile(dir .. "/no/such/place")
    assert.equal(E.ENOENT, errno)
    assert.matches("/no/such/place", tostring(err), 1, true)
    assert.error_matches(function() service.pidfile "" end, "bad argument #1 to 'pidfile'")
  end)

  it("leaves no descriptor behind", function()
    local p = holder()
    p:expect "has it"
    local before = posix.fds()
    for _ = 1, 3 do assert.is_nil((service.pidfile(path))) end
    assert.same(before, posix.fds())
  end)
end)

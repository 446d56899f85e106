-- csock.testing: runs that end, and leave nothing behind.
local csock = require "csock"
local keep = require "spec.support.keep"
local loop = require "csock.loop"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local testing = require "csock.testing"

-- Where a function with a marked line is, as lists of sockets and tasks have it.
local function here(offset)
  local info = debug.getinfo(2, "Sl")
  return ("%s:%d"):format(info.short_src, info.currentline + offset)
end

local function failure(f, options)
  local ok, err = pcall(testing.run, f, options)
  assert.is_false(ok)
  return err
end

describe("a run", function()
  after_each(keep.close)

  it("is a task's, next to which others run", function()
    local got = testing.run(function()
      local a, b = keep(csock.socketpair())
      csock.spawn(b.sendall, b, "hello")
      assert.is_truthy(loop.current())
      return a:recv(10)
    end, { leaks = false })
    assert.equal("hello", got)
  end)

  it("gives all results", function()
    assert.same({ n = 3, 1, nil, 3 }, table.pack(testing.run(function() return 1, nil, 3 end)))
    assert.equal(0, select("#", testing.run(function() end)))
  end)

  it("raises an error with where it came from", function()
    local function fails() error "what went wrong" end
    local err = failure(function() fails() end)
    assert.matches("run_spec.lua:%d+: what went wrong\nstack traceback:.*in upvalue 'fails'", err)
  end)

  it("raises an error that is no text as it is", function()
    local value = {}
    assert.equal(value, failure(function() error(value) end))
  end)

  it("is over in time, and says what it waited for", function()
    local a = keep(csock.socketpair())
    local began = csock.now()
    local place = here(1)
    local err = failure(function() a:recv(1) end, { limit = 0.05 })
    assert.is_true(csock.now() - began < 5)
    assert.matches("it takes longer than 0.05 s", err, 1, true)
    assert.matches("in method 'recv'", err, 1, true)
    assert.matches(place, err, 1, true)
  end)

  it("is over in real time, whatever a virtual clock shows", function()
    local err = failure(function()
      while true do csock.sleep(1) end
    end, { limit = 0.05, virtual_time = true })
    assert.matches("it takes longer than 0.05 s", err, 1, true)
    testing.run(function() csock.sleep(3600) end, { limit = 60, virtual_time = true })
  end)

  it("is over at once when it waits for what cannot happen", function()
    local err = failure(function() loop.event():wait() end, { limit = false })
    assert.matches("it waits for what cannot happen any more", err, 1, true)
  end)

  it("fails where a socket is left open, and names the line that has made it", function()
    local place, s = here(1), nil
    local err = failure(function() s = csock.create_server { "127.0.0.1", 0 } end)
    assert.matches("left behind:\n  <csock.socket fd=", err, 1, true)
    assert.matches("made at " .. place, err, 1, true)
    assert.equal(-1, s:fileno())
  end)

  it("fails where a task is left, and names the line that has made it", function()
    local place, task = here(2), nil
    local err = failure(function()
      task = csock.spawn(function() csock.sleep(3600) end)
      csock.sleep(0)
    end)
    assert.matches("made at " .. place, err, 1, true)
    assert.matches("waiting in sleep at " .. place, err, 1, true)
    assert.equal("cancelled", task:status())
  end)

  it("names each server, connection and task that is left", function()
    local err = failure(function()
      local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn) conn:recv(1) end))
      local s = assert(csock.create_connection(server:getsockname()))
      assert(s:sendall "xx")
    end)
    assert.equal(2, select(2, err:gsub("<csock.socket", "")))
    assert.equal(1, select(2, err:gsub("<csock.task", "")))
  end)

  it("lets what is about to end do so", function()
    testing.run(function()
      local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn) conn:recv(1) end))
      local _ <close> = assert(csock.create_connection(server:getsockname()))
      csock.sleep(0)
      local a <close> = csock.socket()
      local b = assert(csock.socket())
      csock.spawn(function() csock.sleep(0.01) b:close() end)
      assert.is_truthy(a)
    end)
  end)

  it("takes no offence at what was there before, nor at daemons", function()
    local task <close> = csock.spawn(csock.sleep, 3600)
    local a = keep(csock.socketpair())
    local daemon
    testing.run(function()
      daemon = csock.spawn(csock.sleep, 3600):daemon()
      a:send "x"
      csock.sleep(0)
    end)
    assert.equal("waiting", daemon:status())
    daemon:cancel()
    assert.equal("waiting", task:status())
    assert.is_true(a:fileno() >= 0)
  end)

  it("leaves to the collector what only a stream that nobody has keeps open", function()
    testing.run(function()
      local a <close> = assert(csock.socket())
      a:makefile()
    end)
    local stream
    local err = failure(function()
      local a <close> = assert(csock.socket())
      stream = a:makefile()
    end)
    assert.matches("left behind:\n  <csock.socket [closed] fd=-1", err, 1, true)
    stream:close()
  end)

  it("may leave something behind where that is said", function()
    local s
    testing.run(function() s = csock.socket() end, { leaks = false })
    assert.equal(-1, s:fileno())
  end)

  it("leaves the list of sockets as it was", function()
    for _, debug in ipairs { true, false } do
      local before = csock.debug(debug)
      pcall(testing.run, error)
      assert.equal(debug, csock.debug(before))
    end
  end)

  it("tells of its own error before that of what is left", function()
    local s
    local err = failure(function()
      s = csock.socket()
      error("the cause", 0)
    end)
    assert.matches("^the cause\n", err)
    assert.equal(-1, s:fileno())
  end)

  it("is refused in a task", function()
    local ok, err = pcall(csock.run, function() testing.run(print) end)
    assert.is_false(ok)
    assert.matches("run: in a task already", err, 1, true)
  end)

  it("has a network where it is told to", function()
    local port = testing.run(function(net)
      assert.equal("198.18.0.1", net:host "example.org")
      local listener <close> = assert(csock.create_server { "", 80 })
      local s <close> = assert(csock.create_connection { "example.org", 80 })
      local conn <close> = assert(listener:accept())
      return conn and s:getpeername().port
    end, { network = { hosts = { "example.org" } } })
    assert.equal(80, port)
    assert.is_nil(csock.socket().bound)
  end)

  it("refuses options that it does not know", function()
    assert.error_matches(function() testing.run(print, { limits = 1 }) end, "unknown option 'limits'")
    assert.error_matches(function() testing.run(1) end, "bad argument #1 to 'run'")
  end)
end)

describe("busted's functions", function()
  it("are wrapped: each spec is such a run", function()
    local said = {}
    local function own(name, f)
      said[#said + 1] = name
      if f then f() end
    end
    local it = testing.it(own, { limit = 5 })
    it("waits", function() said[#said + 1] = loop.current() ~= nil end)
    it "is pending"
    assert.same({ "waits", true, "is pending" }, said)
    assert.error_matches(function() it("leaks", function() csock.socket() end) end, "left behind")
  end)

  it("are wrapped once: other options take the place of those before", function()
    local function own(_, f) f() end
    local it = testing.it(testing.it(own), { virtual_time = true })
    it("waits", function() csock.sleep(3600) end)
    assert.error_matches(function() testing.it() end, "bad argument #1 to 'it'")
  end)

  it("tell where an error value was raised", function()
    local it = testing.it(function(_, f) f() end)
    local line = here(1)
    local ok, err = pcall(it, "fails", function() assert(csock.create_connection { "127.0.0.1", 1 }) end)
    assert.is_false(ok)
    assert.matches("^" .. line:gsub("%p", "%%%0") .. ": create_connection .*ECONNREFUSED", err.message)
  end)

  it("do so in busted itself", function()
    local dir = assert(posix.mkdtemp())
    local path = dir .. "/some_spec.lua"
    local file <close> = assert(io.open(path, "w"))
    assert(file:write [[
      local csock = require "csock"
      require "csock.testing".busted(_ENV, { virtual_time = true })
      describe("a file of specs", function()
        it("waits", function() csock.sleep(3600) end)
        it("leaks", function() csock.socket() end)
        it("is pending", function() pending "for a reason" end)
        it("fails", function() assert.equal(1, 2) end)
      end)
    ]])
    file:close()
    local status, out, err = process.run {
      process.interpreter, "spec/support/run.lua", "--output=TAP", path,
    }
    os.execute("rm -r '" .. dir .. "'")
    assert.equal("", err)
    assert.equal(1, status)
    assert.matches("ok %d %- a file of specs waits", out)
    assert.matches("not ok %d %- a file of specs leaks", out)
    assert.matches("left behind:", out)
    assert.matches("ok %d %- # SKIP.*for a reason", out)
    assert.matches("not ok %d %- a file of specs fails", out)
    assert.matches("Expected objects to be equal", out)
  end)
end)

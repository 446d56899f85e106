-- Descriptors that csock did not make: their numbers are their owners' to close and to give to others.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local streams = require "spec.support.streams"

local function settle()
  for _ = 1, 3 do csock.yield() end
end

-- A pipe with a stream over its reading end, which has waited there in a task: the descriptor, the stream, the
-- writing end.
local function waited_stream()
  local r, w = posix.pipe()
  local stream = assert(csock.stream(r, "r", { closefd = false }))
  local task = csock.spawn(stream.read, stream, "l")
  settle()
  posix.write(w, "line\n")
  assert.equal("line", task:join(5))
  return r, stream, w
end

describe("a stream over somebody else's descriptor", function()
  after_each(streams.close_all)

  local endings = {
    ["is closed"] = function(stream) stream:close() end,
    ["is collected"] = function() end,
  }
  for how, finish in pairs(endings) do
    it("takes nothing from whoever has the number next, when it " .. how, function()
      csock.run(function()
        local number, stream, w = waited_stream()
        posix.close(number)
        local a, b = streams.pair()
        assert.equal(number, math.min(a:fileno(), b:fileno()))
        if b:fileno() == number then a, b = b, a end
        local reader = csock.spawn(a.recv, a, 100)
        settle()
        finish(stream)
        stream = nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
        b:send "hello"
        assert.equal("hello", (assert(reader:join(5))))
        assert.equal(2, a:send "on") -- and in the other direction
        assert.equal("on", b:recv(100))
        posix.close(w)
      end)
    end)

    it("keeps no copy of it when it " .. how, function()
      csock.run(function()
        collectgarbage()
        local before = posix.fds()
        local number, stream, w = waited_stream()
        posix.close(number)
        posix.close(w)
        finish(stream)
        stream = nil -- luacheck: ignore
        collectgarbage()
        collectgarbage()
        assert.same(before, posix.fds())
      end)
    end)

    it("tells nobody who waits for the descriptor that it is closed, when it " .. how, function()
      csock.run(function()
        local r, w = posix.pipe()
        local chooser = csock.spawn(csock.select, { r })
        settle()
        finish(assert(csock.stream(r, "r", { closefd = false })))
        collectgarbage()
        collectgarbage()
        settle()
        assert.equal("waiting", chooser:status())
        posix.write(w, "x")
        assert.same({ r }, (assert(chooser:join(5))))
        posix.close(r)
        posix.close(w)
      end)
    end)
  end

  it("says so when the owner has closed that", function()
    csock.run(function()
      local r, w = posix.pipe()
      local stream = streams.keep(assert(csock.stream(r, "r", { closefd = false })))
      local reader = csock.spawn(stream.read, stream, "a")
      settle()
      posix.close(r)
      posix.write(w, "rest")
      posix.close(w)
      local data, err = reader:join(5)
      assert.is_nil(data)
      assert.equal("EBADF", err.name)
    end)
  end)
end)

describe("a socket whose number somebody closes", function()
  it("is gone when it is collected, also for a poller that goes on to report the file", function()
    local status, out, err = process.run({ process.interpreter, "-e", [[
      local csock = require "csock"
      csock.run(function()
        local a, b = csock.socketpair()
        local copy <close> = csock.fromfd(a) -- the file stays open
        a:settimeout(0.001)
        a:recv(1) -- it is in the poller now
        csock.close(a:fileno())
        a = nil
        collectgarbage()
        for _ = 1, 2 do
          b:send "x"
          csock.sleep(0.001)
        end
        print(copy:recv(2))
      end)
    ]] }, { env = { MALLOC_PERTURB_ = "165" } }) -- memory that is free has no old values
    assert.same({ 0, "xx\n", "" }, { status, out, err })
  end)
end)

describe("a socket that gives its descriptor away", function()
  after_each(streams.close_all)

  it("does not end the wait of those who select the number", function()
    csock.run(function()
      local a, b = streams.pair()
      local number = a:fileno()
      local chooser = csock.spawn(csock.select, { number })
      settle()
      assert.equal(number, a:detach())
      settle()
      assert.equal("waiting", chooser:status())
      b:send "x"
      assert.same({ number }, (assert(chooser:join(5))))
      posix.close(number)
    end)
  end)
end)

-- Programs with several Lua states, in one thread and in several.
local host = require "spec.support.host"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"

local USR1 = posix.SIGUSR1

local function states(n)
  local list = {}
  for i = 1, n do list[i] = keep(host()) end
  return table.unpack(list)
end

after_each(keep.close)

describe("states in threads of their own", function()
  it("serve, connect and look up names side by side", function()
    local before = posix.fds()
    local list = { states(4) }
    for _, state in ipairs(list) do
      state:start [[
        local csock = require "csock"
        local answers = 0
        csock.run(function()
          local server <close> = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
            for data in function() return assert(conn:recv(100)) end do
              if data == "" then return end
              assert(conn:sendall(data))
            end
          end))
          local group <close> = csock.loop.group()
          for _ = 1, 10 do
            group:spawn(function()
              local s <close> = assert(csock.create_connection("localhost", server:getsockname().port))
              for i = 1, 20 do
                assert(s:sendall(tostring(i)))
                assert(s:recv(10) == tostring(i))
                answers = answers + 1
              end
            end)
          end
        end)
        return answers
      ]]
    end
    for _, state in ipairs(list) do
      assert.equal("200", state:join())
      state:close()
    end
    assert.same(before, posix.fds())
  end)
end)

describe("a state that is closed", function()
  it("leaves no descriptor behind, with tasks that wait on two objects over one descriptor", function()
    local before = posix.fds()
    local state <close> = host()
    state:run [[
      local csock = require "csock"
      local a, b = csock.socketpair()
      local stream = csock.stream(a:fileno(), "r", { closefd = false })
      local l = csock.create_server { "127.0.0.1", 0 }
      for _, f in ipairs {
        function() a:recv(1) end,
        function() stream:read(1) end,
        function() l:accept() end,
        function() csock.select({ a, b }, {}, {}) end,
      } do csock.spawn(f) end
      csock.loop.step()
      csock.loop.step()
    ]]
    assert.is_true(#posix.fds() >= #before + 4)
    state:close()
    assert.same(before, posix.fds())
  end)
end)

describe("on_signal in several states", function()
  local CATCH = [[
    csock = require "csock"
    got = 0
    csock.loop.on_signal("SIGUSR1", function() got = got + 1 end)
  ]]
  local COUNT = "csock.loop.step(0.01) csock.loop.step() return got"

  -- What SIGUSR1 does when no state catches it: it is counted.
  local seen
  before_each(function()
    posix.signal(USR1, "count")
    seen = posix.signals_seen()
  end)
  after_each(function() posix.signal(USR1, "default") end)

  local function send() posix.kill(posix.getpid(), USR1) end

  it("is the last one's that asked for it", function()
    local first, second = states(2)
    first:run(CATCH)
    second:run(CATCH)
    send()
    assert.equal("0", first:run(COUNT))
    assert.equal("1", second:run(COUNT))
    first:run(CATCH)
    send()
    assert.equal("1", first:run(COUNT))
    assert.equal("1", second:run(COUNT))
    assert.equal(seen, posix.signals_seen())
  end)

  it("goes back to the one before when the last one lets it go, or is closed", function()
    local first, second, third = states(3)
    for _, state in ipairs { first, second, third } do state:run(CATCH) end
    third:close()
    send()
    assert.equal("1", second:run(COUNT))
    second:run 'csock.loop.on_signal("SIGUSR1", nil)'
    send()
    assert.equal("1", second:run(COUNT))
    assert.equal("1", first:run(COUNT))
    first:run 'csock.loop.on_signal("SIGUSR1", nil)'
    send()
    assert.equal("1", first:run(COUNT))
    assert.equal(seen + 1, posix.signals_seen())
  end)

  it("goes back to what was there at first, in whatever order they are closed", function()
    for _, order in ipairs { { 1, 2, 3 }, { 2, 1, 3 }, { 3, 1, 2 }, { 2, 3, 1 } } do
      local list = { states(3) }
      for _, state in ipairs(list) do state:run(CATCH) end
      for _, i in ipairs(order) do list[i]:close() end
      send()
      seen = seen + 1
      assert.equal(seen, posix.signals_seen())
    end
  end)
end)

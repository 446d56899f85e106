-- A task's wait for one of several descriptors.
local csock = require "csock"
local scale = require "spec.support.scale"
local streams = require "spec.support.streams"

describe("a wait for one of several", function()
  after_each(streams.close_all)

  -- Seen by valgrind and AddressSanitizer: what the wait looks at is freed with the coroutine.
  it("may be in a coroutine that is closed and collected, and others close what they like", function()
    local a = streams.pair()
    local inner = coroutine.create(csock.select)
    local task = csock.spawn(function() csock.resume(inner, { a }) end)
    csock.loop.step()
    coroutine.close(inner)
    inner = nil -- luacheck: ignore
    csock.socket() -- a younger one: its finalizer runs first
    collectgarbage()
    csock.loop.step()
    local b <close> = csock.socket()
    assert.is_true(b:close())
    a:close()
    task:cancel()
  end)

  for what, f in pairs {
    ["its task's"] = function(wait) wait() end,
    ["one inside its task"] = function(wait) csock.wrap(wait)() end,
  } do
    it("is over with its coroutine, which somebody closes: " .. what, function()
      local a = streams.pair()
      local co
      local task = csock.spawn(f, function()
        co = coroutine.running()
        csock.select({ a })
      end):watch()
      csock.loop.step()
      assert.is_true(coroutine.close(co))
      co = nil -- luacheck: ignore
      collectgarbage()
      collectgarbage()
      assert(task:join(5) == nil)
    end)
  end

  it("is forgotten when its coroutine is closed, and the task waits for something else", function()
    local a, b = streams.pair()
    local c, d = streams.pair()
    local inner, ok, data
    csock.run(function()
      local task = csock.spawn(function()
        pcall(csock.wrap(function()
          inner = coroutine.running()
          csock.select({ a })
        end))
        ok, data = pcall(c.recv, c, 5)
      end)
      csock.yield()
      coroutine.close(inner)
      b:send "x"
      csock.sleep(0.001)
      d:send "hello"
      task:join()
    end)
    assert.same({ true, "hello" }, { ok, data })
  end)

  it("costs no more to end where many others wait", function()
    if csock.loop.backend() == "poll" then return pending "poll(2) itself looks at each" end
    local a, b = streams.pair()
    local quiet = {}
    for i = 1, 300, 2 do quiet[i], quiet[i + 1] = streams.pair() end

    -- 200 waits, each of which is ended by an event, where so many others go on.
    local function cost_among(others)
      local cost
      csock.run(function()
        local tasks = {}
        for i = 1, others do tasks[i] = csock.spawn(csock.select, quiet) end
        csock.yield()
        cost = scale.cost(200, function()
          local task = csock.spawn(csock.select, { a, quiet[1] })
          csock.yield()
          b:send "x"
          task:join()
          a:recv(1)
        end)
        for _, task in ipairs(tasks) do task:cancel() end
      end)
      return cost
    end

    scale.assert_within(2.5, function() return cost_among(200), cost_among(1) end)
  end)
end)

-- csock.redis with a real server.
local csock = require "csock"
local redis = require "csock.redis"
local redis_server = require "spec.support.redis"
local keep = require "spec.support.keep"
local loop = csock.loop

local in_task, eventually = redis_server.in_task, redis_server.eventually

local test = redis_server.available and it or function(name)
  it(name, function() pending "there is no redis-server here" end)
end

describe("a real redis-server", function()
  local server
  setup(function() if redis_server.available then server = redis_server.start() end end)
  teardown(redis_server.stop_all)
  after_each(keep.close)

  for protocol = 2, 3 do
    for how, run in pairs { ["outside of tasks"] = function(f) f() end, ["in a task"] = in_task } do
      local function client(options)
        options = options or {}
        options.protocol = protocol
        return keep(redis.connect(server.url, options))
      end
      local where = (" (RESP%d, %s)"):format(protocol, how)

      test("keeps what it is given" .. where, function()
        run(function()
          local r = client()
          assert(r:call "FLUSHALL")
          assert.equal("OK", r:call("SET", "key", "a\r\n\0\255"))
          assert.equal("a\r\n\0\255", r:call("GET", "key"))
          assert.equal(1, select("#", r:call("GET", "none")))
          assert.equal(7, r:call("INCRBY", "n", 7))
          assert.equal(2, r:call("RPUSH", "list", "x", "y"))
          assert.same({ "x", "y" }, r:call("LRANGE", "list", 0, -1))
          assert.same({ "7", redis.null }, r:call("MGET", "n", "none"))
          assert.equal("WRONGTYPE", select(2, r:call("LPUSH", "key", 1)).name)
          assert.equal("ERR", select(2, r:call "NONSENSE").name)
          assert(r:call("HSET", "hash", "field", "value"))
          local hash = protocol == 2 and { "field", "value" } or { field = "value" }
          assert.same(hash, r:call("HGETALL", "hash"))
          assert(r:call("ZADD", "z", 1.5, "m"))
          assert.equal(protocol == 2 and "1.5" or 1.5, r:call("ZSCORE", "z", "m"))
          local big = ("x"):rep(1000000)
          assert.same({ "OK", 1000000 }, r:pipeline { { "SET", "big", big }, { "STRLEN", "big" } })
          assert.equal(big, r:call("GET", "big"))
        end)
      end)

      test("does a transaction in one pipeline" .. where, function()
        run(function()
          local replies = client():pipeline {
            { "MULTI" }, { "SET", "n", 1 }, { "INCR", "n" }, { "LPUSH", "n", 1 }, { "EXEC" },
          }
          assert.equal(5, #replies)
          assert.equal("OK", replies[5][1])
          assert.equal(2, replies[5][2])
          assert.equal("WRONGTYPE", replies[5][3].name)
        end)
      end)

      test("passes messages on" .. where, function()
        run(function()
          local r = client()
          local s = assert(r:subscribe("news", "sport"))
          assert(s:psubscribe "w*")
          assert.equal(1, r:call("PUBLISH", "news", "one"))
          assert.equal(1, r:call("PUBLISH", "weather", "two"))
          assert.same({ "one", "news" }, { s:get(5) })
          assert.same({ "two", "weather", "w*" }, { s:get(5) })
          assert(s:unsubscribe "news")
          assert(s:punsubscribe())
          eventually("unsubscribed", function() return r:call("PUBLISH", "news", "x") == 0 end)
          s:close()
        end)
      end)

      test("chooses a database" .. where, function()
        run(function()
          local r = client()
          assert(r:call("SET", "where", "0"))
          assert.is_true(r:select(1))
          assert.is_nil(r:call("GET", "where"))
          assert(r:call("CLIENT", "KILL", "SKIPME", "no"))
          eventually("the same database", function()
            local value, err = r:call("GET", "where")
            assert.is_nil(value)
            return err == nil
          end)
          assert.equal("ERR", select(2, r:select(99)).name)
        end)
      end)
    end
  end

  test("stopped and started again is found again by calls and subscriptions", function()
    in_task(function()
      local own = redis_server.start()
      local r = keep(redis.connect(own.url, { delay = 0.01, max_delay = 0.05 }))
      local told = {}
      local s = assert(r:subscribe("news", {
        lost = function() told[#told + 1] = "lost" end,
        ready = function() told[#told + 1] = "ready" end,
      }))
      own:stop()
      eventually("lost", function() return told[2] == "lost" end)
      local reply, err = r:call "PING"
      assert.is_nil(reply)
      assert.equal("ECONNREFUSED", err.name)
      own:restart()
      eventually("ready", function() return told[3] == "ready" end)
      assert.equal("PONG", r:call "PING")
      assert.equal(1, r:call("PUBLISH", "news", "again"))
      assert.equal("again", s:get(5))
      s:close()
      own:stop()
    end)
  end)

  test("wants its password", function()
    local own = redis_server.start { "--requirepass", "secret" }
    in_task(function()
      local r = keep(redis.client(own.url))
      assert.equal("NOAUTH", select(2, r:call "PING").name)
      assert.equal("WRONGPASS", select(2, r:auth "wrong").name)
      assert.is_true(r:auth "secret")
      assert.equal("PONG", r:call "PING")
      local s = assert(r:subscribe "c") -- which knows it too
      s:close()
      assert(redis.connect((own.url:gsub("//", "//:secret@")), { protocol = 3 })):close()
    end)
  end)

  test("serves many tasks through one client", function()
    in_task(function()
      local r = keep(redis.connect(server.url))
      assert(r:call("DEL", "count"))
      do
        local group <close> = loop.group()
        for i = 1, 100 do
          group:spawn(function()
            for k = 1, 10 do
              assert(r:call("INCR", "count"))
              assert.equal(("%d %d"):format(i, k), r:call("ECHO", ("%d %d"):format(i, k)))
            end
          end)
        end
      end
      assert.equal("1000", r:call("GET", "count"))
    end)
  end)
end)

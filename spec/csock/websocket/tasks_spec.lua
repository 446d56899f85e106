-- csock.websocket: several tasks with one WebSocket.
local csock = require "csock"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local websocket = require "csock.websocket"
local ws = require "spec.support.websockets"

local LIMIT = ws.LIMIT

local function connect(server, options)
  options = options or {}
  options.timeout, options.proxies = LIMIT, false
  return keep(assert(websocket.connect(server.url, options)))
end

describe("several tasks of a client", function()
  after_each(keep.close)

  it("may send, receive, ping and close at the same time", function()
    local server = ws.start "serve_ws(echo) csock.run()"
    streams.in_task(function()
      local c = connect(server)
      local got = 0
      local receiver = csock.spawn(function()
        for _ in c:messages() do got = got + 1 end
        return c.close_code
      end)
      local group = csock.loop.group()
      for _ = 1, 5 do
        group:spawn(function()
          for _ = 1, 20 do assert(c:send "x") end
          assert(c:ping())
        end)
      end
      group:join()
      assert(c:ping(nil, LIMIT))
      assert.equal(100, got)
      assert.is_true(c:close(1000, "", LIMIT))
      assert.equal(1000, receiver:join(LIMIT))
    end)
  end)

  it("get messages that come while another one waits for a pong", function()
    streams.in_task(function()
      local server = ws.start [[
        serve_ws(function(ws)
          local first = ws:recv()
          csock.spawn(function() csock.sleep(0.05) ws:send(first) end)
          csock.sleep(0.2) -- the ping has to wait
          echo(ws)
        end)
        csock.run()
      ]]
      local c = connect(server)
      c:send "early"
      local pinger = csock.spawn(function() return c:ping(nil, LIMIT) end)
      csock.sleep(0)
      assert.equal("early", c:recv(LIMIT))
      assert.is_truthy(pinger:join(LIMIT))
    end)
  end)

  it("may ping with the same words", function()
    local server = ws.start "serve_ws(echo) csock.run()"
    streams.in_task(function()
      local c = connect(server)
      local pings = {}
      for i = 1, 3 do pings[i] = csock.spawn(function() return c:ping("x", LIMIT) end) end
      for i = 1, 3 do assert.is_number((assert(pings[i]:join(LIMIT)))) end
      assert.is_number(c:ping("x", LIMIT))
    end)
  end)

  it("get all that came before a pong, and the ping fails where that is very much", function()
    local server = ws.start [[
      serve_ws(function(ws)
        for i = 1, 100 do assert(ws:send(i % 2 == 0 and "" or "odd")) end
        echo(ws)
      end)
      csock.run()
    ]]
    streams.in_task(function()
      local c = connect(server, { max_message = 1000 })
      local ok, err = c:ping(nil, LIMIT)
      assert.same({ nil, "QueueFull" }, { ok, err.name })
      for i = 1, 100 do assert.equal(i % 2 == 0 and "" or "odd", (c:recv(LIMIT))) end
      assert.is_number(c:ping(nil, LIMIT))
    end)
  end)

  it("are told when it is closed under them", function()
    local server = ws.start "serve_ws(echo) csock.run()"
    streams.in_task(function()
      local c = connect(server)
      local waiting = csock.spawn(function() return c:recv() end)
      csock.sleep(0)
      assert.is_true(c:close())
      local message, err = waiting:join(LIMIT)
      assert.same({ nil, "ConnectionClosedOK" }, { message, err.name })
    end)
  end)

  it("end the connection when they are cancelled", function()
    local server = ws.start "serve_ws(function(ws) echo(ws) print('code', ws.close_code) end) csock.run()"
    streams.in_task(function()
      local task = csock.spawn(function()
        local c <close> = connect(server)
        c:recv()
      end)
      repeat csock.sleep(0.01) until task:status() == "waiting" or task:status() ~= "ready"
      csock.sleep(0.05)
      task:cancel()
    end)
    server:expect("code\t1%d%d%d\n", LIMIT)
  end)
end)

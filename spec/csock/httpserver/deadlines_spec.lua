-- Clients that take their time, on each backend: the server, alone in its process, goes on for the others.
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local slowness = require "spec.support.process".slowness

local get, dial, read_answer = httpd.get, httpd.dial, httpd.read_answer

local SERVER = [[
  serve(function(request)
    if request.path == "/read" then return 200, nil, tostring(#assert(request.body:read "a")) end
    if request.path == "/bytes" then
      repeat
        local byte, err = request.body:read(1)
        if err then error(err, 0) end
      until not byte
      return 200
    end
    if request.path == "/big" then return 200, nil, ("x"):rep(1 << 26) end
    if request.path == "/endless" then return 200, nil, function() return ("x"):rep(1 << 16) end end
    if request.path == "/events" then
      local n = 0
      return 200, { ["Content-Type"] = "text/event-stream" }, function()
        n = n + 1
        if n > 3 then return end
        if n > 1 then csock.sleep(0.3) end
        return httpserver.event{ data = tostring(n) }
      end
    end
    return 200, nil, "quick"
  end, { header_timeout = 0.5, idle_timeout = 0.5, body_timeout = 0.4, send_timeout = %s, minimum_rate = 1000,
         max_body = 1 << 24, onerror = function(err) print("told", err) end,
         access_log = function(line) print(line) end })
  csock.run()
]]

for _, backend in ipairs { "epoll", "poll" } do
  describe("on " .. backend, function()
    local server
    setup(function() server = httpd.start(SERVER:format(0.4 * slowness), { backend = backend }) end)
    teardown(keep.close)

    it("a head that does not end gets 408, however it dribbles", function()
      local slow = dial(server)
      local began = csock.now()
      slow:sendall "GET / HTTP/1.1\r\nHost: a\r\nX: "
      slow:settimeout(0.05)
      local answer
      repeat
        slow:send "y"
        answer = slow:recv(1000)
      until answer or csock.now() - began > httpd.LIMIT
      assert.matches("^HTTP/1.1 408 Request Timeout\r\n", answer)
      server:expect '"%-" 408 '
    end)

    it("connections that say nothing are closed, before the first request and after it", function()
      local idle = dial(server)
      assert.equal("", httpd.rest(idle))
      local stream = keep(dial(server):makefile "rw")
      stream:write("GET / HTTP/1.1\r\nHost: a\r\n\r\n"):flush()
      assert.equal("quick", select(3, read_answer(stream)))
      assert.is_nil(stream:read(1))
    end)

    it("a body that does not come, or dribbles, gets 408", function()
      for _, path in ipairs { "/read", "/bytes" } do
        local slow = dial(server)
        slow:sendall("POST " .. path .. " HTTP/1.1\r\nHost: a\r\nContent-Length: 100000\r\n\r\nabc")
        slow:settimeout(0.01)
        local answer
        local began = csock.now()
        repeat
          slow:send "x"
          answer = slow:recv(1000)
        until answer or csock.now() - began > httpd.LIMIT
        assert.matches("^HTTP/1.1 408 ", answer)
      end
    end)

    it("a body that goes on may take longer", function()
      local fair = dial(server)
      fair:sendall "POST /read HTTP/1.1\r\nHost: a\r\nContent-Length: 12000\r\n\r\n"
      for _ = 1, 12 do
        csock.sleep(0.1)
        fair:sendall(("x"):rep(1000))
      end
      assert.equal("12000", select(3, read_answer(keep(fair:makefile()))))
    end)

    it("a client that takes nothing is given up, and one that takes enough is not", function()
      for _, path in ipairs { "/big", "/endless" } do
        local lazy = dial(server)
        lazy:sendall("GET " .. path .. " HTTP/1.1\r\nHost: a\r\n\r\n")
        server:expect('"GET ' .. path .. ' HTTP/1.1" 499 ')
      end
      local fair = dial(server)
      fair:sendall "GET /big HTTP/1.1\r\nHost: a\r\n\r\n"
      local stream = keep(fair:makefile())
      assert.equal("HTTP/1.1 200 OK", stream:read())
      for line in stream:lines() do if line == "" then break end end
      local got = 0
      while got < 1 << 26 do
        if got < 1 << 24 then csock.sleep(0.05) end
        got = got + #assert(stream:read(1 << 20))
      end
      assert.equal(1 << 26, got)
    end)

    it("events are sent as they come", function()
      local stream = keep(dial(server):makefile "rw")
      stream:write("GET /events HTTP/1.1\r\nHost: a\r\n\r\n"):flush()
      repeat until stream:read() == ""
      local began = csock.now()
      assert.equal("9", stream:read())
      assert.equal("data: 1", stream:read())
      assert.is_true(csock.now() - began < 0.3)
      assert.equal("data: 2", stream:read_until("data: 3"):match "data: 2")
      assert.matches("0\r\n\r\n$", stream:read_until "0\r\n\r\n" .. "0\r\n\r\n")
    end)

    it("many who dribble do not stop one who is quick", function()
      local slow = {}
      for i = 1, 300 do
        slow[i] = dial(server)
        slow[i]:sendall "GET / HT"
      end
      local longest = 0
      for round = 1, 20 do
        for i = round, 300, 20 do slow[i]:send "T" end
        local began = csock.now()
        assert.equal("quick", select(3, get(server, "/")))
        longest = math.max(longest, csock.now() - began)
      end
      assert.is_true(longest < 0.3 * slowness)
      for i = 1, 300 do
        assert.matches("^HTTP/1.1 40[08] ", httpd.rest(slow[i]))
        slow[i]:close()
      end
    end)
  end)
end

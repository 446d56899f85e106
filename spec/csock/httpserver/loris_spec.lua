-- Slow loris: thousands of connections on which a head comes byte by byte do not stop one who is quick.
local alone = require "spec.support.alone"
local csock = require "csock"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

-- So many as the system lets a process have, 5000 at most.
local function most()
  local pipe <close> = io.popen "ulimit -H -n"
  local limit = pipe:read "l"
  return math.min(5000 // process.slowness, (math.tointeger(tonumber(limit)) or 5100) - 100)
end

local SERVER = [[
  serve(function() return 200, nil, "quick" end, { header_timeout = %d })
  csock.run()
]]

-- Each connection sends a byte a second, until it is answered or closed; says how many got which answer.
local LORIS = [[
  local port, count = %d, %d
  local connected, ended, answers = 0, 0, {}
  local function dribble()
    local s <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 60 }))
    assert(s:sendall "GET / HTTP/1.1\r\nHost: a\r\nX: ")
    connected = connected + 1
    if connected == count then ready(connected) end
    s:settimeout(1)
    local answer, err, errno
    repeat
      s:send "y"
      answer, err, errno = s:recv(1000)
    until answer or errno ~= csock.errno.ETIMEDOUT
    local line = answer and answer:match "^[^\r]*" or err.name
    answers[line] = (answers[line] or 0) + 1
    ended = ended + 1
    if ended == count then
      for text, n in pairs(answers) do print(text, n) end
      print "over"
    end
  end
  for _ = 1, 50 do -- so many connect at the same time
    csock.spawn(function()
      for _ = 1, count // 50 do
        local before = connected
        csock.spawn(dribble)
        while connected == before do csock.sleep(0.001) end
      end
    end)
  end
  csock.run()
]]

for _, backend in ipairs { "epoll", "poll" } do
  describe("on " .. backend, function()
    after_each(keep.close)

    -- (poll(2) looks at each of them whenever one has something.)
    local count = (backend == "poll" and math.min(most(), 1000) or most()) // 50 * 50

    it(("%d who send a byte a second do not stop one who is quick, and are refused in time"):format(count), function()
      local limit = 4 * process.slowness
      local server = httpd.start(SERVER:format(limit), { backend = backend, descriptors = count + 50 })
      local slow = keep(alone.start(LORIS:format(server.port, count), { descriptors = count + 50 }))
      local began = csock.now()
      for _ = 1, 50 do assert.equal("quick", select(3, httpd.get(server, "/"))) end
      local took = csock.now() - began
      assert.is_true(took < limit, took) -- before the server has got rid of the slow ones
      slow:expect("HTTP/1.1 408 Request Timeout\t" .. count .. "\n", 4 * limit)
      slow:expect "over\n"
      assert.equal("quick", select(3, httpd.get(server, "/")))
    end)
  end)
end

-- The client csock: csock.lua PORT TASKS COUNT. A session in tasks; prints the microseconds of CPU for each request,
-- and how many there were in a second.
local csock = require "csock"
local http = require "csock.http"
local port, tasks, count = arg[1], tonumber(arg[2]), tonumber(arg[3])

local url = "http://127.0.0.1:" .. port .. "/"
local session = http.Session { max_idle = tasks }

local function run(total)
  local left = total
  for _ = 1, tasks do
    csock.spawn(function()
      while left > 0 do
        left = left - 1
        local answer = assert(session:get(url))
        assert(answer.status == 200 and #answer.body == 1024)
      end
    end)
  end
  csock.run()
end

run(count // 10)
local cpu, time = os.clock(), csock.now()
run(count)
cpu, time = os.clock() - cpu, csock.now() - time
print(cpu / count * 1e6, count / time)
os.exit(true, false)

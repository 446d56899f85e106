-- sampler.lua: once a second, and only while somebody looks, what the dashboard shows: lines of fields with tabs
-- between them. The first line has the sums, one that begins with `s` a socket, with `t` a task.
local csock = require "csock"
local internal = require "csock.loop.internal"
local state = require "csock.repl.state"
local loop = csock.loop

local EVERY, TICK = 1, 0.05 -- seconds
local MOST = 200            -- rows of each kind

local M = {}

local viewers, changed, latest = 0, internal.waiters(), ""
local worker, ticker
local late = 0 -- the worst of this second, in seconds

-- --- how late the loop is ---------------------------------------------------------------------------

local function tick()
  while viewers > 0 do
    local due = loop.now() + TICK
    loop.sleep(TICK)
    late = math.max(late, loop.now() - due)
  end
end

-- --- one sample -------------------------------------------------------------------------------------

local function clean(value) return (tostring(value):gsub("[%c]", " ")) end

local function line_of(...)
  local cells = table.pack(...)
  for i = 1, cells.n do cells[i] = cells[i] == nil and "" or clean(cells[i]) end
  return table.concat(cells, "\t")
end

-- The bytes that passed since the sample before, of each socket and of all, and how many sockets are new.
local function measure(rows, before)
  local sums = { received = 0, sent = 0, new = 0, last = before.last }
  for _, row in ipairs(rows) do
    local was = before[row.id]
    row.received_now = row.received - (was and was.received or 0)
    row.sent_now = row.sent - (was and was.sent or 0)
    sums.received, sums.sent = sums.received + row.received_now, sums.sent + row.sent_now
    if row.id > before.last then sums.new = sums.new + 1 end
    sums[row.id] = row
    sums.last = math.max(sums.last, row.id)
  end
  return sums
end

local function busiest_first(a, b)
  local rate_a, rate_b = a.received_now + a.sent_now, b.received_now + b.sent_now
  if rate_a ~= rate_b then return rate_a > rate_b end
  return a.id < b.id
end

local function socket_line(row, now)
  local kind = row.transport and row.kind .. ", " .. row.transport or row.kind
  return line_of("s", row.id, kind, row.state, state.address(row.laddr), state.address(row.raddr),
    row.received_now, row.sent_now, row.received, row.sent, row.readable, row.unsent,
    row.since and ("%.1f"):format(now - row.since), row.made)
end

local function task_line(row, now)
  local since = row.since and ("%.1f"):format(now - row.since)
  return line_of("t", row.id, row.name, row.status, row.waits, row.object, since, row.where)
end

-- Puts a sample together: its text, and what the next one is to be compared with.
local function sample(before, seconds)
  local sockets, tasks, now = state.sockets(), state.tasks(), loop.now()
  local sums = measure(sockets, before)
  local lines = { line_of(sums.received / seconds, sums.sent / seconds, sums.new / seconds, late * 1000,
    collectgarbage "count" * 1024, #sockets, #tasks) }
  late = 0
  table.sort(sockets, busiest_first)
  for i = 1, math.min(#sockets, MOST) do lines[#lines + 1] = socket_line(sockets[i], now) end
  for i = 1, math.min(#tasks, MOST) do lines[#lines + 1] = task_line(tasks[i], now) end
  return table.concat(lines, "\n"), sums
end

local function work()
  local before, when = { last = 0 }, loop.now() - EVERY
  for _, row in ipairs(state.sockets()) do -- what passed before anybody looked is not of this second
    before[row.id], before.last = row, math.max(before.last, row.id)
  end
  while viewers > 0 do
    latest, before = sample(before, loop.now() - when)
    when = loop.now()
    changed:wake(true)
    loop.sleep(EVERY)
  end
end

-- --- who looks --------------------------------------------------------------------------------------

local Viewer = {}
Viewer.__index = Viewer

-- The next sample, as soon as there is one.
function Viewer:next()
  if self.seen == latest then changed:wait() end
  self.seen = latest
  return latest
end

function Viewer:close()
  if not self.closed then viewers = viewers - 1 end
  self.closed = true
end

Viewer.__close = Viewer.close

local function start(task, f, name)
  if task and not internal.is_over(task) then return task end
  return loop.spawn(f):daemon():set_name(name)
end

-- Somebody looks from now on, until it is closed.
function M.view()
  viewers = viewers + 1
  worker, ticker = start(worker, work, "dashboard"), start(ticker, tick, "dashboard's clock")
  return setmetatable({ seen = latest }, Viewer)
end

return M

-- sampler.lua: once a second, and only while somebody looks, what the dashboard shows: lines of fields with tabs
-- between them. The first line has the sums, one that begins with `s` a socket, with `t` a task.
local csock = require "csock"
local internal = require "csock.loop.internal"
local state = require "csock.repl.state"
local loop = csock.loop

local EVERY, TICK = 1, 0.05 -- seconds
local MOST = 100            -- rows of each kind

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

-- What passed since the sample before: the bytes of each socket, in `passed` by its id, and the sums. No more than
-- counters is asked of all: rows are for the busiest.
local function measure(before)
  local now = { count = 0, received = 0, sent = 0, new = 0, last = before.last, ids = {}, passed = {}, received_by = {},
    sent_by = {} }
  csock.sockets(function(id, received, sent)
    local came, went = received - (before.received_by[id] or 0), sent - (before.sent_by[id] or 0)
    now.count = now.count + 1
    now.ids[now.count], now.passed[id] = id, came + went
    now.received_by[id], now.sent_by[id] = received, sent
    now.received, now.sent = now.received + came, now.sent + went
    if id > before.last then now.new = now.new + 1 end
    now.last = math.max(now.last, id)
    return false
  end)
  return now
end

-- The rows of those in which most has passed.
local function busiest(now, before)
  local ids, passed, chosen = now.ids, now.passed, {}
  if #ids > MOST then
    table.sort(ids, function(a, b)
      if passed[a] ~= passed[b] then return passed[a] > passed[b] end
      return a < b
    end)
  end
  for i = 1, math.min(#ids, MOST) do chosen[ids[i]] = true end
  local rows = csock.sockets(function(id) return chosen[id] end)
  for _, row in ipairs(rows) do
    row.received_now = row.received - (before.received_by[row.id] or 0)
    row.sent_now = row.sent - (before.sent_by[row.id] or 0)
  end
  return rows
end

local function socket_line(row, now)
  local kind = row.transport and row.kind .. ", " .. row.transport or row.kind
  return line_of("s", row.id, kind, row.state, state.address(row.laddr), state.address(row.raddr),
    row.received_now, row.sent_now, row.received, row.sent, row.readable, row.unsent,
    row.since and ("%.1f"):format(now - row.since), row.made)
end

-- The rows of some tasks, and how many there are in all.
local function some_tasks()
  local count = 0
  local rows = state.tasks(function()
    count = count + 1
    return count <= MOST
  end)
  rows.count = count
  return rows
end

local function task_line(row, now)
  local since = row.since and ("%.1f"):format(now - row.since)
  return line_of("t", row.id, row.name, row.status, row.waits, row.object, since, row.where)
end

-- Puts a sample together: its text, and what the next one is to be compared with.
local function sample(before, seconds)
  local sums, tasks, now = measure(before), some_tasks(), loop.now()
  local lines = { line_of(sums.received / seconds, sums.sent / seconds, sums.new / seconds, late * 1000,
    collectgarbage "count" * 1024, sums.count, tasks.count) }
  late = 0
  for _, row in ipairs(busiest(sums, before)) do lines[#lines + 1] = socket_line(row, now) end
  for _, row in ipairs(tasks) do lines[#lines + 1] = task_line(row, now) end
  return table.concat(lines, "\n"), sums
end

local function work()
  local before = measure { last = 0, received_by = {}, sent_by = {} } -- what passed before anybody looked
  local when = loop.now() - EVERY
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

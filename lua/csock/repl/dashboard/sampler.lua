-- sampler.lua: once a second, and only while somebody looks, what the dashboard shows: lines of fields with tabs
-- between them. The first line has the sums, one that begins with `s` tells of a socket, with `t` of a task. It runs in
-- the program that is looked at, so what it does not tell it does not work out either.
local csock = require "csock"
local internal = require "csock.loop.internal"
local state = require "csock.repl.state"
local loop = csock.loop
local format = string.format

local EVERY, TICK = 1, 0.05 -- seconds
local MOST = 100            -- rows of each kind, of sockets the busiest

local M = {}

local viewers, changed, latest = 0, internal.waiters(), ""
local worker, ticker
local late = 0 -- the worst since the last sample, in seconds

-- --- how late the loop is ---------------------------------------------------------------------------

local function tick()
  while viewers > 0 do
    local due = loop.now() + TICK
    loop.sleep(TICK)
    late = math.max(late, loop.now() - due)
  end
end

-- --- lines ------------------------------------------------------------------------------------------

-- A text that others have a say in. (Numbers are put into lines as they are.)
local function clean(text)
  if not text then return "" end
  return text:find "%c" and text:gsub("%c", " ") or text
end

local function line_of(...) return table.concat({ ... }, "\t") end

local function socket_line(row, now, in_rate, out_rate)
  local kind = row.transport and row.kind .. ", " .. row.transport or row.kind
  return line_of("s", row.id, kind, row.state, clean(state.address(row.laddr)), clean(state.address(row.raddr)),
    format("%.0f", in_rate), format("%.0f", out_rate), row.received, row.sent, row.readable or "", row.unsent or "",
    format("%.1f", now - row.since), clean(row.made))
end

-- What a task waits for: the number of a socket that is listed, or a text, which a class of the program's own may make.
local function name_of(object, numbers)
  if object == nil then return "" end
  if numbers[object] then return "socket " .. numbers[object] end
  local ok, text = pcall(tostring, object)
  return ok and clean(text) or "?"
end

local function task_line(row, now, numbers)
  return line_of("t", row.id, clean(row.name), row.status, row.waits or "", name_of(row.object, numbers),
    row.since and format("%.1f", now - row.since) or "", clean(row.where))
end

-- --- one sample -------------------------------------------------------------------------------------

-- Counters of all sockets: those of each by its number, the numbers in their order, and those of the whole program.
local function count()
  local now = { ids = {}, received = {}, sent = {}, totals = { csock.counters() }, when = loop.now() }
  csock.sockets(function(id, received, sent)
    now.ids[#now.ids + 1] = id
    now.received[id], now.sent[id] = received, sent
    return false
  end)
  return now
end

-- Which sockets are shown, by their numbers: those in which most has passed since the sample before.
local function choose(now, before)
  local ids, passed, chosen = now.ids, {}, {}
  if #ids > MOST then
    for _, id in ipairs(ids) do
      passed[id] = now.received[id] + now.sent[id] - (before.received[id] or 0) - (before.sent[id] or 0)
    end
    ids = table.move(ids, 1, #ids, 1, {})
    table.sort(ids, function(a, b)
      if passed[a] ~= passed[b] then return passed[a] > passed[b] end
      return a < b
    end)
  end
  for i = 1, math.min(#ids, MOST) do chosen[ids[i]] = true end
  return chosen
end

-- Adds lines of sockets. Their numbers, by the sockets.
local function add_sockets(lines, now, before, seconds)
  local chosen, numbers = choose(now, before), {}
  for _, row in ipairs(csock.sockets(function(id) return chosen[id] end)) do
    local id = row.id
    local in_rate = (now.received[id] - (before.received[id] or 0)) / seconds
    local out_rate = (now.sent[id] - (before.sent[id] or 0)) / seconds
    lines[#lines + 1] = socket_line(row, now.when, in_rate, out_rate)
    numbers[row.socket] = id
  end
  return numbers
end

-- Adds lines of tasks. How many there are in all.
local function add_tasks(lines, now, numbers)
  local all = 0
  local rows = state.tasks(function()
    all = all + 1
    return all <= MOST
  end)
  for _, row in ipairs(rows) do lines[#lines + 1] = task_line(row, now.when, numbers) end
  return all
end

-- Puts a sample together: its text, and what the next one is to be compared with.
local function sample(before)
  local now, lines, sums = count(), { "" }, {}
  local seconds = math.max(now.when - before.when, EVERY) -- (the first comes at once)
  local numbers = add_sockets(lines, now, before, seconds)
  local tasks = add_tasks(lines, now, numbers)
  for i, total in ipairs(now.totals) do sums[i] = format("%.1f", (total - before.totals[i]) / seconds) end
  lines[1] = line_of(table.concat(sums, "\t"), format("%.2f", late * 1000), collectgarbage "count" * 1024 // 1 | 0,
    #now.ids, tasks)
  late = 0
  return table.concat(lines, "\n"), now
end

local function work()
  local before = count() -- what passed until now is not of this second
  while viewers > 0 do
    latest, before = sample(before)
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

-- Somebody looks from now on, until it is closed: who is not the first gets the latest sample at once.
function M.view()
  local first = viewers == 0
  viewers = viewers + 1
  worker, ticker = start(worker, work, "dashboard"), start(ticker, tick, "dashboard's clock")
  return setmetatable({ seen = first and latest or nil }, Viewer)
end

return M

-- seeing.lua: commands that show what is going on.
local columns = require "csock.repl.columns"
local csock = require "csock"
local state = require "csock.repl.state"
local loop = csock.loop

local M = {}

local function since(row) return row.since and state.age(loop.now() - row.since) or "" end

local function socket_cells(row)
  return {
    tostring(row.id), row.kind, row.state, state.address(row.laddr), state.address(row.raddr),
    state.size(row.received), state.size(row.sent), tostring(row.readable or ""), tostring(row.unsent or ""),
    since(row), row.made or "",
  }
end

local SOCKET_HEAD = { "id", "kind", "state", "here", "peer", "in", "out", "inq", "outq", "age", "made" }

local function print_table(session, head, rows, nothing)
  if #rows == 0 then return session:print(nothing) end
  session:print(columns(head, rows, session.columns()))
end

local function map(rows, f)
  local list = {}
  for i, row in ipairs(rows) do list[i] = f(row) end
  return list
end

M.sockets = {
  help = "the open sockets: where they were made, bytes in and out, bytes that wait in the kernel (inq, outq)",
  run = function(session) print_table(session, SOCKET_HEAD, map(state.sockets(), socket_cells), "no open sockets") end,
}

local function server_cells(row)
  return { tostring(row.id), row.kind, state.address(row.laddr), tostring(row.clients), state.size(row.traffic_in),
    state.size(row.traffic_out), since(row), row.made or "" }
end

M.servers = {
  help = "the sockets that listen, how many clients each has, and what went over those",
  run = function(session)
    print_table(session, { "id", "kind", "address", "clients", "in", "out", "age", "made" },
      map(state.servers(), server_cells), "nothing listens")
  end,
}

local function waits_for(row)
  if row.status ~= "waiting" then return row.status end
  return row.object and ("%s of %s"):format(row.waits, tostring(row.object)) or row.waits
end

local function task_cells(row)
  return { tostring(row.id), row.name or "", waits_for(row), since(row), row.where or "" }
end

local TASK_HEAD = { "id", "name", "waits for", "since", "where" }

M.tasks = {
  usage = "[ID]", help = "the tasks: what each waits for, since when; of one: its traceback",
  run = function(session, id)
    if id == "" then return print_table(session, TASK_HEAD, map(state.tasks(), task_cells), "no tasks") end
    local row = state.task(id)
    if not row then return nil, "there is no task " .. id end
    session:print(tostring(row.task), "\n", row.task:traceback())
  end,
}

-- --- :top ------------------------------------------------------------------------------------------

local EVERY = 1 -- seconds

-- Bytes a second since the picture before, by socket.
local function rates(rows, before, seconds)
  local now = {}
  for _, row in ipairs(rows) do
    local total = row.received + row.sent
    now[row.socket] = total
    row.rate = (total - (before[row.socket] or total)) / seconds
  end
  return now
end

local function busiest_first(a, b)
  if a.rate ~= b.rate then return a.rate > b.rate end
  return a.id < b.id
end

local function top_cells(row)
  return { tostring(row.id), row.kind, row.state, state.address(row.laddr), state.address(row.raddr),
    state.size(math.floor(row.rate)) .. "/s", state.size(row.received), state.size(row.sent), since(row) }
end

local function picture(session, rows, tasks, height)
  local cells = map(rows, top_cells)
  for i = #cells, math.max(height - 3, 1) + 1, -1 do cells[i] = nil end
  return ("%d sockets, %d tasks, %s of Lua memory. Any key ends this.\n"):format(#rows, #tasks,
    state.size(math.floor(collectgarbage "count" * 1024)))
    .. columns({ "id", "kind", "state", "here", "peer", "rate", "in", "out", "age" }, cells, session.columns())
end

M.top = {
  help = "the sockets by how busy they are, again each second until a key is pressed",
  run = function(session)
    if not session.key then return nil, "needs a terminal" end
    local before, started = setmetatable({}, { __mode = "k" }), loop.now() - EVERY
    repeat
      local rows, now = state.sockets(), loop.now()
      before = rates(rows, before, now - started)
      started = now
      table.sort(rows, busiest_first)
      session.out("\27[H\27[J" .. picture(session, rows, state.tasks(), session.rows()) .. "\n")
    until session.key(EVERY)
  end,
}

return M

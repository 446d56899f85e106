-- seeing.lua: commands that show what is going on.
local columns = require "csock.repl.columns"
local csock = require "csock"
local state = require "csock.repl.state"
local loop = csock.loop

local M = {}

local function since(row) return row.since and state.age(loop.now() - row.since) or "" end

-- What waits in the kernel: bytes; or connections, and how many may.
local function queues(row)
  if row.state ~= "listening" then return tostring(row.readable or ""), tostring(row.unsent or "") end
  return row.readable and ("%d/%d"):format(row.readable, row.unsent) or "", ""
end

local function socket_cells(row)
  local inq, outq = queues(row)
  return {
    tostring(row.id), row.transport or row.kind, row.state, state.address(row.laddr), state.address(row.raddr),
    state.size(row.received), state.size(row.sent), inq, outq, since(row), row.made or "",
  }
end

local ID, HERE, PEER = { title = "id", least = 2 }, { title = "here", keep = "end", least = 15 },
  { title = "peer", keep = "end", least = 15 }
local KIND, STATE, AGE = { title = "kind", rank = 4 }, { title = "state", rank = 6 }, { title = "age", rank = 5 }
local IN, OUT = { title = "in", rank = 1 }, { title = "out", rank = 1 }
local MADE = { title = "made", keep = "end", rank = 8, least = 10 }

local SOCKET_HEAD = { ID, KIND, STATE, HERE, PEER, IN, OUT, { title = "inq", rank = 9 }, { title = "outq", rank = 9 },
  AGE, MADE }

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
  help = "the open sockets: where they were made, bytes in and out, what waits in the kernel (inq, outq)",
  run = function(session) print_table(session, SOCKET_HEAD, map(state.sockets(), socket_cells), "no open sockets") end,
}

local function server_cells(row)
  return { tostring(row.id), row.kind, state.address(row.laddr), tostring(row.clients), state.size(row.traffic_in),
    state.size(row.traffic_out), since(row), row.made or "" }
end

M.servers = {
  help = "the sockets that listen, how many clients each has, and what went over those",
  run = function(session)
    print_table(session, { ID, KIND, { title = "address", keep = "end", least = 15 }, "clients", IN, OUT, AGE, MADE },
      map(state.servers(), server_cells), "nothing listens")
  end,
}

local function task_cells(row)
  return { tostring(row.id), row.name or "", state.waits(row), since(row), state.place(row.where) }
end

local TASK_HEAD = { ID, "name", { title = "waits for", least = 20 }, { title = "since", rank = 1 },
  { title = "where", keep = "end", rank = 2, least = 12 } }

-- Without those that the prompt consists of, and the one that asks.
local function program_tasks()
  local rows, left_out = {}, 0
  for _, row in ipairs(state.tasks()) do
    local is_own = row.own or row.task == loop.current()
    if is_own then left_out = left_out + 1 else rows[#rows + 1] = row end
  end
  return rows, left_out
end

M.tasks = {
  usage = "[ID|all]", complete = "task",
  help = "the tasks: what each waits for, since when; of one: its traceback; all: the prompt's own, too",
  run = function(session, id)
    if id == "" then return print_table(session, TASK_HEAD, map(program_tasks(), task_cells), "no tasks") end
    if id == "all" then return print_table(session, TASK_HEAD, map(state.tasks(), task_cells)) end
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
  return { tostring(row.id), row.transport or row.kind, row.state, state.address(row.laddr), state.address(row.raddr),
    state.size(math.floor(row.rate)) .. "/s", state.size(row.received), state.size(row.sent), since(row) }
end

local TOP_HEAD = { ID, KIND, STATE, HERE, PEER, { title = "rate" }, IN, OUT, AGE }

-- No line is wider than the terminal, and there are no more of them than it has.
local function picture(session, rows)
  local columns_, height = session.columns(), session.rows()
  local head = ("%d sockets, %d tasks, %s of Lua memory. Any key ends this."):format(#rows, #program_tasks(),
    state.size(math.floor(collectgarbage "count" * 1024)))
  local cells = map(rows, top_cells)
  for i = #cells, math.max(height - 2, 1), -1 do cells[i] = nil end
  return head:sub(1, columns_) .. "\n" .. columns(TOP_HEAD, cells, columns_) .. "\n"
end

M.top = {
  help = "the sockets by how busy they are, again each second until a key is pressed",
  run = function(session)
    if not session.full then return nil, "needs a terminal of the process's own, and csock.readline" end
    local before, started = setmetatable({}, { __mode = "k" }), loop.now() - EVERY
    session.full(function(show, key)
      repeat
        local rows, now = state.sockets(), loop.now()
        before = rates(rows, before, now - started)
        started = now
        table.sort(rows, busiest_first)
        show(picture(session, rows))
      until key(EVERY)
    end)
  end,
}

return M

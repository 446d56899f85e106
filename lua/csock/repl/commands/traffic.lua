-- traffic.lua: commands that show, keep and play what passes on a socket.
local conversation = require "csock.repl.conversation"
local csock = require "csock"
local hex = require "csock.repl.hex"
local internal = require "csock.loop.internal"
local state = require "csock.repl.state"
local loop = csock.loop

local M = {}

-- What a socket is, for people.
local function name_of(row)
  return ("%s %s with %s"):format(row.kind, state.address(row.laddr), state.address(row.raddr))
end

local function stop(taps, id)
  if not taps[id] then return false end
  taps[id]:close()
  taps[id] = nil
  return true
end

-- A task of its own reads the tap, until the socket or the tap is closed.
local function follow(session, row, each, ended)
  local tap, err = csock.tap(row.socket)
  if not tap then return nil, err end
  session.taps = session.taps or {}
  stop(session.taps, row.id)
  session.taps[row.id] = tap
  loop.spawn(function()
    for time, direction, layer, data, count in function() return tap:read() end do
      each(time, direction, layer, data or count)
    end
    if session.taps[row.id] == tap then session.taps[row.id] = nil end
    ended()
  end):daemon():set_name("trace " .. row.id)
  return true
end

M.trace = {
  usage = "ID|off", complete = "socket",
  help = "prints what passes on a socket as it does, under TLS also what goes over the wire",
  run = function(session, id)
    if id == "off" then
      for traced in pairs(session.taps or {}) do stop(session.taps, traced) end
      return true
    end
    local row, why = state.socket(id)
    if not row then return nil, why end
    local began = loop.now()
    return follow(session, row, function(time, direction, layer, data)
      local head = ("#%d %.3f %s%s"):format(row.id, time - began, direction, layer == "wire" and " wire" or "")
      session:print(hex.dump(head, data))
    end, function()
      if not session.closed then session:print(("#%d: no more"):format(row.id)) end
    end)
  end,
}

-- Which side of the conversation a replay has to play: the client's, whichever this one was.
local function played(row) return state.is_served(row) and "<" or ">" end

M.record = {
  usage = "FILE ID", complete = "file",
  help = "writes what passes on a socket to a file that can be read, edited and replayed",
  run = function(session, argument)
    local path, id = argument:match "^(.-)%s+(%d+)$"
    if not path then return nil, "expects the name of a file and the number of a socket" end
    local row, why = state.socket(id)
    if not row then return nil, why end
    local file, problem = internal.open_file("repl", path, "w")
    if not file then return nil, problem end
    file:write(conversation.head(name_of(row), played(row)))
    local began = loop.now()
    return follow(session, row, function(time, direction, layer, data)
      if layer == "plain" and type(data) == "string" then
        file:write(conversation.lines(time - began, direction, data))
        file:flush()
      end
    end, function() file:close() end)
  end,
}

M.replay = {
  usage = "FILE ADDRESS", complete = "file",
  help = "plays a recorded conversation against a server: where does it answer otherwise?",
  run = function(session, argument)
    local path, host, port = argument:match "^(.-)%s+(%S-):?(%d+)$"
    if not path then return nil, "expects the name of a file and HOST:PORT" end
    local file <close>, why = internal.open_file("repl", path)
    if not file then return nil, why end
    local pieces, direction = conversation.parse(file:read "a")
    if not pieces then return nil, direction end
    host = host:match "^%[(.*)%]$" or host
    local address = { host == "" and "localhost" or host, tonumber(port) }
    local conn <close>, problem = csock.create_connection(address, { timeout = 10 })
    if not conn then return nil, problem end
    local differences, fault = conversation.play(conn, pieces, direction, function(line) session:print(line) end)
    if not differences then return nil, fault end
    session:print(("%d pieces, %d differ"):format(#pieces, differences))
  end,
}

return M

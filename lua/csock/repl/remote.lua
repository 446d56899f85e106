-- remote.lua: the process's side of attached prompts: each connection has a session of its own.
local csock = require "csock"
local frame = require "csock.repl.frame"
local internal = require "csock.loop.internal"
local new_outgoing = require "csock.repl.outgoing"
local sessions = require "csock.repl.session"
local state = require "csock.repl.state"
local unixpath = require "csock.unixpath"
local loop = csock.loop

-- What of Lua's own names prints to this client, and not to the process's standard output.
local function printing(out)
  local function write(...)
    for i = 1, select("#", ...) do out(tostring((select(i, ...)))) end
  end
  local own = {}
  function own.print(...)
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    out(table.concat(parts, "\t") .. "\n")
  end
  own.io = setmetatable({ write = function(...) write(...) return io.stdout end }, { __index = io })
  return own
end

local function reply_prompt(outgoing, session)
  outgoing:put("prompt", session:prompt(false) .. "\n" .. session:prompt(true))
end

local answers = {}

function answers.run(session, outgoing, text)
  if session.task and not internal.is_over(session.task) then return end -- the client has not waited for its prompt
  session.interrupted = nil
  session.task = state.own(loop.spawn(function()
    local status = session:run(text)
    reply_prompt(outgoing, session)
    outgoing:put("done", session.over and "over" or status)
  end)):daemon():set_name "attached prompt"
end

function answers.interrupt(session)
  if session.task and not internal.is_over(session.task) then session:interrupt() end
end

function answers.columns(session, _, text)
  session.width = #text <= 4 and text:find "^%d+$" and math.max(20, math.tointeger(tonumber(text))) or nil
end

function answers.complete(session, outgoing, text)
  local first, last, line = text:match "^(%d+) (%d+)\n(.*)$"
  first, last = math.tointeger(tonumber(first)), math.tointeger(tonumber(last))
  if not line or not first or not last then return end
  local list = session:complete(line, first, last)
  outgoing:put("list", list and table.concat(list, "\n") or "\0")
end

-- A task: serves one client.
local function attend(conn, number)
  local stream <close> = assert(conn:makefile("rw"))
  local outgoing = new_outgoing(stream)
  local writer = state.own(loop.spawn(outgoing.run, outgoing)):daemon()
  state.own(loop.current())
  local session
  local function out(text) outgoing:print(text, loop.current() == session.running and coroutine.isyieldable()) end
  session = sessions.new {
    out = out, own = printing(out), prefix = number .. ":", columns = function() return session.width or 80 end,
  }
  local _ <close> = internal.guard(function()
    writer:cancel()
    if session.running then session.running:cancel() end -- nobody could interrupt it any more
    session:close()
  end)
  reply_prompt(outgoing, session)
  for word, payload in frame.read, stream do
    local answer = answers[word]
    if not answer then return end
    answer(session, outgoing, payload)
  end
end

-- The user whom this process works for.
local function own_user()
  local a, b = assert(csock.socketpair())
  local _, uid = b:getpeercred()
  a:close()
  b:close()
  return uid
end

-- A prompt over a Unix socket, for the process's own user: the server, or nil, err, errno.
return function(path, options)
  local uid, last = own_user(), 0
  local function welcome(conn)
    local _, peer = conn:getpeercred()
    if peer ~= uid and peer ~= 0 then return end
    last = last + 1
    attend(conn, last)
  end
  local server, err, errno = unixpath.bind(path, "600", csock.serve, path, welcome, { family = csock.AF_UNIX })
  if server and options.watchdog then loop.watchdog(options.watchdog) end
  return server, err, errno
end

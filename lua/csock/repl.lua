--- The prompt: servers that live while one types.
--
-- What the command `csock` starts, and a program may start as well. Each input runs as a task: what it waits for stops
-- no server, Ctrl-C ends it and nothing else, and with `&` at its end it goes on in the background. `:help` at the
-- prompt lists the commands.
--
-- What is typed is Lua, but for this:
--
-- - an expression's values are printed, and kept as `_` and by the number of the input: `_1`, `_2` ...
-- - a `local` at the top level stays for the inputs after it
-- - a function that is defined again at the top level (`function handler(conn) ... end`) takes the old one's place
--   wherever that was handed to: a server uses it from its next call on
-- - csock, its names and its modules are there without `require`, behind the globals
-- @module csock.repl
local attach = require "csock.repl.attach"
local check = require "csock.check"
local csock = require "csock"
local editors = require "csock.repl.editor"
local front = require "csock.repl.front"
local internal = require "csock.loop.internal"
local inside = require "csock.repl.inside"
local reload = require "csock.repl.reload"
local remote = require "csock.repl.remote"
local sessions = require "csock.repl.session"
local state = require "csock.repl.state"
local loop = csock.loop
local stop = loop.stop -- which programs at the prompt see as nothing: inside.lua

local M = {}

-- Where what was typed is kept from one time to the next.
local function history_file()
  local home = os.getenv "HOME"
  return os.getenv "CSOCK_HISTORY" or home and home .. "/.csock_history"
end

-- Lines that are not typed: the first that fails ends it.
local function run_batch(session, editor)
  local text = ""
  for line in editor.read, editor do
    text = text == "" and line or text .. "\n" .. line
    local status = session:run(text)
    if status == "failed" then return 1 end
    if session.over then return 0 end
    if status ~= "more" then text = "" end
  end
  if text == "" then return 0 end
  session:complain "the last input is not complete"
  return 1
end

-- From now on, until what it returns is closed, a task of its own is the foreground one while no input is: it calls a
-- function for each Ctrl-C. So none breaks what the prompt itself is about to do.
local function catch_interrupts(f)
  local never = internal.waiters()
  local catcher = loop.spawn(function()
    while true do
      if not pcall(never.wait, never) then f() end
    end
  end):daemon():set_name "Ctrl-C"
  state.own(catcher)
  loop.yield() -- it waits
  loop.foreground(catcher)
  return internal.guard(function() catcher:cancel() end)
end

-- Types into a session, or reads what it is to do: gives the status.
local function converse(editor, session)
  local _ <close> = catch_interrupts(function()
    if not editor:interrupt() then session:interrupt() end
  end)
  editor.complete = function(...) return session:complete(...) end
  if not editor.interactive then return run_batch(session, editor) end
  front(editor, session)
  return 0
end

local function run_file(session, file, arguments)
  local called, ok, why = session:call(reload.file, file, session.locals, table.unpack(arguments or {}))
  if not (called and ok) then session:complain(why or ok) end
  return called and ok
end

local BANNER = "csock %s on %s. :help tells what there is, Ctrl-D leaves.\n"

local function local_prompt(editor, options)
  local function out(text) editor:above(text) end
  local function err(text) io.stderr:write(text) end
  local session <close> = sessions.new {
    out = out, err = not editor.interactive and err or nil, columns = editor.columns, foreground = loop.foreground,
  }
  session.full, session.rows = editor.full, editor.rows
  local ran = not options.file or run_file(session, options.file, options.arguments)
  if not ran and not editor.interactive then return 1 end
  if editor.interactive and not options.file then out(BANNER:format(csock._VERSION:match "%S+$", _VERSION)) end
  editor:capture(true)
  return converse(editor, session)
end

--- Runs the prompt on standard input and output until it is left: in a terminal with a line editor, and else line by
-- line without a prompt, where the first error ends it. To be called outside of tasks.
-- @function start
-- @tparam[opt] table options
-- @tparam[opt] string options.file a script to be run first
-- @tparam[opt] table options.arguments its arguments
-- @tparam[opt] string options.history a file (default: `$CSOCK_HISTORY`, or `~/.csock_history`)
-- @treturn int a status for `os.exit`: 0, or 1 after an error that ended it
function M.start(options)
  options = options or {}
  local before = csock.debug(true)
  local _ <close> = inside()
  local status = csock.run(function()
    state.own(loop.current():set_name "prompt")
    loop.tasks() -- since when tasks wait is noted from now on
    local editor <close> = editors.open { history = options.history or history_file() }
    local status = local_prompt(editor, options)
    stop()
    return status
  end)
  csock.debug(before) -- what is open still is no leak: somebody has typed it
  return math.type(status) == "integer" and status or 1
end

local PATH = check.kind("path", function(value) return type(value) == "string" and value ~= "" end)
local OPTIONS = { watchdog = { check.SECONDS } }

--- Gives a program a prompt of its own at a Unix path: `csock attach PATH` is its other end. Only the process's own
-- user (and root) may connect. Each that attaches has a session to itself: what it prints with `print` and `io.write`
-- is not printed elsewhere, and its Ctrl-C is for its own inputs.
-- @function serve
-- @tparam string path
-- @tparam[opt] table options
-- @tparam[opt] number options.watchdog in so many seconds of work without a wait a task gives the others a turn (see
-- `loop.watchdog`), so that one in an endless loop can be looked at, and killed. Off by default: then no task is ever
-- interrupted in its work.
-- @treturn[1] server as of @{csock.serve}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(repl.serve "prompt.sock") -- csock attach prompt.sock
-- server:close()
function M.serve(path, options)
  check.argument(PATH, path, 1, "serve")
  return remote(path, check.options(options, OPTIONS, 2, "serve"))
end

--- Attaches the terminal to the prompt of another process, until it is left.
-- @function attach
-- @tparam string path where that process has called `serve`
-- @treturn int a status for `os.exit`
function M.attach(path)
  local _ <close> = inside()
  return csock.run(function()
    local editor <close> = editors.open { history = history_file() }
    local session <close>, err = attach(path, function(text) editor:above(text) end, editor.columns)
    if not session then io.stderr:write("csock: ", tostring(err), "\n") end
    local status = session and converse(editor, session) or 1
    stop()
    return status
  end)
end

return M

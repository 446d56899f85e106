--- Servers that live while one types at the prompt of `lua` itself.
--
-- `require "csock.background"` at the prompt of an interpreter that reads its lines with GNU readline (as Debian's
-- `lua5.4 -i`): from then on tasks run while it waits for keys, what they print appears above the line, and Ctrl-C
-- there ends the line alone. The command `csock` is a prompt that does this and more by itself, with any interpreter.
--
-- (GNU readline itself sets `LC_CTYPE` to what the environment says, with the first line.)
-- @module csock.background
local capture = require "csock.repl.editor.capture"
local csock = require "csock"
local internal = require "csock.loop.internal"
local loop = csock.loop

local COMMAND = "the command `csock` is a prompt in which servers run while one types"

local found, rl = pcall(require, "csock.readline")
if not found then
  error("csock.background needs the module csock.readline: install it with `luarocks install csock-repl`; or else, "
    .. COMMAND, 0)
end

local M = { typing = false }

-- Shows above the line what was printed; while a chunk runs there is no line, and no loop. Called by `capture`.
function M.above(_, text)
  if not M.typing then
    capture.write(io.stdout, text)
    io.stdout:flush()
    return
  end
  M.text = (M.text or "") .. text
  M.painter = M.painter or loop.spawn(M.paint)
end

function M.paint()
  M.painter = nil
  local text = M.text
  if not text then return end
  M.text = nil
  local typing = rl.background_hide()
  capture.write(io.stdout, text, text:sub(-1) == "\n" and "" or "\n")
  io.stdout:flush()
  if typing then rl.background_show() end
end

-- What readline answers between two keys only: it is told of them at once.
local RELAYED = { "SIGTSTP", "SIGWINCH", "SIGTERM", "SIGHUP", "SIGQUIT" }

local interrupted

local function listen(name)
  loop.on_signal(name, function()
    loop.on_signal(name, nil)
    csock.kill(csock.getpid(), name)
    rl.background_signals()
    if M.typing then listen(name) end
  end)
end

-- Called where readline waits for a key: true when Ctrl-C came instead.
local function wait(fd)
  interrupted = false
  M.typing = true
  local _ <close> = internal.guard(function()
    if M.text then M.paint() end
    M.typing = false
    for _, name in ipairs(RELAYED) do loop.on_signal(name, nil) end
  end)
  -- (lua takes SIGINT for itself again with each line that it runs.)
  local waiter
  loop.on_signal("SIGINT", function()
    interrupted = true
    waiter:cancel()
  end)
  for _, name in ipairs(RELAYED) do listen(name) end
  waiter = loop.spawn(csock.select, { fd }, {}, {})
  waiter:join()
  return interrupted
end

if not rl.background(wait) then
  error("this prompt does not read its lines with GNU readline; " .. COMMAND, 0)
end
capture.begin(M)

return M

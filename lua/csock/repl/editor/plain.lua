-- plain.lua: lines as standard input gives them: a terminal edits them itself; a pipe or a file has them.
local capture = require "csock.repl.editor.capture"
local csock = require "csock"

local Plain = {}
Plain.__index = Plain

-- Whether it is a terminal, where there is a prompt.
function Plain.new(interactive)
  return setmetatable({ interactive = interactive, stream = assert(csock.stream(0, "r", { closefd = false })) }, Plain)
end

local function show(text)
  capture.write(io.stdout, text)
  io.stdout:flush()
end

function Plain.put(_, text) show(text) end

function Plain.await() end

function Plain:begin(prompt)
  self.prompt = self.interactive and prompt or ""
  self.typing = true
  if self.interactive then show(self.prompt) end
end

function Plain:running() return self.typing end

function Plain.flush() end

-- What Ctrl-C has cleared, the terminal does not tell.
function Plain.typed() return "" end

function Plain:follow()
  local line = self.stream:read "l"
  self.typing = false
  if line then return "line", line end
  if self.interactive then show "\n" end
  return "eof"
end

function Plain:finish(mark)
  if self.typing and self.interactive then show(mark .. "\n") end
  self.typing = false
end

-- The terminal shows what is typed, and does not tell: it begins anew below.
function Plain:above(text)
  show("\n" .. text .. (text:sub(-1) == "\n" and "" or "\n") .. self.prompt)
end

function Plain.suspend() end
Plain.resize = Plain.suspend

function Plain:resume() if self.typing then show(self.prompt) end end

function Plain.columns()
  local columns = csock.get_terminal_size(1)
  return columns and columns > 0 and columns or 80
end

function Plain.load() end
Plain.remember = Plain.load

return Plain

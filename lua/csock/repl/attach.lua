-- attach.lua: the client's side of an attached prompt: what a front end takes for a session.
local csock = require "csock"
local frame = require "csock.repl.frame"
local internal = require "csock.loop.internal"
local loop = csock.loop

local Remote = {}
Remote.__index = Remote

local function send(self, word, payload)
  return self.stream:write(frame.text(word, payload)) and self.stream:flush()
end

-- A task: takes what the process says.
local function listen(self)
  for word, payload in frame.read, self.stream do
    if word == "out" then
      self.out(payload)
    elseif word == "prompt" then
      self.prompts = { payload:match "^(.-)\n(.*)$" }
    else
      self.answer = { word = word, payload = payload }
    end
    self.changed:wake(true)
  end
  self.over, self.gone = true, true
  self.changed:wake(true)
end

-- Connects to the prompt of a process: gives the session, or nil and an error. `out` is called with text to be printed,
-- `columns` tells how wide the terminal is.
local function connect(path, out, columns)
  local conn = assert(csock.socket(csock.AF_UNIX))
  local ok, err, errno = conn:connect(path)
  if not ok then return nil, err, errno end
  local self = setmetatable({
    stream = conn:makefile "rw", out = out, columns = columns, changed = internal.waiters(),
  }, Remote)
  conn:close() -- the stream keeps it
  loop.spawn(listen, self)
  while not self.prompts and not self.over do self.changed:wait() end
  if self.gone then return nil, "there is no prompt at " .. path end
  return self
end

function Remote:prompt(continued) return self.prompts[continued and 2 or 1] end

-- Waits for an answer; an interrupt while it does so is the other process's.
function Remote:await(word)
  while not self.over and not (self.answer and self.answer.word == word) do
    local ok, err = pcall(self.changed.wait, self.changed)
    if not ok then
      if not tostring(err):find("interrupted!", 1, true) then error(err, 0) end
      send(self, "interrupt", "")
    end
  end
  local answer = self.answer
  self.answer = nil
  return answer and answer.payload
end

function Remote:run(text)
  send(self, "columns", tostring(self.columns()))
  if not send(self, "run", text) then self.over = true end
  local status = self:await "done"
  if status == "over" then self.over = true end
  return status or "failed"
end

function Remote:complete(line, first, last)
  if not send(self, "complete", ("%d %d\n%s"):format(first, last, line)) then return {} end
  local list = self:await "list"
  if list == "\0" then return nil end
  local candidates = {}
  for name in (list or ""):gmatch "[^\n]+" do candidates[#candidates + 1] = name end
  return candidates
end

function Remote:close() self.stream:close() end

return connect

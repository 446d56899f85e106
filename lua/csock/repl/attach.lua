-- attach.lua: the client's side of an attached prompt: what a front end takes for a session.
local csock = require "csock"
local frame = require "csock.repl.frame"
local internal = require "csock.loop.internal"
local new_outgoing = require "csock.repl.outgoing"
local loop = csock.loop

local Remote = {}
Remote.__index = Remote

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
  self.outgoing = new_outgoing(self.stream)
  loop.spawn(self.outgoing.run, self.outgoing):daemon()
  loop.spawn(listen, self)
  while not self.prompts and not self.over do self.changed:wait() end
  if self.gone then return nil, "there is no prompt at " .. path end
  return self
end

function Remote:prompt(continued) return self.prompts[continued and 2 or 1] end

function Remote:await(word)
  while not self.over and not (self.answer and self.answer.word == word) do self.changed:wait() end
  local answer = self.answer
  self.answer = nil
  return answer and answer.payload
end

-- What is interrupted is the other process's input.
function Remote:interrupt() self.outgoing:put("interrupt", "") end

function Remote:run(text)
  self.outgoing:put("columns", tostring(self.columns()))
  self.outgoing:put("run", text)
  local status = self:await "done"
  if status == "over" then self.over = true end
  return status or "failed"
end

function Remote:complete(line, first, last)
  self.outgoing:put("complete", ("%d %d\n%s"):format(first, last, line))
  local list = self:await "list"
  if list == "\0" then return nil end
  local candidates = {}
  for name in (list or ""):gmatch "[^\n]+" do candidates[#candidates + 1] = name end
  return candidates
end

function Remote:close() self.stream:close() end

Remote.__close = Remote.close

return connect

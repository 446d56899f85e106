-- outgoing.lua: what is to be said to the other side of an attached prompt: nobody but its foreground input waits until
-- it is sent.
local frame = require "csock.repl.frame"
local internal = require "csock.loop.internal"

local MOST = 1 << 20 -- bytes of output that wait for one who does not read; the rest is dropped
local PIECE = 1 << 16

local Outgoing = {}
Outgoing.__index = Outgoing

function Outgoing:put(word, payload)
  if self.over then return end
  if word == "out" and self.size + #payload > MOST then
    self.dropped = self.dropped + #payload
    return
  end
  self.frames[#self.frames + 1] = frame.text(word, payload)
  self.size = self.size + #payload
  self.changed:wake()
end

-- `patient`: who prints waits while the other side is slow.
function Outgoing:print(text, patient)
  for at = 1, #text, PIECE do
    while patient and self.size > MOST // 2 and not self.over do self.taken:wait() end
    self:put("out", text:sub(at, at + PIECE - 1))
  end
end

-- A task: sends what there is, until the other side is gone.
function Outgoing:run()
  local _ <close> = internal.guard(function()
    self.over, self.frames, self.size = true, {}, 0
    self.taken:wake(true)
  end)
  while true do
    while #self.frames == 0 do self.changed:wait() end
    local bytes = table.concat(self.frames)
    self.frames, self.size = {}, 0
    if self.dropped > 0 then
      bytes = bytes .. frame.text("out", ("… %d bytes were not taken in time\n"):format(self.dropped))
      self.dropped = 0
    end
    if not self.stream:write(bytes) or not self.stream:flush() then return end
    self.taken:wake(true)
  end
end

-- For a stream; its task is `run`.
return function(stream)
  return setmetatable({ stream = stream, frames = {}, size = 0, dropped = 0, changed = internal.waiters(),
    taken = internal.waiters() }, Outgoing)
end

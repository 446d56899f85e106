-- Random programs, each run by csock.task and by Twisted's: all that happens is the same, in the same order.
local class = require "csock.class"
local defer = require "csock.defer"
local task = require "csock.task"
local trials = require "spec.support.random"
local twisted = require "spec.support.twisted"

local yield = coroutine.yield

-- --- making programs ------------------------------------------------------------------------------

local function letters(draw, choice, most)
  local list = {}
  for i = 1, draw(most) do
    local k = draw(#choice)
    list[i] = choice:sub(k, k)
  end
  return table.concat(list)
end

local COMMANDS = {
  function(draw) return "add " .. letters(draw, "nnnndpase", 8) end,
  function(draw) return "pause " .. draw(6) - 1 end,
  function(draw) return "resume " .. draw(6) - 1 end,
  function(draw) return "stop " .. draw(8) - 1 end,
  function(draw) return "fire " .. draw(10) - 1 end,
  function(draw)
    return ("loop %g %s %s"):format(draw(8) / 4, draw(2) == 1 and "now" or "later", letters(draw, "nnnndsrre", 8))
  end,
  function(draw) return draw(4) == 1 and "unloop" or "reset" end,
}

local function make_programs(draw, count)
  local lines = {}
  for _ = 1, count do
    lines[#lines + 1] = "program " .. draw(4)
    for _ = 1, 60 do
      local make = COMMANDS[draw(2 * #COMMANDS)]
      lines[#lines + 1] = make and make(draw) or ("advance %g"):format(draw(12) / 8)
    end
  end
  return table.concat(lines, "\n") .. "\n"
end

-- --- running them ---------------------------------------------------------------------------------

local Program = class("Program")

function Program:__init(say, steps)
  self.say, self.clock = say, task.Clock()
  self.works, self.pauses, self.waiting = {}, {}, {}
  local function slice()
    local done = 0
    return function()
      done = done + 1
      return done == steps
    end
  end
  self.cooperator = task.Cooperator(slice, function(round) return self.clock.callLater(1, round) end)
end

function Program:tell(name, d)
  d:addCallbacks(function() self.say(name, "over") end,
    function(f) self.say(name, "failed", f.value == "bad" and "ValueError" or f.__name) end)
end

function Program:tried(work, method)
  local ok, err = pcall(work[method], work)
  if not ok then self.say(err.__name) end
end

function Program:wait()
  local d = defer.Deferred()
  table.insert(self.waiting, d)
  return d
end

function Program:steps(number, text)
  for letter in text:gmatch "." do
    self.say(number, letter, self.clock.seconds())
    if letter == "p" then
      self:pause(number)
    elseif letter == "s" then
      self:tried(self.works[number + 1], "stop")
    elseif letter == "a" then
      self:add "nn"
    elseif letter == "e" then
      error("bad", 0)
    end
    yield(letter == "d" and self:wait() or true)
  end
end

function Program:add(text)
  local number = #self.works
  local work = self.cooperator:cooperate(coroutine.wrap(function() self:steps(number, text) end))
  self.works[number + 1], self.pauses[number + 1] = work, 0
  self:tell(number, work:whenDone())
end

function Program:pause(number)
  local work = self.works[number + 1]
  if not work then return end
  self.pauses[number + 1] = self.pauses[number + 1] + 1
  self:tried(work, "pause")
end

function Program:resume(number)
  local work = self.works[number + 1]
  if not work or self.pauses[number + 1] == 0 then return end
  self.pauses[number + 1] = self.pauses[number + 1] - 1
  self:tried(work, "resume")
end

function Program:stop(number)
  local work = self.works[number + 1]
  if work then self:tried(work, "stop") end
end

function Program:fire(number)
  local d = self.waiting[number + 1]
  if d and not d.called then d:callback() end
end

function Program:loop(interval, when, text)
  if self.looping then return end
  local calls, lc = 0, nil
  local exact = not text:find "r" -- Twisted does not count right over a reset
  self.text = text
  lc = task.LoopingCall:withCount(function(count)
    calls = calls + 1
    local letter = calls <= #text and text:sub(calls, calls) or "n"
    self.say("loop", letter, exact and count or "some", self.clock.seconds())
    if letter == "d" then return self:wait() end
    if letter == "e" then error("bad", 0) end
    if letter == "s" and lc.running then lc:stop() end
    if letter == "r" and lc.running then lc:reset() end
  end)
  lc.clock, self.looping = self.clock, lc
  self:tell("loop", lc:start(interval, when == "now"):addBoth(function(result)
    self.looping = nil
    self.say("loop is over", lc.running)
    return result
  end))
end

function Program:unloop()
  if self.looping and self.looping.running then self.looping:stop() end
end

function Program:reset()
  if self.looping and self.looping.running and self.text:find "r" then self.looping:reset() end
end

function Program:advance(seconds) self.clock.advance(seconds) end

local function run_programs(text)
  return twisted.record(function(say)
    local program
    for line in text:gmatch "[^\n]+" do
      local words = {}
      for word in line:gmatch "%S+" do words[#words + 1] = tonumber(word) or word end
      if words[1] == "program" then
        program = Program(say, words[2])
        say(line)
      else
        program[words[1]](program, table.unpack(words, 2))
      end
    end
  end)
end

-- The first program of which two texts tell different things, and what they tell.
local function difference(text, wanted, got)
  if wanted == got then return end
  local at = 1
  while wanted:byte(at) == got:byte(at) do at = at + 1 end
  local _, number = wanted:sub(1, at):gsub("program", "")
  local function part(of)
    local k = 0
    for program in of:gsub("\nprogram", "\0program"):gmatch "%Z+" do
      k = k + 1
      if k == number then return program end
    end
  end
  return ("%s\nTwisted:\n%s\ncsock:\n%s"):format(part(text), part(wanted), part(got))
end

describe("random programs", function()
  it("do the same as Twisted's", function()
    if not twisted.there then return pending "Twisted is not installed" end
    trials.fuzz({ seed = 1, count = 1, more = 1 }, function(draw)
      local text = make_programs(draw, 100)
      assert.is_nil(difference(text, twisted.run("spec/support/twisted/random_tasks.py", text), run_programs(text)))
    end)
  end)
end)

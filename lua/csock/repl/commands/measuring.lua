-- measuring.lua: commands that tell how long something takes.
local internal = require "csock.loop.internal"
local loop = require "csock".loop

local M = {}

local function duration(seconds)
  for _, unit in ipairs { { 1e-6, 1e9, "ns" }, { 1e-3, 1e6, "us" }, { 1, 1e3, "ms" }, { math.huge, 1, "s" } } do
    if seconds < unit[1] then return ("%.3g %s"):format(seconds * unit[2], unit[3]) end
  end
end

M.time = {
  usage = "EXPR", help = "evaluates once: its values, how long it took, and how much of that the processor worked",
  run = function(session, text)
    local f, why = session:expression(text)
    if not f then return nil, why end
    local began, worked = loop.now(), os.clock()
    local _ <close> = internal.guard(function() -- also when it fails, and when Ctrl-C ends it
      session:print(("%s, of which %s of work"):format(duration(loop.now() - began), duration(os.clock() - worked)))
    end)
    session:print_results(table.pack(f()))
  end,
}

local LEAST, LONGEST, MOST = 1e-3, 3, 1000 -- seconds of one sample; seconds in all; samples

-- How often to call a function in one sample, so that the clock can tell.
local function calls_in_sample(f)
  local calls = 1
  while true do
    local began = loop.now()
    for _ = 1, calls do f() end
    local took = loop.now() - began
    if took >= LEAST then return calls end
    calls = calls * (took < LEAST / 10 and 10 or 2)
  end
end

local function samples_of(f)
  local calls, samples = calls_in_sample(f), {}
  local deadline = loop.now() + LONGEST
  repeat
    local began = loop.now()
    for _ = 1, calls do f() end
    samples[#samples + 1] = (loop.now() - began) / calls
  until #samples >= MOST or loop.now() >= deadline
  return samples, calls
end

local function quantile(sorted, share)
  return sorted[math.max(1, math.ceil(share * #sorted))]
end

M.bench = {
  usage = "EXPR", help = "evaluates many times, for about three seconds: the quartiles of how long it takes",
  run = function(session, text)
    local f, why = session:expression(text)
    if not f then return nil, why end
    local samples, calls = samples_of(f)
    table.sort(samples)
    session:print(("least %s, quartiles %s %s %s, most %s (%d samples of %d)"):format(duration(samples[1]),
      duration(quantile(samples, 0.25)), duration(quantile(samples, 0.5)), duration(quantile(samples, 0.75)),
      duration(samples[#samples]), #samples, calls))
  end,
}

return M

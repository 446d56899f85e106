-- Random programs, which do to six deferreds whatever one can do to them (but pause), beside Twisted.
local defer = require "csock.defer"
local loop = require "csock.loop"
local failures = require "csock.defer.failure"
local trials = require "spec.support.random"
local twisted = require "spec.support.twisted"

local PROGRAMS = 1000

local VERBS = {
  "callback", "errback", "both", "mend", "raise", "give", "wait", "fires", "chain", "cancel", "fire", "fail", "fire",
}

local function write_programs(path, random)
  local file <close> = assert(io.open(path, "w"))
  for _ = 1, PROGRAMS do
    file:write "\n"
    for _ = 1, 4 + random(36) do
      local verb, a, b = VERBS[random(#VERBS)], random(6), random(6)
      if verb == "wait" or verb == "chain" then -- not in a circle
        a, b = math.min(a, b), math.max(a, b)
        if a == b then verb = "both" end
      end
      file:write(("%s %d %d\n"):format(verb, a, b))
    end
  end
end

local function word(x)
  if not failures.is_failure(x) then return x == nil and "None" or x end
  return "failure " .. (x:check("CancelledError", "AlreadyCalledError") or x.value)
end

local function program(say)
  local deferreds, fired = {}, 0
  for i = 1, 6 do deferreds[i] = defer.Deferred() end

  local function fire(d, how)
    fired = fired + 1
    local result = how .. " " .. fired
    if not pcall(d.callback, d, how == "fire" and result or defer.Failure(result)) then say "called already" end
  end

  return function(place, verb, a, b)
    local d, e, tag = deferreds[a], deferreds[b], place .. " " .. verb
    local function tell(give)
      return function(x)
        say(tag, word(x))
        return give(x)
      end
    end
    local verbs = {
      callback = function() d:addCallback(tell(function(x) return x end)) end,
      errback = function() d:addErrback(tell(function(x) return x end)) end,
      both = function() d:addBoth(tell(function() return tag end)) end,
      mend = function() d:addErrback(tell(function() return tag end)) end,
      raise = function() d:addCallback(tell(function() error("of " .. tag, 0) end)) end,
      give = function() d:addCallback(tell(function() return nil, "given by " .. tag end)) end,
      wait = function() d:addBoth(tell(function() return e end)) end,
      fires = function() d:addBoth(tell(function() fire(e, "fire") end)) end,
      chain = function() d:chainDeferred(e) end,
      cancel = function() d:cancel() end,
      fire = function() fire(d, "fire") end,
      fail = function() fire(d, "fail") end,
    }
    verbs[verb]()
  end
end

describe("random programs of deferreds", function()
  local onerror, path

  before_each(function()
    onerror, path = loop.onerror, os.tmpname()
    function loop.onerror() end
  end)

  after_each(function()
    collectgarbage()
    collectgarbage()
    loop.onerror = onerror
    os.remove(path)
  end)

  local function check(random)
    write_programs(path, random)
    local wanted = twisted.run("spec/support/twisted/defer_programs.py", path)
    local got = twisted.record(function(say)
      local run, place
      for line in io.lines(path) do
        local verb, a, b = line:match "(%a+) (%d+) (%d+)"
        if not verb then
          say "program"
          run, place = program(say), 0
        else
          place = place + 1
          run(place, verb, tonumber(a), tonumber(b))
        end
      end
    end)
    assert.equal(wanted, got)
  end

  it("do the same as Twisted's, in the same order", function()
    if not twisted.there then return pending "Twisted is not installed" end
    trials.fuzz({ seed = 1, count = 1, more = 1 }, check)
  end)
end)

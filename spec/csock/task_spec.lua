local process = require "spec.support.process"
local task = require "csock.task"
local twisted = require "spec.support.twisted"

local PYTHON = [[
from twisted.internet import defer, task
def main(reactor, how):
    print("main", how)
    %s
task.react(main, ["so"])]]

local LUA = [[
local defer, task = require "csock.defer", require "csock.task"
task.react(function(reactor, how)
  print("main " .. how)
  %s
end, { "so" })]]

-- What main does, in Python and in Lua, and how the process ends: its status, and what it prints.
local CASES = {
  ["gives a result later"] = { "return task.deferLater(reactor, 0.01, print, 'done')",
    "return task.deferLater(reactor, 0.01, print, 'done')" },
  ["gives a result at once"] = { "return defer.succeed(7)", "return defer.succeed(7)" },
  ["fails later"] = { "return task.deferLater(reactor, 0.01, lambda: 1 / 0)",
    "return task.deferLater(reactor, 0.01, error, 'bad')" },
  ["fails at once"] = { "return defer.fail(ValueError('bad'))", "return defer.fail('bad')" },
  ["raises"] = { "raise ValueError('bad')", "error 'bad'" },
  ["raises SystemExit later"] = { "return task.deferLater(reactor, 0.01, lambda: exec('raise SystemExit(7)'))",
    "return task.deferLater(reactor, 0.01, error, task.SystemExit(7))" },
  ["fails with SystemExit at once"] = { "return defer.fail(SystemExit(3))", "return defer.fail(task.SystemExit(3))" },
  ["fails with SystemExit(0)"] = { "return defer.fail(SystemExit(0))", "return defer.fail(task.SystemExit(0))" },
  ["fails with SystemExit()"] = { "return defer.fail(SystemExit())", "return defer.fail(task.SystemExit())" },
  ["fails with SystemExit of some words"] = { "return defer.fail(SystemExit('some words'))",
    "return defer.fail(task.SystemExit('some words'))" },
  ["stops the reactor before it has a result"] = { "reactor.callLater(0.01, reactor.stop); return defer.Deferred()",
    "reactor.callLater(0.01, reactor.stop) return defer.Deferred()" },
  ["has its result while the reactor stops"] = {
    "d = defer.Deferred(); reactor.addSystemEventTrigger('before', 'shutdown', d.callback, None); "
      .. "reactor.callLater(0.01, reactor.stop); return d",
    "local d = defer.Deferred() reactor.addSystemEventTrigger('before', 'shutdown', function() d:callback() end) "
      .. "reactor.callLater(0.01, reactor.stop) return d",
  },
  ["fails while the reactor stops"] = {
    "d = defer.Deferred(); reactor.addSystemEventTrigger('before', 'shutdown', d.errback, SystemExit(5)); "
      .. "reactor.callLater(0.01, reactor.stop); return d",
    "local d = defer.Deferred() "
      .. "reactor.addSystemEventTrigger('before', 'shutdown', function() d:errback(task.SystemExit(5)) end) "
      .. "reactor.callLater(0.01, reactor.stop) return d",
  },
}

-- What its own objects keep: arguments, and the list that `getDelayedCalls` gives.
local PYTHONS_OWN = { ["LoopingCall.a"] = true, ["LoopingCall.kw"] = true, ["Clock.calls"] = true }

describe("the names of Twisted's task", function()
  it("are all there", function()
    if not twisted.there then return pending "Twisted is not installed" end
    local names = twisted.run [[
      for name, value in sorted(vars(task).items()):
          if getattr(value, "__module__", None) == "twisted.internet.task" and name[0] != "_":
              print(name)
              example = task.LoopingCall(print) if name == "LoopingCall" else task.Clock() if name == "Clock" else value
              if isinstance(value, type) and not issubclass(value, Exception):
                  print("\n".join(name + "." + member for member in dir(example) if member[0] != "_"))
    ]]
    local looping = task.LoopingCall(print)
    looping.clock = task.Clock()
    looping:start(1, false)
    local objects = {
      LoopingCall = looping, Clock = task.Clock(), Cooperator = task.Cooperator(),
      CooperativeTask = task.CooperativeTask,
    }
    local missing, count = {}, 0
    for name in names:gmatch "[%w_.]+" do
      local class, member = name:match "^(.-)%.(.*)"
      local found = task[name]
      if class then found = objects[class][member] end
      if found == nil and not PYTHONS_OWN[name] then missing[#missing + 1] = name end
      count = count + 1
    end
    assert.same({}, missing)
    assert.is_true(count > 35)
  end)
end)

local function run(argv)
  return process.run(argv, { timeout = 20 * process.slowness })
end

describe("task.react beside Twisted's, whose main", function()
  for name, case in pairs(CASES) do
    it(name, function()
      if not twisted.there then return pending "Twisted is not installed" end
      local wanted = { run { "/usr/bin/python3", "-c", PYTHON:format(case[1]) } }
      local got = { run { process.interpreter, "-e", LUA:format(case[2]) } }
      assert.same({ wanted[1], wanted[2] }, { got[1], got[2] })
      if wanted[3] == "" or wanted[3] == "some words\n" then
        assert.equal(wanted[3], got[3])
      else
        assert.matches("main function encountered error: .*bad", got[3])
      end
    end)
  end
end)

describe("task.react", function()
  local function status_of(code)
    return run { process.interpreter, "-e", 'local task = require "csock.task" ' .. code }
  end

  it("ends the process in a task as well", function()
    assert.equal(3, (status_of [[
      require("csock").run(function() task.react(function() error(task.SystemExit(3), 0) end) end)]]))
  end)

  it("takes a main that gives no deferred", function()
    assert.equal(0, (status_of "task.react(function() return 7 end)"))
    local status, _, err = status_of "task.react(function() return io.open '/none' end)"
    assert.equal(1, status)
    assert.matches("main function encountered error: /none", err)
  end)

  it("runs what stands in for the reactor", function()
    local status, out = status_of [[
      local clock = task.Clock()
      function clock.addSystemEventTrigger() end
      function clock.callWhenRunning(f, ...) f(...) end
      function clock.run() clock.advance(60) end
      function clock.stop() print("stopped", clock.seconds()) end
      task.react(function(clock, a, b) return task.deferLater(clock, 60, print, a, b) end, { 1, 2 }, clock)]]
    assert.same({ 0, "1\t2\nstopped\t60.0\n" }, { status, out })
  end)

  it("wants a main function, and a list of arguments", function()
    assert.error_matches(function() task.react() end, "#1 to 'react' %(function expected, got nil%)")
    assert.error_matches(function() task.react(print, 1) end, "#2 to 'react' %(table expected, got 1%)")
  end)
end)

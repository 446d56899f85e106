-- Processes beside Twisted's: the examples of its howto, and what comes of utils, callback by callback.
local class = require "csock.class"
local defer = require "csock.defer"
local processes = require "spec.support.processes"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local twisted = require "spec.support.twisted"
local utils = require "csock.reactor.utils"

local SCRIPT = "spec/support/twisted/process.py"

-- As Python writes a list of strings.
local function list_of(words)
  local quoted = {}
  for word in words:gmatch "%S+" do quoted[#quoted + 1] = "'" .. word .. "'" end
  return "[" .. table.concat(quoted, ", ") .. "]"
end

local function recorder(say, on)
  local R = class("R", protocol.ProcessProtocol)
  function R:connectionMade()
    say "connectionMade!"
    if self.made then self:made() end
  end
  function R.outReceived(_, data) say(("outReceived! with %d bytes!"):format(#data), list_of(data)) end
  function R.errReceived(_, data) say(("errReceived! with %d bytes!"):format(#data)) end
  function R.inConnectionLost() say "inConnectionLost! stdin is closed! (we probably did it)" end
  function R.outConnectionLost() say "outConnectionLost! The child closed their stdout!" end
  function R.errConnectionLost() say "errConnectionLost! The child closed their stderr." end
  function R.processExited(_, reason)
    say("processExited", reason.value.exitCode, reason.value.signal, reason:getErrorMessage())
  end
  function R.processEnded(_, reason)
    say("processEnded", reason.value.exitCode, reason:check "ProcessDone" ~= nil)
    reactor.stop()
  end
  for name, f in pairs(on or {}) do R[name] = f end
  return R()
end

local function spawn(new, argv, usePTY, childFDs)
  assert(reactor.spawnProcess(new, argv[1], argv, { PATH = "/bin:/usr/bin" }, nil, nil, nil, usePTY, childFDs))
end

local function shell(text) return { "sh", "-c", text } end

local function show(value)
  value = class.isinstance(value, defer.Failure) and value.value or value
  if type(value) ~= "table" then return (tostring(value):gsub("%s+$", "")) end
  local shown = {}
  for i, item in ipairs(value) do shown[i] = show(item) end
  return table.concat(shown, " ")
end

local scenarios = {
  wc = { "wc: what is written, counted", function(say)
    spawn(recorder(say, { made = function(self)
      for _ = 1, 10 do self.transport:write(("Aleph-null bottles of beer on the wall,\n"):rep(4)) end
      self.transport:closeStdin()
    end }), shell "wc; exec >&-; sleep 0.1; exec 2>&-; sleep 0.1")
  end },
  gpg = { "gpg: descriptors beyond the usual three", function(say)
    spawn(recorder(say, {
      made = function(self)
        self.transport:writeToChild(3, "the key")
        self.transport:closeChildFD(3)
      end,
      childDataReceived = function(self, fd, data)
        say("childDataReceived", fd, data)
        if fd ~= 4 then return end
        self.transport:writeToChild(0, "the text")
        self.transport:closeStdin()
      end,
      childConnectionLost = function(_, fd) say("childConnectionLost", fd) end,
    }), shell
      "key=$(cat <&3); echo $key >&4; cat; sleep 0.1; exec 4>&-; sleep 0.1; exec 1>&-; sleep 0.1; exit 3", nil,
      { [0] = "w", [1] = "r", [3] = "w", [4] = "r" })
  end },
  killed = { "a process that is killed", function(say)
    spawn(recorder(say, { outReceived = function(self, data)
      say(show(data))
      self.transport:signalProcess "KILL"
    end }), shell "echo ready; exec sleep 60", nil, { [1] = "r" })
  end },
  closes = { "a process that closes one after the other", function(say)
    spawn(recorder(say), shell "exec >&-; sleep 0.1; exec 2>&-; sleep 0.1; exec <&-; sleep 0.1; exit 5")
  end },
  grandchild = { "a process whose child has its output", function(say)
    spawn(recorder(say), shell "(sleep 0.3; echo late) & exit 0", nil, { [1] = "r" })
  end },
  terminal = { "a process with a terminal", function(say)
    spawn(recorder(say), shell "test -t 0 && echo yes; exit 4", true)
  end },
  utils = { "what comes of utils", function(say)
    defer.DeferredList({
      utils.getProcessOutput("/bin/echo", { "hello" }),
      utils.getProcessOutput("/bin/sh", { "-c", "echo out; sleep 0.1; echo err >&2" }, nil, nil, nil, true),
      utils.getProcessValue("/bin/sh", { "-c", "exit 3" }),
      utils.getProcessOutputAndValue("/bin/sh", { "-c", "cat; echo err >&2; exit 2" }, nil, nil, nil, "in "),
      utils.getProcessOutputAndValue("/bin/sh", { "-c", "echo out; kill -9 $$" }),
    }, { consumeErrors = true }):addCallback(function(results)
      for _, result in ipairs(results) do say(result[1], show(result[2])) end
    end):addBoth(function() reactor.stop() end)
  end },
}

describe("beside Twisted,", function()
  for name, scenario in pairs(scenarios) do
    it(scenario[1] .. ": the same callbacks, in the same order", function()
      if not twisted.there then return pending "Twisted is not installed" end
      local said = twisted.record(function(say)
        processes.run_until(function() scenario[2](say) end)
      end)
      assert.equal(twisted.run(SCRIPT, name), said)
    end)
  end
end)

describe("utils.getProcessOutput", function()
  it("fails when something comes on standard error, and tells of the end apart", function()
    local failure, reason
    processes.run_until(function()
      utils.getProcessOutput("/bin/sh", { "-c", "echo oh no >&2; exit 7" }):addErrback(function(why)
        failure = why
        why.value.processEnded:addErrback(function(ended)
          reason = ended
          reactor.stop()
        end)
      end)
    end)
    assert.equal("oh no\n", failure.value.text)
    assert.matches("^got stderr: ", tostring(failure.value))
    assert.equal(7, reason.exitCode)
  end)

  it("fails with the error of a program that cannot be started", function()
    local err
    for _, name in ipairs { "getProcessOutput", "getProcessValue", "getProcessOutputAndValue" } do
      utils[name]("/no/such/program"):addErrback(function(failure) err = failure.value end)
      assert.equal("ENOENT", err.name)
      err = nil
    end
  end)
end)

it("the reactor loads no deferreds for its processes", function()
  local process = require "spec.support.process"
  local script = 'require "csock.reactor" io.write(tostring(package.loaded["csock.defer"]))'
  local _, out, err = process.run { process.interpreter, "-e", script }
  assert.equal("nil", out, err)
end)

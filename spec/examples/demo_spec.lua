-- examples/demo.sh, what `make demo` shows.
local process = require "spec.support.process"

local function run_demo(interpreter)
  return process.run({ "sh", "examples/demo.sh" }, { env = { LUA = interpreter }, timeout = 30 })
end

-- The interpreter as a program that brings what this run has preloaded, which the shell must not get.
local function write_interpreter()
  local path = os.tmpname()
  local file <close> = assert(io.open(path, "w"))
  local preloaded = os.getenv "LD_PRELOAD" or ""
  assert(file:write(("#!/bin/sh\nLD_PRELOAD='%s' exec '%s' \"$@\"\n"):format(preloaded, process.interpreter)))
  assert(os.execute(("chmod +x '%s'"):format(path)))
  return path
end

describe("the demo", function()
  it("shows a conversation, ends both sides and says what to try next", function()
    local interpreter = write_interpreter()
    local status, out, err = run_demo(interpreter)
    os.remove(interpreter)
    assert.equal("", err)
    assert.equal(0, status)
    assert.matches("server | %.%.%.connected from: %('127%.0%.0%.1', %d+%)", out)
    for _, text in ipairs { "hi", "how are you%?", "goodbye" } do
      assert.matches("client | > " .. text .. "\n", out)
      assert.matches("client | %[[^%]]+%] " .. text .. "\n", out)
    end
    assert.matches("To try next:", out)
  end)

  it("shows what a server that cannot run has to say", function()
    local status, out, err = run_demo "./no-such-interpreter"
    assert.equal(1, status)
    assert.matches("no%-such%-interpreter", out)
    assert.equal("demo: the server ended\n", err)
  end)
end)

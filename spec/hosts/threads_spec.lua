-- Hosts with threads, under the thread sanitizer, for which csock is built in a directory of its own.
local hostile = require "spec.support.hostile"
local process = require "spec.support.process"

local BUILD = "build/threads"

describe("threads of a host", function()
  it("wake the loop and post calls as often as they like, while it looks up names", function()
    assert.same({ 40, true }, { hostile.storm(4) })
  end)
end)

describe("under the thread sanitizer", function()
  local library, why

  -- The sanitizer's library; nil, and why it is not to be had here.
  local function sanitizer()
    if os.getenv "LD_PRELOAD" or process.slowness > 1 then return nil, "another sanitizer is at work" end
    local ok, status, path = pcall(process.run, { "gcc", "-print-file-name=libtsan.so" })
    path = ok and status == 0 and path:match "^(/.-)\n"
    return path, "gcc has no thread sanitizer"
  end

  setup(function()
    library, why = sanitizer()
    if not library then return end
    local status, out, err = process.run({ "make", "-j2", "-s", "objects", "BUILD=" .. BUILD, "CC=gcc",
      "CFLAGS=-O1 -g -fsanitize=thread" }, { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = 300 })
    assert(status == 0, out .. err)
  end)

  -- Lua, GLib and libuv are not built for it: what they do is not seen.
  local function run(command, input, env)
    env.TSAN_OPTIONS = "ignore_noninstrumented_modules=1 exitcode=66"
    local status, out, err = process.run(command, { input = input, env = env, timeout = 50 })
    assert.same({ 0, "" }, { status, err })
    return out
  end

  local outputs = {
    two_states = "served\nasked: 5050\n",
    poll_host = "answer: ONE\n",
    glib_host = "answer: HELLO\n",
    uv_host = "answer: HELLO\n",
  }
  for name, output in pairs(outputs) do
    it(name .. " has no data race", function()
      local program = package.searchpath(name, BUILD .. "/examples/embed/?")
      if not library or not program then return pending(why) end
      local out = run({ program }, name == "poll_host" and "one\n" or nil, {})
      assert.matches(output, out, 1, true)
    end)
  end

  it("a storm of wake-ups and calls has none", function()
    if not library then return pending(why) end
    local out = run({ process.interpreter, "-e", "print(require 'spec.support.hostile'.storm(4))" }, nil,
      { LD_PRELOAD = library, LUA_CPATH = BUILD .. "/?.so;" .. (os.getenv "LUA_CPATH" or ";") })
    assert.equal("40\ttrue\n", out)
  end)
end)

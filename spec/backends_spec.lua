-- The specs of what waits, on each backend that this system has besides the one in use.
local csock = require "csock"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local function run(name, backend, preload)
  local status, out, err = process.run({ process.interpreter, "spec/support/run.lua", name },
    { env = { CSOCK_BACKEND = backend, LD_PRELOAD = preload }, timeout = 55 })
  assert(status == 0, out .. err)
end

local function has_tasks(text)
  return text:find "csock%.run" or text:find "spawn%(" or text:find "csock%.serve" or text:find "tls%.ways"
end

describe("with the backend", function()
  for _, backend in ipairs(csock.loop.backends()) do
    if backend ~= csock.loop.backend() then
      for _, dir in ipairs { "spec/base", "spec/wait", "spec/loop", "spec/name", "spec/socket", "spec/stream",
        "spec/poll", "spec/reactor", "spec/csock", "spec/weather_spec.lua",
        "spec/transport_spec.lua", "spec/tls" } do
        for _, name in ipairs(tree.files(dir, "_spec%.lua$")) do
          if has_tasks(tree.read(name)) then
            it(("%s %s holds"):format(backend, name), function() run(name, backend) end)
          end
        end
      end
    end
    it(backend .. " spec/waits_spec.lua holds, and look-ups wait too", function()
      run("spec/waits_spec.lua", backend, process.preload "spec.support.slow_resolver")
    end)
  end
end)

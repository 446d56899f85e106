--- Running what is tested: in a task, for a limited time, and with nothing left behind.
-- @module csock.testing
local check = require "csock.check"
local clock = require "csock.testing.clock"
local core = require "csock.core".testing
local internal = require "csock.loop.internal"
local leaks = require "csock.testing.leaks"
local loop = require "csock.loop"
local network = require "csock.testing.network"

local M = {}

local OPTIONS = {
  limit = { check.TIMEOUT, 10, math.huge }, leaks = { check.ANY, true, false }, virtual_time = { check.ANY, false },
  network = { check.TABLE },
}

-- An error that is text gets where it came from.
local function traced(err)
  return type(err) == "string" and debug.traceback(err, 2) or err
end

-- Busted makes a table of an error value, and finds out by the stack where it was raised, which would be in here: so
-- the message says it.
local function located(err)
  if type(err) ~= "table" or err.message == nil then return traced(err) end
  local text = tostring(err.message)
  if text:find "^[^\n]-:%d+: " then return err end
  local level, info = 2
  repeat
    level = level + 1
    info = debug.getinfo(level, "Sl")
  until not info or info.what ~= "C" and not info.source:find "luassert[/\\]" and not info.source:find "busted[/\\]"
  if info then err.message = ("%s:%d: %s"):format(info.short_src, info.currentline, text) end
  return err
end

local function call(f, options)
  local _ <close> = options.virtual_time and clock.clock() or nil
  if not options.network then return f() end
  local net <close> = network.network(options.network)
  return net:run(f, net)
end

-- Runs the loop until the task is over, or will not be: why.
local function wait_for(task, limit)
  local deadline = core.now() + limit
  while not internal.is_over(task) do
    local left = deadline - core.now()
    if left <= 0 then return ("it takes longer than %g s"):format(limit) end
    local ok, err = core.turn(left)
    if not ok and not internal.is_over(task) then
      return err.name == "EDEADLK" and "it waits for what cannot happen any more" or tostring(err)
    end
  end
end

-- `told` makes of an error what is raised.
local function run(f, options, told)
  if loop.current() then check.fail "run: in a task already" end
  local before <close> = leaks.begin()
  local task = loop.spawn(xpcall, call, told, f, options):watch()
  local why = wait_for(task, options.limit)
  if why then why = why .. ":\n" .. task:traceback() end
  if why then task:cancel() end
  local results = table.pack(task:join(0))
  local left = leaks.finish(before)
  if why then error("csock.testing: " .. why, 0) end
  if task:status() == "failed" then error(results[2], 0) end
  if not results[1] then error(results[2], 0) end
  if left and options.leaks then error("csock.testing: left behind:\n" .. left, 0) end
  return table.unpack(results, 2, results.n)
end

--- Runs a function as a spec should be: in a task of its own, with the loop running, so that it may start servers and
-- clients next to each other; not for ever; and with a look at what it has left behind. Sockets that are open
-- afterwards and tasks that are not over (but for daemons), each with the line in which it was made, are an error, and
-- are ended; those that were there before do not count.
-- @function run
-- @tparam function f called with the network, where there is one
-- @tparam[opt] table options
-- @tparam[opt=10] number options.limit how many real seconds it may take (false: any)
-- @tparam[opt=true] boolean options.leaks whether what it leaves behind is an error
-- @tparam[opt=false] boolean options.virtual_time whether it runs with a virtual clock, see @{clock}
-- @tparam[opt] table options.network it runs in a network of these options, see @{network}, which is closed afterwards
-- @return what it returned
-- @raise what it raised (text with a traceback), or text that says what it waited for, or what it has left behind
-- @usage
-- testing.run(function()
--   local server <close> = assert(csock.serve({"127.0.0.1", 0}, function(conn) conn:sendall "hello" end))
--   local s <close> = assert(csock.create_connection(server:getsockname()))
--   print(s:recv(100)) --> hello
-- end)
function M.run(f, options)
  check.argument(check.FUNCTION, f, 1, "run")
  return run(f, check.options(options, OPTIONS, 2, "run"), traced)
end

local wrapped = setmetatable({}, { __mode = "k" }) -- what was made of a framework's `it` -> that

--- Makes a busted `it` whose specs are run by @{run}. Given one that it has made, it takes that one's place: so some
-- specs of a file may have options of their own.
-- @function it
-- @tparam function it busted's own, or one like it: called with a name and a function
-- @tparam[opt] table options as for @{run}
-- @treturn function
-- @usage
-- local function it(name, spec) spec() print(name) end -- busted's
-- it = testing.it(it)
-- it("sleeps", function() csock.sleep(0.01) end) --> sleeps
function M.it(it, options)
  options = check.options(options, OPTIONS, 2, "it")
  if it == nil then check.expected("it", 1, "function", it) end
  it = wrapped[it] or it
  local function made(name, f, ...)
    if type(f) ~= "function" then return it(name, f, ...) end
    return it(name, function() run(f, options, located) end, ...)
  end
  wrapped[made] = it
  return made
end

--- Puts such functions in the place of busted's `it`, `spec` and `test`: `testing.busted(_ENV)` at the beginning of a
-- file of specs.
-- @function busted
-- @tparam table env where they are: a file's `_ENV`
-- @tparam[opt] table options as for @{run}
-- @treturn table the environment
-- @usage
-- local env = testing.busted {it = function(name, spec) spec() print(name) end}
-- env.it("sleeps", function() csock.sleep(0.01) end) --> sleeps
function M.busted(env, options)
  check.argument(check.TABLE, env, 1, "busted")
  for _, name in ipairs { "it", "spec", "test" } do
    local own = env[name]
    if own then env[name] = M.it(own, options) end
  end
  return env
end

return M

--- Starts programs for specs: pipes or a pseudo-terminal, reads with deadlines, and the certainty
-- that nothing is left running.
--
--     local server <close> = process.lua{"examples/tsTserv.lua", "0"}
--     local port = server:expect("port (%d+)")
--     server:signal("SIGINT")
--     assert.equal(0, server:wait())
--
-- Every method that waits ends after `timeout` seconds (10 unless told, more under a sanitizer)
-- with an error that shows what the program has printed.
local posix = require "spec.support.posix"

local M = {}

--- How much slower than usual this run is (valgrind): deadlines are stretched by it.
M.slowness = tonumber(os.getenv "SPEC_SLOWNESS") or 1

--- The interpreter that runs this spec.
M.interpreter = os.getenv "LUA" or "lua5.4"

--- The value of LD_PRELOAD that puts a library in front of libc, behind a sanitizer's where this
-- run has one: `env = { LD_PRELOAD = process.preload "spec.support.slow_resolver" }`.
-- @tparam string name as for `require`
function M.preload(name)
  local library = assert(package.searchpath(name, package.cpath))
  local sanitizer = os.getenv "LD_PRELOAD"
  return sanitizer and sanitizer .. ":" .. library or library
end

local Process = {}
Process.__index = Process

local function deadline_of(timeout)
  return posix.monotonic() + (timeout or 10) * M.slowness
end

local function left(deadline)
  return math.max(0, deadline - posix.monotonic())
end

-- The environment of a child: ours with opts.env's changes (false removes a name). A sanitizer's
-- library is preloaded into Lua alone: it would judge other programs too.
local function environment(argv, opts)
  local env = {}
  for _, entry in ipairs(posix.environ()) do
    local name, value = entry:match("^([^=]+)=(.*)$")
    if name then env[name] = value end
  end
  if argv[1] ~= M.interpreter then env.LD_PRELOAD = nil end
  if opts.pty then env.TERM = "dumb" end -- readline without colours and other escapes
  for name, value in pairs(opts.env or {}) do env[name] = value or nil end
  local list = {}
  for name, value in pairs(env) do list[#list + 1] = name .. "=" .. value end
  return list
end

--- Starts a program.
-- @tparam {string} argv the program (looked up in PATH) and its arguments; no shell sees them
-- @tparam[opt] table opts `env` = {NAME = value or false}, `cwd`, `pty` = true for a terminal of
-- its own, `merge` = true for standard error in the same stream as standard output, `group` = true
-- for a process group of its own, which `kill` then ends as a whole
-- @treturn Process raises when the program cannot be started
function M.start(argv, opts)
  opts = opts or {}
  local pid, stdin, stdout, stderr = posix.spawn(argv, {
    env = environment(argv, opts), cwd = opts.cwd, pty = opts.pty, merge = opts.merge,
    group = opts.group,
  })
  if not pid then error("cannot start " .. tostring(stdin), 2) end
  return setmetatable({
    pid = pid, name = table.concat(argv, " "), pty = opts.pty, group = opts.group,
    stdin = stdin, channels = { out = stdout, err = stderr },
    unread = { out = "", err = "" }, -- what expect and read have not yet taken
    out = "", err = "",              -- all that it has printed so far
  }, Process)
end

--- Starts the interpreter that runs this spec: `process.lua({"script.lua", "argument"}, opts)`.
function M.lua(args, opts)
  return M.start({ M.interpreter, table.unpack(args) }, opts)
end

--- Runs a program to its end.
-- @treturn int|string exit status (see `wait`)
-- @treturn string standard output
-- @treturn string standard error
function M.run(argv, opts)
  local p <close> = M.start(argv, opts)
  if opts and opts.input then p:write(opts.input) end
  p:close_stdin()
  local status = p:wait(opts and opts.timeout)
  return status, p.out, p.err
end

local function complain(self, what)
  error(("%s: %s\nstandard output so far: %s\nstandard error so far: %s")
    :format(self.name, what, self.out, self.err), 3)
end

-- Waits for a little output on either channel; true when anything came or ended.
local function pump(self, deadline)
  local open, came = false, false
  for _, name in ipairs { "out", "err" } do
    local fd = self.channels[name]
    if fd then
      open = true
      -- Short turns: two channels are looked at in rounds.
      local data, why = posix.read(fd, came and 0 or math.min(left(deadline), 0.01))
      if data and data ~= "" then
        came = true
        self[name] = self[name] .. data
        self.unread[name] = self.unread[name] .. data
      elseif data or why ~= "timeout" then
        if not self.pty then posix.close(fd) end
        self.channels[name] = nil
      end
    end
  end
  return open
end

local function expect(self, name, pattern, timeout)
  local deadline = deadline_of(timeout)
  while true do
    local found = table.pack(self.unread[name]:find(pattern))
    if found[1] then
      local matched = self.unread[name]:sub(found[1], found[2])
      self.unread[name] = self.unread[name]:sub(found[2] + 1)
      if found.n > 2 then return table.unpack(found, 3, found.n) end
      return matched
    end
    if not self.channels[name] then complain(self, "ended without '" .. pattern .. "'") end
    if left(deadline) == 0 then complain(self, "did not print '" .. pattern .. "'") end
    pump(self, deadline)
  end
end

--- Waits until the Lua pattern appears in what the program prints from here on (up to the end of an
-- earlier match is gone) and returns its captures, or the whole match.
function Process:expect(pattern, timeout)
  return expect(self, "out", pattern, timeout)
end

-- Forgets what was printed, but for the end of it.
local function forget(self)
  self.out, self.unread.out = "", self.unread.out:sub(-1000)
end

--- The same for what it prints very much before: that is forgotten.
function Process:skip_to(pattern, timeout)
  local deadline = deadline_of(timeout)
  while not self.unread.out:find(pattern) do
    forget(self)
    if left(deadline) == 0 then complain(self, "did not print '" .. pattern .. "'") end
    pump(self, deadline)
  end
  return expect(self, "out", pattern, timeout)
end

--- Takes what it has printed so far, and forgets it: for programs that would else wait to print.
function Process:skip()
  pump(self, posix.monotonic())
  forget(self)
end

--- The same on standard error.
function Process:expect_err(pattern, timeout)
  return expect(self, "err", pattern, timeout)
end

--- The next line of standard output, without its end (LF or a terminal's CRLF).
function Process:read_line(timeout)
  return (expect(self, "out", "^([^\n]*)\n", timeout):gsub("\r$", ""))
end

--- All output until the program closes it; the program may go on.
function Process:read_all(timeout)
  local deadline = deadline_of(timeout)
  while self.channels.out do
    if left(deadline) == 0 then complain(self, "did not close its output") end
    pump(self, deadline)
  end
  local rest = self.unread.out
  self.unread.out = ""
  return rest
end

function Process:write(...)
  local ok, why = posix.write(self.stdin, table.concat { ... }, 10 * M.slowness)
  if not ok then complain(self, "cannot write to it: " .. why) end
  return self
end

--- The end of its standard input (in a terminal: Ctrl-D).
function Process:close_stdin()
  if self.pty then return self:write("\4") end
  if self.stdin then posix.close(self.stdin) end
  self.stdin = nil
end

--- Sends a signal: `p:signal("SIGINT")`. (In a terminal one can also write "\3".)
function Process:signal(name)
  assert(self.status == nil, "it has ended")
  assert(posix.kill(self.pid, assert(posix[name], name)))
end

-- One look whether it has ended, for `timeout` seconds at most.
local function reap(self, timeout)
  if self.status == nil then
    local how, number = posix.waitpid(self.pid, timeout)
    if how then self.status = how == "exit" and number or "signal " .. number end
  end
  return self.status
end

function Process:running()
  return reap(self, 0) == nil
end

--- Waits for its end, reading what it prints.
-- @treturn int|string the exit status, or `"signal 9"`
function Process:wait(timeout)
  local deadline = deadline_of(timeout)
  while reap(self, 0) == nil do
    if left(deadline) == 0 then complain(self, "did not end") end
    if not pump(self, deadline) then reap(self, math.min(left(deadline), 0.1)) end
  end
  -- Drain; a grandchild may hold the pipe open, so no longer than this.
  local last = posix.monotonic() + 0.5 * M.slowness
  while (self.channels.out or self.channels.err) and left(last) > 0 do pump(self, last) end
  return self.status
end

--- Ends it, however it is, and closes the pipes. Also by `<close>`.
function Process:kill()
  if self.group then posix.kill(-self.pid, posix.SIGKILL) end
  if reap(self, 0) == nil then
    posix.kill(self.pid, posix.SIGKILL)
    reap(self, 10)
  end
  if self.pty then self.channels.out = nil end
  for name, fd in pairs(self.channels) do
    posix.close(fd)
    self.channels[name] = nil
  end
  if self.stdin then posix.close(self.stdin) end
  self.stdin = nil
end

Process.__close = Process.kill
Process.__gc = Process.kill

return M

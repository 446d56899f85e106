--- Going into the background, as servers did before there were service managers.
-- @module csock.service
local check = require "csock.check"
local csock = require "csock"
local core = require "csock.core"

local OPTIONS = { directory = { check.STRING, "/" }, umask = { check.integer(0, 511) } }

-- What comes over the link to the first process: that the daemon is ready, or what it could not do.
local READY, FAILED = "r", ">Bs1"

-- For those that have done what they were for: nothing of the program's is closed, collected or removed.
local function leave(status)
  for _, file in ipairs { io.stdout, io.stderr } do pcall(file.flush, file) end
  csock._exit(status)
end

local function fail(link, err)
  link:sendall(FAILED:pack(err.errno, err.call))
  csock._exit(1)
end

-- A status as a shell has it.
local function exit_status(status)
  local code = csock.waitstatus_to_exitcode(status)
  return code >= 0 and code or 128 - code
end

-- The first process, until the daemon is ready (this one ends then), or has failed. `pid` is the second one, which
-- ends with the daemon's exit status.
local function await(link, pid)
  local said = ""
  repeat
    local data = link:recv(256) or ""
    said = said .. data
  until data == "" or said == READY
  if said == READY then csock.kill(pid, "SIGKILL") end -- it would wait for the daemon's end
  local _, status = csock.waitpid(pid)
  if said == READY then leave(0) end
  if said == "" then leave(status and exit_status(status) or 1) end
  local errno, call = FAILED:unpack(said)
  return csock.make_error { call = call, errno = errno }
end

-- The second process, in a session of its own, makes the third one, which never gets a terminal by opening one.
local function detach(link, options)
  local _, err = csock.setsid()
  if not err then _, err = csock.chdir(options.directory) end
  if err then fail(link, err) end
  if options.umask then csock.umask(options.umask) end
  local pid
  pid, err = csock.fork()
  if not pid then fail(link, err) end
  if pid == 0 then return end
  link:close()
  local _, status = csock.waitpid(pid)
  csock._exit(status and exit_status(status) or 1)
end

--- Puts the program into the background: it goes on in another process, the daemon, with no terminal, in a session of
-- its own, in the directory `/`. The process that called it waits until the daemon has said that it is ready, and ends
-- then with status 0; when the daemon ends before that, with the daemon's exit status: so whoever has started it knows
-- whether it serves. Until it is ready, what it prints is still to be seen; from then on standard input, output and
-- errors are `/dev/null`.
--
-- It is to be called first of all, before there are tasks, connections and files: as of `fork`, no task but the present
-- one goes on in the daemon. Under systemd it is not needed, and rather in the way.
-- @function daemonize
-- @tparam[opt] table options
-- @tparam[opt="/"] string options.directory where the daemon is
-- @tparam[opt] int options.umask the daemon's, such as 18, that is 022 (default: as it was)
-- @treturn[1] function in the daemon: to be called when it is ready; calling it again is harmless. It gives true; or
-- nil, an error and its number
-- @treturn[2] nil in the process that called it, where that could not be done
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local function main()
--   local ready = assert(service.daemonize())
--   local file <close> = assert(service.pidfile "/run/hello.pid")
--   local server <close> = assert(csock.serve({"", 21567}, function(conn) conn:sendall "hello" end))
--   ready()
--   csock.run()
-- end
return function(options)
  options = check.options(options, OPTIONS, 1, "daemonize")
  local ours, theirs, errno = csock.socketpair()
  if not ours then return nil, theirs, errno end
  ours:settimeout(nil)
  theirs:settimeout(nil)
  local pid, err
  pid, err, errno = csock.fork()
  if pid ~= 0 then
    theirs:close()
    local _ <close> = ours
    if not pid then return nil, err, errno end
    return await(ours, pid)
  end
  ours:close()
  detach(theirs, options)
  return function()
    if theirs:fileno() < 0 then return true end
    local ok, failure, number = core.service.silence()
    if not ok then return nil, failure, number end
    local _ <close> = theirs
    if theirs:sendall(READY) then theirs:recv(1) end -- until nobody waits any more; or the first one was ended before
    return true
  end
end

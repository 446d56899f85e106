-- program.lua: a program at the other end of a socket, for csock.imap's IMAP4_stream.
local core = require "csock.core"
local csock = require "csock"

local M = {}

local SHELL = "/bin/sh"

local VARIABLES = {
  "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "LANG", "LC_ALL", "TZ", "DISPLAY", "SSH_AUTH_SOCK",
  "SSH_ASKPASS", "KRB5CCNAME",
}

-- Starts what the shell makes of a command line: a socket to its standard input and output, its id; nil, err, errno.
function M.start(command)
  local environment = {}
  for _, name in ipairs(VARIABLES) do
    local value = os.getenv(name)
    if value then environment[#environment + 1] = name .. "=" .. value end
  end
  local ours, theirs, code = csock.socketpair()
  if not ours then return nil, theirs, code end
  local its <close> = theirs
  local fds = { 0, its, 1, its, 2, 2 }
  its:setblocking(true)
  local pid, err, errno = core.program.run({ SHELL }, { SHELL, "-c", command }, environment, fds, "group")
  if not pid then
    ours:close()
    return nil, err, errno
  end
  return ours, pid
end

-- Ends it, and what it has started.
function M.stop(pid)
  csock.kill(-pid, "SIGKILL")
  csock.waitpid(pid)
end

return M

--- Starting processes: part of @{csock.reactor}.
-- @module csock.reactor
local csock = require "csock"
local check = require "csock.check"
local given = require "csock.reactor.arguments"
local internal = require "csock.loop.internal"
local loop = require "csock.loop"
local process = require "csock.reactor.process"
local turns = require "csock.reactor.turns"

local program = internal.program

local M = {}

-- --- arguments ------------------------------------------------------------------------------------

local function is_text(value) return type(value) == "string" and not value:find "\0" end

local function are_texts(list)
  if type(list) ~= "table" then return false end
  for i = 1, #list do
    if not is_text(list[i]) then return false end
  end
  return true
end

local function is_environment(value)
  if type(value) ~= "table" then return value == nil end
  for name, text in pairs(value) do
    if not (is_text(name) and name:find "^[^=]+$" and is_text(text)) then return false end
  end
  return true
end

local function is_size(value)
  return type(value) == "table" and #value == 2 and given.CELLS.fits(value[1]) and given.CELLS.fits(value[2])
end

local EXECUTABLE = check.kind("executable: string", is_text)
local ARGS = check.kind("args: sequence of strings", function(value) return value == nil or are_texts(value) end)
local ENV = check.kind("env: table of strings", is_environment)
local DIRECTORY = check.kind("path: string", function(value) return value == nil or is_text(value) end)
local TTY = check.kind("usePTY: boolean, or {rows, columns}", function(value)
  return value == nil or type(value) == "boolean" or is_size(value)
end)

-- Without a protocol, nothing can be told.
local function check_descriptors(childFDs, protocol)
  if type(childFDs) ~= "table" then check.expected("spawnProcess", 9, "childFDs: table", childFDs) end
  for childFD, target in pairs(childFDs) do
    if not given.DESCRIPTOR.fits(childFD) then check.expected("spawnProcess", 9, "descriptor as a key", childFD) end
    local is_pipe = target == "r" or target == "w"
    if not (is_pipe or given.DESCRIPTOR.fits(target) or type(target) == "userdata" or type(target) == "table") then
      check.bad("spawnProcess", 9, ("[%d]: \"r\", \"w\" or a descriptor expected"):format(childFD))
    end
    if is_pipe and not protocol then check.bad("spawnProcess", 1, "a process without a protocol has no pipes") end
  end
end

-- The environment as execve(2) has it, in an order that does not change.
local function environment_of(env)
  if not env then return nil end
  local list = {}
  for name, value in pairs(env) do list[#list + 1] = name .. "=" .. value end
  table.sort(list)
  return list
end

-- Where a program may be: where its environment's PATH says, as execvp(3) and Python have it.
local function paths_of(executable, env)
  if executable:find("/", 1, true) or executable == "" then return { executable } end
  local list, path = {}, env and env.PATH
  if not env then path = os.getenv "PATH" end
  for directory in ((path or "/bin:/usr/bin") .. ":"):gmatch "([^:]*):" do
    list[#list + 1] = directory == "" and executable or directory .. "/" .. executable
  end
  return list
end

-- {uid, gid, groups ...}
local function user_of(uid, gid)
  if not (uid or gid) then return nil end
  uid, gid = uid or csock.geteuid(), gid or csock.getegid()
  local known = csock.getpwuid(uid)
  local groups = known and csock.getgrouplist(known.pw_name, gid) or { gid }
  return { uid, gid, table.unpack(groups) }
end

local USUAL = { [0] = "w", [1] = "r", [2] = "r" }

-- Sockets, which are closed as this is left: those of the process always, ours unless they are taken.
local Ends = {}
Ends.__index = Ends

function Ends:__close()
  for _, socket in ipairs(self.its) do socket:close() end
  for _, socket in pairs(self.ours) do socket:close() end
end

-- Makes what the process is to have: {its descriptor, one of ours, ...}; nil, err, errno.
local function make_ends(ends, childFDs, usePTY)
  local map = {}
  local function add(childFD, ours, its)
    if its then ends.its[#ends.its + 1] = its end
    ends.ours[childFD] = ours
  end
  if usePTY then
    local ours, its, errno = program.pipe(true)
    if not ours then return nil, its, errno end
    add(process.TERMINAL, ours, its)
    if usePTY ~= true then
      local ok, err
      ok, err, errno = process.resize(ours, usePTY[1], usePTY[2])
      if not ok then return nil, err, errno end
    end
    return { 0, its, 1, its, 2, its }
  end
  for childFD, target in pairs(childFDs) do
    local its = target
    if target == "r" or target == "w" then
      local reader, writer, errno = program.pipe()
      if not reader then return nil, writer, errno end
      its = target == "r" and writer or reader
      add(childFD, target == "r" and reader or writer, its)
    end
    map[#map + 1], map[#map + 2] = childFD, its
  end
  return map
end

--- Starts a program, and has a protocol told what comes from it.
--
-- The protocol's `connectionMade` is called at once. Then come what the process writes, and what it closes; in the end
-- `processExited`, and `processEnded`, when it has exited and its pipes are closed: these stay open as long as another
-- process has them.
--
-- The program has the descriptors that `childFDs` says, and no others, and no signal is blocked or ignored in it. When
-- it cannot be started, because there is no such program for instance, that is the result (Twisted's process exits with
-- status 1). A process that is there when the reactor stops goes on; its pipes are closed, and it is sent SIGPIPE when
-- it writes.
-- Source: Twisted's `IReactorProcess.spawnProcess`.
-- @function spawnProcess
-- @tparam ?processprotocol processProtocol nil: where `childFDs` has no pipes
-- @tparam string executable a path; a name without a slash is looked for in the `PATH` of its environment, else in
-- `/bin` and `/usr/bin`
-- @tparam[opt] {string,...} args the first is the program's name for itself: `{executable}`, unless given
-- @tparam[opt] table env its environment, all of it: `{NAME = "value"}`; nil: this process's (Twisted's `None`)
-- @tparam[opt] string path its working directory
-- @tparam[opt] int uid whose it is to be, with the groups of that user: for root
-- @tparam[opt] int gid
-- @param[opt=false] usePTY true: the process has a terminal, in a session of its own, for its standard input, output
-- and error; `{rows, columns}`: one of this size (not Twisted's three descriptors)
-- @tparam[opt] table childFDs what its descriptors are, by their numbers: `"r"`: a pipe, from which the protocol is
-- told what comes; `"w"`: a pipe to write to; or a descriptor of this process, also a socket or file, which it shares.
-- `{[0] = "w", [1] = "r", [2] = "r"}`, unless given
-- @treturn[1] processtransport
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`: there is no such program, or directory; `EACCES`, `ENOEXEC`, `EPERM`, `E2BIG`,
-- `EMFILE`, `EAGAIN`, `ENOMEM` ...)
-- @usage
-- local Lister = class("Lister", protocol.ProcessProtocol)
-- function Lister:outReceived(data) io.write(data) end
-- function Lister:processEnded(reason) reactor.stop() end
-- assert(reactor.spawnProcess(Lister(), "ls", {"ls", "/"}))
-- reactor.run()
local function spawn(protocol, executable, args, env, path, uid, gid, usePTY, childFDs)
  if protocol ~= nil then given.object("spawnProcess", 1, protocol, "process protocol", "childDataReceived") end
  check.argument(EXECUTABLE, executable, 2, "spawnProcess")
  check.argument(ARGS, args, 3, "spawnProcess")
  check.argument(ENV, env, 4, "spawnProcess")
  check.argument(DIRECTORY, path, 5, "spawnProcess")
  check.argument(given.ID, uid, 6, "spawnProcess")
  check.argument(given.ID, gid, 7, "spawnProcess")
  check.argument(TTY, usePTY, 8, "spawnProcess")
  if usePTY and childFDs then check.bad("spawnProcess", 9, "a process with a terminal has no childFDs") end
  childFDs = not usePTY and (childFDs or USUAL) or nil
  if childFDs then check_descriptors(childFDs, protocol) end
  if usePTY and not protocol then check.bad("spawnProcess", 1, "a terminal needs a protocol") end

  local ends <close> = setmetatable({ its = {}, ours = {} }, Ends)
  local map, err, errno = make_ends(ends, childFDs, usePTY)
  if not map then return nil, err, errno end
  local user, environment, paths = user_of(uid, gid), environment_of(env), paths_of(executable, env)
  local self, kind = process.ProcessTransport(protocol, childFDs), usePTY and "session" or nil
  local task = loop.spawn(process.wait_for_exit, self):daemon() -- there before anything can fail
  self.pid, err, errno = program.run(paths, args or { executable }, environment, map, kind, path, user)
  if not self.pid then
    task:cancel()
    return nil, err:within(path and ("%s in %s"):format(executable, path) or executable), errno
  end
  for childFD, socket in pairs(ends.ours) do process.open_pipe(self, childFD, socket) end
  ends.ours = {}
  if protocol then turns.call(protocol.makeConnection, protocol, self) end
  return self
end
M.spawnProcess = check.public(spawn)

return M

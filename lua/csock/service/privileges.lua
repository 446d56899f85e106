--- Giving up what root may do.
-- @module csock.service
local check = require "csock.check"
local csock = require "csock"

local E = csock.errno

local ID = check.kind("name or number", function(value)
  return type(value) == "string" and not value:find "%z" or math.type(value) == "integer" and value >= 0
end)

local OPTIONS = { user = { ID }, group = { ID }, groups = { check.TABLE } }

-- What is said where the system's database of users has failed: nil, err, errno.
local function unknown(what, name, err, errno)
  if errno ~= E.ENOENT then return nil, err, errno end
  return csock.make_error {
    call = "drop_privileges", errno = errno, message = ("drop_privileges: there is no %s %s"):format(what, name),
  }
end

local function group_number(group)
  if math.type(group) then return group end
  local entry, err, errno = csock.getgrnam(group)
  if not entry then return unknown("group", group, err, errno) end
  return entry.gr_gid
end

-- What a user is to be: uid, gid and a list of groups; nil, err, errno.
local function resolve(options)
  local by_name = type(options.user) == "string"
  local user, err, errno = (by_name and csock.getpwnam or csock.getpwuid)(options.user)
  if not user and (by_name or errno ~= E.ENOENT or not options.group) then
    return unknown("user", options.user, err, errno)
  end
  local uid = by_name and user.pw_uid or options.user
  local gid = user and user.pw_gid
  if options.group then gid, err, errno = group_number(options.group) end
  if not gid then return nil, err, errno end
  local groups = {}
  if options.groups then
    for i, group in ipairs(options.groups) do
      check.argument(ID, group, 1, "drop_privileges")
      groups[i], err, errno = group_number(group)
      if not groups[i] then return nil, err, errno end
    end
  elseif user then
    groups, err, errno = csock.getgrouplist(user.pw_name, gid)
    if not groups then return nil, err, errno end
  end
  return uid, gid, groups
end

local function set_of(list, ...)
  local set = {}
  for _, value in ipairs { ... } do set[value] = true end
  for _, value in ipairs(list) do set[value] = true end
  return set
end

-- Whether the process has these groups and no others. (Its own group may be among them or not.)
local function has_groups(gid, groups)
  local present, wanted = set_of(csock.getgroups() or {}, gid), set_of(groups, gid)
  for group in pairs(wanted) do
    if not present[group] then return false end
  end
  for group in pairs(present) do
    if not wanted[group] then return false end
  end
  return true
end

local function fail(why)
  return csock.make_error { call = "drop_privileges", errno = E.EPERM, message = "drop_privileges: " .. why }
end

-- Whether it is as it should be, and will remain so.
local function verify(uid, gid, groups)
  if csock.getuid() ~= uid or csock.geteuid() ~= uid then return fail "it is another user" end
  if csock.getgid() ~= gid or csock.getegid() ~= gid then return fail "it is another group" end
  if not has_groups(gid, groups) then return fail "it has other groups" end
  if csock.setuid(0) then return fail "it can become root again" end
  if gid ~= 0 and csock.setgid(0) then return fail "it can have root's group again" end
  return true
end

--- Makes this process one of an ordinary user for good: once what only root may do is done (ports below 1024, files).
-- Groups first, the user last; then it is verified that all is as it should be, and that there is no way back. All
-- threads of the process are concerned.
--
-- When it has failed half-way, the process is neither the one nor the other: it should end.
--
-- For a process that is this user already it only verifies that.
-- @function drop_privileges
-- @tparam table options
-- @tparam string|int options.user a name or a number
-- @tparam[opt] string|int options.group (default: the user's; to be given for a number that is nobody's)
-- @tparam[opt] {string|int,...} options.groups the further groups (default: those that the user is in)
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`ENOENT`: no such user or group; `EPERM`; `EINVAL`: the user is root)
-- @usage if csock.geteuid() == 0 and false then assert(service.drop_privileges {user = "nobody"}) end
return function(options)
  options = check.options(options, OPTIONS, 1, "drop_privileges")
  if options.user == nil then check.bad("drop_privileges", 1, "option 'user' expected") end
  local uid, gid, groups = resolve(options)
  if not uid then return nil, gid, groups end
  if uid == 0 then return csock.make_error { call = "drop_privileges", errno = E.EINVAL } end
  local ok, err, errno = csock.setgroups(groups)
  if ok or has_groups(gid, groups) then ok, err, errno = csock.setgid(gid) end
  if ok then ok, err, errno = csock.setuid(uid) end
  if not ok then return nil, err, errno end
  return verify(uid, gid, groups)
end

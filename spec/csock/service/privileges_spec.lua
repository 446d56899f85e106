-- Giving up what root may do: with root, and without.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local service = require "csock.service"

local E = csock.errno
local ROOT = csock.geteuid() == 0

after_each(keep.close)

local function has(program) return process.run { "sh", "-c", "command -v " .. program } == 0 end

local CODE = [[
  local csock, service = require "csock", require "csock.service"
  local function status(names)
    local text = io.open "/proc/self/status":read "a"
    for name in names:gmatch "%a+" do print(name, (text:match("\n" .. name .. ":%s?([^\n]*)"):gsub("%s+", " "))) end
  end
]]

-- Runs a program as root, or behind another one that makes it something else.
local function run(code, ...)
  local command = { ... }
  for _, word in ipairs { process.interpreter, "-e", CODE .. code } do command[#command + 1] = word end
  local status, out, err = process.run(command, { env = { LD_PRELOAD = os.getenv "LD_PRELOAD" or false } })
  assert.equal(0, status, err)
  return out
end

describe("service.drop_privileges", function()
  local nobody = csock.getpwnam "nobody"
  local as_root = (ROOT and nobody) and it or function(words) pending(words .. ": not root") end

  as_root("makes it a user's process for good, with all that belongs to it", function()
    local out = run [[
      print(service.drop_privileges { user = "nobody" })
      status "Uid Gid Groups CapEff CapPrm"
      print(csock.setuid(0), csock.setgid(0), csock.setgroups {})
      print(service.drop_privileges { user = "nobody" })
    ]]
    local u, g = nobody.pw_uid, nobody.pw_gid
    assert.equal(("true\nUid\t%d %d %d %d\nGid\t%d %d %d %d\nGroups\t%d\nCapEff\t%s\nCapPrm\t%s\nnil\tnil\tnil"
      .. "\tsetgroups: Operation not permitted [EPERM]\t1\ntrue\n"):format(
      u, u, u, u, g, g, g, g, g, ("0"):rep(16), ("0"):rep(16)), (out:gsub(" \n", "\n")))
  end)

  as_root("takes numbers, a group and further groups", function()
    local out = run [[
      print(service.drop_privileges { user = 4711, group = 4712, groups = { 4713, 4712 } })
      status "Uid Gid Groups"
    ]]
    assert.equal("true\nUid\t4711 4711 4711 4711\nGid\t4712 4712 4712 4712\nGroups\t4712 4713\n",
      (out:gsub(" \n", "\n")))
    out = run [[
      print(service.drop_privileges { user = 4711, group = "daemon", groups = {} })
      status "Groups"
    ]]
    assert.equal("true\nGroups\t\n", out:gsub(" \n", "\n"))
  end)

  as_root("concerns all threads, also those that look names up", function()
    local out = run [[
      csock.run(function() csock.getaddrinfo("localhost", 80) end)
      assert(service.drop_privileges { user = "nobody" })
      local seen = {}
      for id in io.popen("ls /proc/" .. csock.getpid() .. "/task"):lines() do
        seen[#seen + 1] = io.open("/proc/self/task/" .. id .. "/status"):read "a":match "Uid:%s*(%d+)"
      end
      print(#seen > 1, table.concat(seen, " "):gsub(" .*", ""))
      for _, uid in ipairs(seen) do assert(uid == seen[1]) end
    ]]
    assert.equal(("true\t%d"):format(nobody.pw_uid), out:match "^true\t%d+")
  end)

  as_root("keeps what was bound before", function()
    local out = run [[
      local listener = assert(csock.create_server { "127.0.0.1", 0 })
      assert(service.drop_privileges { user = "nobody" })
      local a = assert(csock.create_connection(listener:getsockname()))
      local b = assert(listener:accept())
      a:sendall "hello"
      print(b:recv(10))
    ]]
    assert.equal("hello\n", out)
  end)

  as_root("finds a way back, and says so", function()
    if not has "setpriv" then return pending "no setpriv" end
    local code = [[
      local _, err, errno = service.drop_privileges { user = csock.geteuid(), group = csock.getegid(), groups = {} }
      print(err, errno)
    ]]
    -- A user that has kept what it takes.
    local out = run(code, "setpriv", "--reuid=" .. nobody.pw_uid, "--regid=" .. nobody.pw_gid, "--clear-groups",
      "--inh-caps=+setuid", "--ambient-caps=+setuid")
    assert.equal(("drop_privileges: it can become root again\t%d\n"):format(E.EPERM), out)
    -- Root itself, in disguise. (The system does not preload a sanitizer there.)
    if os.getenv "LD_PRELOAD" then return end
    out = run(code, "setpriv", "--euid=" .. nobody.pw_uid, "--clear-groups")
    assert.equal(("drop_privileges: it is another user\t%d\n"):format(E.EPERM), out)
  end)

  as_root("cannot be done by another user", function()
    for _, command in ipairs { { "setpriv", "--reuid=4711", "--regid=4711", "--clear-groups" },
      { "runuser", "-u", "nobody", "--" } } do
      if has(command[1]) then
        local out = run([[
          print(select(3, service.drop_privileges { user = "root" }))
          print(select(3, service.drop_privileges { user = "daemon" }))
          print(service.drop_privileges { user = csock.getuid(), group = csock.getgid(), groups = csock.getgroups() })
        ]], table.unpack(command))
        assert.equal(("%d\n%d\ntrue\n"):format(E.EINVAL, E.EPERM), out)
      end
    end
  end)

  it("fails where there is no such user or group", function()
    local _, err, errno = service.drop_privileges { user = "no such user" }
    assert.equal(E.ENOENT, errno)
    assert.equal("drop_privileges: there is no user no such user", tostring(err))
    assert.equal(E.ENOENT, (select(3, service.drop_privileges { user = 4294967293 })))
    assert.equal(E.ENOENT, (select(3, service.drop_privileges { user = "nobody", group = "no such group" })))
    assert.equal(E.ENOENT, (select(3, service.drop_privileges { user = "nobody", groups = { "no such group" } })))
    assert.equal(E.EINVAL, (select(3, service.drop_privileges { user = "root" })))
  end)

  it("raises for what names no user", function()
    for _, options in ipairs {
      {}, { user = -1 }, { user = true }, { user = "nobody", groups = { {} } }, { group = 1 },
    } do
      assert.error_matches(function() service.drop_privileges(options) end, "bad argument #1 to 'drop_privileges'")
    end
  end)
end)

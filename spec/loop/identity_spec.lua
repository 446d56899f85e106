-- Users and groups. What only root may do: csock/service/privileges_spec.lua.
local csock = require "csock"
local process = require "spec.support.process"

local E = csock.errno

local function id(...)
  local _, out = process.run { "id", ... }
  return (out:gsub("\n$", ""))
end

describe("users and groups", function()
  it("of this process are what id(1) says", function()
    assert.equal(tonumber(id "-u"), csock.geteuid())
    assert.equal(tonumber(id("-r", "-u")), csock.getuid())
    assert.equal(tonumber(id "-g"), csock.getegid())
    assert.equal(tonumber(id("-r", "-g")), csock.getgid())
    local groups, all = assert(csock.getgroups()), {}
    for group in id("-G"):gmatch "%d+" do all[tonumber(group)] = true end
    for _, group in ipairs(groups) do assert.is_true(all[group]) end
  end)

  it("are known by name and number", function()
    local root = assert(csock.getpwnam "root")
    assert.same({ "root", 0, 0 }, { root.pw_name, root.pw_uid, root.pw_gid })
    assert.equal("string", type(root.pw_dir .. root.pw_shell .. root.pw_gecos))
    assert.same(root, (csock.getpwuid(0)))
    local group = assert(csock.getgrnam(id("-n", "-g", "root")))
    assert.equal(0, group.gr_gid)
    assert.equal("table", type(group.gr_mem))
  end)

  it("that nobody knows are ENOENT", function()
    for _, result in ipairs {
      table.pack(csock.getpwnam "no such user"), table.pack(csock.getgrnam "no such group"),
      table.pack(csock.getpwuid(0xfffffffd)),
    } do
      assert.is_nil(result[1])
      assert.equal(E.ENOENT, result[3])
    end
  end)

  it("list all groups of a user, the given one among them", function()
    local seen = {}
    for _, group in ipairs(assert(csock.getgrouplist("root", 4711))) do seen[group] = true end
    assert.is_true(seen[4711])
  end)

  it("can be set to what they are", function()
    assert.is_true(csock.setgid(csock.getgid()))
    assert.is_true(csock.setuid(csock.getuid()))
  end)

  it("raise for numbers that are none", function()
    for _, value in ipairs { -1, 0xffffffff, 1.5, "x" } do
      assert.error_matches(function() csock.setuid(value) end, "bad argument #1 to 'setuid'")
      assert.error_matches(function() csock.setgid(value) end, "bad argument #1 to 'setgid'")
      assert.error_matches(function() csock.getpwuid(value) end, "bad argument #1 to 'getpwuid'")
      assert.error_matches(function() csock.setgroups { 0, value } end, "item 2")
    end
    assert.error_matches(function() csock.getpwnam "ro\0ot" end, "bad argument #1 to 'getpwnam'")
    assert.error_matches(function() csock.setgroups(1) end, "bad argument #1 to 'setgroups'")
  end)

  it("are not changed by more groups than there may be", function()
    local many = {}
    for i = 1, 70000 do many[i] = i end
    local ok, _, errno = csock.setgroups(many)
    assert.same({ nil, E.EINVAL }, { ok, errno })
  end)
end)

describe("a process", function()
  it("goes to another directory", function()
    local code = [[
      local csock = require "csock"
      assert(csock.chdir "/")
      print(io.popen("pwd"):read())
      print(csock.chdir "/no/such/place")
    ]]
    local status, out = process.run { process.interpreter, "-e", code }
    assert.equal(0, status)
    assert.equal("/\nnil\tchdir: No such file or directory [ENOENT]\t2\n", out)
  end)

  it("becomes the leader of a session of its own, once", function()
    local pid = assert(csock.fork())
    if pid == 0 then
      if csock.setsid() ~= csock.getpid() then csock._exit(255) end
      csock._exit((select(3, csock.setsid())))
    end
    local _, status = csock.waitpid(pid)
    assert.equal(E.EPERM, csock.waitstatus_to_exitcode(status))
  end)
end)

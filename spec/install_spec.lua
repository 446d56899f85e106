-- Installed, csock is found from anywhere, with only the installed tree on Lua's path.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local version = _VERSION:match "%d%.%d"

local use = [[
  local csock = require "csock"
  local a, b = assert(csock.socketpair())
  assert(a:sendall "installed")
  print(b:recv(100))
  a:close()
  b:close()
]]

-- What a program prints that finds modules in `root` alone, and works in a directory of its own.
local function use_from(root)
  local status, out, err = process.run({ process.interpreter, "-e", use }, {
    cwd = "/",
    env = {
      LUA_PATH = ("%s/share/lua/%s/?.lua"):format(root, version),
      LUA_CPATH = ("%s/lib/lua/%s/?.so"):format(root, version),
      LUA_INIT = false,
    },
  })
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function run(argv, opts)
  local status, out, err = process.run(argv, opts)
  assert(status == 0, table.concat(argv, " ") .. "\n" .. out .. err)
end

describe("installing", function()
  local dir

  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("works with luarocks make", function()
    -- From a copy: LuaRocks leaves object files beside the sources.
    run { "cp", "-R", "csrc", "lua", "rockspec", "LICENSE", dir }
    run({ "luarocks", "--lua-version=" .. version, "make", "--tree", dir .. "/rocks", "--deps-mode=none",
      "rockspec/csock-scm-1.rockspec" }, {
      cwd = dir, timeout = 120, env = { LUA_PATH = false, LUA_CPATH = false, MAKEFLAGS = false },
    })
    assert.equal("installed\n", use_from(dir .. "/rocks"))
  end)

  -- make says itself how it built; what a plain busted runs on may be of any age.
  local built = os.getenv "MAKELEVEL" ~= nil

  it("works with make install, DESTDIR and PREFIX, and make uninstall takes it all away", function()
    if not built then return pending "run by make test" end
    local function make(target)
      run({ os.getenv "MAKE" or "make", target, "DESTDIR=" .. dir .. "/stage", "PREFIX=/opt/it" }, { timeout = 120 })
    end
    make "install"
    assert.equal("installed\n", use_from(dir .. "/stage/opt/it"))
    make "uninstall"
    assert.same({}, tree.files(dir .. "/stage", "."))
  end)
end)

describe("the rockspec", function()
  local rock = {}
  assert(loadfile("rockspec/csock-scm-1.rockspec", "t", rock))()
  local modules = rock.build.modules

  it("lists exactly the C files of the core", function()
    local files = tree.files("csrc", "%.c$")
    local listed = table.move(modules["csock.core"].sources, 1, 999, 1, {})
    table.sort(files)
    table.sort(listed)
    assert.same(files, listed)
  end)

  it("lists exactly the Lua modules", function()
    local listed = {}
    for name, file in pairs(modules) do
      if type(file) == "string" then
        assert.equal("lua/" .. name:gsub("%.", "/") .. ".lua", file)
        listed[#listed + 1] = file
      end
    end
    table.sort(listed)
    assert.same(tree.files("lua", "%.lua$"), listed)
  end)

  it("asks for Lua 5.4 or 5.5 and for no other library", function()
    assert.same({ "lua >= 5.4, < 5.6" }, rock.dependencies)
    assert.is_nil(rock.external_dependencies)
    assert.equal("3.0", rock.rockspec_format)
  end)
end)

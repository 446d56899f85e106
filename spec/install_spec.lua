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
local function use_from(root, program)
  local status, out, err = process.run({ process.interpreter, "-e", program or use }, {
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

-- The same of the installed command, which is to find csock by itself. (A sanitizer's library has to come with it.)
local function use_command(path)
  local status, out, err = process.run({ path, "-e", use }, {
    cwd = "/",
    env = { LUA_PATH = false, LUA_CPATH = false, LUA_INIT = false, LD_PRELOAD = os.getenv "LD_PRELOAD" or false },
  })
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function run(argv, opts)
  local status, out, err = process.run(argv, opts)
  assert(status == 0, table.concat(argv, " ") .. "\n" .. out .. err)
end

local use_ssl = [[
  local ok, ssl = pcall(require, "csock.ssl")
  print(ok and ssl.create_default_context(ssl.Purpose.CLIENT_AUTH) or ssl)
]]

describe("installing", function()
  local dir

  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  describe("with luarocks make", function()
    -- As it is done by hand: from a checkout of its own, and not as a part of this very make.
    local function luarocks_make(name)
      run({ "luarocks", "--lua-version=" .. version, "make", "--tree", dir .. "/rocks",
        "rockspec/" .. name .. "-scm-1.rockspec" }, {
        cwd = dir, timeout = 120,
        env = { LUA_PATH = false, LUA_CPATH = false, MAKEFLAGS = false, MAKELEVEL = false, BUILD = false, CC = false,
          CFLAGS = false, WERROR = false, KQUEUE = false },
      })
    end

    setup(function()
      run { "cp", "-R", "Makefile", "csrc", "doc", "lua", "rockspec", "LICENSE", dir }
      luarocks_make "csock"
    end)

    it("works", function() assert.equal("installed\n", use_from(dir .. "/rocks")) end)

    it("brings the command, which works from everywhere", function()
      assert.equal("installed\n", use_command(dir .. "/rocks/bin/csock"))
    end)

    it("brings exactly the Lua modules", function()
      local files = tree.files("lua", ".")
      for i, name in ipairs(files) do files[i] = name:gsub("^lua", dir .. "/rocks/share/lua/" .. version) end
      assert.same(files, tree.files(dir .. "/rocks/share", "."))
    end)

    it("exports luaopen_csock_core and nothing else", function()
      local core = ("%s/rocks/lib/lua/%s/csock/core.so"):format(dir, version)
      assert.same({ "luaopen_csock_core" }, tree.exports(core))
    end)

    it("says in one line what csock.ssl lacks, and the rock csock-ssl brings it", function()
      assert.equal("csock.ssl needs the module csock.tls: install it with `luarocks install csock-ssl`"
        .. " (or build csock with OpenSSL 3's headers, libssl-dev, at hand)\n", use_from(dir .. "/rocks", use_ssl))
      if not package.searchpath("csock.tls", package.cpath) then return pending "OpenSSL's headers are not here" end
      luarocks_make "csock-ssl"
      assert.equal("<SSLContext for servers>\n", use_from(dir .. "/rocks", use_ssl))
      assert.same({ "luaopen_csock_tls" }, tree.exports(("%s/rocks/lib/lua/%s/csock/tls.so"):format(dir, version)))
    end)

    it("has plain lines at the prompt, and the rock csock-repl brings their editing", function()
      local use_readline = "print(pcall(require, 'csock.readline'))"
      assert.matches("^false", use_from(dir .. "/rocks", use_readline))
      local here = package.searchpath("csock.readline", package.cpath)
      if not here then return pending "readline's headers are not here" end
      luarocks_make "csock-repl"
      assert.matches("^true", use_from(dir .. "/rocks", use_readline))
      assert.same({ "luaopen_csock_readline" },
        tree.exports(("%s/rocks/lib/lua/%s/csock/readline.so"):format(dir, version)))
    end)

    it("builds with warnings, which are no errors, and for threads", function()
      local flags = tree.read(dir .. "/build/rock/flags")
      for _, flag in ipairs { "-Wall", "-Wextra", "-pthread", "-fvisibility=hidden" } do
        assert.matches(flag, flags, 1, true)
      end
      assert.is_nil(flags:find "-Werror")
    end)
  end)

  -- make says itself how it built; what a plain busted runs on may be of any age.
  local built = os.getenv "MAKELEVEL" ~= nil

  local function install(...) run({ os.getenv "MAKE" or "make", ... }, { timeout = 120 }) end

  it("brings a command with make install that finds csock below PREFIX from everywhere", function()
    if not built then return pending "run by make test" end
    install("install", "PREFIX=" .. dir .. "/prefix")
    assert.equal("installed\n", use_command(dir .. "/prefix/bin/csock"))
  end)

  it("works with make install, DESTDIR and PREFIX, and make uninstall takes it all away", function()
    if not built then return pending "run by make test" end
    local function make(target) install(target, "DESTDIR=" .. dir .. "/stage", "PREFIX=/opt/it") end
    make "install"
    assert.equal("installed\n", use_from(dir .. "/stage/opt/it"))
    assert.matches("\npackage.path = [[/opt/it/share/lua/", tree.read(dir .. "/stage/opt/it/bin/csock"), 1, true)
    assert.equal(tree.read "doc/csock.1", tree.read(dir .. "/stage/opt/it/share/man/man1/csock.1"))
    make "uninstall"
    assert.same({}, tree.files(dir .. "/stage", "."))
  end)
end)

describe("the rockspec", function()
  local rock = {}
  assert(loadfile("rockspec/csock-scm-1.rockspec", "t", rock))()

  it("asks for Lua 5.4 or 5.5 and for no other library", function()
    assert.same({ "lua >= 5.4, < 5.6" }, rock.dependencies)
    assert.is_nil(rock.external_dependencies)
    assert.equal("3.0", rock.rockspec_format)
  end)
end)

-- A release: one version everywhere, `make dist`'s tarball and rockspecs, `make deb`'s packages.
local csock = require "csock"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local lua_version = _VERSION:match "%d%.%d"
local version = csock._VERSION:match "%S+$"

-- As it is done by hand, and not as a part of this very make.
local BY_HAND = { MAKEFLAGS = "-j2", MAKELEVEL = false, BUILD = false, CC = false, CFLAGS = false, WERROR = false,
  KQUEUE = false, LUA_PATH = false, LUA_CPATH = false }

local function run(argv, opts)
  opts = opts or {}
  opts.timeout, opts.env = 400, opts.env or BY_HAND
  local status, out, err = process.run(argv, opts)
  assert(status == 0, table.concat(argv, " ") .. "\n" .. out .. err)
  return out
end

-- What a program prints for which modules are where a package has put them, and nowhere else.
local function use(program, lua_path, cpath)
  return run({ process.interpreter, "-e", program },
    { cwd = "/", env = { LUA_PATH = lua_path, LUA_CPATH = cpath, LUA_INIT = false } })
end

local VERSION = "print(require 'csock'._VERSION) assert(require 'csock'.socketpair())"

describe("the version", function()
  it("is the header's, wherever one is written", function()
    local found = 0
    for _, name in ipairs { "lua/csock.lua", "lua/csock/httpserver/handlers.lua", "README.md", "CHANGELOG.md" } do
      for text in tree.read(name):gmatch "csock[ /](%d+%.%d+%.%d+)" do
        found = found + 1
        assert.equal(version, text, name)
      end
    end
    assert.is_true(found >= 3)
  end)

  it("heads the list of changes", function()
    assert.equal(version, tree.read "CHANGELOG.md":match "\n## csock ([%d.]+), %d%d%d%d%-%d%d%-%d%d\n")
  end)
end)

describe("make dist", function()
  local dir, name, checkout

  setup(function()
    checkout = process.run { "git", "rev-parse", "--verify", "HEAD" } == 0
    dir = assert(posix.mkdtemp())
    name = "csock-" .. version
    if checkout then
      for _, into in ipairs { "/dist", "/again" } do run { "make", "dist", "DIST=" .. dir .. into } end
    end
  end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  -- A spec of a release, which only a checkout can make.
  local function released(what, f)
    it(what, function()
      if not checkout then return pending "no checkout of git" end
      posix.watchdog(600, what) -- all of csock is built in there
      f()
    end)
  end

  released("gives the same bytes again", function()
    for _, path in ipairs(tree.files(dir .. "/dist", ".")) do
      assert.equal(tree.read(path), tree.read((path:gsub("/dist/", "/again/"))), path)
    end
  end)

  released("has what is committed, in one folder, and root's", function()
    local expected, got = {}, {}
    for path in run { "git", "ls-tree", "-r", "--name-only", "HEAD" }:gmatch "[^\n]+" do
      expected[#expected + 1] = name .. "/" .. path
    end
    for line in run { "tar", "-tvzf", dir .. "/dist/" .. name .. ".tar.gz" }:gmatch "[^\n]+" do
      assert.matches("^.[rwx-]+ root/root ", line)
      if line:sub(1, 1) ~= "d" then got[#got + 1] = line:match "%S+$" end
    end
    table.sort(expected)
    table.sort(got)
    assert.same(expected, got)
  end)

  released("has checksums that hold", function()
    run({ "sha256sum", "--check", "--strict", "SHA256SUMS" }, { cwd = dir .. "/dist" })
  end)

  released("builds in an empty folder with make alone", function()
    run({ "tar", "-xzf", dir .. "/dist/" .. name .. ".tar.gz", "-C", dir })
    local there = dir .. "/" .. name
    run({ "make", "CFLAGS=-O0", "TLS=", "READLINE=" }, { cwd = there })
    assert.equal(csock._VERSION .. "\n", use(VERSION, there .. "/lua/?.lua", there .. "/build/?.so"))
  end)

  released("has rockspecs with which luarocks installs the tarball", function()
    if process.run { "sh", "-c", "command -v luarocks" } ~= 0 then return pending "no luarocks" end
    local here = "file://" .. dir .. "/dist/" .. name .. ".tar.gz"
    for _, rock in ipairs { "csock", "csock-ssl", "csock-repl" } do
      local path = ("%s/dist/%s-%s-1.rockspec"):format(dir, rock, version)
      run { "luarocks", "--lua-version=" .. lua_version, "lint", path }
      local file <close> = assert(io.open(dir .. path:match "/[^/]*$", "w"))
      file:write((tree.read(path):gsub("https://[^\"]*tar%.gz", here)))
    end
    run({ "luarocks", "--lua-version=" .. lua_version, "install", "--tree", dir .. "/rocks",
      ("%s/csock-%s-1.rockspec"):format(dir, version), "CFLAGS=-O0 -fPIC" }, { cwd = dir })
    assert.equal(csock._VERSION .. "\n", use(VERSION, ("%s/rocks/share/lua/%s/?.lua"):format(dir, lua_version),
      ("%s/rocks/lib/lua/%s/?.so"):format(dir, lua_version)))
  end)
end)

describe("make deb", function()
  local packages = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "deb/")
  local dir, there

  setup(function()
    dir = assert(posix.mkdtemp())
    there = process.run { "sh", "-c", ("ls %s*_%s-1_*.deb"):format(packages, version) } == 0
    if not there then return end
    for _, name in ipairs { "lua-csock", "lua-csock-ssl", "lua-csock-repl" } do
      run { "sh", "-c", ("dpkg -x %s%s_%s-1_*.deb %s"):format(packages, name, version, dir) }
    end
  end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function packaged(what, f)
    it(what, function()
      if not there then return pending "make deb was not run" end
      f()
    end)
  end

  -- Debian's Lua's own paths, below the folder.
  local function use_packages(program)
    local root, place = dir .. "/usr", run { "dpkg-architecture", "-q", "DEB_HOST_MULTIARCH" }:match "%S+"
    return use(program, root .. "/share/lua/5.4/?.lua;" .. root .. "/share/lua/5.4/?/init.lua",
      ("%s/lib/%s/lua/5.4/?.so"):format(root, place))
  end

  packaged("puts all modules where Debian's Lua looks for them", function()
    assert.equal(csock._VERSION .. "\n", use_packages(VERSION))
    assert.equal("<SSLContext for servers>\n", use_packages [[
      local ssl = require "csock.ssl"
      print(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    ]])
    use_packages "require 'csock.readline'"
  end)

  packaged("brings the command for Debian's Lua, its manual, the licence and the changes", function()
    assert.matches("^#!/usr/bin/lua5%.4\n", tree.read(dir .. "/usr/bin/csock"))
    assert.is_nil(tree.read(dir .. "/usr/bin/csock"):find("package.path", 1, true))
    for _, path in ipairs { "man/man1/csock.1.gz", "doc/lua-csock/copyright", "doc/lua-csock/changelog.gz" } do
      assert(io.open(dir .. "/usr/share/" .. path)):close()
    end
  end)
end)

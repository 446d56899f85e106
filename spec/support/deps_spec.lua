-- `make deps` on systems that are not at hand: a PATH that holds their package manager's name and
-- little else.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

describe("deps.sh", function()
  local dir

  before_each(function()
    dir = assert(posix.mkdtemp())
    for _, tool in ipairs { "sh", "sort", "tr", "grep", "mktemp", "cat", "rm", "chmod" } do
      assert(os.execute(("ln -s \"$(command -v %s)\" '%s'"):format(tool, dir)))
    end
  end)

  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function program(name, text)
    local path = dir .. "/" .. name
    local file = assert(io.open(path, "w"))
    assert(file:write("#!/bin/sh\n", text, "\n"))
    file:close()
    assert(os.execute("chmod +x " .. path))
  end

  local function deps(tools, env)
    env.PATH = dir
    env.LUA = "no-such-lua"
    env.LUA_CFLAGS = env.LUA_CFLAGS or ""
    return process.run({ dir .. "/sh", "spec/support/deps.sh", table.unpack(tools) }, { env = env })
  end

  local all = { "cc", "lua", "headers", "busted", "luacheck", "luarocks" }

  local lines = {
    dnf = "sudo dnf install gcc lua lua-devel luarocks && "
      .. "sudo luarocks --lua-version=5.4 install busted && sudo luarocks --lua-version=5.4 install luacheck",
    apk = "sudo apk add gcc lua5.4 lua5.4-dev luarocks5.4 musl-dev && "
      .. "sudo luarocks --lua-version=5.4 install busted && sudo luarocks --lua-version=5.4 install luacheck",
    brew = "brew install gcc lua luarocks && "
      .. "luarocks --lua-version=5.4 install busted && luarocks --lua-version=5.4 install luacheck",
  }
  for manager, line in pairs(lines) do
    it("prints the line to run where there is " .. manager .. ", and fails", function()
      program(manager, "exit 0")
      program("id", "echo 1000")
      local status, _, err = deps(all, {})
      assert.equal(1, status)
      assert.equal("csock needs, and this system lacks: cc lua headers busted luacheck luarocks\n"
        .. "Run this, then make again:\n  " .. line .. "\n", err)
    end)
  end

  it("says what is missing on a system that it does not know", function()
    local status, _, err = deps({ "lua" }, {})
    assert.equal(1, status)
    assert.matches("this system lacks: lua\n", err, 1, true)
  end)

  it("installs with apt when it is root", function()
    program("apt-get", "echo apt-get $* >>" .. dir .. "/log")
    program("id", "echo 0")
    local status, out = deps({ "lua", "headers", "busted" }, {})
    assert.equal(0, status)
    assert.equal("installing: liblua5.4-dev lua-busted lua5.4\n", out)
    assert.equal("apt-get update -qq\n"
      .. "apt-get install -y -qq --no-install-recommends liblua5.4-dev lua-busted lua5.4\n",
      tree.read(dir .. "/log"))
  end)

  it("knows the packages of the programs that specs talk to", function()
    program("dnf", "exit 0")
    program("id", "echo 0")
    local _, _, err = deps({ "telnet", "nc", "redis-server" }, {})
    assert.matches("  dnf install nmap-ncat redis telnet\n", err, 1, true)
  end)

  it("knows whose package has a browser's driver", function()
    program("pacman", "exit 0")
    program("id", "echo 0")
    local _, _, err = deps({ "chromium", "chromedriver" }, {})
    assert.matches("  pacman -S chromium\n", err, 1, true)
  end)

  it("says what the specs skip where it may not install what they want, and does not fail", function()
    program("apt-get", "exit 1")
    program("sudo", "exit 1")
    program("id", "echo 1000")
    local status, out, err = deps({ "--optional", "telnet", "redis-server" }, {})
    assert.equal(0, status)
    assert.equal("", out)
    assert.equal("This system lacks, and the specs skip: telnet redis-server\n"
      .. "They run after this:\n  sudo apt-get install redis-server telnet\n", err)
  end)

  it("brings each of them that there is, and names the others", function()
    -- An apt-get that knows telnet alone.
    program("apt-get", ([[
      [ "$1" = update ] && exit
      case "$*" in *redis-server*) echo "no such package"; exit 100;; esac
      printf '#!/bin/sh\n' >'%s/telnet'
      chmod +x '%s/telnet']]):format(dir, dir))
    program("id", "echo 0")
    local status, _, err = deps({ "--optional", "redis-server", "telnet" }, {})
    assert.equal(0, status)
    assert.equal("no such package\nleft out, and skipped by the specs: redis-server\n", err)
  end)

  it("knows a library's package, and what is needed to find it", function()
    program("apt-get", "exit 0")
    program("id", "echo 0")
    local _, out = deps({ "libkqueue" }, {})
    assert.equal("installing: libkqueue-dev pkg-config\n", out)
  end)

  it("shows what apt says when it fails", function()
    program("apt-get", "echo $1: no such package >&2; exit 100")
    program("id", "echo 0")
    local status, _, err = deps({ "lua" }, {})
    assert.equal(100, status)
    assert.matches("install: no such package\n", err, 1, true)
  end)

  it("installs with apt through a sudo that asks for no password", function()
    program("apt-get", "exit 1")
    program("sudo", "echo sudo $* >>" .. dir .. "/log")
    program("id", "echo 1000")
    assert.equal(0, (deps({ "lua" }, {})))
    assert.matches("sudo -n env DEBIAN_FRONTEND=noninteractive apt-get install", tree.read(dir .. "/log"), 1, true)
  end)

  it("prints the line for apt when it may not install", function()
    program("apt-get", "exit 1")
    program("sudo", "exit 1")
    program("id", "echo 1000")
    local status, _, err = deps({ "lua" }, {})
    assert.equal(1, status)
    assert.matches("  sudo apt-get install lua5.4\n", err, 1, true)
  end)

  it("does nothing when all is there", function()
    program("luarocks", "")
    assert.equal(0, (deps({ "luarocks", "headers" }, { LUA_CFLAGS = "-I/x" })))
  end)
end)

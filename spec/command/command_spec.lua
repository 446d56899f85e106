-- The command csock: what it is told, and how it says that this is wrong.
local command = require "spec.support.command"
local csock = require "csock"
local main = require "csock.command"
local options = require "csock.command.options"
local posix = require "spec.support.posix"
local tree = require "spec.support.tree"

local function ok(...)
  local status, out, err = command.run { ... }
  assert.equal("", err)
  assert.equal(0, status)
  return out
end

local function refused(status, ...)
  local ended, out, err = command.run { ... }
  assert.equal("", out)
  assert.matches("^[^\n]+\n$", err)
  assert.equal(status, ended)
  return err
end

describe("csock", function()
  it("prints versions", function()
    local text = csock._VERSION .. "\n" .. _VERSION .. "\n"
    for _, word in ipairs { "version", "--version", "-v" } do assert.equal(text, ok(word):sub(1, #text)) end
    assert.matches("\nloop: " .. csock.loop.backend() .. "\n$", ok "version")
  end)

  it("explains itself and each of its commands", function()
    local text = ok "--help"
    assert.equal(text, ok "-h")
    assert.equal(text, ok "help")
    for _, each in ipairs(main.commands()) do
      assert.matches("\n  " .. each.name .. " ", text)
      local own = ok(each.name, "--help")
      assert.matches("^usage: csock " .. each.name .. "[ \n]", own)
      assert.equal(own, ok("help", each.name))
    end
  end)

  it("has lines of at most 79 characters in its help", function()
    for line in ok("help"):gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
    for _, each in ipairs(main.commands()) do
      for line in options.help(each):gmatch "[^\n]+" do assert.is_true(#line < 80, line) end
    end
  end)

  it("refuses what it does not know in one line, with status 2", function()
    assert.equal("csock: unknown option --frob; csock --help tells what there is\n", refused(2, "--frob"))
    assert.equal("csock: 'frob' is neither a command nor a file; csock --help tells what there is\n",
      refused(2, "frob"))
    for _, name in ipairs(main.NAMES) do
      assert.equal(("csock %s: unknown option --frob; csock %s --help tells what there is\n"):format(name, name),
        refused(2, name, "--frob"))
    end
    refused(2, "version", "1")
    refused(2, "-e")
  end)

  it("runs a file that is named like a command as ./NAME", function()
    local dir = assert(posix.mkdtemp())
    local file = assert(io.open(dir .. "/http", "w"))
    file:write("print 'a file'"):close()
    local status, out = command.run({ "./http" }, { cwd = dir })
    os.execute("rm -r '" .. dir .. "'")
    assert.equal("a file\n", out)
    assert.equal(0, status)
  end)
end)

describe("build/bin/csock", function()
  it("runs this tree from everywhere, also by a symbolic link", function()
    local dir = assert(posix.mkdtemp())
    assert(os.execute(("ln -s '%s' '%s/link'"):format(command.path, dir)))
    local status, out, err = command.run_in_shell(
      ('cd / && unset LUA_PATH LUA_CPATH && "$1" "%s/link" version'):format(dir), {})
    os.execute("rm -r '" .. dir .. "'")
    assert.equal("", err)
    assert.equal(csock._VERSION, out:match "^[^\n]*")
    assert.equal(0, status)
  end)

  it("begins with the interpreter", function()
    assert.matches("^#!/%S+\n", tree.read(command.path))
  end)
end)

describe("csock help", function()
  it("tells of a name of csock's, and what none is", function()
    if not package.searchpath("csock.help", package.path) then return pending "csock.help is not there" end
    assert.matches("create_connection", ok("help", "csock.create_connection"))
    assert.matches("recv", ok("help", "socket:recv"))
    assert.equal("csock help: nothing is known of 'frobnicate'\n", refused(1, "help", "frobnicate"))
  end)
end)

describe("csock http", function()
  it("shows a directory", function()
    local server <close> = command.start { "http", "--bind", "127.0.0.1", "lua", "0" }
    local port = server:expect "listening on port (%d+)\n"
    local s <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 }))
    assert(s:sendall "GET /csock.lua HTTP/1.0\r\n\r\n")
    local text = assert(s:makefile():read "a")
    assert.matches("^HTTP/1.1 200 OK\r\n", text)
    assert.equal(tree.read "lua/csock.lua", text:match "\r\n\r\n(.*)$")
    server:signal "SIGINT"
    assert.equal("signal 2", server:wait())
    assert.is_nil(server.err:find "traceback")
  end)

  it("takes a number alone for the port, and refuses what is none", function()
    local server <close> = command.start { "http", "-b127.0.0.1", "0" }
    server:expect "listening on port (%d+)\n"
    assert.matches("^csock http: a port is ", refused(2, "http", ".", "http"))
  end)

  it("says in one line that there is no such directory", function()
    assert.equal("csock http: /nothing/here: No such file or directory\n", refused(1, "http", "/nothing/here", "0"))
  end)

  it("says in one line that its port is taken", function()
    local taken <close> = assert(csock.create_server { "127.0.0.1", 0 })
    assert.matches("^csock http: .*%[EADDRINUSE%]\n$",
      refused(1, "http", "--bind=127.0.0.1", ".", taken:getsockname()[2]))
  end)
end)

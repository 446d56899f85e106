-- Servers that live while one types at the prompt of `lua -i` itself.
local csock = require "csock"
local process = require "spec.support.process"
local typist = require "spec.support.typist"

-- Whether the interpreter reads its lines with readline, and there is the module.
local function works()
  local p <close> = process.lua({ "-i" }, { pty = true, env = typist.terminal })
  p:expect "> "
  p:write "print('found', pcall(require, 'csock.background'))\r"
  return p:expect "found\t(%a+)\t" == "true"
end

describe("csock.background", function()
  it("says what else there is where the prompt is not readline's", function()
    local status, _, err = process.run({ process.interpreter, "-e",
      "package.preload['csock.readline'] = function() return { background = function() return false end } end "
      .. "require 'csock.background'" })
    assert.equal(1, status)
    assert.matches("does not read its lines with GNU readline; the command `csock` is a prompt", err)
  end)

  it("says what it lacks", function()
    local status, _, err = process.run({ process.interpreter, "-e",
      "package.preload['csock.readline'] = function() error 'none' end require 'csock.background'" })
    assert.equal(1, status)
    assert.matches("luarocks install csock%-repl.*the command `csock`", err)
  end)

  if not works() then return end

  local function prompt()
    local p = process.lua({ "-i" }, { pty = true, env = typist.terminal })
    p:expect "> "
    p:write "csock = require 'csock' require 'csock.background'\r"
    p:expect "> $"
    return p
  end

  it("serves while somebody types, and prints above the line", function()
    local p <close> = prompt()
    p:write "l = csock.create_server{'127.0.0.1', 0} print('port', l:getsockname()[2])\r"
    local port = tonumber(p:expect "port\t(%d+)\r")
    p:expect "> $"
    p:write("csock.spawn(function() local c = l:accept() print 'somebody' c:sendall 'hello' c:close() ",
      "error 'a fault' end)\r")
    p:expect "> $"
    p:write "half = 1 +"
    p:expect "half = 1 %+"
    local c <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 }))
    assert.equal("hello", c:recv(100))
    p:expect "somebody\r\n"
    p:expect "a fault"
    p:expect "half = 1 %+"
    p:write " 41\r"
    p:expect "> $"
    p:write "print('the half', half)\r"
    p:expect "the half\t42"
  end)

  it("ends the line alone at Ctrl-C", function()
    local p <close> = prompt()
    p:write "not this"
    p:expect "not this"
    p:write "\3"
    p:expect "%^C\r\n.-> "
    p:write "print('but ' .. 'this')\r"
    p:expect "but this"
    p:expect "> $"
    p:write "\4"
    assert.equal(0, p:wait())
  end)

  it("leaves Ctrl-C in a running chunk to lua", function()
    local p <close> = prompt()
    p:write "print('ru' .. 'ns') while true do end\r"
    p:expect "runs"
    p:write "\3"
    p:expect "interrupted!"
    p:expect "> $"
  end)
end)

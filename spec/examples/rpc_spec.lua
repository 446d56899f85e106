-- rpc_pair: two programs that call each other, and Python as either of them.
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local python = require "spec.support.python"

after_each(function()
  keep.close()
  example.stop_all()
end)

local ways = { ["--json"] = pcall(require, "cjson") or pcall(require, "dkjson") }
if pcall(require, "lxp") then ways["by XML-RPC"] = {} end

local function options(way) return way == "--json" and { "--json" } or {} end

describe("examples/rpc_pair", function()
  for way in pairs(ways) do
    it("adds up what is typed in another program, " .. way, function()
      local told = options(way)
      local server = example.server("rpc_pair", "--serve", table.unpack(told))
      table.move({ "127.0.0.1", server.port }, 1, 2, #told + 1, told)
      local client = example.start("rpc_pair", table.unpack(told))
      client:expect "^it can add, greatest, least, system.listMethods, [^\n]*\n"
      client:expect "> $"
      client:type "1 2 +3.5"
      client:expect "sum 6.5\nleast 1\ngreatest 3.5\n> $"
      client:type "1 x"
      client:expect "x is no number\n> $"
      client:type "   "
      client:expect "sum 0\nleast [^\n]*expected[^\n]*\ngreatest [^\n]*\n> $"
      client:type ""
      assert.equal("", client:ends(0))
      server:interrupt()
      assert.matches('"POST / HTTP/1.1" 200', server:ends(0))
    end)
  end

  it("answers Python", function()
    if not python.name or not pcall(require, "lxp") then return pending "no Python, or no lua-expat" end
    local server = example.server("rpc_pair", "--serve")
    local code = ("import xmlrpc.client; print(xmlrpc.client.ServerProxy('http://127.0.0.1:%d/').add(1, 2.5))"):format(
      server.port)
    local status, out = process.run { python.name, "-c", code }
    assert.same({ 0, "3.5\n" }, { status, out })
  end)

  it("says in a line that nobody serves", function()
    if not pcall(require, "lxp") then return pending "no lua-expat" end
    assert.matches("^rpc_pair%.lua: [^\n]*refused[^\n]*\n$", example.start("rpc_pair", "127.0.0.1", 1):ends(1))
  end)
end)

-- What is shown, in terminals of several sizes, and in those that take nothing.
local csock = require "csock"
local process = require "spec.support.process"
local terminal = require "spec.support.terminal"
local tmux = require "spec.support.tmux"
local typist = require "spec.support.typist"

if not typist.edits then return end

describe("a terminal that is stopped by Ctrl-S", function()
  -- It serves, and prints this for each of 30 clients while the terminal is stopped.
  local function serve_meanwhile(p, text)
    p:write("=l = csock.create_server{'127.0.0.1', 0} csock.spawn(function() while true do local c = l:accept() ",
      ("io.write(%s) c:sendall 'hello' c:close() end end) return l:getsockname().port\r"):format(text))
    local port = tonumber(p:expect "<(%d+)>")
    p:expect "ready> "
    p:write "half"
    p:expect "half"
    p:write "\19"
    for _ = 1, 30 do
      local c <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 10 * process.slowness }))
      assert.equal("hello", c:recv(10))
    end
    assert.is_nil(p.out:find "here\r\n")
    p:write "\17"
  end

  it("does not stop the program, and shows everything after Ctrl-Q", function()
    local p <close> = typist.start()
    serve_meanwhile(p, "'here\\n'")
    for _ = 1, 30 do p:expect "here\r\n" end
    p:expect "ready> half$"
  end)

  it("does not stop it either when more is printed than there is room for, and it says so", function()
    local p <close> = typist.start()
    serve_meanwhile(p, "('here '):rep(20000) .. '\\n'")
    p:skip_to "here"
    p:skip_to "ready> half$"
    p:write "\r"
    p:expect "%[%d+ bytes were not shown%]\r\n<half>"
  end)
end)

describe("a window", function()
  it("tells its columns to the editor", function()
    local p <close> = typist.start()
    assert(terminal.window(p.stdin, 200, 50))
    p:write "=return e.columns() .. ' ' .. e.rows()\r"
    p:expect "<200 50>"
  end)

  if not tmux.found then return end

  local function prompt(columns)
    local argv, env = { process.interpreter, "-e", typist.program }, typist.environment()
    env.TERM = nil -- tmux has its own
    local t = tmux.start(argv, { columns = columns, env = env })
    t:expect "ready>\n$"
    return t
  end

  local LONG = "=return '" .. ("0123456789"):rep(24) .. "'"

  for _, columns in ipairs { 40, 200 } do
    it(("of %d columns shows a line that is longer, and its result"):format(columns), function()
      local t <close> = prompt(columns)
      t:type("-l", LONG)
      t:expect("ready> " .. LONG .. "\n$")
      t:type("C-a", "Right", "x", "BSpace", "C-e", "Enter")
      t:expect("ready> " .. LONG .. "\n<" .. ("0123456789"):rep(24) .. ">\nready>\n$")
    end)
  end

  it("of another size has the line once more, and all of it", function()
    local t <close> = prompt(80)
    t:type("-l", LONG)
    for _, columns in ipairs { 80, 120, 200, 40, 33, 80 } do
      t:resize(columns, 24)
      t:expect(function(screen) return ("\n" .. screen):sub(-#LONG - 9) == "\nready> " .. LONG .. "\n" end)
    end
    t:type "Enter"
    t:expect("\n<" .. ("0123456789"):rep(24) .. ">\nready>\n$")
  end)

  it("has a line of wide characters once, below what is printed", function()
    local t <close> = prompt(40)
    t:type("-l", "=l = csock.create_server{'127.0.0.1', 0} csock.spawn(function() l:accept() print '漢字' end) "
      .. "return l:getsockname().port")
    t:type "Enter"
    local port = tonumber(t:expect("<%d+>\nready>\n$"):match "<(%d+)>")
    local wide = ("漢字ä"):rep(12)
    t:type("-l", wide)
    local function shown(screen) return (screen:gsub("[ \n]", "")):find("ready>" .. wide .. "$") end
    t:expect(shown)
    local client <close> = assert(csock.create_connection { "127.0.0.1", port })
    t:expect(function(screen) return screen:find("\n漢字\nready>") and shown(screen) end)
    client:close()
    t:type "Enter"
    t:expect("<漢字ä")
  end)
end)

-- Lines that are typed in a terminal, with readline and without it.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local terminal = require "spec.support.terminal"
local tree = require "spec.support.tree"
local typist = require "spec.support.typist"

local WITHOUT = "package.preload['csock.readline'] = function() error 'none' end "

describe("the editor", function()
  local kinds = { plain = WITHOUT }
  if typist.edits then kinds.readline = "" end

  for kind, before in pairs(kinds) do
    describe("(" .. kind .. ")", function()
      it("gives the lines that are typed, and nil at their end", function()
        local p <close> = typist.start(before)
        p:write "one\r"
        p:expect "<one>"
        p:expect "ready> "
        p:write "zwei ä 漢字\r"
        p:expect "<zwei ä 漢字>"
        p:expect "ready> "
        p:write "\4"
        p:expect "<end>"
        assert.equal(0, p:wait())
      end)

      it("gives up the line at Ctrl-C", function()
        local p <close> = typist.start(before)
        p:write "half"
        p:expect "half"
        p:write "\3"
        p:expect "<interrupted>"
        p:expect "ready> "
        p:write "whole\r"
        p:expect "<whole>"
      end)

      it("lets tasks run meanwhile, whose output is on lines of its own", function()
        local p <close> = typist.start(before)
        p:write "=csock = require 'csock' csock.spawn(function() go = true print 'from a task' end)\r"
        p:expect "from a task\r?\n"
        p:expect "ready> "
      end)

      it("leaves the terminal as it was, also after an error", function()
        local p <close> = typist.start(before)
        p:write "=modes = require 'spec.support.terminal'.modes return modes(0)\r"
        assert.equal(typist.modes(), p:expect "<(%d[%d :]*)>")
        p:expect "ready> "
        p:write "=error 'a fault'\r"
        p:expect "a fault"
        assert.equal(1, p:wait())
        assert.equal(typist.modes(), terminal.modes(p.stdin))
      end)

      it("is at its end when the terminal is gone", function()
        local p <close> = typist.start(before .. "loop = require 'csock'.loop ")
        p:signal "SIGHUP"
        p:expect "<end>"
        assert.equal(0, p:wait())
      end)
    end)
  end

  it("takes lines from a pipe without a prompt", function()
    local p <close> = typist.start("", nil, {})
    p:write "one\ntwo\nthree"
    p:close_stdin()
    assert.equal("<one>\n<two>\n<three>\n<end>\n", p:read_all())
    assert.equal(0, p:wait())
  end)

  it("does nothing in a forked child", function()
    local p <close> = typist.start()
    p:write "=pid = require 'csock'.fork() if pid == 0 then os.exit(0, true) end return require'csock'.waitpid(pid)\r"
    p:expect "<%d+>"
    p:expect "ready> "
    p:write "on\r"
    p:expect "<on>"
  end)
end)

if not typist.edits then return end

describe("the editor with readline", function()
  it("keeps what is typed below what is printed", function()
    local p <close> = typist.start()
    p:write("=csock = require 'csock' l = csock.create_server{'127.0.0.1', 0} ",
      "csock.spawn(function() l:accept() print 'a client' end) return l:getsockname()[2]\r")
    local port = p:expect "<(%d+)>"
    p:expect "ready> "
    p:write "half a line"
    p:expect "half a line"
    local csock = require "csock"
    local client = assert(csock.create_connection { "127.0.0.1", tonumber(port) })
    p:expect "a client\r\n.-ready> half a line"
    client:close()
    p:write " and the rest\r"
    p:expect "<half a line and the rest>"
  end)

  it("goes on with a row that has no end yet", function()
    local p <close> = typist.start()
    p:write "=csock = require 'csock' csock.spawn(function() for _ = 1, 3 do io.write '.' csock.sleep(0.01) end end)\r"
    p:expect "K%.%.%.\r\n"
    p:expect "ready> "
  end)

  -- What a processor that others have makes late is not counted; what waits without one is, to a second.
  local function assert_punctual(p)
    p:expect "ready> "
    p:write "=return ('%.3f %.3f'):format(late())\r"
    local own, all = p:expect "<([%d.-]+) ([%d.-]+)>"
    assert.is_true(tonumber(own) < 0.05 * process.slowness, "the ticker was late by " .. own)
    assert.is_true(tonumber(all) < 1 * process.slowness, "the ticker was late by " .. all)
  end

  it("has a ticker that never misses while 10,000 lines are printed, and the line stays", function()
    local p <close> = typist.start()
    p:write("=loop = require 'csock'.loop loop.spawn(function() for i = 1, 10000 do ",
      "print('line', i) if i % 50 == 0 then loop.yield() end end end)\r")
    p:write "stays"
    p:expect("line%s+10000\r\n.-stays", 30)
    p:write "\r"
    p:expect "<stays>"
    assert_punctual(p)
  end)

  it("prints 3 MB at once and nothing waits for the terminal, whether something is typed or not", function()
    local p <close> = typist.start()
    p:write "=loop = require 'csock'.loop big = ('x'):rep(99):gsub('$', '\\n'):rep(30000) io.write(big) late()\r"
    p:expect("\n<nil>", 60)
    p:write "=loop.spawn(function() io.write(big) end)\r"
    p:write "stays"
    p:write "\r"
    p:expect("<stays>", 60)
    assert_punctual(p)
  end)

  it("shows all that was printed before the process ends", function()
    local p <close> = typist.start()
    p:write "=for i = 1, 20000 do print('row', i) end os.exit(3)\r"
    p:expect("row%s+20000\r\n", 30)
    assert.equal(3, p:wait())
  end)

  it("takes a paste of 1 MB as one line, and nothing waits for it", function()
    local p <close> = typist.start()
    local text = ("line of the paste äöü 0123456789\r"):rep(30000)
    p:write("\27[200~", text, "\27[201~")
    p:write "\r"
    p:expect(("<%d>"):format(#text), 60)
    assert_punctual(p)
  end)

  it("takes what is typed without marks at any speed, up to the line's end", function()
    local p <close> = typist.start()
    p:write(("x"):rep(3000), "\r", "=return 'more'\r")
    p:expect "<3000>"
    p:expect "<more>"
  end)

  it("completes by a function that may wait, and lives with its errors", function()
    local p <close> = typist.start [[
      function complete(line, first, last)
        if line:find "bad" then error "a fault" end
        require "csock".sleep(0.01)
        return { line:sub(first, last) .. "pleted" }, "!"
      end
    ]]
    p:write "csock.com\t\r"
    p:expect "<csock%.completed!>"
    p:write "bad\t line\r"
    p:expect "<bad line>"
  end)

  it("lists more candidates than one, and names of files where it is given none", function()
    local p <close> = typist.start [[
      function complete(line)
        if line:find '"' then return nil end
        return { "alpha", "alphabet" }
      end
    ]]
    p:write "al\t\t\t"
    p:expect "alpha%s+alphabet"
    p:write "\3"
    p:expect "ready> "
    p:write "\"spec/repl/editor_sp\t\r"
    p:expect '<"spec/repl/editor_spec%.lua"'
  end)

  it("keeps the history for the next time, several lines as one, and of two prompts both", function()
    local dir = assert(posix.mkdtemp())
    finally(function() os.execute("rm -rf '" .. dir .. "'") end)
    local path = dir .. "/history"
    local one <close> = typist.start(nil, { EDITOR_HISTORY = path })
    local two <close> = typist.start(nil, { EDITOR_HISTORY = path })
    one:write "of the first\r"
    one:expect "<of the first>"
    two:write "\27[200~of the second\r  goes on\27[201~\r"
    two:expect "<of the second\r?\n  goes on>"
    one:write "\4"
    one:wait()
    two:write "\4"
    two:wait()
    assert.equal("of the first\nof the second\n\t  goes on\n", tree.read(path))
    assert.matches("^%-rw%-%-%-%-%-%-%-", tree.output("ls -l '" .. path .. "'"))
    local three <close> = typist.start(nil, { EDITOR_HISTORY = path })
    three:write "\27[A\r"
    three:expect "<of the second\r?\n  goes on>"
    three:expect "ready> "
    three:write "\16\16\r" -- Ctrl-P
    three:expect "<of the first>"
  end)

  it("honours ~/.inputrc", function()
    local dir = assert(posix.mkdtemp())
    finally(function() os.execute("rm -rf '" .. dir .. "'") end)
    local file <close> = assert(io.open(dir .. "/.inputrc", "w"))
    file:write '"\\C-t": "bound"\n'
    file:close()
    local p <close> = typist.start(nil, { INPUTRC = false, HOME = dir })
    p:write "\20\r"
    p:expect "<bound>"
  end)

  it("takes an escape that is a key of its own, and sequences in pieces", function()
    local p <close> = typist.start()
    p:write "bc\27"
    p:write "[D"
    p:write "\27[D"
    p:write "a\r"
    p:expect "<abc>"
  end)

  it("takes a paste in the midst of a search", function()
    local p <close> = typist.start()
    p:write "first needle\r"
    p:expect "<first needle>"
    p:expect "ready> "
    p:write "\18\27[200~need\27[201~"
    p:write "\r"
    p:expect "<[%l ]*need[le]*>"
  end)

  it("leaves O_NONBLOCK of the terminal alone", function()
    local p <close> = typist.start "posix = require 'spec.support.posix' "
    p:write("=csock.spawn(function() for i = 0, 2 do ",
      "print('flag', select(2, posix.fd_flags(i)) & posix.O_NONBLOCK) end end)\r")
    p:expect "flag%s+0\r\nflag%s+0\r\nflag%s+0\r\n" -- while a line is typed
    p:expect "ready> "
    p:write "=return select(2, posix.fd_flags(0)) & posix.O_NONBLOCK\r"
    p:expect "<0>"
  end)

  it("keeps its line and its terminal when a task fails", function()
    local p <close> = typist.start()
    p:write("=l = csock.create_server{'127.0.0.1', 0} csock.spawn(function() l:accept() error 'a fault' end) ",
      "return l:getsockname().port\r")
    local port = tonumber(p:expect "<(%d+)>")
    p:expect "ready> "
    p:write "stays"
    p:expect "stays"
    local client <close> = assert(require "csock".create_connection { "127.0.0.1", port })
    p:expect "a fault.-ready> stays"
    client:close()
    p:write "\r"
    p:expect "<stays>"
    p:expect "ready> "
    p:write "\4"
    assert.equal(0, p:wait())
    assert.equal(typist.modes(), terminal.modes(p.stdin))
  end)
end)

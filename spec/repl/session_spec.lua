-- A session: what is typed is run, and answered.
local commands = require "csock.repl.commands"
local csock = require "csock"
local process = require "spec.support.process"
local sessions = require "csock.repl.session"
local loop = csock.loop

describe("a session", function()
  local said, before

  before_each(function()
    said = {}
    before = csock.debug(true)
  end)

  after_each(function() csock.debug(before) end)

  -- What the session says to these inputs, one text for each.
  local function play(inputs, options)
    options = options or {}
    local answers, statuses = {}, {}
    options.columns = function() return 120 end
    options.out = function(text) said[#said + 1] = text end
    csock.run(function()
      local session <close> = sessions.new(options)
      for i, input in ipairs(inputs) do
        said = {}
        if type(input) == "function" then
          input(session)
        else
          statuses[i] = session:run(input)
        end
        answers[i] = table.concat(said)
      end
      loop.stop()
    end)
    for _, row in ipairs(loop.tasks()) do row.task:cancel() end
    return answers, statuses
  end

  it("prints the values of an expression, and keeps them", function()
    local answers = play { "1 + 1", "_ * 2", "_1, _2", "nil", "x = 5", "" }
    assert.same({ "2\n", "4\n", "2, 4\n", "nil\n", "", "" }, answers)
  end)

  it("prints an error of csock's in one line with nil and its number", function()
    local answers = play { "create_connection{'127.0.0.1', 1}" }
    assert.matches("^nil, create_connection %('127.0.0.1', 1%): [^\n]+%[ECONNREFUSED%], %d+\n$", answers[1])
  end)

  it("tells where an error happened, and nothing of itself", function()
    local answers, statuses = play {
      "error 'here'", "local function f() error 'there' end local function g() f() end", "g()", "error{}", "x = = 1",
    }
    assert.equal("[1]:1: here\n", answers[1])
    assert.matches("^%[2%]:1: there\nstack traceback:\n", answers[3])
    assert.is_nil(answers[3]:find("session.lua", 1, true))
    assert.equal("{}\n", answers[4]:match "^{}\n" or answers[4])
    assert.matches("^%[5%]:1: unexpected symbol", answers[5])
    assert.same({ "failed", "done", "failed", "failed", "failed" }, statuses)
  end)

  it("asks for more", function()
    local _, statuses = play { "for i = 1, 2 do", "for i = 1, 2 do\nend" }
    assert.same({ "more", "done" }, statuses)
  end)

  it("lets servers go on while an input waits", function()
    local answers = play {
      "server = csock.serve({'127.0.0.1', 0}, function(conn) conn:sendall('to ' .. conn:recv(10)) end)",
      "local c = create_connection(server:getsockname())", "c:sendall 'me'", "c:recv(10)", "server:close()",
    }
    assert.equal('"to me"\n', answers[4])
  end)

  it("serves by a handler that was defined anew, from its next call on", function()
    local answers = play {
      "function session_spec_handler(conn) conn:sendall 'old' end",
      "server = csock.serve({'127.0.0.1', 0}, session_spec_handler)",
      "create_connection(server:getsockname()):recv(10)",
      "function session_spec_handler(conn) conn:sendall 'new' end",
      "create_connection(server:getsockname()):recv(10)",
      "server:close()",
    }
    _G.session_spec_handler, _G.server = nil, nil
    assert.same({ '"old"\n', '"new"\n' }, { answers[3], answers[5] })
  end)

  it("runs in the background what ends with &, and says what came of it", function()
    local answers, statuses = play {
      "csock.sleep(0) or 'woken' &", "1", function() csock.sleep(0.01) end, "error 'later' &",
      function() csock.sleep(0.01) end,
    }
    assert.equal("background", statuses[1])
    assert.matches("%[1%] in the background\n", answers[1])
    local all = table.concat(answers)
    assert.matches("%[1%] true\n", all)
    assert.matches("%[3%] %[3%]:1: later\n", all)
  end)

  it("interrupts what waits, and goes on", function()
    local answers, statuses = play {
      function(session)
        loop.call_later(0.01, session.interrupt, session)
        session:run "csock.sleep(60)"
      end, "1",
    }
    assert.equal("interrupted\n", answers[1])
    assert.equal("done", statuses[2])
  end)

  it("tells its owner which task is in the foreground", function()
    local seen = {}
    play({ "seen = csock.loop.current()", "1" }, {
      foreground = function(task) seen[#seen + 1] = task:status() and "task" end, own = { seen = false },
    })
    assert.same({ "task", "task" }, seen)
  end)

  it("closes at its end what was to be closed", function()
    local closed = {}
    local function thing(name)
      return setmetatable({}, { __close = function() closed[#closed + 1] = name end })
    end
    local own = { thing = thing }
    play({ "local a <close> = thing 'a'", "local b <close>, c = thing 'b', 1", function() assert.same({}, closed) end },
      { own = own })
    assert.same({ "b", "a" }, closed)
  end)

  it("is over when one leaves it", function()
    play { ":quit", function(session) assert.is_true(session.over) end }
    play { "exit()", function(session) assert.is_true(session.over) end }
  end)

  describe("has commands, of which", function()
    it("one that there is not is told of", function()
      local answers, statuses = play { ":nothing" }
      assert.equal(":nothing is no command; :help lists them\n", answers[1])
      assert.equal("failed", statuses[1])
    end)

    it(":help lists them all", function()
      local answers = play { ":help" }
      for name in pairs(require "csock.repl.commands".all) do assert.matches(":" .. name, answers[1]) end
    end)

    it(":sockets and :servers show who is there, and where each was made", function()
      local answers = play {
        "server = csock.serve({'127.0.0.1', 0}, function(conn) conn:sendall 'hello' conn:recv(1) end)",
        "c = create_connection(server:getsockname())", "c:recv(10)", ":sockets", ":servers",
        function() _G.server:close() _G.c:close() _G.server, _G.c = nil, nil end, ":sockets",
      }
      assert.matches("\n%d+ +tcp +listening +127.0.0.1:%d+ ", answers[4])
      assert.matches("127.0.0.1:%d+ +127.0.0.1:%d+ +5 +0 ", answers[4])
      assert.matches("%[2%]:1", answers[4])
      assert.matches("\n%d+ +tcp +127.0.0.1:%d+ +1 +0 +5 ", answers[5])
      assert.equal("no open sockets\n", answers[7])
    end)

    it(":tasks shows what each waits for, and the stack of one", function()
      local answers = play {
        "t = csock.spawn(function() csock.sleep(60) end):set_name 'sleeper'", ":tasks", ":tasks sleeper",
        ":kill sleeper", "t:status()", ":kill sleeper", "t = nil",
      }
      assert.matches("sleeper +sleep ", answers[2])
      assert.matches("stack traceback:.*%[1%]:1", answers[3])
      assert.equal('"cancelled"\n', answers[5])
      assert.matches("there is no task sleeper", answers[6])
    end)

    it(":tasks leaves out what the prompt is made of, which :kill does not end", function()
      local answers = play {
        function(session)
          local own = require "csock.repl.state".own(csock.spawn(csock.sleep, 60):set_name "of the prompt")
          session:run ":tasks"
          session:run ":tasks all"
          session:run ":kill of the prompt"
          session:print(own:status())
        end, ":kill", ":kill 100000",
      }
      assert.is_nil(answers[1]:match "^(.-)since.*since":find("of the prompt", 1, true))
      assert.matches("of the prompt +sleep.*:kill: the prompt itself is made of this one\nwaiting\n$", answers[1])
      assert.equal(":kill: expects the number of a task\n", answers[2])
      assert.equal(":kill: there is no task 100000\n", answers[3])
    end)

    it("each run as a task that an interrupt ends", function()
      local answers = play {
        function(session)
          loop.call_later(0.01, function() session:interrupt() end)
          session:run ":time csock.sleep(60)"
        end,
        function(session) -- what catches it is ended by the second one
          local ticks = 0
          loop.call_later(0.01, function() session:interrupt() end)
          loop.call_later(0.02, function() session:interrupt() end)
          function session.own.again() while true do pcall(csock.sleep, 60) ticks = ticks + 1 end end
          session:run "again()"
          session:print(ticks)
        end,
      }
      assert.matches("^[%d.]+ ms, of which [^\n]+\ninterrupted\n$", answers[1])
      assert.equal("interrupted\n1\n", answers[2])
    end)

    it(":help fits into the terminal", function()
      for _, columns in ipairs { 40, 80, 200 } do
        for line in commands.help(columns):gmatch "[^\n]+" do assert.is_true(utf8.len(line) <= columns, line) end
      end
    end)

    it("tell what is missing", function()
      local answers = play { ":close", ":reload", ":watch", ":save", ":doc", ":trace", ":record x", ":replay x",
        ":set no 5", ":nothing", ":watch /no/such/file", ":time", ":bench" }
      for _, answer in ipairs(answers) do assert.matches("^:%l+[: ][^\n]+\n$", answer) end
      assert.matches("expects the name of a module", answers[2])
      assert.matches("is no command; :help lists them", answers[10])
    end)

    it(":close ends a socket", function()
      local answers = play {
        "a, b = csock.socketpair()",
        function(session)
          for _, row in ipairs(csock.sockets()) do
            if row.socket == _G.a then session:run(":close " .. row.id) end
          end
        end, "a:fileno(), b:recv(1)", ":close 0", "b:close() a, b = nil",
      }
      assert.equal('-1, ""\n', answers[3])
      assert.matches("no open socket 0", answers[4])
    end)

    it(":time and :bench measure", function()
      local answers = play { ":time csock.sleep(0.02)", ":time nothing()", ":time 1 +" }
      assert.matches("^true\n%d+[%d.]* ms, of which [%d.]+ [mun]?s of work\n$", answers[1])
      assert.matches("attempt to call a nil value", answers[2])
      assert.equal(":time: it is not complete\n", answers[3])
    end)

    it(":trace prints what passes, :record writes it, :replay plays it again", function()
      local path = os.tmpname()
      local answers = play {
        "function handler(conn) while conn:recv(10) == 'ask' do conn:sendall 'answer' end end",
        "server = csock.serve({'127.0.0.1', 0}, handler)",
        "c = create_connection(server:getsockname())",
        function(session)
          for _, row in ipairs(csock.sockets()) do
            if row.socket == _G.c then
              session:run((":record %s %d"):format(path, row.id))
              session:run(":trace off")
              session:run((":record %s %d"):format(path, row.id))
            end
          end
        end,
        "c:sendall 'ask'", "c:recv(10)", ":trace off",
        function(session)
          csock.sleep(0.01)
          session:run((":replay %s 127.0.0.1:%d"):format(path, _G.server:getsockname().port))
        end,
        "server:close()",
      }
      os.remove(path)
      _G.server, _G.c, _G.handler = nil, nil, nil
      assert.equal("2 pieces, 0 differ\n", answers[8])
    end)

    it(":trace says how many bytes the system has sent of a file", function()
      local answers = play {
        "a, b = csock.socketpair()",
        function(session)
          for _, row in ipairs(csock.sockets()) do
            if row.socket == _G.a then session:run(":trace " .. row.id) end
          end
        end,
        "a:sendfile(io.open 'README.md', 0, 100) sleep(0.01)",
        ":trace off",
      }
      _G.a, _G.b = nil, nil
      assert.matches("#%d+ %d%.%d%d%d > 100 bytes that were not kept\n", answers[3])
    end)

    it(":dashboard serves a page, and tells its address again", function()
      local answers = play { ":dashboard", ":dashboard", ":dashboard 100000", ":dashboard x", function(session)
        session.dashboard.server:close { drain = 0 }
      end, ":dashboard" }
      assert.matches("^http://127.0.0.1:%d+/%x+/\n$", answers[1])
      assert.equal(answers[1], answers[2])
      assert.equal(":dashboard: expects a port\n", answers[3])
      assert.equal(":dashboard: expects a port\n", answers[4])
      assert.matches("^http://127.0.0.1:%d+/%x+/\n$", answers[6])
      assert.not_equal(answers[1], answers[6])
    end)

    it(":set changes how much is printed", function()
      local answers = play { ":set items 2", "{1, 2, 3}", ":set", ":set nothing 1" }
      assert.equal("{1, 2, … (1 more)}\n", answers[2])
      assert.matches("^items 2\n", answers[3])
      assert.matches("expects", answers[4])
    end)

    it(":save writes what did not fail as a script that does the same", function()
      local path = os.tmpname()
      play({
        "local x = 1", "error 'no'", "x + 1", "function handler(conn) conn:sendall 'old' end",
        "local server <close> = serve({'127.0.0.1', 0}, handler)", "function handler(conn) conn:sendall 'new' end",
        "local c = create_connection(server:getsockname())", "n = _3 + 1 return n", "c:recv(10)",
        "csock.sleep(0) &", "print(_8, c:recv(0), url.quote ' ')", ":save " .. path,
      }, { own = { print = function() end } })
      local p <close> = process.lua { path }
      assert.equal("3\t\t%20\n", p:read_all())
      assert.equal(0, p:wait(), p.err)
      os.remove(path)
    end)

    it(":watch runs a file again when it is saved", function()
      local path = os.tmpname()
      local function write(text)
        local file <close> = assert(io.open(path, "w"))
        file:write(text)
      end
      write "session_spec_value = 1"
      play {
        ":watch " .. path, function() assert.equal(1, _G.session_spec_value) end,
        function()
          write "session_spec_value = 2"
          local deadline = loop.now() + 20
          while _G.session_spec_value ~= 2 and loop.now() < deadline do csock.sleep(0.02) end
        end,
      }
      os.remove(path)
      assert.equal(2, _G.session_spec_value)
      _G.session_spec_value = nil
    end)
  end)
end)

-- The exercises: commands, the time of day, chats.
local example = require "spec.support.example"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local DATE = "%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d"

local function connect(port)
  local socket = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
  return socket, assert(socket:makefile("rw"))
end

local function say(stream, text)
  assert(assert(stream:write(text)):flush())
end

-- The lines of an answer, up to the empty one.
local function answer(stream)
  local lines = {}
  while true do
    local line = assert(stream:read("l"))
    if line == "" then return lines end
    table.insert(lines, line)
  end
end

describe("examples/command_server", function()
  local server
  before_each(function() server = example.server("command_server") end)
  after_each(example.stop_all)

  local function ask(command)
    local _ <close>, stream = connect(server.port)
    say(stream, command .. "\n")
    local text = table.concat(answer(stream), "\n")
    stream:close()
    return text
  end

  it("knows date, os, ls and ls DIR", function()
    assert.matches("^" .. DATE .. "$", ask("date"))
    assert.matches("^%S+ %S+ %S+$", ask("os"))
    assert.is_truthy(ask("ls"):find("Makefile", 1, true))
    assert.is_truthy(ask("ls examples"):find("command_server.lua", 1, true))
    assert.is_nil(ask("ls examples"):find("Makefile", 1, true))
  end)

  it("answers several commands on one connection, in whatever pieces they come", function()
    local socket <close>, stream = connect(server.port)
    assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    for piece in ("date\r\nls examples\r\n"):gmatch(".") do assert(socket:sendall(piece)) end
    assert.matches(DATE, answer(stream)[1])
    assert.is_true(#answer(stream) > 10)
    say(stream, "date\ndate\n")
    assert.equal(1, #answer(stream))
    assert.equal(1, #answer(stream))
  end)

  it("gives an error line for a missing directory, and goes on", function()
    assert.matches("^error: [^\n]*no such dir[^\n]*$", ask("ls no such dir"))
    assert.matches("^" .. DATE .. "$", ask("date"))
  end)

  it("gives an error line for what it does not know", function()
    assert.matches("^error: unknown command", ask("rm"))
    assert.matches("^error: unknown command", ask(""))
    assert.equal("error: date takes no argument", ask("date now"))
    assert.equal("error: a zero byte in a name", ask("ls a\0b"))
  end)

  it("lets no name reach the shell as more than a name", function()
    for _, name in ipairs { "$(echo examples)", "'; echo PWNED; '", "-la", "`echo x`", "a\"b", "*" } do
      local text = ask("ls " .. name)
      assert.matches("^error: ", text)
      assert.is_nil(text:find("\nPWNED"))
    end
  end)

  it("says that a line is too long, passes it over, and goes on", function()
    local socket <close>, stream = connect(server.port)
    local block = ("x"):rep(1000000)
    for _ = 1, 10 do assert(socket:sendall(block)) end
    assert.same({ "error: a line of over 1024 bytes" }, answer(stream))
    say(stream, "\ndate\n")
    assert.matches(DATE, answer(stream)[1])
  end)

  describe("lists a directory", function()
    local posix = require "spec.support.posix"
    local dir
    before_each(function() dir = assert(posix.mkdtemp()) end)
    after_each(function() os.execute("chmod 700 '" .. dir .. "'; rm -rf '" .. dir .. "'") end)

    it("that is empty", function()
      assert.equal("", ask("ls " .. dir))
    end)

    it("that is huge, as far as anybody wants to know", function()
      assert(os.execute(("cd '%s' && seq 2500 | xargs touch"):format(dir)))
      local _ <close>, stream = connect(server.port)
      say(stream, "ls " .. dir .. "\n")
      local lines = answer(stream)
      assert.equal(2001, #lines)
      assert.equal("... and 500 more", lines[2001])
      say(stream, "date\n")
      assert.matches(DATE, answer(stream)[1])
    end)

    it("with strange names, each as one line without control characters", function()
      assert(os.execute(("cd '%s' && touch \"$(printf 'a\\033[2Jb\\nc')\""):format(dir)))
      assert.equal("a?[2Jb?c", ask("ls " .. dir))
    end)

    it("only if it may be read", function()
      assert(os.execute("chmod 000 '" .. dir .. "'"))
      if os.execute("ls '" .. dir .. "' >/dev/null 2>&1") then
        server = example.server_as_nobody("command_server")
        if not server then return pending "there is nobody here who may not read everything" end
      end
      assert.matches("^error: [^\n]*[Pp]ermission denied$", ask("ls " .. dir))
      assert.matches("^" .. DATE .. "$", ask("date"))
    end)
  end)

  it("outlives a client that resets the connection", function()
    local socket = assert(csock.create_connection { "127.0.0.1", server.port })
    assert(socket:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0)))
    server:expect("connected from")
    socket:sendall("ls\n")
    socket:close()
    server:expect("waiting for connection")
    assert.matches(DATE, ask("date"))
  end)

  it("has a client that prints the answers", function()
    local client = example.start("command_client", "127.0.0.1", server.port)
    client:expect("^> ")
    client:type("date")
    client:expect("^" .. DATE .. "\n> ")
    client:type("ls /does/not/exist")
    client:expect("^error: [^\n]+\n> ")
    client:type("ls")
    client:expect("Makefile\n")
    client:finish_input()
    assert.equal("", client:ends(0))
  end)
end)

describe("examples/daytime", function()
  after_each(example.stop_all)

  it("prints the date that the server tells", function()
    local server = example.server("daytime_server")
    server:expect("^waiting for message%.%.%.\n")
    local client = example.start("daytime", "127.0.0.1", server.port)
    client:expect("^" .. DATE .. "\n$")
    client:ends(0)
    server:expect("^%.%.%.told the date to: %('127%.0%.0%.1', %d+%)\n")
  end)

  it("prints no control characters", function()
    local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(server:bind("127.0.0.1", 0))
    server:settimeout(10)
    local client = example.start("daytime", "127.0.0.1", server:getsockname()[2])
    local _, address = assert(server:recvfrom(1024))
    assert(server:sendto("\27[2Jnow", address))
    client:expect("^%?%[2Jnow\n$")
    client:ends(0)
  end)

  it("asks again when no answer comes", function()
    local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(server:bind("127.0.0.1", 0))
    server:settimeout(10)
    local client = example.start("daytime", "127.0.0.1", server:getsockname()[2])
    assert(server:recvfrom(1024)) -- lost, as it were
    local _, address = assert(server:recvfrom(1024))
    assert(server:sendto("Sat Jun 17 17:27:21 2006\r\n", address))
    client:expect("^Sat Jun 17 17:27:21 2006\n$")
    assert.matches("no answer within 0%.5 s\n", client:ends(0))
  end)

  it("gives up after three questions", function()
    local server <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
    assert(server:bind("127.0.0.1", 0))
    local client = example.start("daytime", "127.0.0.1", server:getsockname()[2])
    local errors = client:ends(1, 15)
    assert.matches("daytime%.lua: no answer from 127%.0%.0%.1, port %d+\n$", errors)
    for _ = 1, 3 do assert(server:recvfrom(1024)) end
    server:setblocking(false)
    assert.is_nil((server:recvfrom(1024)))
  end)
end)

for _, name in ipairs { "chat_half", "chat_full" } do
  describe("examples/" .. name, function()
    local listening, calling
    before_each(function()
      listening = example.server(name, "--listen")
      calling = example.start(name, "127.0.0.1", listening.port)
    end)
    after_each(example.stop_all)

    it("carries lines both ways, in turns", function()
      for i = 1, 3 do
        calling:type("ping " .. i)
        listening:expect("< ping " .. i .. "\n")
        listening:type("pong " .. i)
        calling:expect("< pong " .. i .. "\n")
      end
      calling:finish_input()
      assert.equal("", calling:ends(0))
      listening:expect("the other side has left\n")
      assert.equal("", listening:ends(0))
    end)

    it("ends on Ctrl-C in the middle of a talk", function()
      calling:type("hi")
      listening:expect("hi\n")
      listening:interrupt()
      assert.equal("", listening:ends(0))
      calling:expect("the other side has left\n")
      assert.equal("", calling:ends(0))
    end)
  end)
end

describe("examples/chat_half", function()
  after_each(example.stop_all)

  it("says at once that the other side has left, although it is asked for a line", function()
    local listening = example.server("chat_half", "--listen")
    local calling = example.start("chat_half", "127.0.0.1", listening.port)
    calling:expect("^> ")
    listening:interrupt()
    calling:expect("the other side has left\n")
    assert.equal("", calling:ends(0))
  end)

  it("ends on Ctrl-D also while it is the other's turn, and keeps what is typed then", function()
    local listening = example.start_at_terminal("chat_half", "--listen", "127.0.0.1", "0")
    local socket <close>, stream = connect(listening:expect("listening on port (%d+)"))
    listening:expect("connected from")
    listening:type("early")
    say(stream, "one\ntwo\n")
    listening:expect("< one\r?\n> < two\r?\n> ") -- the answer was there already
    assert.equal("early", stream:read("l"))
    listening:type("late")
    assert.equal("late", stream:read("l"))
    listening:write("\4")
    listening:ends(0)
    assert.is_nil(stream:read("l"))
    stream:close()
    socket:close()
  end)
end)

for _, name in ipairs { "chat_half", "chat_full" } do
  it("examples/" .. name .. " shows what the other side says without control characters", function()
    local listening = example.server(name, "--listen")
    local socket <close>, stream = connect(listening.port)
    say(stream, "\27[2J\7bell \194\1552J\r\n")
    listening:expect("\n< %?%[2J%?bell %?2J\n")
    listening:type("still here")
    assert.equal("still here", stream:read("l"))
    stream:close()
    socket:close()
    listening:expect("the other side has left\n")
    assert.equal("", listening:ends(0))
  end)

  it("examples/" .. name .. " outlives 10 MB without a newline", function()
    local listening = example.server(name, "--listen")
    local socket <close>, stream = connect(listening.port)
    socket:settimeout(0)
    local text, sent = ("x"):rep(10000000) .. "\nthe end\n", 0
    while sent < #text do
      sent = sent + (socket:send(text, 0, sent + 1) or 0)
      listening:skip() -- lest it waits to print
    end
    socket:settimeout(10)
    if name == "chat_half" then
      listening:expect("%(a line of over 65536 bytes%)\n")
      say(stream, "and then\n")
    else
      listening:skip_to("< the end\n")
    end
    listening:type("still here")
    assert.equal("still here", stream:read("l"))
  end)
end

describe("examples/chat_full", function()
  after_each(function()
    keep.close()
    example.stop_all()
  end)

  it("shows what the other side says in the middle of a line, and sends the line when it is whole", function()
    local listening = example.server("chat_full", "--listen")
    local calling = example.start("chat_full", "127.0.0.1", listening.port)
    calling:write("half a li")
    listening:expect("connected from")
    listening:type("yes?")
    calling:expect("^< yes%?\n")
    calling:type("ne")
    listening:expect("\n< half a line\n")
  end)

  it("sends what has no line end when that is all, and shows it", function()
    local listening = example.server("chat_full", "--listen")
    local calling = example.start("chat_full", "127.0.0.1", listening.port)
    calling:write("no end")
    calling:finish_input()
    assert.equal("", calling:ends(0))
    listening:expect("\n< no end\nthe other side has left\n")
  end)

  it("shows what comes above the line that is being typed, which stays", function()
    local listening = example.start_at_terminal("chat_full", "--listen", "127.0.0.1", "0")
    local _ <close>, stream = connect(listening:expect("listening on port (%d+)"))
    listening:expect("connected from[^\n]*\n> ")
    listening:write("hal")
    listening:expect("> hal$")
    say(stream, "hello\n")
    listening:expect("^\r\27%[J< hello\r\n> hal$")
    listening:write("x\127f a li\195\188\127ne")
    listening:expect("> half a line$")
    listening:write("\r")
    listening:expect("^\r\27%[J> half a line\r\n> $")
    assert.equal("half a line", stream:read("l"))
    listening:write(("long "):rep(30)) -- of two rows
    listening:expect("long $")
    say(stream, "and\n")
    listening:expect("\27%[1A\r\27%[J< and\r\n> long ")
    listening:write("\21gone\23again\27[A\r")
    assert.equal("again", stream:read("l"))
    listening:write("bye\r\4")
    assert.equal("bye", stream:read("l"))
    listening:ends(0)
    assert.is_nil(stream:read("l"))
    stream:close()
  end)

  it("gives the terminal back as it was", function()
    local shell = keep(process.start({ "sh", "-c", "trap : INT; stty -g; " .. process.interpreter
      .. " examples/chat_full.lua --listen 127.0.0.1 0; stty -g" }, { pty = true,
      env = { LUA_PATH = package.path, LUA_CPATH = package.cpath, LD_PRELOAD = os.getenv "LD_PRELOAD" } }))
    local before = shell:expect("^(%S+)\r\n")
    local _ <close> = connect(shell:expect("listening on port (%d+)"))
    shell:expect("\n> ")
    shell:write("\3")
    shell:expect("\n?" .. before:gsub("%p", "%%%0") .. "\r\n")
  end)

  it("lets one side say many things before the other answers", function()
    local listening = example.server("chat_full", "--listen")
    local calling = example.start("chat_full", "127.0.0.1", listening.port)
    listening:expect("connected from")
    listening:type("one\ntwo")
    calling:expect("^< one\n< two\n")
    listening:type("three")
    calling:expect("^< three\n")
  end)
end)

describe("examples/chat_server", function()
  local server
  before_each(function() server = example.server("chat_server") end)
  after_each(example.stop_all)

  local function join()
    local socket, stream = connect(server.port)
    assert.equal("You're connected to the csock chatserver\r\n", stream:read("L"))
    return socket, stream, "127.0.0.1:" .. socket:getsockname()[2]
  end

  it("says that it has started", function()
    server:expect("^ChatServer started on port " .. server.port .. "\n")
  end)

  it("tells everybody who joins, what they say, and who leaves", function()
    local _ <close>, first = join()
    local second_socket, second, second_name = join()
    assert.equal("Client joined " .. second_name .. "\r\n", first:read("L"))
    say(second, "Hello, is anyone there?\r\n")
    local line = "[" .. second_name .. "] Hello, is anyone there?"
    assert.equal(line .. "\r\n", first:read("L"))
    say(first, "yes\n")
    assert.matches("^%[127%.0%.0%.1:%d+%] yes\r\n$", second:read("L"))
    second:close()
    second_socket:close()
    assert.equal("Client left " .. second_name .. "\r\n", first:read("L"))
    for _, text in ipairs {
      "Client joined " .. second_name, line, "] yes", "Client left " .. second_name,
    } do
      server:expect(text:gsub("%p", "%%%0") .. "\n")
    end
  end)

  it("passes whole lines on, in whatever pieces they come", function()
    local _ <close>, first = join()
    local socket <close>, stream, name = join()
    first:read("L")
    assert(socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1))
    for piece in ("one\r\ntwo\r\nthree"):gmatch(".") do assert(socket:sendall(piece)) end
    stream:close()
    socket:close()
    for _, word in ipairs { "one", "two", "three" } do
      assert.equal("[" .. name .. "] " .. word .. "\r\n", first:read("L"))
    end
  end)

  it("lets no control character reach another terminal, nor the server's own", function()
    local _ <close>, first = join()
    local _ <close>, second, name = join()
    first:read("L")
    for text, clean in pairs {
      ["\27[2J\7bell"] = "?[2J?bell",
      ["tab\tand\0zero"] = "tab and?zero",
      ["gr\195\188n"] = "gr\195\188n",
      ["C1 \194\1552J"] = "C1 ?2J",
      ["\155no UTF-8\255"] = "?no UTF-8?",
      ["right \226\128\174to left"] = "right ?to left",
      ["in\rside"] = "in?side",
    } do
      say(second, text .. "\r\n")
      local line = "[" .. name .. "] " .. clean
      assert.equal(line .. "\r\n", first:read("L"))
      server:expect(line:gsub("%p", "%%%0") .. "\n")
    end
  end)

  it("passes on no line that is too long, and says so", function()
    local _ <close>, first = join()
    local socket <close>, second, name = join()
    first:read("L")
    say(second, ("x"):rep(1024) .. "\r\n")
    assert.equal("[" .. name .. "] " .. ("x"):rep(1024) .. "\r\n", first:read("L"))
    for _, length in ipairs { 1025, 1500, 5000, 100000 } do
      say(second, ("y"):rep(length) .. "\n")
      assert.equal("That line is too long: over 1024 bytes. It is not passed on\r\n", second:read("L"))
      say(second, "short\n")
      assert.equal("[" .. name .. "] short\r\n", first:read("L"))
    end
    assert(socket:sendall(("z"):rep(2000)))
    second:close()
    socket:close()
    assert.equal("Client left " .. name .. "\r\n", first:read("L"))
  end)

  it("does not wait for a client that stops reading, and drops it", function()
    local deaf <close>, _, deaf_name = join()
    deaf:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 4096)
    local talker <close> = join()
    local _ <close>, reader = join()
    local left = "Client left " .. deaf_name
    -- The reader keeps reading; the deaf one's buffers fill, then its queue, then it is dropped.
    local count, dropped = 0, false
    repeat
      assert(talker:sendall(("x"):rep(1000) .. "\n"))
      count = count + 1
      -- What the server prints must not fill its pipe either.
      if count % 40 == 0 then
        for _ = 1, 40 do server:read_line() end
      end
      repeat
        local text = assert(reader:read("l"))
        dropped = dropped or text == left
      until text:find("^%[")
    until dropped or count == 20000
    assert.is_true(dropped)
  end)

  it("ends on Ctrl-C with clients connected", function()
    local socket <close>, stream = join()
    server:interrupt()
    assert.equal("", server:ends(0))
    assert.is_nil(stream:read("l"))
    assert.is_true(socket:fileno() >= 0)
  end)
end)

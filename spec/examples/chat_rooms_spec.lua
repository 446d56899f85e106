-- examples/chat_rooms.lua: one server, and several that share a bus.
local csock = require "csock"
local chat = require "spec.support.chat"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local redis_server = require "spec.support.redis"

local come, LIMIT = chat.come, chat.LIMIT

local function has(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1") ~= nil
end

describe("examples/chat_rooms", function()
  local server
  after_each(function()
    keep.close()
    example.stop_all()
  end)

  local function start(...)
    server = example.server("chat_rooms", ...)
    server:expect "^the chat is open\n"
    return server.port
  end

  it("passes on what people say, with their names, and who comes and goes", function()
    local port = start()
    local ann = come(port, "ann")
    local bob = come(port)
    ann:gets(("* %s has joined"):format(bob.guest))
    bob:type "/nick bob"
    ann:gets(("* %s is now bob"):format(bob.guest))
    bob:expect "You are now bob"
    ann:type "hello, bob"
    bob:gets "[ann] hello, bob"
    bob:type "hello, ann"
    ann:gets "[bob] hello, ann"
    bob:says_good_bye()
    ann:gets "* bob has left"
    server:expect "127%.0%.0%.1:%d+ %(guest%d+%) has come\n"
    server:expect "127%.0%.0%.1:%d+ %(bob%) has left\n"
  end)

  it("has rooms, which do not hear each other", function()
    local port = start()
    local ann, bob, eve = come(port, "ann"), come(port, "bob"), come(port, "eve")
    ann:settled()
    bob:settled()
    bob:type "/join Kitchen"
    bob:gets "* You are now in kitchen"
    ann:gets "* bob has gone to kitchen"
    eve:expect "bob has gone to kitchen"
    eve:type "/join kitchen"
    eve:expect "You are now in kitchen"
    ann:gets "* eve has gone to kitchen"
    bob:gets "* eve has joined"
    ann:type "nobody here"
    eve:type "tea?"
    bob:gets "[eve] tea?"
    ann:type "/rooms"
    ann:gets "* kitchen (2)"
    ann:gets "* lobby (1)"
    bob:type "/who"
    bob:gets "* In kitchen: bob, eve"
    bob:type "/leave"
    bob:gets "* You are now in lobby"
    ann:gets "* bob has joined"
    eve:gets "* bob has gone to lobby"
    bob:type "/leave"
    bob:expect "You are in the lobby"
    eve:type "/join kitchen"
    eve:gets "* You are in kitchen already"
  end)

  it("carries what is for one person alone to that person alone, wherever it is", function()
    local port = start()
    local ann, bob, eve = come(port, "ann"), come(port, "bob"), come(port, "eve")
    bob:type "/join kitchen"
    bob:expect "now in kitchen"
    ann:settled()
    ann:type "/msg BOB  a secret"
    bob:expect "^%[ann %-> bob%] a secret\r\n$"
    ann:gets "[ann -> bob] a secret"
    eve:type "/msg nobody hi"
    eve:expect "There is no nobody here"
    eve:type "/msg ann"
    eve:gets "* /msg NICK TEXT"
    eve:type "/msg eve note"
    eve:gets "[eve -> eve] note"
    eve:type "/who"
    eve:gets "* In lobby: ann, eve"
  end)

  it("explains itself", function()
    local port = start()
    local ann = come(port)
    ann:type "/HELP"
    for _, command in ipairs { "nick", "join", "leave", "rooms", "who", "msg", "quit", "help" } do
      ann:expect("^%* /" .. command)
    end
  end)

  it("answers what it cannot do with a line, and goes on", function()
    local port = start()
    local ann = come(port, "ann")
    come(port, "bob")
    ann:expect "is now bob"
    local long = ("x"):rep(21)
    for text, answer in pairs {
      ["/frobnicate"] = "There is no command /frobnicate",
      ["/"] = "There is no command /",
      ["/nick"] = "A name has 1 to 20",
      ["/nick a b"] = "A name has 1 to 20",
      ["/nick " .. long] = "A name has 1 to 20",
      ["/nick BOB"] = "BOB is taken",
      ["/join"] = "A room's name has 1 to 20",
      ["/join a/b"] = "A room's name has 1 to 20",
      ["/join " .. long] = "A room's name has 1 to 20",
      ["/msg"] = "/msg NICK TEXT",
    } do
      ann:type(text)
      assert.matches("* " .. answer, ann.stream:read "L", 1, true)
    end
  end)

  it("lets no control character reach another terminal", function()
    local port = start()
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    for text, clean in pairs {
      ["\27[2J\7bell"] = "?[2J?bell",
      ["tab\tand\0zero"] = "tab and?zero",
      ["gr\195\188n"] = "gr\195\188n",
      ["C1 \194\1552J"] = "C1 ?2J",
      ["\155no UTF-8\255"] = "?no UTF-8?",
      ["right \226\128\174to left"] = "right ?to left",
      ["in\rside"] = "in?side",
    } do
      bob:type(text)
      ann:gets("[bob] " .. clean)
    end
    for _, name in ipairs { "a\27[2Jb", "a\7", "\194\155x", "a\226\128\174b", "a\0b" } do
      bob:type("/nick " .. name)
      assert.is_nil(bob:expect("^(%* A name has .*)\r\n$"):find "%c")
      bob:type("/join " .. name)
      bob:expect "^%* A room's name has"
      bob:type("/msg " .. name .. " hi")
      assert.is_nil(bob:expect("^(%* There is no .*)\r\n$"):find "%c")
    end
    bob:says_good_bye()
    ann:gets "* bob has left"
  end)

  it("passes on no line that is too long, and says so", function()
    local port = start()
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    bob:type(("x"):rep(1024 - 1)) -- with CR
    ann:expect("^%[bob%] " .. ("x"):rep(1023) .. "\r\n$")
    bob:type(("y"):rep(5000))
    bob:expect "That line is too long: over 1024 bytes"
    bob:type "short"
    ann:gets "[bob] short"
  end)

  it("survives 10 MB without a line end", function()
    local port = start()
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    local block = ("x"):rep(1000000)
    for _ = 1, 10 do assert(bob.socket:sendall(block)) end
    bob:expect "That line is too long"
    bob:type ""
    bob:type "done"
    ann:gets "[bob] done"
    server:signal "SIGINT"
    server:ends(0)
  end)

  it("forgets what was left in the middle of a line", function()
    local port = start()
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    assert(bob.socket:sendall "never fini")
    bob:__close()
    ann:gets "* bob has left"
    local eve = come(port, "eve")
    eve:type "/msg ann hi"
    ann:expect "%[eve %-> ann%] hi"
  end)

  it("puts lines together that come byte by byte", function()
    local port = start("--rate", 100)
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    bob.socket:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1)
    for byte in ("one\r\ntwo\n/msg ann three\n"):gmatch "." do assert(bob.socket:sendall(byte)) end
    ann:gets "[bob] one"
    ann:gets "[bob] two"
    ann:gets "[bob -> ann] three"
  end)

  it("drops who does not read, and makes nobody wait for it", function()
    local port = start("--rate", 1000000)
    local deaf_socket = assert(csock.socket())
    deaf_socket:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 4096)
    assert(deaf_socket:connect("127.0.0.1", port))
    keep(deaf_socket)
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    -- Ann reads each line before bob sends the next one, so she always keeps up.
    local text = ("x"):rep(1000)
    local dropped
    for _ = 1, 20000 do
      bob:type(text)
      local line
      repeat
        line = assert(ann.stream:read "L")
        dropped = dropped or line:find "^%* guest%d+ has left %(too slow%)"
      until line:find "^%[bob%]"
      if dropped then break end
    end
    assert.is_truthy(dropped)
    bob:type "still here"
    ann:expect "%[bob%] still here"
    server:expect "%(guest%d+%) has left: too slow\n"
  end)

  it("reads more slowly from who floods, loses nothing, and serves the others", function()
    local port = start("--rate", 20)
    local ann, bob, eve = come(port, "ann"), come(port, "bob"), come(port, "eve")
    ann:settled()
    local lines = {}
    for i = 1, 40 do lines[i] = "line " .. i end
    local began = csock.now()
    bob:type(table.concat(lines, "\r\n"))
    bob:expect "Not so fast: only 20 lines a second are read"
    eve:type "hello"
    ann:expect "%[eve%] hello"
    ann:expect "%[bob%] line 40\r"
    assert.is_true(csock.now() - began > 0.5) -- 21 lines have waited 1/20 s each
  end)

  it("tells who comes when it is full", function()
    local port = start("--clients", 2)
    local ann, bob = come(port, "ann"), come(port, "bob")
    ann:settled()
    for _ = 1, 20 do
      local socket <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = LIMIT }))
      local stream <close> = socket:makefile()
      assert.equal("* The chat is full; come back later", stream:read())
      assert.is_nil(stream:read())
    end
    bob:says_good_bye()
    ann:gets "* bob has left"
    come(port, "eve")
  end)

  it("does not mind who never says a word", function()
    local port = start()
    local silent = {}
    for i = 1, 20 do silent[i] = come(port) end
    local ann = come(port, "ann")
    ann:type "anyone?"
    for _, person in ipairs(silent) do person:expect "^%[ann%] anyone%?" end
    server:interrupt()
    assert.equal("", server:ends(0))
  end)

  it("lets nobody stay who says nothing for too long", function()
    local port = start("--idle", "0.3")
    local ann = come(port, "ann")
    ann:expect "^%* You have said nothing for 0%.3 seconds\r\n$"
    assert.is_nil(ann.stream:read "L")
    server:expect "%(ann%) has left: idle\n"
  end)

  it("lists a hundred rooms to whoever asks, and keeps it", function()
    local port = start("--rate", "1000000")
    local ann = come(port, "ann")
    local people = {}
    for i = 1, 110 do
      people[i] = come(port)
      people[i]:type("/join room" .. i)
      people[i]:expect "You are now in"
      ann:expect "has gone to room"
    end
    ann:type "/rooms"
    ann:expect "^%* %.%.%. and more\r\n$"
    ann:says_good_bye()
  end)

  it("gives guests different names, and a name back when its owner has left", function()
    local port = start()
    local names = {}
    for _ = 1, 30 do
      local guest = come(port).guest
      assert.is_nil(names[guest])
      names[guest] = true
    end
    local ann = come(port, "ann")
    ann:says_good_bye()
    come(port, "Ann")
  end)

  for _, client in ipairs { "telnet", "nc" } do
    local test = has(client) and it or pending
    test("works with " .. client, function()
      local port = start()
      local ann = come(port, "ann")
      local command = { client, "127.0.0.1", tostring(port) }
      local other = keep(process.start(command, { pty = client == "telnet" }))
      local guest = other:expect "You are (guest%d+) in the lobby"
      ann:gets(("* %s has joined"):format(guest))
      other:write "hello from outside\n"
      ann:gets(("[%s] hello from outside"):format(guest))
      ann:type "hello to you"
      other:expect "%[ann%] hello to you"
      other:write "/quit\n"
      other:expect "Good bye"
      ann:gets(("* %s has left"):format(guest))
    end)
  end

  it("refuses a bus that is none", function()
    local program = example.start("chat_rooms", "--bus", "http://localhost", "127.0.0.1", "0")
    assert.matches("^chat_rooms%.lua: %-%-bus: redis://[^\n]+ expected\n$", program:ends(1))
    assert.matches("%-%-bus needs a value", example.start("chat_rooms", "--bus"):ends(1))
    for _, rate in ipairs { "x", "0", "-1" } do
      assert.matches("--rate must be a whole number from 1 to 1000000, not '" .. rate .. "'\n",
        example.start("chat_rooms", "--rate", rate):ends(1), 1, true)
    end
    assert.matches("from 1 to 10000, not '10001'", example.start("chat_rooms", "--clients", "10001"):ends(1))
  end)
end)

describe("examples/chat_rooms --bus", function()
  local bus, servers

  local function test(name, f)
    it(name, function()
      if not redis_server.available then return pending "there is no redis-server here" end
      return f()
    end)
  end

  before_each(function()
    if redis_server.available then bus = redis_server.start() end
    servers = {}
  end)

  after_each(function()
    keep.close()
    example.stop_all()
    redis_server.stop_all()
  end)

  local function start_server()
    local server = example.server("chat_rooms", "--bus", bus.url)
    server:expect "bus: connected\n"
    servers[#servers + 1] = server
    return server
  end

  -- Waits until somebody knows that the others are there.
  local function sees(person, names)
    local deadline = csock.now() + LIMIT
    repeat
      person:type "/who"
      local line = person:expect "^%* In lobby: (.*)\r\n$"
      if line == names then return end
      csock.sleep(0.05)
    until csock.now() > deadline
    error(("%s does not see: %s"):format(person.name, names), 2)
  end

  test("joins two servers and six clients into one chat", function()
    local one, two = start_server(), start_server()
    local ann, bob, cleo = come(one.port, "ann"), come(one.port, "bob"), come(one.port, "cleo")
    local dave, eve, fred = come(two.port, "dave"), come(two.port, "eve"), come(two.port, "fred")
    local all = { ann, bob, cleo, dave, eve, fred }
    for _, person in ipairs(all) do sees(person, "ann, bob, cleo, dave, eve, fred") end
    for _, speaker in ipairs(all) do
      speaker:type("I am " .. speaker.name)
      for _, person in ipairs(all) do
        if person ~= speaker then person:expect(("^%%[%s%%] I am %s\r\n$"):format(speaker.name, speaker.name)) end
      end
    end
    -- Names, rooms and messages for one are the same everywhere.
    ann:type "/nick EVE"
    ann:expect "EVE is taken"
    ann:type "/msg fred psst"
    fred:expect "^%[ann %-> fred%] psst\r\n$"
    dave:type "/join kitchen"
    ann:expect "dave has gone to kitchen"
    bob:type "/join kitchen"
    dave:expect "bob has joined"
    bob:type "tea?"
    dave:expect "^%[bob%] tea%?\r\n$"
    cleo:type "/rooms"
    cleo:expect "^%* kitchen %(2%)"
    cleo:expect "^%* lobby %(4%)"
    dave:type "/nick david"
    bob:expect "dave is now david"
    eve:says_good_bye()
    ann:expect "eve has left"
    -- A server that ends takes its people along.
    two:interrupt()
    two:ends(0)
    bob:expect "Out of reach: david, fred"
    sees(ann, "ann, cleo")
  end)

  test("loses the people of a server that died as soon as its connection is lost", function()
    local one, two = start_server(), start_server()
    local ann, bob = come(one.port, "ann"), come(two.port, "bob")
    sees(ann, "ann, bob")
    sees(bob, "ann, bob")
    local began = csock.now()
    two:signal "SIGKILL"
    ann:expect "Out of reach: bob"
    assert.is_true(csock.now() - began < 5 * process.slowness)
    sees(ann, "ann")
  end)

  test("tells everybody when the bus is gone and when it is back, and goes on in between", function()
    local one, two = start_server(), start_server()
    local ann, bob = come(one.port, "ann"), come(one.port, "bob")
    local dave, eve = come(two.port, "dave"), come(two.port, "eve")
    for _, person in ipairs { ann, bob, dave, eve } do sees(person, "ann, bob, dave, eve") end
    bus:stop()
    ann:expect "Out of reach: dave, eve"
    dave:expect "Out of reach: ann, bob"
    for _, person in ipairs { ann, bob, dave, eve } do
      person:expect "There is no connection to the other servers"
    end
    one:expect "bus: "
    ann:type "just us"
    bob:expect "%[ann%] just us"
    dave:type "only here"
    eve:expect "%[dave%] only here"
    come(one.port):expect "There is no connection to the other servers at the moment"
    -- Meanwhile both servers have given the same name away.
    bob:type "/nick zoe"
    bob:expect "You are now zoe"
    eve:type "/nick zoe"
    eve:expect "You are now zoe"
    bus:restart()
    for _, person in ipairs { ann, bob, dave, eve } do
      person:expect "The connection to the other servers is there"
    end
    ann:type "together again"
    dave:expect "At another server: .*ann"
    local deadline = csock.now() + LIMIT
    local count
    repeat -- one of them has got another name
      ann:type "/who"
      count = select(2, ann:expect("^%* In lobby: (.*)\r\n$"):gsub("zoe", ""))
      csock.sleep(0.05)
    until count == 1 or csock.now() > deadline
    assert.equal(1, count)
    dave:type "hello over there"
    ann:expect "%[dave%] hello over there"
  end)

  test("starts without the bus, and joins it when it comes", function()
    bus:stop()
    local server = example.server("chat_rooms", "--bus", bus.url)
    server:expect "bus: .*ECONNREFUSED"
    local ann = come(server.port)
    ann:expect "There is no connection to the other servers at the moment"
    bus:restart()
    ann:expect "The connection to the other servers is there"
    server:interrupt()
    assert.equal("", server:ends(0))
  end)

  -- Something that says what it likes on the bus, with these server numbers.
  local function stranger(...)
    local client = keep(require "csock.redis".connect(bus.url))
    for _, number in ipairs { ... } do assert(client:subscribe("csock chat:" .. number)) end
    return client
  end

  test("takes no more people, nor longer messages, than there may be", function()
    local server = start_server()
    local ann = come(server.port, "ann")
    local client = stranger("f1", "f2")
    local function claim(number, name, count)
      local people = { number, "people" }
      for i = 1, count do
        people[#people + 1] = name .. i
        people[#people + 1] = "lobby"
      end
      assert.equal(1, client:call("PUBLISH", "csock chat", table.concat(people, "\t")))
    end
    claim("f1", "guest", 99999) -- all names that the next guest could have, if it were believed
    come(server.port, "bob")
    ann:expect "is now bob"
    claim("f1", "x", 6000)
    ann:expect "^%* At another server: x1, x10, [^\n]* and 5950 more\r\n$"
    claim("f2", "y", 6000)
    ann:expect "^%* At another server: y[^\n]* and 3950 more\r\n$"
    ann:type "/who"
    ann:expect "^%* In lobby: ann, bob, x1, [^\n]* and 9952 more\r\n$"
    client:call("PUBLISH", "csock chat", "f2\tenter\tyes\tlobby")
    claim("f1", "z", 1) -- and now there is room
    client:call("PUBLISH", "csock chat", "f2\tenter\tyes\tlobby")
    ann:expect "^%* At another server: z1\r\n$"
    ann:gets "* yes has joined"
  end)

  test("hears of no more servers than there may be", function()
    local server = start_server()
    local ann = come(server.port, "ann")
    local numbers = {}
    for i = 1, 101 do numbers[i] = ("%x"):format(i) end
    local client = stranger(table.unpack(numbers))
    for _, number in ipairs(numbers) do
      client:call("PUBLISH", "csock chat", ("%s\tenter\tx%s\tlobby"):format(number, number))
    end
    client:call("PUBLISH", "csock chat", "1\tleave\tx1")
    ann:expect "x64 has joined"
    ann:gets "* x1 has left"
  end)

  test("believes no nonsense on the bus", function()
    local server = start_server()
    local ann = come(server.port, "ann")
    local client = stranger "ff"
    for _, text in ipairs {
      "", "\t\t\t", "ff", "ff\tfrobnicate", "ff\tenter", "ff\tenter\t\27[2J\tlobby", "ff\tenter\tx",
      "ff\tsay\tann\tforged", "ff\tleave\tann", "ff\trename\tann\tfool", "ff\tmove\tann\tkitchen", "ff\tpeople\tx",
      "ff\tmsg\tann\tann\tforged", "\27[2J\tenter\tx\tlobby", ("x"):rep(100000),
      "ff\tenter\tmallory\tlobby", "ff\tsay\tmallory\t\27[2Jhi", "ff\tmsg\tmallory\tann\t\27[2Jpsst\194\155",
      "ff\trename\tmallory\t\27[2J", "ff\tmove\tmallory\t\27[2J", "ff\tsay\tmallory\ttwo\r\n[ann] lines",
    } do
      assert.equal(1, client:call("PUBLISH", "csock chat", text))
    end
    ann:gets "* mallory has joined"
    ann:gets "[mallory] ?[2Jhi"
    ann:gets "[mallory -> ann] ?[2Jpsst?"
    ann:gets "[mallory] two??[ann] lines"
    sees(ann, "ann, mallory")
    client:call("PUBLISH", "csock chat", "ff\tenter\tmallory\tkitchen") -- it is here already
    client:call("PUBLISH", "csock chat", "ff\tleave\tmallory\t\27[2Jbye")
    ann:gets "* mallory has left (?[2Jbye)"
    client:call("PUBLISH", "csock chat", "ff\tpeople\t\27[2J\tlobby\teve\t\27[2J\tadam\tlobby")
    ann:gets "* At another server: adam"
    sees(ann, "adam, ann")
    assert.is_nil(server.out:gsub("\n", ""):find "%c")
  end)
end)

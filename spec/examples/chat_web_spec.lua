-- examples/chat_web.lua: its page in a real browser, telnet users in the same rooms, and programs that are no browsers.
local browser = require "spec.support.browser"
local chat = require "spec.support.chat"
local csock = require "csock"
local example = require "spec.support.example"
local httpd = require "spec.support.httpd"
local keep = require "spec.support.keep"
local redis_server = require "spec.support.redis"
local websocket = require "csock.websocket"

local come, LIMIT = chat.come, chat.LIMIT

local SCRIPT = [[<script>window.pwned = 1</script><img src=x onerror="window.pwned = 1">]]

local server -- what was started last: `port`, `telnet`

local function start(...)
  server = example.server("chat_web", "--telnet", 0, ...)
  server.telnet = server:expect "^telnet users are let in on port (%d+)\n"
  server:expect "^the chat is open\n"
  return server
end

local function finish()
  keep.close()
  example.stop_all()
end

-- --- programs that are no browsers -----------------------------------------------------------------

-- A connection like a page's.
local function connect(options)
  return keep(assert(websocket.connect(("ws://127.0.0.1:%d/chat"):format(server.port), options)))
end

-- One that says who it is; it has the name, if it is free, and the room.
local function enter(name, room)
  local ws = connect()
  assert(ws:send(("hello\t\t%s\t%s"):format(name or "", room or "")))
  return ws
end

-- Receives until a message has the pattern: its captures, or the message.
local function expect(ws, pattern)
  local deadline = csock.now() + LIMIT
  repeat
    local text, err = ws:recv(LIMIT)
    if not text then error(("no '%s': %s"):format(pattern, err), 2) end
    if text:find(pattern) then return text:match(pattern) end
  until csock.now() > deadline
  error(("no '%s' in time"):format(pattern), 2)
end

-- Receives until it is closed: the code.
local function code_of(ws)
  local deadline = csock.now() + LIMIT
  while ws:recv(LIMIT) do assert(csock.now() < deadline) end
  return ws.close_code
end

describe("examples/chat_web", function()
  after_each(finish)

  it("shows a page in which nothing but its own script runs, and nothing else", function()
    start()
    local status, fields, body = httpd.get(server, "/")
    assert.equal(200, status)
    local nonce = fields["content-security-policy"]:match "script%-src 'nonce%-([%w+/]+)'"
    assert.equal(24, #nonce)
    assert.matches("^default%-src 'none'; ", fields["content-security-policy"])
    local nonces = {}
    for tag, its in body:gmatch '<(%l+) nonce="([^"]*)"' do nonces[tag] = its end
    assert.same({ style = nonce, script = nonce }, nonces)
    local _, again = httpd.get(server, "/")
    assert.is_nil(again["content-security-policy"]:find(nonce, 1, true))
    assert.equal(404, (httpd.get(server, "/other")))
    assert.matches("^HTTP/1%.1 405 ", httpd.ask(server, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n"
      .. "Connection: close\r\n\r\n"))
  end)

  it("lets pages of other sites not connect", function()
    start()
    local refused, err = websocket.connect(("ws://127.0.0.1:%d/chat"):format(server.port), { origin = "http://evil" })
    assert.is_nil(refused)
    assert.equal(403, err.code)
    local own = connect { origin = "http://127.0.0.1:" .. server.port }
    assert(own:send "hello\t\t\t")
    expect(own, "^line\t%* Welcome")
  end)

  it("ends with who does not say what a page says", function()
    start()
    for _, text in ipairs { "", "hi", "hello\t\t\t\t", "hello\tx\t\t", "hello\t\t" .. SCRIPT .. "\t", "say\thello" } do
      local ws = connect()
      assert(ws:send(text))
      assert.equal(4004, code_of(ws), text)
    end
    local ann = enter "ann"
    assert(ann:send "frobnicate")
    assert.equal(4004, code_of(ann))
    local long = enter "long"
    assert(long:send(("x"):rep(5000)))
    assert.equal(1009, code_of(long))
  end)

  it("passes on no line that is too long, and reads more slowly from who floods", function()
    start("--rate", 20)
    local ann, tom = enter "ann", come(server.telnet)
    assert(ann:send("say\t" .. ("x"):rep(1025)))
    expect(ann, "^line\t%* That line is too long: over 1024 bytes")
    assert(ann:send("say\t" .. ("y"):rep(1024)))
    tom:gets("[ann] " .. ("y"):rep(1024))
    for i = 1, 30 do assert(ann:send("say\tline " .. i)) end
    expect(ann, "^line\t%* Not so fast: only 20 lines a second are read")
    tom:expect "%[ann%] line 30\r"
  end)

  it("gives a page its name and room again, unless somebody has taken the name, and says so", function()
    start()
    local ann = enter("ann", "Kitchen")
    expect(ann, "^you\tann\tkitchen$")
    expect(ann, "^people\t1\tann$")
    local other = enter "ANN"
    expect(other, "^line\t%* ANN is taken$")
    expect(other, "^you\tguest%d+\tlobby$")
    expect(ann, "^rooms\t2\tkitchen\t1\tlobby\t1$")
  end)

  it("lets who comes with the key of somebody who is there take that one's place, and nobody else", function()
    start()
    local tom, ann = come(server.telnet, "tom"), enter "ann"
    local key = expect(ann, "^key\t(%x+)$")
    assert.equal(32, #key)
    local again = connect()
    assert(again:send(("hello\t%s\tann\tlobby"):format(key)))
    expect(again, "^you\tann\tlobby$")
    assert.equal(4002, code_of(ann))
    tom:expect "^%* ann has left %(connected again%)"
    tom:expect "^%* ann has joined"
    local stranger = connect()
    assert(stranger:send(("hello\t%s\tann\tlobby"):format(key:reverse())))
    expect(stranger, "^line\t%* ann is taken$")
  end)

  it("shows some of the rooms and people where there are very many", function()
    if not redis_server.available then return pending "there is no redis-server here" end
    finally(redis_server.stop_all)
    local bus = redis_server.start()
    start("--bus", bus.url)
    server:expect "bus: connected\n"
    local ann = enter "ann"
    local client = keep(require "csock.redis".connect(bus.url))
    assert(client:subscribe "csock chat:f1") -- as a server does
    local people = { "f1", "people" }
    for i = 1, 300 do
      table.move({ "x" .. i, "lobby", "y" .. i, "room" .. i }, 1, 4, #people + 1, people)
    end
    assert.equal(1, client:call("PUBLISH", "csock chat", table.concat(people, "\t")))
    local rest = expect(ann, "^rooms\t301(\t.*)$")
    assert.equal(400, select(2, rest:gsub("\t", "")))
    rest = expect(ann, "^people\t301(\tann\t.*)$")
    assert.equal(200, select(2, rest:gsub("\t", "")))
  end)

  it("cleans what is passed on to terminals and pages", function()
    start()
    local ann, tom = enter "ann", come(server.telnet)
    assert(ann:send "say\t\27[2Jtwo\r\n[tom] lines\ttab")
    tom:gets "[ann] ?[2Jtwo??[tom] lines tab"
    tom:type "a\tb"
    expect(ann, "^line\t%[guest%d+%] a b$")
  end)

  it("drops who does not read, page or telnet user, and makes nobody wait for it", function()
    start("--rate", 1000000)
    local function deaf(port)
      local socket = keep(assert(csock.socket()))
      socket:setsockopt(csock.SOL_SOCKET, csock.SO_RCVBUF, 4096)
      assert(socket:connect("127.0.0.1", port))
      return socket
    end
    deaf(server.telnet)
    local page = deaf(server.port)
    assert(page:sendall(table.concat({
      "GET /chat HTTP/1.1", "Host: a", "Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13",
      "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==", "", "\129\136\0\0\0\0hello\t\t\t",
    }, "\r\n")))
    local tom, ann = come(server.telnet, "tom"), enter "ann"
    local text, dropped = ("x"):rep(1000), 0
    for _ = 1, 20000 do -- ann has read each line before tom says the next
      tom:type(text)
      local line
      repeat
        line = assert(ann:recv(LIMIT))
        if line:find "^line\t%* guest%d+ has left %(too slow%)" then dropped = dropped + 1 end
      until line:find "^line\t%[tom%]"
      if dropped == 2 then break end
    end
    assert.equal(2, dropped)
    assert(ann:send "say\tstill here")
    tom:expect "^%[ann%] still here\r"
  end)

  it("closes every socket when Ctrl-C ends it with pages and telnet users connected", function()
    local program = example.start_with_warnings("chat_web", "--telnet", 0, "127.0.0.1", 0)
    server = { port = program:expect "^listening on port (%d+)\n" }
    local tom = come(program:expect "^telnet users are let in on port (%d+)\n", "tom")
    local ann = enter "ann"
    tom:expect "ann has joined"
    program:interrupt()
    assert.equal("", program:ends(0)) -- collecting an open socket warns
    assert.is_nil((tom.stream:read "L"))
    assert.is_true(code_of(ann) < 4000) -- it would come back
  end)

  it("refuses a port for telnet that is none", function()
    assert.matches("--telnet must be a whole number from 0 to 65535, not 'x'\n",
      example.start("chat_web", "--telnet", "x"):ends(1), 1, true)
  end)
end)

-- --- the page --------------------------------------------------------------------------------------

if browser.missing then
  pending("the page of examples/chat_web: " .. browser.missing)
  return
end

-- Somebody in front of the browser.
local Visitor = {}

function Visitor:__index(name)
  local own = Visitor[name]
  if own then return own end
  return function(_, ...) return self.page[name](self.page, ...) end
end

function Visitor:type(text) self:find "#text":type(text, browser.ENTER) end

function Visitor:shows_status(words)
  self:wait("the status " .. words,
    "return document.getElementById('status').textContent.includes(arguments[0])", words)
end

-- Waits for a line.
function Visitor:reads(line)
  self:wait("the line " .. line,
    "return [...document.querySelectorAll('#log p')].some(p => p.textContent == arguments[0])", line)
end

-- Waits until it is called this, and in this room.
function Visitor:is(name, room)
  self:wait(("to be %s in %s"):format(name, room), [[return document.getElementById('name').textContent == arguments[0]
    && document.getElementById('room').textContent == arguments[1] ]], name, room)
end

-- Waits until a list is this one.
function Visitor:lists(id, text)
  self:wait(("the %s %s"):format(id, text),
    "return [...document.querySelectorAll(`#${arguments[0]} li`)].map(li => li.textContent).join(', ') == arguments[1]",
    id, text)
end

describe("the page of examples/chat_web", function()
  local chrome

  lazy_setup(function() chrome = browser.start() end)
  lazy_teardown(function() chrome:close() end)
  after_each(finish)

  local function url() return ("http://127.0.0.1:%d/"):format(server.port) end

  -- Opens the page, and takes a name if one is given.
  local function visit(name)
    local page = keep(chrome:open(url()))
    local visitor = setmetatable({ page = page }, Visitor)
    if name then
      visitor:shows_status "Connected"
      visitor:type("/nick " .. name)
      visitor:is(name, "lobby")
    end
    return visitor
  end

  it("has its people in the same rooms as telnet users", function()
    start()
    local tom = come(server.telnet, "tom")
    local ann, bob = visit "ann", visit "bob"
    tom:expect "is now bob"
    ann:lists("people", "ann, bob, tom")
    ann:type "hello from ann"
    tom:gets "[ann] hello from ann"
    bob:reads "[ann] hello from ann"
    ann:reads "[ann] hello from ann"
    tom:type "hello from tom"
    ann:reads "[tom] hello from tom"
    bob:reads "[tom] hello from tom"
    bob:type "/msg ann psst"
    ann:reads "[bob -> ann] psst"
    tom:says_good_bye()
    ann:reads "* tom has left"
    ann:lists("people", "ann, bob")
    assert.same({}, ann:log())
  end)

  it("shows the rooms, who is there, and where one is", function()
    start()
    local tom, ann, bob = come(server.telnet, "tom"), visit "ann", visit "bob"
    tom:type "/join kitchen"
    ann:lists("rooms", "kitchen (1), lobby (2)")
    ann:find "#rooms button[value=kitchen]":click()
    ann:is("ann", "kitchen")
    ann:lists("people", "ann, tom")
    ann:lists("rooms", "kitchen (2), lobby (1)")
    assert.equal("kitchen", ann:execute "return document.querySelector('#rooms [aria-current]').value")
    tom:expect "ann has joined"
    ann:type "tea?"
    tom:gets "[ann] tea?"
    bob:reads "* ann has gone to kitchen"
    bob:lists("people", "bob")
    ann:find "#people button[value=tom]":click()
    ann:find "#text":type("just you", browser.ENTER)
    tom:gets "[ann -> tom] just you"
  end)

  it("can be used with the keyboard alone", function()
    start()
    local tom, ann = come(server.telnet, "tom"), visit()
    ann:shows_status "Connected"
    ann:focused():type("/nick ann", browser.ENTER)
    ann:is("ann", "lobby")
    tom:type "/join kitchen"
    ann:lists("rooms", "kitchen (1), lobby (1)")
    -- Backwards, over all that there is, to the room.
    for _ = 1, 20 do
      if ann:focused():property "value" == "kitchen" then break end
      ann:focused():type(browser.SHIFT, browser.TAB)
    end
    tom:type "/join attic" -- the lists are made anew, and the focus stays
    ann:lists("rooms", "attic (1), lobby (1)")
    tom:type "/join kitchen"
    ann:lists("rooms", "kitchen (1), lobby (1)")
    ann:focused():type(browser.ESCAPE)
    assert.equal("text", ann:focused():property "id")
    ann:focused():type("/join kitchen", browser.ENTER)
    ann:is("ann", "kitchen")
    ann:focused():type("here I am", browser.ENTER)
    tom:expect "%[ann%] here I am\r"
  end)

  it("runs no script in a name, in a room or in what is said", function()
    start()
    local tom, ann, bob = come(server.telnet, "tom"), visit "ann", visit "bob"
    tom:type("/nick " .. SCRIPT)
    tom:expect "A name has 1 to 20 letters"
    bob:type("/nick " .. SCRIPT)
    bob:type("/join " .. SCRIPT)
    bob:reads("* A room's name has 1 to 20 letters, digits, - and _; not '" .. SCRIPT:lower():sub(1, 40) .. "'")
    bob:is("bob", "lobby")
    bob:type(SCRIPT)
    ann:reads("[bob] " .. SCRIPT)
    bob:reads("[bob] " .. SCRIPT)
    tom:type(SCRIPT)
    ann:reads("[tom] " .. SCRIPT)
    -- And if a server let such names through.
    ann:execute([[for (const verb in heard) heard[verb](arguments[0], arguments[0], arguments[0])]], SCRIPT)
    for _, page in ipairs { ann, bob } do
      assert.is_nil((page:execute [[return [...document.querySelectorAll("main *, aside *")].find(
        element => !["P", "H2", "UL", "LI", "BUTTON"].includes(element.tagName)) ]]))
      assert.is_nil((page:execute "return window.pwned"))
      assert.same({}, page:log())
    end
    -- And if the page made something else than text of it.
    for _, careless in ipairs { "log.innerHTML = arguments[0]", "log.setAttribute('onclick', arguments[0])" } do
      local ok, why = pcall(ann.execute, ann, careless, SCRIPT)
      assert.is_false(ok)
      assert.matches("This document requires 'Trusted", why, 1, true)
    end
  end)

  it("comes back into its room under its name when it is loaded again", function()
    start()
    local tom, ann = come(server.telnet, "tom"), visit "ann"
    tom:type "/join kitchen"
    ann:type "/join kitchen"
    ann:is("ann", "kitchen")
    tom:expect "ann has joined"
    ann:reload()
    tom:expect "^%* ann has left"
    tom:expect "^%* ann has joined"
    ann:is("ann", "kitchen")
    ann:lists("people", "ann, tom")
    ann:type "back again"
    tom:gets "[ann] back again"
    tom:says_good_bye()
    ann:lists("people", "ann")
  end)

  it("says that its connection is lost, and comes back by itself", function()
    start()
    local ann = visit "ann"
    ann:type "/join kitchen"
    ann:is("ann", "kitchen")
    local port = server.port
    server:signal "SIGKILL"
    ann:shows_status "The connection is lost; trying again"
    ann:type "unsaid"
    ann:shows_status "There is no connection"
    assert.equal("unsaid", ann:find "#text":property "value")
    local again = example.start("chat_web", "127.0.0.1", port)
    again:expect "the chat is open\n"
    ann:shows_status "Connected"
    again:expect "%(ann%) has come"
    ann:lists("rooms", "kitchen (1)")
    ann:find "#text":type(browser.ENTER)
    ann:reads "[ann] unsaid"
  end)

  it("takes a connection that does not answer for lost", function()
    start()
    local ann = visit "ann"
    ann:execute "check()" -- as it does now and then
    ann:wait("an answer", "return !silent")
    server:signal "SIGSTOP"
    ann:execute "check(); check()"
    ann:shows_status "The connection is lost; trying again"
    server:signal "SIGCONT"
    ann:shows_status "Connected"
    ann:is("ann", "lobby")
    ann:lists("people", "ann")
  end)

  it("is in the chat in one window only, the last one", function()
    start()
    local ann, copy = visit "ann", visit()
    local key = ann:execute "return sessionStorage.getItem('key')"
    copy:execute("sessionStorage.setItem('key', arguments[0]); sessionStorage.setItem('name', 'ann')", key)
    copy:reload()
    copy:is("ann", "lobby")
    ann:shows_status "You are in the chat in another window"
    copy:lists("people", "ann")
    ann:find "#again":click()
    ann:shows_status "Connected"
    copy:shows_status "You are in the chat in another window"
  end)

  it("leaves for good with /quit, and comes back when it is asked to", function()
    start()
    local tom, ann = come(server.telnet, "tom"), visit "ann"
    ann:type "/quit"
    ann:shows_status "You have left the chat"
    ann:reads "* Good bye, ann"
    tom:expect "ann has left\r"
    ann:find "#again":click()
    ann:shows_status "Connected"
    tom:expect "ann has joined"
  end)

  it("says that the chat is full, and that somebody has said nothing for too long", function()
    start("--clients", 1, "--idle", 2 * LIMIT)
    local tom, ann = come(server.telnet, "tom"), visit()
    ann:shows_status "The chat is full; come back later"
    tom:says_good_bye()
    ann:find "#again":click()
    ann:shows_status "Connected"
    example.stop_all()
    start("--idle", "0.3")
    local bob = visit()
    bob:shows_status "You have said nothing for too long"
    bob:reads "* You have said nothing for 0.3 seconds"
  end)

  it("sends no line that is too long, and keeps it", function()
    start()
    local ann = visit "ann"
    ann:execute("document.getElementById('text').value = arguments[0]", ("\u{FC}"):rep(513))
    ann:find "#text":type(browser.ENTER)
    ann:shows_status "That line is too long"
    assert.equal(("\u{FC}"):rep(513), ann:find "#text":property "value")
    ann:find "#text":clear()
    ann:type "short"
    ann:reads "[ann] short"
    assert.same({ "[ann] short" }, ann:execute "return [...document.querySelectorAll('.own')].map(p => p.textContent)")
    ann:shows_status "Connected"
  end)

  it("is light or dark, as the reader likes it", function()
    start()
    local ann, colour = visit(), "return getComputedStyle(document.body).backgroundColor"
    ann:prefer "light"
    assert.equal("rgb(255, 255, 255)", ann:execute(colour))
    ann:prefer "dark"
    assert.equal("rgb(22, 25, 28)", ann:execute(colour))
  end)

  it("may not be connected to from a page of another site", function()
    start()
    local site = httpd.start [[
      serve(function() return 200, { ["content-type"] = "text/html" }, "<title>elsewhere</title>" end)
      csock.run()
    ]]
    local page = keep(chrome:open(("http://127.0.0.1:%d/"):format(site.port)))
    page:execute([[
      const socket = new WebSocket(arguments[0])
      socket.onopen = () => document.title = "open"
      socket.onclose = () => document.title += " closed"
    ]], ("ws://127.0.0.1:%d/chat"):format(server.port))
    page:wait("to be refused", "return document.title == 'elsewhere closed'")
  end)

  it("is in one chat with the servers on its bus, chat_rooms among them", function()
    if not redis_server.available then return pending "there is no redis-server here" end
    finally(redis_server.stop_all)
    local bus = redis_server.start()
    local rooms = example.server("chat_rooms", "--bus", bus.url)
    rooms:expect "bus: connected\n"
    local tom = come(rooms.port, "tom")
    start("--bus", bus.url)
    server:expect "bus: connected\n"
    local ann = visit "ann"
    ann:lists("people", "ann, tom")
    tom:expect "is now ann"
    ann:type "hello over there"
    tom:gets "[ann] hello over there"
    tom:type "/join kitchen"
    ann:lists("rooms", "kitchen (1), lobby (1)")
    ann:type "/msg tom psst"
    tom:expect "^%[ann %-> tom%] psst\r\n$"
    bus:stop()
    ann:reads "* Out of reach: tom"
    ann:lists("people", "ann")
    ann:lists("rooms", "lobby (1)")
  end)
end)

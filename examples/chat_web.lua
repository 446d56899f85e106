-- chat_web.lua: the rooms of chat_rooms.lua in a browser. It shows a page to browsers, which come back
-- over a WebSocket; who comes with telnet is in the same rooms.
--
--   lua5.4 examples/chat_web.lua [host] [port]         # then open http://localhost:8080/
--   lua5.4 examples/chat_web.lua --telnet 2627 8080    # and telnet localhost 2627
--
-- Any number of such servers, and of chat_rooms.lua, are one chat when they share a bus, a Redis server:
--
--   lua5.4 examples/chat_web.lua --bus redis://localhost:6379 8080
--   lua5.4 examples/chat_rooms.lua --bus redis://localhost:6379 2627
--
-- Other options:
--
--   --telnet N       lets people in with telnet, too, on this port
--   --clients N      how many people this server takes (1000)
--   --rate N         how many lines a second of one person are read (10)
--   --idle SECONDS   how long somebody may say nothing (3600)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"
local httpserver = require "csock.httpserver"
local loop = require "csock.loop"
local redis = require "csock.redis"
local websocket = require "csock.websocket"
local base64 = require "csock.wire.base64"
local Bus = example.part "chat/bus"
local Chat = example.part "chat/rooms"
local telnet = example.part "chat/telnet"

local GREETING = 10 -- seconds, in which a page must say who it is
local GATHER = 0.3 -- seconds, in which changes gather before pages hear of them
local SHOWN = 200 -- rooms, and people, that a page shows
local PAGE -- the page itself, at the end of this file

-- A page and the server send each other messages of a verb and its arguments, with tabs between:
--
--   the page      hello KEY NAME ROOM    first. A new page has none of them; one that has lost its connection, or was
--                                        loaded again, tells who it was
--                 say TEXT               what somebody has typed
--                 beat                   now and then: an answer shows that the connection is still there
--   the server    key KEY                what this page is known by: nobody else knows it
--                 line TEXT              as a telnet user would see it
--                 own TEXT               the same, of this page: it has been said
--                 you NAME ROOM          who it is now, and where
--                 rooms COUNT ROOM N ... how many rooms there are, and some of them with how many are there
--                 people COUNT NAME ...  how many are in its room, and some of them
--                 beat
--
-- When the server closes the connection for good, it does so with one of these codes; after others the page comes back.
local CODES = { quit = 4000, idle = 4001, ["connected again"] = 4002, full = 4003, impolite = 4004 }
local REASONS = {
  quit = "You have left the chat", idle = "You have said nothing for too long",
  ["connected again"] = "You are in the chat in another window", full = "The chat is full; come back later",
  impolite = "That was not said by this page",
}

-- The pages that are open ---------------------------------------------------------------------------

local Pages = {}
Pages.__index = Pages

function Pages.new(chat)
  -- open: the people, by the keys of their pages; changed: what the pages show is not so any more
  local pages = setmetatable({ chat = chat, open = {}, changed = loop.event() }, Pages)
  chat.changed = function() pages.changed:set() end
  csock.spawn(pages.refresh, pages)
  return pages
end

-- In a person's queue are lines, and for pages also messages of other kinds: as tables.
local BEAT = { "beat" }
local LISTS = {} -- what the lists are when it is sent

local function list(verb, count, values, last)
  return ("%s\t%d\t%s"):format(verb, count, table.concat(values, "\t", 1, math.min(#values, last)))
end

-- The message about rooms; and a function that gives the one about who is in a room.
local function messages(chat)
  local rooms, names = chat:rooms()
  local pairs_of_rooms, made = {}, {}
  for i, room in ipairs(rooms) do table.move({ room, #names[room] }, 1, 2, 2 * i - 1, pairs_of_rooms) end
  return list("rooms", #rooms, pairs_of_rooms, 2 * SHOWN), function(room)
    if not made[room] then
      table.sort(names[room])
      made[room] = list("people", #names[room], names[room], SHOWN)
    end
    return made[room]
  end
end

-- Tells the pages what has changed: each once, however late it reads.
function Pages:refresh()
  while true do
    self.changed:wait()
    csock.sleep(GATHER)
    self.changed:clear()
    local rooms, people_of = messages(self.chat)
    for _, person in pairs(self.open) do
      if not person.left then
        person.lists = { ("you\t%s\t%s"):format(person.name, person.room), rooms, people_of(person.room) }
        person.due = person.due or person.queue:put(LISTS, 0) -- a queue without space is too slow, and soon dropped
      end
    end
  end
end

-- Sends those of the lists that are not what the page shows already.
local function send_lists(person)
  person.due = nil
  if person.shown[1] ~= person.lists[1] then person.shown = {} end -- the page marks what is its own in them
  for i, text in ipairs(person.lists) do
    if person.shown[i] ~= text and not person.socket:send(text) then return nil end
    person.shown[i] = text
  end
  return true
end

-- Sends what is in the queue, until that is closed and empty.
local function write_queue(person)
  local socket = person.socket
  for item in person.queue:iter() do
    local sent
    if item == LISTS then
      sent = send_lists(person)
    else
      sent = socket:send(type(item) == "table" and item[1] or "line\t" .. item)
    end
    if not sent then return end
  end
end

-- The next line that somebody says; nil at the end, nil and a time-out when nothing was said for too long.
local function read_line(person)
  local deadline = loop.now() + person.chat.limits.idle
  while true do
    local text, err = person.socket:recv(math.max(deadline - loop.now(), 0.001))
    if not text then return nil, err end
    local line = text:match "^say\t(.*)$"
    if line and #line <= Chat.LINE then
      return line
    elseif line then
      Chat.complain(person)
    elseif text == "beat" then
      Chat.send(person, BEAT)
    else
      person.gone = "impolite"
      return nil
    end
  end
end

-- Who tells this key is somebody who is here already: the connection before was lost, or is another window's.
function Pages:replace(key)
  local before = self.open[key]
  if not before or before.gone then return end
  before.gone = "connected again"
  before:leave()
  csock.spawn(before.socket.close, before.socket, CODES[before.gone], REASONS[before.gone])
end

-- Sees to one page's connection, to its end.
function Pages:serve(socket, request)
  local chat = self.chat
  local key, name, room = (socket:recv(GREETING) or ""):match "^hello\t(%x*)\t([%w_-]*)\t([%w_-]*)$"
  if not key then return socket:close(CODES.impolite, REASONS.impolite) end
  self:replace(key)
  if chat:is_full() then return socket:close(CODES.full, REASONS.full) end
  if #key ~= 32 then key = ("%016x%016x"):format(string.unpack("i8i8", assert(csock.random(16)))) end
  local connection, address = request.connection, request.client_address
  connection:setsockopt(csock.SOL_SOCKET, csock.SO_SNDBUF, 32768) -- what is late is in our queue, not there
  local person <close> = chat:come {
    socket = socket, shown = {}, name = name, room = room, address = ("%s:%d"):format(address[1], address[2]),
    hang_up = function() connection:shutdown(csock.SHUT_RDWR) end, -- wakes both of its tasks
  }
  function person.echo(line) Chat.send(person, { "own\t" .. line }) end
  Chat.send(person, { "key\t" .. key })
  local _ <close> = self:enter(key, person)
  chat:attend(person, function() return read_line(person) end, write_queue)
  person:leave()
  socket:close(CODES[person.gone], REASONS[person.gone])
end

function Pages:enter(key, person)
  self.open[key] = person
  return setmetatable({}, { __close = function()
    if self.open[key] == person then self.open[key] = nil end
  end })
end

-- What browsers ask for ------------------------------------------------------------------------------

-- Nothing in the page is run, or fetched, but what it came with: what people write is never more than text.
local POLICY = "default-src 'none'; script-src 'nonce-%s'; style-src 'nonce-%s'; connect-src 'self'; img-src data:; "
  .. "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; "
  .. "trusted-types 'none'"

local function show_page()
  local nonce = base64.encode(assert(csock.random(18)))
  return 200, {
    ["Content-Type"] = "text/html; charset=utf-8", ["Content-Security-Policy"] = POLICY:format(nonce, nonce),
    ["X-Content-Type-Options"] = "nosniff", ["Referrer-Policy"] = "no-referrer", ["Cache-Control"] = "no-store",
  }, (PAGE:gsub("NONCE", nonce))
end

local function handler_of(pages)
  -- A browser lets any page of any site connect to anywhere: upgrade() refuses those that are not from here.
  local options = { max_message = 4 * Chat.LINE, max_pending = 16384, close_timeout = 2 }
  return function(request)
    if request.path == "/chat" then
      return websocket.upgrade(request, function(socket) pages:serve(socket, request) end, options)
    end
    if request.path ~= "/" then return 404 end
    if request.method ~= "GET" and request.method ~= "HEAD" then return 405, { Allow = "GET, HEAD" } end
    return show_page()
  end
end

-- The page -----------------------------------------------------------------------------------------

PAGE = [==[<!DOCTYPE html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>chat</title>
<link rel="icon" href="data:image/svg+xml,%3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'%3E%3Ccircle cx='4'
 cy='4' r='3' fill='%232a7'/%3E%3C/svg%3E">
<style nonce="NONCE">
  :root {
    color-scheme: light dark;
    --back: #fff; --text: #222; --faint: #666; --line: #ccc; --mark: #e8f3ee; --accent: #176b48; --bad: #a11;
  }
  @media (prefers-color-scheme: dark) {
    :root {
      --back: #16191c; --text: #ddd; --faint: #999; --line: #3a4046; --mark: #1e2f28; --accent: #6fd0a5; --bad: #f88;
    }
  }
  * { box-sizing: border-box; }
  body {
    margin: 0; height: 100dvh; display: grid; grid: auto 1fr auto / 1fr 14rem; color: var(--text);
    background: var(--back); font: 1rem/1.4 system-ui, sans-serif;
  }
  header, form {
    grid-column: 1 / 3; padding: .5rem 1rem; display: flex; gap: .5rem 1rem; align-items: center; flex-wrap: wrap;
  }
  header { border-bottom: 1px solid var(--line); }
  form { border-top: 1px solid var(--line); }
  h1, h2 { margin: 0; font-size: 1rem; }
  h2 { color: var(--faint); font-weight: normal; }
  #status { margin-left: auto; color: var(--faint); }
  #status.bad { color: var(--bad); }
  #log { overflow-y: auto; padding: .5rem 1rem; }
  #log p { margin: .1rem 0; overflow-wrap: anywhere; white-space: pre-wrap; unicode-bidi: plaintext; }
  #log .notice { color: var(--faint); font: .85rem/1.6 ui-monospace, monospace; }
  #log .own { color: var(--accent); }
  aside { border-left: 1px solid var(--line); padding: .5rem; overflow-y: auto; }
  aside ul { list-style: none; margin: 0 0 1rem; padding: 0; }
  aside li { padding: .1rem .5rem; color: var(--faint); }
  aside button { width: 100%; text-align: left; }
  button, input {
    font: inherit; color: inherit; background: none; border: 1px solid var(--line); border-radius: .3rem;
    padding: .2rem .5rem;
  }
  aside button { border-color: transparent; }
  button[aria-current] { background: var(--mark); font-weight: bold; }
  button:hover { background: var(--mark); }
  :focus-visible { outline: 2px solid var(--accent); outline-offset: -2px; }
  #text { flex: 1; min-width: 8rem; }
  @media (max-width: 40rem) {
    body { grid: auto auto 1fr auto / 1fr; }
    header, form { grid-column: 1; }
    aside { border: 0; border-bottom: 1px solid var(--line); max-height: 25dvh; }
    main { order: 1; } form { order: 2; }
  }
</style>

<header>
  <h1>chat</h1>
  <button id="name" title="take another name">…</button>
  <button id="room" title="go to another room">…</button>
  <span id="status" role="status">Connecting</span>
  <button id="again" hidden>Come back</button>
</header>
<main id="log" role="log" tabindex="0" aria-label="what is said"></main>
<aside>
  <h2 id="rooms-title">Rooms</h2>
  <ul id="rooms" aria-labelledby="rooms-title"></ul>
  <h2 id="people-title">Here</h2>
  <ul id="people" aria-labelledby="people-title"></ul>
</aside>
<form id="form">
  <input id="text" aria-label="your line" placeholder="Say something, or /help" autocomplete="off" autofocus>
  <button>Say</button>
</form>

<script nonce="NONCE">
"use strict"
// What others have written becomes text (textContent), and nothing else, everywhere.
const LINES = 1000        // that are kept
const LONGEST = 1024      // bytes of a line
const BEAT = 20000        // ms
const DELAY = [500, 15000] // ms before the connection is tried again: at first, and at most

const $ = id => document.getElementById(id)
const log = $("log"), text = $("text")
const own = name => sessionStorage.getItem(name) ?? ""   // this window's, also when it is loaded again
let socket = null, silent = false, delay = DELAY[0], timer = null

function say(words, kind) {
  const atEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 50
  const line = document.createElement("p")
  line.textContent = words
  line.className = kind ?? (words.startsWith("* ") ? "notice" : "")
  log.append(line)
  while (log.childElementCount > LINES) log.firstChild.remove()
  if (atEnd || kind == "own") log.scrollTop = log.scrollHeight
}

function status(words, bad) {
  $("status").textContent = words
  $("status").className = bad ? "bad" : ""
}

// A list of buttons; the focus stays where it was.
function fill(list, count, names, make) {
  const focused = list.contains(document.activeElement) ? document.activeElement.value : null
  list.replaceChildren(...names.map(name => {
    const button = document.createElement("button"), item = document.createElement("li")
    button.value = button.textContent = name
    make(button, name)
    item.append(button)
    return item
  }))
  if (count > names.length) {
    const item = document.createElement("li")
    item.textContent = `and ${count - names.length} more`
    list.append(item)
  }
  if (focused !== null) ([...list.querySelectorAll("button")].find(button => button.value == focused) ?? text).focus()
}

function begin(words) {
  text.value = words
  text.focus()
}

const heard = {
  key: key => sessionStorage.setItem("key", key),
  line: words => say(words),
  own: words => say(words, "own"),
  you(name, room) {
    sessionStorage.setItem("name", name)
    sessionStorage.setItem("room", room)
    $("name").textContent = name
    $("room").textContent = room
    document.title = `${room} - chat`
  },
  rooms(count, ...pairs) {
    const names = pairs.filter((_, i) => i % 2 == 0)
    fill($("rooms"), count, names, (button, name) => {
      button.textContent = `${name} (${pairs[2 * names.indexOf(name) + 1]})`
      if (name == own("room")) button.setAttribute("aria-current", "true")
      button.onclick = () => { send(`/join ${name}`); text.focus() }
    })
  },
  people(count, ...names) {
    fill($("people"), count, names, (button, name) => {
      button.title = `say something to ${name} alone`
      if (name == own("name")) button.setAttribute("aria-current", "true")
      button.onclick = () => begin(`/msg ${name} `)
    })
  },
  beat() {},
}

function send(words) {
  if (socket?.readyState != WebSocket.OPEN) return status("There is no connection now", true)
  if (new TextEncoder().encode(words).length > LONGEST) return status("That line is too long", true)
  status("Connected")
  socket.send(`say\t${words}`)
  return true
}

function lost() {
  socket = null
  const wait = delay * (0.5 + Math.random() / 2)
  delay = Math.min(2 * delay, DELAY[1])
  status("The connection is lost; trying again", true)
  timer = setTimeout(connect, wait)
}

function connect() {
  clearTimeout(timer)
  $("again").hidden = true
  silent = false
  const mine = socket = new WebSocket(location.href.replace(/^http/, "ws").replace(/[?#].*/, "") + "chat")
  mine.onopen = () => {
    mine.send(["hello", own("key"), own("name"), own("room")].join("\t"))
    status("Connected")
  }
  mine.onmessage = event => {
    silent = false
    delay = DELAY[0]
    const [verb, ...words] = event.data.split("\t")
    heard[verb]?.(...words)
  }
  mine.onclose = event => {
    if (socket != mine) return
    if (event.code < 4000) return lost()
    socket = null
    status(event.reason, true)
    $("again").hidden = false
  }
}

// A connection that says nothing, not even when it is asked, is none.
function check() {
  if (!socket) return
  if (silent) {
    socket.close()
    return lost()
  }
  silent = true
  if (socket.readyState == WebSocket.OPEN) socket.send("beat")
}

setInterval(check, BEAT)
$("form").onsubmit = event => {
  event.preventDefault()
  const words = text.value.trim()
  if (words == "" || send(words)) text.value = ""
}
$("name").onclick = () => begin("/nick ")
$("room").onclick = () => begin("/join ")
$("again").onclick = () => { connect(); text.focus() }
addEventListener("online", () => { if (!socket && $("again").hidden) connect() })
addEventListener("keydown", event => { if (event.key == "Escape") text.focus() })
connect()
</script>
</html>
]==]

example.run(function()
  local url = example.value("--bus", "URL")
  local telnet_port = example.number("--telnet", nil, 0, 65535)
  local limits = {
    clients = example.number("--clients", 1000, 1, Chat.PEOPLE), rate = example.number("--rate", 10, 1, 1000000),
    idle = example.seconds("--idle", 3600),
  }
  local host, port = example.arguments("host", "", "port", 8080)
  if url then
    local parts, why = redis.parse_url(url)
    if not parts then example.fail("--bus: %s", why) end
  end

  local chat = Chat.new(limits)
  local server <close> = assert(httpserver.serve({ host, port }, handler_of(Pages.new(chat)), {
    max_connections = limits.clients + 100, -- those of browsers that fetch the page are soon over
  }))
  example.announce(server)
  local others <close> = telnet_port and assert(csock.serve({ host, telnet_port }, function(conn, address)
    telnet.serve(chat, conn, address)
  end)) or nil
  if others then print("telnet users are let in on port " .. others:getsockname()[2]) end
  print "the chat is open"
  local bus <close> = url and Bus.new(url, chat) or nil
  chat.bus = bus
  example.run_loop()
end)

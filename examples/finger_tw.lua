-- finger_tw.lua: who is whom, as Twisted's finger tutorial has it in the end: one service, and many ways to ask it.
--
--   lua5.4 examples/finger_tw.lua [host] [port]   # then ask: echo moshez | nc -C localhost 1079
--   --users FILE: lines such as "moshez: Happy and well", read again every 30 seconds
--   --on ENDPOINT: listens there, too, such as "ssl:1443:privateKey=key.pem:certKey=cert.pem" or "unix:/tmp/finger"
--   --set ENDPOINT: takes two lines, a name and a status, such as at "tcp:1179:interface=127.0.0.1"
--   --web PORT: pages for browsers, on this machine alone
--   --irc ENDPOINT: a bot called fingerbot that is asked by private messages, at a server such as "tcp:localhost:6667"
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local cgi = require "csock.cgi"
local class = require "csock.class"
local csock = require "csock"
local defer = require "csock.defer"
local endpoints = require "csock.endpoints"
local httpserver = require "csock.httpserver"
local policies = require "csock.policies"
local protocol = require "csock.protocol"
local reactor = require "csock.reactor"
local task = require "csock.task"
local url = require "csock.url"

local REREAD = 30 -- seconds

-- The service: what all the protocols ask ------------------------------------------------------------

local Users = class("Users")

function Users:__init(file)
  self.file, self.status = file, { moshez = "Happy and well" }
  if not file then return end
  self:read()
  task.LoopingCall(self.read_again, self):start(REREAD, false)
end

function Users:read()
  local status = {}
  local lines <close> = example.check(io.open(self.file))
  for line in lines:lines() do
    local name, text = line:match "^%s*([^:]-)%s*:%s*(.-)%s*$"
    if name then status[name] = text end
  end
  self.status = status
end

-- Whoever edits the file may have taken it away for a moment: what was there stays.
function Users:read_again()
  local ok, complaint = pcall(self.read, self)
  if not ok then print(complaint) end
end

-- A deferred, as if it had to be looked up in a database.
function Users:getUser(name) return defer.succeed(self.status[name] or "No such user") end

function Users:getUsers()
  local names = {}
  for name in pairs(self.status) do names[#names + 1] = name end
  table.sort(names)
  return defer.succeed(names)
end

function Users:setUser(name, text) self.status[name] = text end

-- Finger: a name, answered by a line -----------------------------------------------------------------

-- Nobody may keep a connection and say nothing.
local Patient = class("Patient", protocol.LineReceiver, policies.TimeoutMixin)

function Patient:connectionMade() self:setTimeout(30) end

function Patient:connectionLost() self:setTimeout(nil) end

local Finger = class("Finger", Patient)

local function internal_error() return "Internal error in server" end

function Finger:lineReceived(name)
  local answer = self.factory.users:getUser(name)
  answer:addErrback(internal_error)
  answer:addCallback(function(text)
    self:sendLine(text)
    self.transport:loseConnection()
  end)
end

-- Two lines: a name, and what is to be said of it.
local Setter = class("Setter", Patient)

function Setter:lineReceived(line)
  if not self.name then
    self.name = line
  else
    self.factory.users:setUser(self.name, line)
    self.transport:loseConnection()
  end
end

local function factory_of(class_of_protocol, users)
  local factory = protocol.Factory:forProtocol(class_of_protocol)
  factory.users = users
  return factory
end

-- IRC: a bot that is asked in private ----------------------------------------------------------------

local Bot = class("Bot", protocol.LineReceiver)
Bot.nickname = "fingerbot"

function Bot:connectionMade()
  self:sendLine("NICK " .. self.nickname)
  self:sendLine("USER " .. self.nickname .. " 0 * :finger")
end

function Bot:lineReceived(line)
  local token = line:match "^PING (.+)"
  if token then return self:sendLine("PONG " .. token) end
  local from, to, name = line:match "^:([^!%s]+)%S* PRIVMSG (%S+) :(.*)$"
  if to ~= self.nickname then return end
  local answer = self.factory.users:getUser(name)
  answer:addErrback(internal_error)
  answer:addCallback(function(text) self:sendLine(("PRIVMSG %s :%s: %s"):format(from, name, text)) end)
end

-- The web: handlers of csock.httpserver are tasks, which wait for a deferred ---------------------------

local function list_of(names)
  local items = {}
  for i, name in ipairs(names) do
    items[i] = ('<li><a href="/%s">%s</a>'):format(url.quote(name, ""), cgi.escape(name))
  end
  return "<h1>Users</h1><ul>" .. table.concat(items) .. "</ul>"
end

local Pages = class("Pages", httpserver.BaseHTTPRequestHandler)

function Pages:do_GET()
  local users, name = self.server.users, url.unquote(self.path:sub(2))
  local page
  if name == "" then
    page = list_of(assert(defer.wait(users:getUsers())))
  else
    page = ("<h1>%s</h1><p>%s"):format(cgi.escape(name), cgi.escape(assert(defer.wait(users:getUser(name)))))
  end
  self:send_response(200)
  self:send_header("Content-Type", "text/html; charset=utf-8")
  self:send_header("Content-Length", tostring(#page))
  self:end_headers()
  self.wfile:write(page)
end

local function serve_pages(users, port)
  local server = assert(httpserver.ThreadingHTTPServer({ "127.0.0.1", port }, Pages))
  server.users = users
  example.announce(server.socket)
  csock.spawn(server.serve_forever, server):daemon()
end

-- --------------------------------------------------------------------------------------------------

local function announce(port)
  local where = port:getHost()
  if type(where) == "string" then print("listening at " .. where) else example.announce(port) end
end

-- What cannot be listened on or reached ends the program.
local function failed(why)
  io.stderr:write(example.clean(why:getErrorMessage()), "\n")
  reactor.stop()
end

example.run(function()
  local file, on = example.value("--users", "FILE"), example.value("--on", "ENDPOINT")
  local set, irc = example.value("--set", "ENDPOINT"), example.value("--irc", "ENDPOINT")
  local web = example.number("--web", nil, 0, 65535)
  local host, port = example.arguments("host", "", "port", 1079)

  local users = Users(file)
  local finger = factory_of(Finger, users)
  example.announce(assert(reactor.listenTCP(port, finger, 50, host)))
  local function listen(description, factory)
    endpoints.serverFromString(reactor, description):listen(factory):addCallbacks(announce, failed)
  end
  reactor.callWhenRunning(function()
    if on then listen(on, finger) end
    if set then listen(set, factory_of(Setter, users)) end
    if web then serve_pages(users, web) end
    if irc then
      endpoints.clientFromString(reactor, irc):connect(factory_of(Bot, users)):addErrback(failed)
    end
  end)
  example.run_reactor(reactor)
end)

-- mail_server.lua: a small mail server, which mail programs can use: it takes mails by SMTP for the users that it has,
-- keeps them in a Maildir, with a folder for each user, and gives them out by POP3. It sends nothing on to others.
--
--   lua5.4 examples/mail_server.lua [host] [port] [dir]
--
--   --pop3 N         the port of POP3 (default: 8110)
--   --users FILE     who has mail here: lines with a name, a blank and a password (default: "me", with "secret")
--
-- All of it is in the clear, so that it listens on this machine alone unless told otherwise.
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local csock = require "csock"
local mailbox = require "csock.mailbox"
local smtpd = require "csock.smtpd"

local PATIENCE, LINE = 600, 512 -- seconds, for each command of POP3; bytes of one

local users, directory = {}, nil -- names to passwords
local function box_of(user) return assert(assert(mailbox.Maildir(directory)):add_folder(user)) end

-- Taking mails: SMTP ----------------------------------------------------------------------------------

local Taker = class("Taker", smtpd.SMTPServer)
local function user_of(address) return address:match("^[^@]*"):lower() end -- me@localhost, or at any other host: me

function Taker.accept_recipient(_, _, recipient)
  if not users[user_of(recipient)] then return "550 5.1.1 no such user, and nothing is sent on" end
end

function Taker:process_message(peer, mailfrom, rcpttos, data, options)
  local head = ("Return-Path: <%s>\nReceived: from %s (%s) by %s; %s\n"):format(mailfrom, options.helo or "somebody",
    peer.host, self.hostname, os.date "!%a, %d %b %Y %H:%M:%S +0000")
  for _, recipient in ipairs(rcpttos) do
    assert(box_of(user_of(recipient)):add(head .. data .. "\n")) -- or else the client hears 451
  end
  print(example.clean(("...from %s for %s: %d bytes"):format(mailfrom, table.concat(rcpttos, ", "), #data)))
end

-- Giving them out: POP3 -------------------------------------------------------------------------------

local Visit, there = {}, {} -- there: users, to the visit of each

function Visit:__close()
  if there[self.user or ""] == self then there[self.user] = nil end
end

-- Commands: before the login, and behind it. Each gets the visit and what stands behind the command's name, and gives
-- the reply (nil: +OK), and the text of many lines that follows it, if there is one.
local before, behind = {}, {}

function before.CAPA() return nil, "TOP\nUIDL\nUSER\nPIPELINING\nRESP-CODES\n" end
function before.QUIT() end
function before.USER(visit, user) visit.user = user:lower() end

function before.PASS(visit, password)
  if not visit.user or users[visit.user] ~= password then
    csock.sleep(1) -- who guesses has to wait
    return "-ERR [AUTH] no"
  end
  if there[visit.user] then return "-ERR [IN-USE] somebody has it open" end
  there[visit.user], visit.commands, visit.box = visit, behind, box_of(visit.user)
  visit.keys, visit.sizes, visit.gone = assert(visit.box:keys()), {}, {}
  for i, key in ipairs(visit.keys) do visit.sizes[i] = #(visit.box:get_bytes(key) or ""):gsub("\r?\n", "\r\n") end
end

-- The number of a message that is not marked, where the text is one.
local function number(visit, text)
  local i = text:find "^%d+$" and math.tointeger(text)
  return visit.keys[i] and not visit.gone[i] and i
end

-- A command that says something of one message, or of all that are not marked.
local function listing(f)
  return function(visit, text)
    local i, lines = number(visit, text), {}
    if i then return ("+OK %d %s"):format(i, f(visit, i)) end
    if text ~= "" then return "-ERR no such message" end
    for n in ipairs(visit.keys) do
      if not visit.gone[n] then lines[#lines + 1] = ("%d %s\n"):format(n, f(visit, n)) end
    end
    return nil, table.concat(lines)
  end
end

behind.CAPA, behind.LIST = before.CAPA, listing(function(visit, i) return visit.sizes[i] end)
behind.UIDL = listing(function(visit, i) return visit.keys[i]:sub(1, 70) end)
function behind.NOOP() end
function behind.RSET(visit) visit.gone = {} end

function behind.STAT(visit)
  local count, size = 0, 0
  for i, bytes in ipairs(visit.sizes) do
    if not visit.gone[i] then count, size = count + 1, size + bytes end
  end
  return ("+OK %d %d"):format(count, size)
end

-- All of a message; or (TOP 1 10) its header, and so many lines.
function behind.RETR(visit, text)
  local i = number(visit, text:match "^%d*")
  local bytes = i and visit.box:get_bytes(visit.keys[i])
  if not bytes then return "-ERR no such message" end
  local last, left = select(2, bytes:find "\n\n") or #bytes, tonumber(text:match " (%d+)$") or math.huge
  while left > 0 and last < #bytes do last, left = bytes:find("\n", last + 1) or #bytes, left - 1 end
  return nil, bytes:sub(1, last)
end
behind.TOP = behind.RETR

function behind.DELE(visit, text)
  local i = number(visit, text)
  if not i then return "-ERR no such message" end
  visit.gone[i] = true
end

function behind.QUIT(visit)
  for i in pairs(visit.gone) do visit.box:remove(visit.keys[i]) end
end

local function attend(conn)
  conn:settimeout(PATIENCE)
  local stream <close> = conn:makefile "rw"
  local visit <close> = setmetatable({ commands = before }, Visit)
  local function say(reply, text)
    if text then -- a dot ends it, and is doubled where a line begins with one
      text = text:gsub("([^\n])$", "%1\n"):gsub("\r?\n", "\r\n"):gsub("^%.", ".."):gsub("\n%.", "\n..")
    end
    return stream:write(reply or "+OK", "\r\n", text or "", text and ".\r\n" or "") and stream:flush()
  end
  say "+OK"
  while true do
    local line = example.read_line(stream, LINE, function() say "-ERR a line that is too long" end)
    if not line then return end
    local verb, rest = line:upper():match "^%a*", line:match "^%a* ?(.*)$"
    local command = visit.commands[verb] or function() return "-ERR what?" end
    if not say(command(visit, rest)) or verb == "QUIT" then return end
  end
end

example.run(function()
  local port_of_pop3, file = example.number("--pop3", 8110, 0, 65535), example.value("--users", "FILE")
  local host, port, dir = example.arguments("host", "localhost", "port", 8025, "dir", "mail")
  local list = file and example.check(io.open(file)):read "a" or "me secret"
  for name, password in list:gmatch "([%w_-]+) ([^\r\n]+)" do users[name:lower()] = password end
  directory = dir
  local smtp <close> = assert(Taker { host, port })
  local pop3 <close> = assert(csock.serve({ host, port_of_pop3 }, attend))
  example.announce(smtp)
  print("POP3 on port " .. pop3:getsockname().port)
  example.run_loop()
end)

-- A mailbox of so many messages, for one client that wants their headers: prints its port. `pop3` or `imap`.
local csock = require "csock"

local kind, count = arg[1], math.tointeger(arg[2])
local header = "From: Jane <jane@example.org>\r\nTo: joe@example.org\r\nSubject: number %05d\r\n"
  .. "Date: Thu, 1 Jan 1970 00:00:00 +0000\r\nMessage-ID: <%05d@example.org>\r\n"
  .. ("X-Filler: " .. ("x"):rep(60) .. "\r\n"):rep(4) .. "\r\n"

local function text(i) return header:format(i, i) end

local function pop3(conn)
  local stream = conn:makefile "rw"
  local function say(line) return stream:write(line, "\r\n") end
  say "+OK"
  stream:flush()
  for line in stream:lines() do
    local number = math.tointeger(tonumber(line:match "^TOP (%d+) 0"))
    if number then
      stream:write("+OK\r\n", text(number), ".\r\n")
    elseif line:find "^CAPA" then
      say "+OK\r\nTOP\r\nPIPELINING\r\n."
    elseif line:find "^STAT" then
      say(("+OK %d 1000"):format(count))
    else
      say "+OK"
    end
    if stream:buffered() == 0 then stream:flush() end
  end
end

local function imap(conn)
  local stream = conn:makefile "rw"
  stream:write "* OK [CAPABILITY IMAP4rev1] ready\r\n"
  stream:flush()
  for line in stream:lines() do
    local tag, verb = line:match "^(%S+) (%S+)"
    if verb == "CAPABILITY" then stream:write "* CAPABILITY IMAP4rev1\r\n" end
    if verb == "SELECT" then stream:write(("* %d EXISTS\r\n"):format(count)) end
    if verb == "FETCH" then
      for i = 1, count do
        local one = text(i)
        stream:write(("* %d FETCH (BODY[HEADER] {%d}\r\n"):format(i, #one), one, ")\r\n")
      end
    end
    stream:write(tag, " OK done\r\n")
    stream:flush()
  end
end

local server = assert(csock.create_server { "127.0.0.1", 0 })
io.stdout:setvbuf "line"
print(server:getsockname().port)
local conn = assert(server:accept())
conn:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, 1);
(kind == "pop3" and pop3 or imap)(conn)

--- Runs the examples of the manual (`@usage`) of one page, with servers at hand that they may talk to:
-- `lua spec/support/usage.lua PAGE` prints a line for each that fails. What an example prints must be what its `-->`
-- say.
--
-- At hand are csock's modules by their last names (`csock`, `loop`, `http` ...), `a` and `b`, a connected pair, and
-- `s`, a connection to a server that sends back what it gets; `path`, of a file or folder that is not there yet. At
-- localhost there are that server (port 21567), one that speaks HTTP (8080), and the same over TLS (443, 8443), Redis
-- (6379), SMTP (25), XML-RPC (8000) and JSON-RPC (8001): on other ports, which are put in their places. A port to
-- listen on becomes a free one.
local csock = require "csock"
local data = require "csock.help.data"
local loop = require "csock.loop"

local LIMIT = 10 -- seconds, for each example

local MODULES = {
  BytesIO = "csock.bytesio", ftps = "csock.ftp", reason = "csock.reactor.reason", resp = "csock.redis.resp",
  robots = "csock.url.robots", headers = "csock.wire.headers", dates = "csock.wire.dates",
  base64 = "csock.wire.base64", quoted = "csock.wire.quoted", dots = "csock.wire.dots", words = "csock.wire.words",
}
for _, module in ipairs(data.modules) do
  local word = module.name:match "[%w_]+$"
  if module.name == "csock" or module.name == "csock." .. word then MODULES[word] = module.name end
end

-- --- servers --------------------------------------------------------------------------------------

local function echo(conn)
  while true do
    local bytes = conn:recv(4096)
    if not bytes or bytes == "" then return end
    if not conn:sendall(bytes) then return end
  end
end

local function answer(request)
  if request.path == "/robots.txt" then
    return 200, { ["content-type"] = "text/plain" }, "User-agent: *\nDisallow: /no"
  end
  if request.path == "/missing" then return 404 end
  if request.path == "/chat" then
    return require("csock.websocket").upgrade(request, function(ws)
      for message in ws:messages() do ws:send(message) end
    end)
  end
  if request.path == "/data.json" then return 200, { ["content-type"] = "application/json" }, '{"answer": 42}' end
  request.body:read "a"
  return 200, { ["content-type"] = "text/plain", ["set-cookie"] = "seen=1" }, "hello\n"
end

-- Redis, as far as the examples go: a table of strings, and messages to whoever has subscribed.
local function redis(conn)
  local resp = require "csock.redis.resp"
  local stream, values = conn:makefile "rw", {}
  while true do
    local command = resp.read(stream)
    if type(command) ~= "table" then return end
    local name = command[1]:upper()
    if name == "SET" then
      values[command[2]] = command[3]
      stream:write "+OK\r\n"
    elseif name == "GET" then
      local value = values[command[2]]
      stream:write(value and ("$%d\r\n%s\r\n"):format(#value, value) or "$-1\r\n")
    elseif name:find "SUBSCRIBE$" then
      for i = 2, #command do
        local kind = name:lower()
        stream:write(("*3\r\n$%d\r\n%s\r\n$%d\r\n%s\r\n:1\r\n"):format(#kind, kind, #command[i], command[i]))
        if kind == "subscribe" then
          stream:write(("*3\r\n$7\r\nmessage\r\n$%d\r\n%s\r\n$5\r\nhello\r\n"):format(#command[i], command[i]))
        end
      end
    else
      stream:write "+OK\r\n"
    end
    stream:flush()
  end
end

-- News, with one group of one article.
local function nntp(conn)
  local header, body = "Subject: hi\r\nFrom: me\r\n", "hello\r\n"
  local overview = "224\r\n1\thi\tme\tnow\t<1@localhost>\t\t9\t1\r\n.\r\n"
  local answers = {
    CAPABILITIES = "101\r\nVERSION 2\r\nREADER\r\nOVER\r\n.\r\n", QUIT = "205 bye\r\n",
    HELP = "100\r\nhelp yourself\r\n.\r\n", ["AUTHINFO USER jane"] = "281 in\r\n",
    LIST = "215\r\ncomp.lang.lua 1 1 y\r\n.\r\n", NEWGROUPS = "231\r\ncomp.lang.lua 1 1 y\r\n.\r\n",
    NEWNEWS = "230\r\n<1@localhost>\r\n.\r\n", DATE = "111 19700101000001\r\n", SLAVE = "202 ok\r\n",
    GROUP = "211 1 1 1 comp.lang.lua\r\n", ARTICLE = "220 1 <1@localhost>\r\n" .. header .. "\r\n" .. body .. ".\r\n",
    HEAD = "221 1 <1@localhost>\r\n" .. header .. ".\r\n", BODY = "222 1 <1@localhost>\r\n" .. body .. ".\r\n",
    XHDR = "221\r\n1 hi\r\n.\r\n", OVER = overview, XOVER = overview, POST = "340 go on\r\n", IHAVE = "335 go on\r\n",
    ["LIST OVERVIEW.FMT"] = "503 no\r\n", ["LIST NEWSGROUPS comp.*"] = "215\r\ncomp.lang.lua The language.\r\n.\r\n",
    ["LIST NEWSGROUPS comp.lang.lua"] = "215\r\ncomp.lang.lua The language.\r\n.\r\n",
  }
  local sending
  conn:sendall "200 ready\r\n"
  for ended in conn:makefile():lines() do
    local line = ended:gsub("\r$", "")
    local verb = line:match "^%S*"
    if sending and line == "." then
      conn:sendall(sending == "POST" and "240 thanks\r\n" or "235 thanks\r\n")
      sending = nil
    elseif not sending then
      conn:sendall(answers[line] or answers[verb] or "223 1 <1@localhost>\r\n")
      sending = (verb == "POST" or verb == "IHAVE") and verb
    end
    if line == "QUIT" then return end
  end
end

-- POP3, of two messages: whoever logs in with the password "secret" reads them, and others, too.
local function pop3(conn)
  local text = "Subject: %s\r\n\r\n%s\r\n.\r\n"
  local answers = {
    STAT = "+OK 2 320\r\n", LIST = "+OK\r\n1 120\r\n2 200\r\n.\r\n", QUIT = "+OK bye\r\n",
    CAPA = "+OK\r\nTOP\r\nUIDL\r\nPIPELINING\r\n.\r\n", ["UIDL 1"] = "+OK 1 abc\r\n",
    ["RETR 1"] = "+OK\r\n" .. text:format("one", "1"), ["RETR 2"] = "+OK\r\n" .. text:format("two", "2"),
    ["TOP 1 0"] = "+OK\r\nSubject: one\r\n\r\n.\r\n", ["TOP 2 0"] = "+OK\r\nSubject: two\r\n\r\n.\r\n",
  }
  conn:sendall "+OK ready <1896.697170952@localhost>\r\n"
  for ended in conn:makefile():lines() do
    local line = ended:gsub("\r$", "")
    conn:sendall(answers[line] or "+OK\r\n")
    if line == "QUIT" then return end
  end
end

-- IMAP, of a mailbox with two messages.
local function imap(conn)
  local can = "CAPABILITY IMAP4rev1 ENABLE IDLE MOVE UNSELECT AUTH=PLAIN"
  local answers = {
    CAPABILITY = "* " .. can .. "\r\n", LOGOUT = "* BYE bye\r\n", LIST = '* LIST (\\HasNoChildren) "/" INBOX\r\n',
    SELECT = "* 2 EXISTS\r\n* OK [UIDVALIDITY 7] ok\r\n", LSUB = '* LSUB (\\HasNoChildren) "/" INBOX\r\n',
    STATUS = "* STATUS INBOX (MESSAGES 2 UNSEEN 1)\r\n", NAMESPACE = '* NAMESPACE (("" "/")) NIL NIL\r\n',
    ["FETCH 1 (BODY[])"] = "* 1 FETCH (BODY[] {14}\r\nSubject: one\r\n)\r\n",
    FETCH = '* 1 FETCH (FLAGS (\\Seen) ENVELOPE (NIL "one" NIL NIL NIL NIL NIL NIL NIL NIL))\r\n',
    STORE = "* 1 FETCH (FLAGS (\\Deleted))\r\n", EXPUNGE = "* 1 EXPUNGE\r\n", SEARCH = "* SEARCH 1 2\r\n",
    SORT = "* SORT 2 1\r\n", THREAD = "* THREAD (1)(2)\r\n", UID = "* SEARCH 1 2\r\n",
  }
  local stream = conn:makefile()
  conn:sendall("* OK [" .. can .. "] ready\r\n")
  for ended in stream:lines() do
    local line = ended:gsub("\r$", "")
    local tag, command = line:match "^(%S+) (.*)$"
    local verb = command:match "^%S*"
    local size = command:match "{(%d+)}$"
    if size then
      conn:sendall "+ go on\r\n"
      stream:read(math.tointeger(tonumber(size)) + 2)
    elseif command == "AUTHENTICATE PLAIN" then
      conn:sendall "+ \r\n"
      stream:read()
    elseif verb == "AUTHENTICATE" then
      conn:sendall "+ PDFAbG9jYWxob3N0Pg==\r\n"
      stream:read()
    elseif verb == "IDLE" then
      conn:sendall "+ idling\r\n* 3 EXISTS\r\n"
      stream:read()
    end
    conn:sendall((answers[command] or answers[verb] or "") .. tag .. " OK done\r\n")
    if verb == "LOGOUT" then return end
  end
end

-- Two functions, by XML-RPC and by JSON-RPC. (They need lua-expat, and a module for JSON, when they are called.)
local function rpc(module, class)
  local server = assert(require(module)[class]({ "127.0.0.1", 0 }, { logRequests = false }))
  server:register_function(function(a, b) return a + b end, "add")
  server:register_function(function(names) return "hello, " .. names.name end, "greet")
  if server.register_multicall_functions then server:register_multicall_functions() end
  csock.spawn(function() server:serve_forever() end)
  return server.socket
end

-- The ports of the servers, by those that examples name.
local function serve()
  local any = { "127.0.0.1", 0 }
  local servers = {
    ["21567"] = assert(csock.serve(any, echo)), ["6379"] = assert(csock.serve(any, redis)),
    ["21"] = require("spec.support.ftpd").serve({ README = "hello" }).running,
    ["110"] = assert(csock.serve(any, pop3)), ["119"] = assert(csock.serve(any, nntp)),
    ["143"] = assert(csock.serve(any, imap)),
    ["8080"] = assert(require("csock.httpserver").serve(any, answer)),
    ["8000"] = rpc("csock.xmlrpc", "SimpleXMLRPCServer"), ["8001"] = rpc("csock.jsonrpc", "SimpleJSONRPCServer"),
  }
  local cert, context = os.getenv "USAGE_CERT", nil
  if cert then
    local ssl = require "csock.ssl"
    context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    assert(context:load_cert_chain(cert, (os.getenv "USAGE_KEY")))
    servers["443"] = assert(csock.serve(any, echo, { ssl = context }))
    servers["8443"] = assert(require("csock.httpserver").serve(any, answer, { ssl = context }))
  end
  servers["25"] = assert(require("csock.smtpd").SMTPServer(any, nil, {
    starttls = context, auth = function(user) return user == "jane" and "secret" or nil end,
  }))
  local ports = {}
  for name, server in pairs(servers) do ports[name] = tostring(server:getsockname().port) end
  return ports
end

-- In a process of its own, which ends with this one: the examples may run the loop until nothing is left to wait for.
local function start()
  local ours, theirs = assert(csock.socketpair())
  if assert(csock.fork()) == 0 then
    ours:close()
    local list = {}
    for name, port in pairs(serve()) do list[#list + 1] = name .. "=" .. port end
    assert(theirs:sendall(table.concat(list, " ") .. "\n"))
    loop.add_reader(theirs, csock._exit)
    csock.run()
    csock._exit(1)
  end
  theirs:close()
  local ports, line = {}, ours:makefile():read()
  for name, port in line:gmatch "(%d+)=(%d+)" do ports[name] = port end
  return ports, ours
end

-- --- examples -------------------------------------------------------------------------------------

-- A port that nobody listens on: for an example in which a server and its client are.
local function free_port()
  local sock <close> = assert(csock.create_server { "127.0.0.1", 0 })
  return tostring(sock:getsockname().port)
end

local function fit(code, ports)
  if code:find "7070" then code = code:gsub("7070", (free_port())) end
  code = code:gsub('{"127.0.0.1", 2323', '{"127.0.0.1", 0')
  code = code:gsub('{"", %d+', '{"127.0.0.1", 0'):gsub("listen(%u%a+)%(%d+", "listen%1(0")
  code = code:gsub('("localhost", )(%d+)', function(head, port) return head .. (ports[port] or port) end)
  code = code:gsub('("localhost", {port = )(%d+)', function(head, port) return head .. (ports[port] or port) end)
  return (code:gsub("(localhost:)(%d+)", function(head, port) return head .. (ports[port] or port) end))
end

-- What an example says that it prints.
local function promised(code)
  local list = {}
  for text in code:gmatch "%-%->%s*([^\n]*)" do list[#list + 1] = text end
  return #list > 0 and table.concat(list, " ")
end

-- The global names of an example; what it prints goes to `printed`.
local function environment(ports, printed)
  local make = {
    a = function(env)
      env.a, env.b = assert(csock.socketpair())
      return env.a
    end,
    b = function(env)
      env.a, env.b = assert(csock.socketpair())
      return env.b
    end,
    path = function(env) -- where nothing is yet
      env.path = "path" .. csock.getpid()
      return env.path
    end,
    s = function(env)
      env.s = assert(csock.create_connection { "127.0.0.1", ports["21567"] })
      return env.s
    end,
  }
  function _G.print(...)
    local list = table.pack(...)
    for i = 1, list.n do list[i] = tostring(list[i]) end
    if list.n > 0 then printed[#printed + 1] = table.concat(list, " ") end
  end
  return setmetatable({}, {
    __index = function(env, name)
      if make[name] then return make[name](env) end
      if MODULES[name] then return require(MODULES[name]) end
      return _G[name]
    end,
  })
end

-- Why an example fails, or nil.
local function run(name, code, ports)
  local printed = {}
  local f, err = load(fit(code, ports), "=" .. name, "t", environment(ports, printed))
  if not f then return err end
  local ok, why = xpcall(f, debug.traceback)
  if not ok then return tostring(why) end
  local wanted = promised(code)
  local got = table.concat(printed, " "):gsub("%s+", " "):gsub(" $", "")
  if wanted and got ~= wanted:gsub("%s+", " ") then return ("prints %q, not %q"):format(got, wanted) end
end

-- The same in a process of its own, whatever it leaves behind, and for LIMIT seconds at most.
local function try(name, code, ports)
  local pid = assert(csock.fork())
  if pid == 0 then
    local why = run(name, code, ports)
    if why then io.stdout:write(name, ": ", why, "\n"):flush() end
    csock._exit(why and 1 or 0)
  end
  local ended = csock.run(function() return loop.timeout(LIMIT, csock.waitpid, pid) end)
  if not ended then
    io.stdout:write(name, ": takes too long\n"):flush()
    csock.kill(pid, "SIGKILL")
    csock.waitpid(pid)
  end
end

local page = arg[1]
local ports, _ = start() -- the second one tells the servers of the end
local names = {}
local function add(name, entry)
  for i, code in ipairs(entry and entry.usage or {}) do names[#names + 1] = { ("%s %d"):format(name, i), code } end
end
for _, module in ipairs(data.modules) do
  if module.name == page then
    add(page, module)
    add(page, module.call)
    for _, name in ipairs(module.members) do add(name, data.entries[name]) end
  end
end
for _, object in ipairs(data.types) do
  if object.module == page then
    add(object.name, object)
    for _, name in ipairs(object.members) do add(name, data.entries[name]) end
  end
end

-- Not of what this system lacks.
local function is_here(name)
  local word = name:match "%f[%a]kqueue" or name:match "%f[%a]kevent" or name:match "%f[%a]epoll"
  return not word or csock[word] ~= nil
end

for _, example in ipairs(names) do
  if is_here(example[1]) then try(example[1], example[2], ports) end
end
csock._exit(0)

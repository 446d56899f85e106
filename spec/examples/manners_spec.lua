-- What examples/README.md promises of every example alike: how it takes arguments, and how it ends.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local example = require "spec.support.example"
local csock = require "csock"
local tree = require "spec.support.tree"

local servers = {
  "tsTserv", "tsTserv6", "tsTserv_safe", "tsUserv", "thanks_server", "select_server", "poll_server",
  "echo_stream_server", "echo_dgram_server", "command_server", "daytime_server", "chat_server",
  "chat_rooms", "chat_web", "sleep_server", "name_server", "ws_echo",
  "tsTservSS", "tsTservSS_async", "tsTservSS_async --fork", "tsTservSS_persist", "thanks_ss", "thanks_forking",
  "thanks_threading", "hello_ss", "echo_threading", "async_echo", "async_chat",
  "tsTservTW", "logger_tw", "line_logger_tw", "finger_tw", "portforward_tw", "process_tw",
  "safe_send --receive", "chat_half --listen", "chat_full --listen", "tls_tserv", "rpc_pair --serve",
  "mail_server",
}

-- Clients that meet a refusal as soon as they start.
local tcp_clients = {
  "tsTclnt", "tsTclnt6", "tsTclnt_safe", "thanks_client", "select_two", "echo_stream_client",
  "command_client", "sleep_client", "name_client", "web_client", "safe_send", "chat_half", "chat_full",
  "tsTclntSS_persist", "tsTclntTW", "tls_tclnt", "https_head", "http_head", "ws_client", "rpc_pair",
  "send_mail", "mail_subjects", "ftp_get", "news_headers", "telnet_robot",
}

-- What those are told that speak TLS.
local over_tls = { tls_tserv = {}, tls_tclnt = {}, https_head = {} }
if not contexts.missing then
  over_tls.tls_tserv = { "--certificate", certificates.good.cert, "--key", certificates.good.key }
  over_tls.tls_tclnt = { "--cafile", certificates.ca.cert }
  over_tls.https_head = over_tls.tls_tclnt
end

-- Clients that wait at a prompt, and the server that each needs.
local prompts = {
  tsTclnt = "tsTserv", tsTclnt6 = "tsTserv6", tsTclnt_safe = "tsTserv_safe", tsUclnt = "tsUserv",
  echo_stream_client = "echo_stream_server", echo_dgram_client = "echo_dgram_server",
  command_client = "command_server", sleep_client = "sleep_server",
  name_client = "name_server", tsTclntSS = "tsTservSS", tsTclntSS_persist = "tsTservSS_persist",
  tsTclntTW = "tsTservTW", tls_tclnt = "tls_tserv", ws_client = "ws_echo",
}

local alone = { "socket_options", "select_stdin", "hosts_and_services", "connected_dgram", "daytime" }

local udp = { tsUserv = true, echo_dgram_server = true, daytime_server = true }

-- What others are told.
local settings = { mail_server = { "--pop3", "0" } }

local function split(command)
  local name, option = command:match("^(%S+) ?(.*)$")
  local told = over_tls[name] or settings[name]
  return name, option ~= "" and { option } or told and table.move(told, 1, #told, 1, {}) or {}
end

-- Where this can be tried: it, or pending.
local function it_can(command)
  if command:find("6$") and not example.has_ipv6 then return pending end
  return over_tls[command] and contexts.missing and pending or it
end

local function arguments_of(command, ...)
  local name, arguments = split(command)
  for _, argument in ipairs { ... } do table.insert(arguments, tostring(argument)) end
  return name, table.unpack(arguments)
end

local function start(command, ...) return example.start(arguments_of(command, ...)) end

local function start_at_terminal(command, ...) return example.start_at_terminal(arguments_of(command, ...)) end

local function host_of(command)
  return command:find("6$") and "::1" or "127.0.0.1"
end

-- A bound socket of the kind that the server would make, so that its port is taken.
local function taken(command)
  local family = command:find("6$") and csock.AF_INET6 or csock.AF_INET
  local kind = udp[command] and csock.SOCK_DGRAM or csock.SOCK_STREAM
  local socket = assert(csock.socket(family, kind))
  assert(socket:bind(host_of(command), 0))
  if kind == csock.SOCK_STREAM then assert(socket:listen(1)) end
  return socket, socket:getsockname()[2]
end

local function one_line(text)
  assert.matches("^[^\n]+\n$", text)
  return text
end

describe("examples:", function()
  after_each(example.stop_all)

  for _, command in ipairs(servers) do
    local name = split(command)
    local test = it_can(command)

    describe(command, function()
      test("says which port it got for port 0", function()
        local program = start(command, host_of(command), 0)
        assert.is_true(tonumber(program:expect("listening on port (%d+)\n")) > 0)
      end)

      test("says where it listens also on a port that it was told", function()
        local socket, port = taken(command)
        socket:close()
        start(command, host_of(command), port):expect("^listening on port " .. port .. "\n")
      end)

      test("ends on Ctrl-C with status 0", function()
        local program = start(command, host_of(command), 0)
        program:expect("listening on port %d+\n")
        program:interrupt()
        assert.equal("", program:ends(0))
      end)

      test("says in one line that its port is taken", function()
        local socket <close>, port = taken(command)
        local program = start(command, host_of(command), port)
        local complaint = one_line(program:ends(1))
        assert.matches(name .. "%.lua: .*EADDRINUSE", complaint)
        assert.is_true(socket:fileno() >= 0)
      end)

      test("refuses a port that is none", function()
        local complaint = one_line(start(command, "127.0.0.1", "65536"):ends(1))
        assert.matches("port must be a whole number from 0 to 65535, not '65536'", complaint, 1, true)
      end)

      test("does not mind that its standard input is empty", function()
        local program = start(command, host_of(command), 0)
        program:finish_input()
        program:expect("listening on port %d+\n")
        program:interrupt()
        program:ends(0)
      end)
    end)
  end

  for _, command in ipairs(servers) do
    it_can(command)(command .. " ends on Ctrl-D at a terminal with status 0", function()
      local program = start_at_terminal(command, host_of(command), 0)
      program:expect("listening on port %d+")
      program:write("\4")
      program:ends(0)
    end)
  end

  for _, command in ipairs {
    "tsTserv", "tsTserv_safe", "select_server", "poll_server", "echo_stream_server",
    "command_server", "chat_server", "chat_rooms", "sleep_server", "tsTservSS", "tsTservSS_async",
    "tsTservSS_persist", "async_echo", "async_chat", "logger_tw", "line_logger_tw",
  } do
    it(command .. " has closed every socket when Ctrl-C ends it with a client connected", function()
      local server = example.start_with_warnings(command, "127.0.0.1", "0")
      local port = server:expect("listening on port (%d+)\n")
      local client <close> = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
      server:expect(tostring(client:getsockname()[2]))
      server:interrupt()
      assert.equal("", server:ends(0)) -- collecting an open socket warns
      local data
      repeat data = assert(client:recv(1024)) until data == ""
    end)
  end

  for _, command in ipairs(tcp_clients) do
    local test = it_can(command)
    test(command .. " says in one line that it is refused", function()
      local socket, port = taken(command)
      socket:close()
      local complaint = one_line(start(command, host_of(command), port):ends(1))
      assert.matches("%.lua: .*ECONNREFUSED", complaint)
    end)
  end

  for _, command in ipairs { "tsUclnt", "connected_dgram", "daytime", "tsTclntSS" } do
    it(command .. " says in one line that nobody is there", function()
      local socket <close>, port = taken("tsUserv")
      socket:close()
      local program = start(command, "127.0.0.1", port)
      if prompts[command] then program:type("hi") end
      assert.matches("%.lua: .*ECONNREFUSED", one_line(program:ends(1)))
    end)
  end

  -- UDP servers do without SO_REUSEADDR (see the README), and leave no port in this state.
  it("start again at once on the port that a connection was just closed on", function()
    for _, command in ipairs(servers) do
      if not udp[command] and it_can(command) == it then
        local first = start(command, host_of(command), 0)
        local port = math.tointeger(first:expect("listening on port (%d+)\n"))
        local client <close> = assert(csock.create_connection({ host_of(command), port }, { timeout = 5 }))
        first:interrupt() -- the server closes first: its end of the connection lingers
        first:ends(0)
        client:close()
        local second = start(command, host_of(command), port)
        local again
        repeat again = csock.create_connection({ host_of(command), port }, { timeout = 5 }) until
          again or not second:running()
        assert.is_truthy(again, command .. ": " .. second.err)
        again:close()
        second:interrupt()
        second:ends(0)
      end
    end
  end)

  for client, server in pairs(prompts) do
    local test = it_can(client)

    describe(client, function()
      local port
      before_each(function()
        port = example.server_on(host_of(client), arguments_of(server)).port
      end)

      test("ends at the end of its input with status 0", function()
        local program = start(client, host_of(client), port)
        program:expect("> ")
        program:finish_input()
        assert.equal("", program:ends(0))
      end)

      test("ends at an empty line with status 0", function()
        local program = start(client, host_of(client), port)
        program:type("")
        assert.equal("", program:ends(0))
      end)

      test("ends on Ctrl-C at its prompt with status 0, and has closed its sockets", function()
        local program = example.start_with_warnings(arguments_of(client, host_of(client), port)) -- open ones warn
        program:expect("> ")
        program:interrupt()
        assert.equal("", program:ends(0))
      end)
    end)
  end

  for _, command in ipairs {
    "select_server", "poll_server", "chat_server", "chat_rooms", "sleep_server", "async_echo", "async_chat",
    "logger_tw", "line_logger_tw", "tsTservSS_async", "tsTservSS_persist",
  } do
    it(command .. " outlives a time without descriptors, and serves who waited", function()
      local server = example.start_with_descriptors(12, command, "127.0.0.1", "0")
      local port = server:expect("listening on port (%d+)\n")
      local clients <close> = setmetatable({}, {
        __close = function(list) for _, client in ipairs(list) do client:close() end end,
      })
      for i = 1, 10 do
        clients[i] = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = 5 }))
      end
      server:expect("127%.0%.0%.1")
      for i = 1, 5 do clients[i]:close() end
      server:expect(tostring(clients[10]:getsockname()[2]))
      server:interrupt()
      assert.equal("", server:ends(0))
    end)
  end

  for client, server in pairs(prompts) do
    it_can(client)(client .. " ends on Ctrl-C and on Ctrl-D at a terminal with status 0", function()
      local host = host_of(client)
      local port = example.server_on(host, arguments_of(server)).port
      for _, key in ipairs { "\3", "\4" } do
        local program = start_at_terminal(client, host, port)
        program:expect("> ")
        program:write(key)
        program:ends(0)
      end
    end)
  end

  it("each refuse more arguments than they take, and unknown options", function()
    for _, list in ipairs { servers, tcp_clients, alone } do
      for _, command in ipairs(list) do
        local line = one_line(start(command, "1", "2", "3", "4"):ends(1))
        assert.matches("too many arguments; usage: lua5.4 examples/", line, 1, true)
        line = one_line(start(command, "--frobnicate"):ends(1))
        assert.matches("unknown option --frobnicate; usage: ", line, 1, true)
      end
    end
  end)

  it("explain themselves, and every option that they have, on --help", function()
    for _, list in ipairs { servers, tcp_clients, alone, { "tsUclnt", "echo_dgram_client" } } do
      for _, command in ipairs(list) do
        local name = split(command)
        for _, help in ipairs { "--help", "-h" } do
          local program = start(command, help)
          assert.equal("", program:ends(0))
          assert.equal(name .. ".lua: ", program.out:match "^%S+ ")
          assert.is_truthy(program.out:find("\n  lua5.4 examples/" .. name .. ".lua", 1, true), program.out)
          local source = tree.read("examples/" .. name .. ".lua")
          for option in source:gmatch 'example%.%l+%(?%s*"(%-%-%l+)"' do
            assert.is_truthy(program.out:find(option, 1, true), name .. " does not explain " .. option)
          end
        end
      end
    end
  end)

  it("name their options when they refuse one", function()
    assert.matches("usage: lua5.4 examples/chat_rooms.lua [--bus URL] [--clients N] [--rate N] [--idle SECONDS] "
      .. "[host] [port]\n", start("chat_rooms", "--x"):ends(1), 1, true)
    assert.matches("usage: lua5.4 examples/chat_web.lua [--bus URL] [--telnet N] [--clients N] [--rate N] "
      .. "[--idle SECONDS] [host] [port]\n", start("chat_web", "--x"):ends(1), 1, true)
  end)

  it("find the csock of their checkout, from any directory", function()
    local built = io.open("build/csock/core.so")
    if not built then return pending("csock is built elsewhere") end
    built:close()
    local program = example.start_elsewhere("socket_options")
    program:expect("IP_TTL")
    assert.equal("", program:ends(0))
  end)

  it("have the ports of the book by default", function()
    for port, names in pairs {
      [21567] = "tsTserv tsTclnt tsTserv6 tsTclnt6 tsUserv tsUclnt tsTservSS tsTclntSS tsTservTW tsTclntTW "
        .. "tsTserv_safe tsTclnt_safe tsTservSS_async tsTservSS_persist tsTclntSS_persist tls_tserv tls_tclnt",
      [1234] = "thanks_server thanks_client thanks_ss thanks_forking thanks_threading select_server poll_server "
        .. "select_two logger_tw line_logger_tw",
      [45000] = "echo_stream_server echo_stream_client echo_dgram_server echo_dgram_client connected_dgram async_echo",
      [12321] = "echo_threading",
      [2626] = "chat_server",
      [2627] = "chat_rooms",
      [8080] = "chat_web",
      [80] = "web_client http_head",
      [443] = "https_head",
      [25] = "send_mail",
      [110] = "mail_subjects",
      [8025] = "mail_server",
      [21] = "ftp_get",
      [119] = "news_headers",
      [23] = "telnet_robot",
    } do
      for name in names:gmatch "%S+" do
        local text = tree.read("examples/" .. name .. ".lua")
        assert.equal(tostring(port), text:match 'arguments%("host", "[^"]*", "port", (%w+)', name)
      end
    end
  end)

  it("are all in the README and all in these specs", function()
    local readme = io.open("examples/README.md"):read("a")
    local known = table.concat(servers, " ") .. " " .. table.concat(tcp_clients, " ") .. " "
      .. table.concat(alone, " ") .. " tsUclnt echo_dgram_client url_open http_server clock_tw_spec "
    local listing <close> = io.popen("ls examples")
    for file in listing:lines() do
      local name = file:match("^(.*)%.lua$")
      if name and name ~= "common" then
        assert.is_truthy(readme:find("`" .. file .. "`", 1, true), file .. " is not in the README")
        assert.is_truthy(known:find(name, 1, true), file .. " has no spec")
      end
    end
    for name in readme:gmatch "`([%w_]+%.lua)[` ]" do
      local file <close> = io.open("examples/" .. name)
      assert.is_truthy(file, name .. " is in the README alone")
    end
  end)
end)

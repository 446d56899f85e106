-- The servers as a person without csock meets them: through Debian's telnet and nc.
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local STAMP = "%[%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d%] "
local ADDRESS = "%('127%.0%.0%.1', %d+%)"

after_each(function()
  keep.close()
  example.stop_all()
end)

local function has(program)
  return os.execute("command -v " .. program .. " >/dev/null 2>&1") ~= nil
end

-- telnet wants a terminal, and shows there what is typed.
local function start(client, server, ...)
  local command = { client, ... }
  table.insert(command, "127.0.0.1")
  table.insert(command, tostring(server.port))
  return keep(process.start(command, { pty = client == "telnet" }))
end

-- What each server answers to `hi`, and what it prints; `greeting` comes first.
local servers = {
  { "tsTserv", answer = STAMP .. "hi\r?\n", prints = "%.%.%.connected from: " .. ADDRESS .. "\n" },
  { "tsTserv_safe", answer = STAMP .. "hi\r?\n", prints = "%.%.%.connected from: " .. ADDRESS .. "\n" },
  { "tsTservSS", answer = STAMP .. "hi\r?\n", prints = "%.%.%.connected from: " .. ADDRESS .. "\n", once = true },
  { "tsTservSS_async", answer = STAMP .. "hi\r?\n", prints = "%.%.%.finished: " .. ADDRESS .. "\n", once = true },
  { "tsTservSS_async", "--fork", answer = STAMP .. "hi\r?\n", prints = "%.%.%.finished: ", once = true },
  { "tsTservSS_persist", answer = STAMP .. "hi\r?\n", prints = "%.%.%.connected from: " .. ADDRESS .. "\n" },
  { "tsTservTW", answer = STAMP .. "hi\r?\n", prints = "%.%.%.connected from: 127%.0%.0%.1\n" },
  { "thanks_server", greeting = "Thank you for connecting", prints = "Got connection from " .. ADDRESS .. "\n" },
  { "thanks_ss", greeting = "Thank you for connecting", prints = "Got connection from " .. ADDRESS .. "\n" },
  { "thanks_forking", greeting = "Thank you for connecting", prints = "Got connection from " .. ADDRESS .. "\n" },
  { "thanks_threading", greeting = "Thank you for connecting", prints = "Got connection from " .. ADDRESS .. "\n" },
  { "hello_ss", greeting = "Hello World!\r?\n" },
  { "select_server", prints = "Got connection from " .. ADDRESS .. "\n" .. ADDRESS .. ": hi\n" },
  { "poll_server", prints = "Got connection from " .. ADDRESS .. "\n" .. ADDRESS .. ": hi\n" },
  { "logger_tw", prints = "Got connection from " .. ADDRESS .. "\n" .. ADDRESS .. ": hi\n" },
  { "line_logger_tw", prints = "Got connection from " .. ADDRESS .. "\n" .. ADDRESS .. ": hi\n" },
  { "echo_stream_server", answer = "hi\r?\n", prints = "connected: " .. ADDRESS .. "\n" },
  { "echo_threading", answer = "hi\r?\n", prints = "Got new connection!\nReceived: hi\n" },
  { "async_echo", answer = "hi\r?\n", prints = "connected: " .. ADDRESS .. "\n" },
  { "async_chat", greeting = "Each line comes back", answer = "1: hi\r?\n", prints = ADDRESS .. ": hi\n" },
  { "command_server", answer = "error: unknown command", prints = "%.%.%.connected from: " .. ADDRESS .. "\n" },
  { "sleep_server", answer = "error: 'hi' is no number", prints = ADDRESS .. ": connected\n" },
  { "name_server", answer = "error: unknown request" },
  { "chat_server", greeting = "You're connected to the csock chatserver\r?\n",
    prints = "ChatServer started on port %d+\nClient joined 127%.0%.0%.1:%d+\n%[127%.0%.0%.1:%d+%] hi\n" },
}

for _, client in ipairs { "telnet", "nc" } do
  describe("through " .. client .. ", examples/", function()
    local test = has(client) and it or pending

    for _, row in ipairs(servers) do
      test(table.concat(row, " ") .. " talks to whoever connects", function()
        local server = example.server(table.unpack(row))
        local person = start(client, server)
        if row.greeting then person:expect(row.greeting) end
        if row.answer or not row.greeting or row[1] == "chat_server" then
          person:write "hi\n"
          if client == "telnet" then person:expect "hi\r?\n" end -- what is typed is shown
        end
        if row.answer then person:expect(row.answer) end
        if row.prints then server:expect(row.prints) end
      end)
    end

    test("chat_server lets several talk to each other", function()
      local server = example.server "chat_server"
      local people = {}
      for i = 1, 6 do
        people[i] = start(client, server)
        people[i]:expect "connected to the csock chatserver\r?\n"
        for j = 1, i - 1 do people[j]:expect "Client joined 127%.0%.0%.1:%d+\r?\n" end
      end
      for i, speaker in ipairs(people) do
        speaker:write(("I am number %d\n"):format(i))
        for j, other in ipairs(people) do
          if j ~= i then other:expect("%[127%.0%.0%.1:%d+%] I am number " .. i .. "\r?\n") end
        end
      end
      people[6]:kill()
      for i = 1, 5 do people[i]:expect "Client left 127%.0%.0%.1:%d+\r?\n" end
      server:interrupt()
      assert.equal("", server:ends(0))
    end)
  end)
end

describe("through nc -u, examples/", function()
  local test = has "nc" and it or pending

  for name, answer in pairs {
    tsUserv = STAMP .. "hi\n", echo_dgram_server = "^hi\n", daytime_server = "^%a%a%a %a%a%a [^\n]*\r\n",
  } do
    test(name .. " answers a datagram", function()
      local server = example.server(name)
      local person = start("nc", server, "-u")
      person:write "hi\n"
      person:expect(answer)
    end)
  end
end)

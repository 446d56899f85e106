-- telnet_robot.lua: logs in to another machine by telnet, as a person would, has one command run, and prints what that
-- has said. It asks for the password. (Telnet is for switches, consoles and games: everybody on the way can read it.)
--
--   lua5.4 examples/telnet_robot.lua [host] [port] [command]
--
--   --user NAME        who logs in (default: guest)
--   --prompt TEXT      how the other side's prompt ends (default: one of $ # % >, and a blank)
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local telnet = require "csock.telnet"

local PATIENCE = 20 -- seconds, for each answer

-- Waits for one of these patterns: which one it was, and all up to it.
local function await(tn, patterns, what)
  local which, captures, text = tn:expect(patterns, PATIENCE)
  if not which then example.fail("no %s: %s", what, captures) end
  if which == -1 then example.fail("the server has closed the connection, instead of a %s", what) end
  return which, text
end

example.run(function()
  local user = example.value("--user", "NAME") or "guest"
  local ending = example.value("--prompt", "TEXT")
  local host, port, command = example.arguments("host", "localhost", "port", 23, "command", "date")
  local prompt = ending and ending:gsub("%p", "%%%0") .. "$" or "[$#%%>] $"

  local options = { timeout = PATIENCE, terminal = "dumb", size = { 80, 24 } }
  local tn <close> = assert(telnet.Telnet(host, port, options))
  await(tn, { "[Ll]ogin: *$", "[Uu]sername: *$" }, "question who logs in")
  assert(tn:write(user .. "\n"))
  if await(tn, { "[Pp]assword: *$", prompt }, "question for a password") == 1 then
    local password = example.secret(("password of %s: "):format(example.clean(user)), tn:get_socket())
    if not password then return end
    assert(tn:write(password .. "\n"))
    local which = await(tn, { prompt, "[Ii]ncorrect", "[Ll]ogin: *$" }, "prompt")
    if which ~= 1 then example.fail "the password is wrong" end
  end

  assert(tn:write(command .. "\n"))
  local _, text = await(tn, { "\n[^\n]*" .. prompt }, "prompt after the command")
  text = text:gsub("\r", ""):gsub("[^\n]*$", "") -- without the prompt
  if text:sub(1, #command + 1) == command .. "\n" then text = text:sub(#command + 2) end -- its echo
  example.show("", text)
  assert(tn:write "exit\n")
end)

-- command_server.lua: a little server that carries out commands: date, os, ls, ls DIR. A request is
-- a line; the answer is some lines and then an empty one. It listens on this machine alone unless
-- it is told otherwise: whoever can connect can list any directory.
--
--   lua5.4 examples/command_server.lua [host] [port]   # then command_client.lua
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local LINE = 1024 -- bytes of a request
local MOST = 2000 -- lines of an answer

-- The output of a program of the system, or nil and its complaint. It may be long: of a huge directory
-- the first names will do.
local function output(program)
  local pipe, err = io.popen(program .. " 2>&1")
  if not pipe then return nil, err end
  local lines, more = {}, 0
  for line in pipe:lines() do
    if #lines < MOST then lines[#lines + 1] = example.clean(line) else more = more + 1 end
  end
  if more > 0 then lines[#lines + 1] = ("... and %d more"):format(more) end
  local text = table.concat(lines, "\n")
  if pipe:close() then return text end
  return nil, text
end

-- The text as one word for the shell, whatever is in it.
local function quoted(text)
  return "'" .. text:gsub("'", "'\\''") .. "'"
end

local commands = {}

function commands.date()
  return os.date("%c")
end

function commands.os()
  return output("uname -s -r -m")
end

function commands.ls(directory)
  -- -q: a strange name is still one line.
  return output("ls -1q -- " .. quoted(directory == "" and "." or directory))
end

local function answer(line)
  local name, argument = line:match("^%s*(%S*)%s*(.-)%s*$")
  local command = commands[name]
  if not command then return "error: unknown command; there are: date, os, ls, ls DIR" end
  if argument ~= "" and name ~= "ls" then return "error: " .. name .. " takes no argument" end
  if argument:find("\0") then return "error: a zero byte in a name" end
  local text, complaint = command(argument)
  return text or "error: " .. complaint
end

-- Answers until the client has finished. Returns how it ended.
local function serve(client)
  client:settimeout(60) -- nobody keeps the others waiting by saying nothing
  local stream <close> = assert(client:makefile("r"))
  local function complain()
    client:sendall(("error: a line of over %d bytes\n\n"):format(LINE))
  end
  while true do
    if not example.wait(stream) then return "silent for too long" end
    local line, err = example.read_line(stream, LINE, complain)
    if err then return "lost: " .. err end
    if not line then return "finished" end
    local text = answer(line)
    local sent
    sent, err = client:sendall((text == "" and "" or text .. "\n") .. "\n")
    if not sent then return "lost: " .. err end
  end
end

example.run(function()
  local host, port = example.arguments("host", "localhost", "port", 21568)

  local server <close> = assert(csock.create_server { host, port })
  example.announce(server)

  while true do
    print("waiting for connection...")
    example.wait(server)
    local client <close>, address = assert(server:accept())
    print(("...connected from: %s"):format(address))
    print("..." .. serve(client))
  end
end)

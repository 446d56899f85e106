-- common.lua: what every example needs and none should have to explain: finding csock, reading the
-- command line, and ending well. An example begins with
--
--   local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
--   local csock = require "csock"

local example = {}

-- The csock that is installed, or else that of the source checkout that this file is in.
local root = arg[0]:gsub("[^/]*$", "") .. "../"
package.path = package.path .. ";" .. root .. "lua/?.lua"
package.cpath = package.cpath .. ";" .. root .. "build/?.so"
if not package.searchpath("csock.core", package.cpath) then
  io.stderr:write 'csock is neither installed nor built: run "make" first\n'
  os.exit(1)
end
local csock = require "csock"

-- Whoever reads our output through a pipe gets each line as soon as it is written.
io.stdout:setvbuf "line"

local name = arg[0]:match "[^/]*$"

-- Failures ----------------------------------------------------------------------------------------

local Failure = { __tostring = function(self) return self.text end }

--- Ends the program: the text goes to standard error as one line, and the exit status is 1.
function example.fail(text, ...)
  error(setmetatable({ text = text:format(...) }, Failure))
end

local function interrupted(err)
  return type(err) == "string" and err:find "interrupted!$"
end

-- Only a mistake in the program itself deserves a traceback.
local function explain(err)
  if type(err) == "string" and not interrupted(err) then return debug.traceback(err, 2) end
  return err
end

--- Runs a program. Whichever way it ends, `<close>` variables are closed and so are its sockets.
-- The exit status is 0 at its end and after Ctrl-C, and 1 after an error, such as a refused
-- connection (`assert(s:connect(...))`), which is reported in one line.
function example.run(program)
  local ok, err = xpcall(program, explain)
  if not ok and not interrupted(err) then
    io.stderr:write(name, ": ", tostring(err), "\n")
    os.exit(1, true)
  end
  os.exit(0, true)
end

-- The command line --------------------------------------------------------------------------------

local function usage(parameters, text, ...)
  local line = ("usage: lua5.4 %s"):format(arg[0])
  for i = 1, #parameters, 2 do line = line .. (" [%s]"):format(parameters[i]) end
  example.fail(text .. "; " .. line, ...)
end

--- The values of the command line: `arguments("host", "localhost", "port", 21567)` gives a host and
-- a port. Each has a name and a default; where the default is a number, so is the value. A number
-- alone stands for the port, so that `NAME.lua 8000` and `NAME.lua localhost 8000` both work.
function example.arguments(...)
  local parameters, given, values = { ... }, { table.unpack(arg) }, {}
  if #given == 1 and given[1]:find "^%d+$" and parameters[3] == "port" then
    table.insert(given, 1, parameters[2])
  end
  if given[1] and given[1]:find "^%-" then usage(parameters, "unknown option %s", given[1]) end
  if #given > #parameters // 2 then usage(parameters, "too many arguments") end
  for i = 1, #parameters, 2 do
    local parameter, default, text = parameters[i], parameters[i + 1], given[#values + 1]
    local value = text or default
    if text and math.type(default) then
      local most = parameter == "port" and 65535 or math.maxinteger
      value = text:find "^%d+$" and math.tointeger(text)
      if not value or value > most then
        usage(parameters, "%s must be a whole number from 0 to %d, not '%s'", parameter, most, text)
      end
    end
    values[#values + 1] = value
  end
  return table.unpack(values)
end

--- Whether the command line has this option, such as "--listen"; it is taken off.
function example.option(option)
  for i, text in ipairs(arg) do
    if text == option then return table.remove(arg, i) ~= nil end
  end
  return false
end

--- The value of an option of the command line, such as the URL of "--bus URL"; both are taken off.
function example.value(option)
  for i, text in ipairs(arg) do
    if text == option then
      if not arg[i + 1] then example.fail("%s needs a value", option) end
      table.remove(arg, i)
      return table.remove(arg, i)
    end
  end
end

--- The same for a whole number, with a default.
function example.number(option, default)
  local text = example.value(option) or tostring(default)
  local number = text:find "^%d+$" and math.tointeger(text)
  if not number then example.fail("%s must be a whole number, not '%s'", option, text) end
  return number
end

--- The same for seconds, more than none.
function example.seconds(option, default)
  local text = example.value(option) or tostring(default)
  local number = text:find "^%d*%.?%d*$" and tonumber(text)
  if not number or number == 0 then example.fail("%s must be a number of seconds, not '%s'", option, text) end
  return number
end

-- Servers -----------------------------------------------------------------------------------------

--- Says which port a server got that was started on port 0 (any free one): a socket, or a port of the reactor.
function example.announce(server, port)
  local address_of = server.getHost or server.getsockname
  if port == 0 then print("listening on port " .. address_of(server)[2]) end
end

--- A text from somebody else without what would do something to a terminal: control characters (also
-- those that UTF-8 has above 127) and marks that change the direction of writing.
function example.clean(text)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  text = text:gsub("\t", " "):gsub("[\0-\31\127]", "?"):gsub("\194[\128-\159]", "?")
  return (text:gsub("\226\128[\142\143\168-\174]", "?"):gsub("\226\129[\160-\175]", "?"))
end

--- Prints what somebody has sent, cleaned, each line of it after this text.
function example.show(before, data)
  for line in data:gsub("\r?\n$", ""):gmatch "[^\n]*" do
    print(before .. example.clean((line:gsub("\r$", ""))))
  end
end

--- The next line of a stream, without its end; nil at the end of the stream (what has no line end there
-- was never finished), nil and an error when the connection is lost. A line of over `limit` bytes is
-- passed over, piece by piece: nobody can fill our memory with it. `complain` is called when it begins.
function example.read_line(stream, limit, complain)
  local too_long = false
  while true do
    local line, whole, errno = stream:read_until("\n", limit)
    if errno == csock.errno.EMSGSIZE then
      if not too_long then complain() end
      too_long = true
      stream:read(limit)
    elseif not line then
      return nil, whole
    elseif not whole then
      return nil
    elseif not too_long then
      return (line:gsub("\r$", ""))
    else
      too_long = false
    end
  end
end

--- A table of sockets for a `<close>` variable: all that are in it at the end are closed.
function example.closing(sockets)
  return setmetatable(sockets, {
    __close = function()
      for _, socket in pairs(sockets) do socket:close() end
    end,
  })
end

-- The keyboard ------------------------------------------------------------------------------------

-- A program in the background ("&") must not touch the terminal: reading from it would stop the
-- program. Where there is no /proc this cannot be told, and servers take no notice of the keyboard.
local function in_foreground()
  local stat <close> = io.open "/proc/self/stat"
  local group, foreground = (stat and stat:read "a" or ""):match "%) %a %d+ (%d+) %d+ %d+ (%d+)"
  return group and group == foreground
end

local at_terminal = in_foreground() and os.execute "test -t 0"

--- For servers, which read nothing from standard input but end on Ctrl-D: standard input when
-- somebody sits there, else nil.
function example.keyboard()
  return at_terminal and in_foreground() and io.stdin or nil
end

--- Waits until the socket has something to read or to accept, as long as its timeout allows:
-- whether it has. Ctrl-D ends the program here.
function example.wait(socket)
  while true do
    local ready = assert(csock.select({ socket, example.keyboard() }, {}, {}, socket:gettimeout()))
    if #ready == 0 or ready[1] == socket then return #ready > 0 end
    if not io.read() then os.exit(0, true) end
  end
end

--- Calls a function when somebody types Ctrl-D while the loop runs.
function example.at_end_of_input(f)
  if not example.keyboard() then return end
  csock.spawn(function()
    while true do
      assert(csock.select({ io.stdin }, {}, {}))
      if not example.keyboard() then
        csock.sleep(1) -- in the background now: what is typed is not for us
      elseif not io.read() then
        return f()
      end
    end
  end)
end

--- Runs the loop, for servers that consist of tasks. Ctrl-D ends it, and Ctrl-C the program.
function example.run_loop()
  example.at_end_of_input(csock.loop.stop)
  assert(csock.run())
end

--- Serves with a server of csock.socketserver. Ctrl-D ends it, and Ctrl-C the program.
function example.serve(server)
  example.at_end_of_input(function() server:shutdown() end)
  assert(server:serve_forever())
end

--- Runs the reactor of csock.reactor. Ctrl-D ends it, and Ctrl-C the program.
function example.run_reactor(reactor)
  reactor.callWhenRunning(example.at_end_of_input, reactor.stop)
  reactor.run()
end

local stdin

local function typed()
  stdin = stdin or assert(csock.stream(io.stdin, "r"))
  return stdin
end

--- Asks for a line: nil at the end of the input (Ctrl-D). Other tasks go on meanwhile; and Ctrl-C is heard at
-- every moment, which io.read does not promise.
function example.prompt(text)
  io.write(text):flush()
  local line = typed():read()
  if not line then print() end
  return line
end

--- Waits until a stream has something to read, while nobody is asked for a line: false when somebody types Ctrl-D
-- instead. Lines that are typed are kept for the next prompt.
function example.attend(stream)
  local streams = { stream, example.keyboard() and typed() or nil }
  while true do
    local ready = assert(csock.select(streams, {}, {}))
    if ready[1] == stream then return true end
    if typed():peek() == "" then return false end
    streams = { stream }
  end
end

return example

-- common.lua: what every example needs and none should have to explain: finding csock, reading the
-- command line, and ending well. An example begins with a comment that says what it is and lists its
-- options, which is what --help prints, and then
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

for _, text in ipairs(arg) do
  if text == "--help" or text == "-h" then
    for line in io.lines(arg[0]) do
      if not line:find "^%-%-" then break end
      print((line:gsub("^%-%- ?", "")))
    end
    os.exit(0, true)
  end
end

-- Parts -------------------------------------------------------------------------------------------

local parts = {}

--- What several examples have in common, in a file beside them: `part "chat/rooms"`. It is run with `example`
-- as its argument, once.
function example.part(file)
  if not parts[file] then parts[file] = assert(loadfile(arg[0]:gsub("[^/]*$", "") .. file .. ".lua"))(example) end
  return parts[file]
end

-- Failures ----------------------------------------------------------------------------------------

local Failure = { __tostring = function(self) return self.text end }

--- Ends the program: the text goes to standard error as one line, and the exit status is 1.
function example.fail(text, ...)
  error(setmetatable({ text = example.clean(text:format(...)) }, Failure))
end

--- What assert is for csock's calls, this is for those of Lua's io, whose complaints are strings: a file that
-- cannot be written is no mistake in the program.
function example.check(value, complaint)
  return value or example.fail("%s", complaint)
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

local options = "" -- those that the program has asked for

local function usage(parameters, text, ...)
  local line = ("usage: lua5.4 %s%s"):format(arg[0], options)
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
  options = options .. (" [%s]"):format(option)
  for i, text in ipairs(arg) do
    if text == option then return table.remove(arg, i) ~= nil end
  end
  return false
end

--- The value of an option of the command line, such as "--bus URL"; both are taken off. `what` is what the
-- usage calls it.
function example.value(option, what)
  options = options .. (" [%s %s]"):format(option, what)
  for i, text in ipairs(arg) do
    if text == option then
      if not arg[i + 1] then example.fail("%s needs a value", option) end
      table.remove(arg, i)
      return table.remove(arg, i)
    end
  end
end

--- The same for a whole number from `least` to `most`, with a default; without one: nil.
function example.number(option, default, least, most)
  local text = example.value(option, "N") or default and tostring(default)
  if not text then return nil end
  local number = text:find "^%d+$" and math.tointeger(text)
  if not number or number < least or number > most then
    example.fail("%s must be a whole number from %d to %d, not '%s'", option, least, most, text)
  end
  return number
end

--- The same for seconds, more than none.
function example.seconds(option, default)
  local text = example.value(option, "SECONDS") or tostring(default)
  local number = text:find "^%d*%.?%d*$" and tonumber(text)
  if not number or number == 0 then example.fail("%s must be a number of seconds, not '%s'", option, text) end
  return number
end

-- What others have sent ----------------------------------------------------------------------------

--- A text from somebody else without what would do something to a terminal: control characters (also
-- those that UTF-8 has above 127) and marks that change the direction of writing.
function example.clean(text)
  if not utf8.len(text) then text = text:gsub("[\128-\255]", "?") end
  text = text:gsub("\t", " "):gsub("[\0-\31\127]", "?"):gsub("\194[\128-\159]", "?")
  return (text:gsub("\226\128[\142\143\168-\174]", "?"):gsub("\226\129[\160-\175]", "?"))
end

--- The same for a text of several lines, or a piece of one: the line ends stay.
function example.clean_lines(text)
  return (text:gsub("\r\n", "\n"):gsub("\r$", ""):gsub("[^\n]+", example.clean))
end

--- Prints what somebody has sent, cleaned, each line of it after this text.
function example.show(before, data)
  for line in example.clean_lines(data):gsub("\n$", ""):gmatch "[^\n]*" do print(before .. line) end
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

local ENDED = "the server has closed the connection"
local LINE = 65536 -- bytes of a reply; no server of ours says more in a line

--- A line of what the server answers, for clients: without a line there is nothing to go on with.
function example.reply(stream)
  local line, err = example.read_line(stream, LINE, function()
    example.fail("the server says a line of over %d bytes", LINE)
  end)
  return line or example.fail("%s", err or ENDED)
end

-- Servers -----------------------------------------------------------------------------------------

--- Says where a server listens, which on port 0 (any free one) nobody else knows: a socket, or a port of the
-- reactor.
function example.announce(server)
  local address_of = server.getHost or server.getsockname
  print("listening on port " .. address_of(server)[2])
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

--- Waits until the socket, or a stream, has something to read or to accept, as long as its timeout allows:
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

-- What is typed, for clients. It never waits, so that a program can wait for something else, too.
local stdin

local function typed()
  if not stdin then
    stdin = assert(csock.stream(io.stdin, "r"))
    stdin:settimeout(0)
  end
  return stdin
end

-- What has come, without taking it or waiting: "" at the end of the connection. (What wakes us may be nothing for us:
-- TLS has messages of its own.)
local function peek(socket)
  local timeout = socket:gettimeout()
  socket:settimeout(0)
  local data, err = socket:recv(1, csock.MSG_PEEK)
  socket:settimeout(timeout)
  return data, err
end

--- The next line that is typed: nil at the end of the input (Ctrl-D). Other tasks go on meanwhile, and Ctrl-C
-- is heard at every moment, which io.read does not promise. When the other side of `socket` (it may be nil)
-- ends the connection before the line is there: nil and why.
function example.typed_line(socket)
  local watched = { io.stdin, socket }
  while true do
    local line, err, errno = typed():read()
    if line or not err then return line end
    if errno ~= csock.errno.EAGAIN then error(err) end
    for _, ready in ipairs(assert(csock.select(watched, {}, {}))) do
      if ready == socket then
        local data, why = peek(socket)
        if data == "" then return nil, ENDED end
        if not data and why.errno ~= csock.errno.EAGAIN then return nil, why end
        if data then watched = { io.stdin } end -- it says something, which whoever reads next will see
      end
    end
  end
end

--- Asks for a line: nil at the end of the input (Ctrl-D). It is an error when the server ends the connection
-- meanwhile.
function example.prompt(text, socket)
  io.write(text):flush()
  local line, why = example.typed_line(socket)
  if not line then print() end
  if why then example.fail("%s", why) end
  return line
end

--- Asks for a line, such as a password, that does not appear where it is typed.
function example.secret(text, socket)
  local hidden = example.keyboard() ~= nil and os.execute "stty -echo"
  local _ <close> = setmetatable({}, { __close = function()
    if hidden then os.execute "stty echo" end
  end })
  local line = example.prompt(text, socket)
  if hidden and line then print() end
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

-- A line that is typed while others come in -----------------------------------------------------------

-- The terminal would mix them. So it leaves the keys to us (stty), and what comes is shown above what is
-- being typed. Where standard input is no terminal, lines come and go as they are.
local Typing = {}
Typing.__index = Typing

--- Something that select can wait for, to be kept in a `<close>` variable, which gives the terminal back.
-- `mark` is put before the line.
function example.typing(mark)
  return setmetatable({ mark = mark, text = "" }, Typing)
end

function Typing:open()
  if not example.keyboard() then return end
  local settings <close> = example.check(io.popen "stty -g; stty size")
  self.settings = settings:read() -- of the terminal, to be put back
  self.columns = tonumber((settings:read() or ""):match "([1-9]%d*)$") or 80
  os.execute "stty -icanon -echo"
  self:draw()
end

function Typing:__close()
  if not self.settings then return end
  self:erase()
  os.execute("stty " .. self.settings)
end

function Typing.fileno() return 0 end -- standard input

function Typing:draw()
  if self.settings then io.write(self.mark, example.clean(self.text)):flush() end
end

-- Takes the line off the screen, where it may have several rows.
function Typing:erase()
  if not self.settings then return end
  local text = example.clean(self.text)
  local rows = (#self.mark + utf8.len(text) - 1) // self.columns
  io.write(rows > 0 and ("\27[%dA"):format(rows) or "", "\r\27[J")
end

--- Prints a line above the one that is being typed.
function Typing:show(text)
  self:erase()
  print(text)
  self:draw()
end

local keys = {
  ["\127"] = function(text) return (text:gsub("[^\128-\191][\128-\191]*$", "")) end, -- a character of UTF-8
  ["\23"] = function(text) return (text:gsub("%S*%s*$", "")) end, -- Ctrl-W
  ["\21"] = function() return "" end, -- Ctrl-U
}
keys["\8"] = keys["\127"]

-- What is typed now: a line for each Enter that is among it.
function Typing:edit(data)
  local lines = {}
  self:erase()
  for key in data:gsub("\27[%[O][%d;]*%a?", ""):gmatch "." do
    if key == "\n" then
      self:draw()
      print()
      lines[#lines + 1], self.text = self.text, ""
    elseif key == "\4" and self.text == "" then
      self.finished = true
    elseif keys[key] then
      self.text = keys[key](self.text)
    elseif not key:find "%c" then
      self.text = self.text .. key
    end
  end
  self:draw()
  return lines
end

-- The same where no key has a meaning.
function Typing:cut(data)
  local lines, first = {}, 1
  data = self.text .. data
  for last in data:gmatch "()\n" do
    lines[#lines + 1] = data:sub(first, last - 1)
    first = last + 1
  end
  self.text = data:sub(first)
  return lines
end

--- The lines that have been typed, perhaps none. At the end of the input (Ctrl-D), `finished` is set.
function Typing:lines()
  local data = typed():peek()
  if not data then return {} end
  if data == "" then
    self.finished = true
    return self.text ~= "" and not self.settings and { self.text } or {}
  end
  typed():read(#data)
  return self.settings and self:edit(data) or self:cut(data)
end

return example

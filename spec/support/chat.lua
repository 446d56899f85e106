--- People who come to the examples' chat with telnet, and read with deadlines.
--
--     local ann = chat.come(port, "ann")
--     ann:type "hello"
--     ann:expect "^%[bob%] hello"
local assert = require "luassert"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local M = {}

--- Seconds that no answer takes, though the machine is busy.
M.LIMIT = 10 * process.slowness

local Person = {}
Person.__index = Person

function Person:__close()
  self.stream:close()
  self.socket:close()
end

--- Types a line.
function Person:type(text)
  assert(self.socket:sendall(text .. "\r\n"))
end

--- Reads lines until one has the pattern: its captures, or the line.
function Person:expect(pattern)
  local deadline = csock.now() + M.LIMIT
  local seen = {}
  repeat
    local line, err = self.stream:read "L"
    if not line then
      error(("%s did not get '%s' (%s) but:\n%s"):format(self.name, pattern, err or "end", table.concat(seen)), 2)
    end
    seen[#seen + 1] = line
    if line:find(pattern) then return line:match(pattern) end
  until csock.now() > deadline
  error(("%s did not get '%s' in time but:\n%s"):format(self.name, pattern, table.concat(seen)), 2)
end

--- The next line is this one.
function Person:gets(text)
  assert.equal(text .. "\r\n", self.stream:read "L")
end

--- Has seen all that was said to it so far.
function Person:settled()
  self:type "/nonsense"
  self:expect "There is no command /nonsense"
end

--- Leaves the chat.
function Person:says_good_bye()
  self:type "/quit"
  self:expect "Good bye"
  assert.is_nil(self.stream:read "L")
end

--- Connects, and takes a name if one is given; to be closed by keep.close.
function M.come(port, name)
  local socket = assert(csock.create_connection({ "127.0.0.1", port }, { timeout = M.LIMIT }))
  local person = keep(setmetatable({ socket = socket, stream = assert(socket:makefile()), name = name }, Person))
  person.guest = person:expect "^%* Welcome to the csock chat%. You are (guest%d+) in the lobby%."
  if name then
    person:type("/nick " .. name)
    person:expect("^%* You are now " .. name .. "\r\n$")
  end
  return person
end

return M

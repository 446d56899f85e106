-- conversation.lua: what passed on a connection, as a text that can be read and edited:
--
--     # a conversation of tcp 127.0.0.1:8080 with 127.0.0.1:51234; to be played: <
--     0.000 < "GET / HTTP/1.0\r\n\r\n"
--     0.002 > "HTTP/1.0 200 OK\r\n\r\nhello"
--
-- A line has the seconds since the beginning, the direction as the recorded socket saw it (`<` came in, `>` went out),
-- and bytes as a literal of Lua. Lines that begin with `#`, and empty ones, are comments; a line with nothing but a
-- literal goes on where the one before it ended.
local csock = require "csock"
local lexer = require "csock.repl.lexer"
local loop = csock.loop
local show = require "csock.repl.show"

local M = {}

local PIECE = 64 -- bytes in one line that are no text

-- Bytes as literals, one for each line of text.
local function literals(data)
  local list = {}
  for line in data:gmatch "[^\n]*\n?" do
    for at = 1, #line, PIECE * 16 do
      list[#list + 1] = show(line:sub(at, at + PIECE * 16 - 1), { strings = math.huge })
    end
  end
  return list
end

-- The first line of a conversation: what it is of, and which direction a replay sends ("<" or ">").
function M.head(what, played)
  return ("# a conversation of %s; to be played: %s\n"):format(what, played)
end

-- The lines of something that passed, so many seconds after the beginning.
function M.lines(time, direction, data)
  local list = literals(data)
  local head = ("%.3f %s "):format(time, direction)
  return head .. table.concat(list, "\n" .. (" "):rep(#head)) .. "\n"
end

-- The bytes of a literal, which is nothing else.
local function bytes_of(literal)
  local words = lexer(literal)
  if #words ~= 1 or words[1].kind ~= "string" or words[1].open then return nil end
  local f = load("return " .. literal, "=literal", "t", {})
  return f and f()
end

local NO_PIECE = "line %d: no piece of a conversation"

-- Reads a conversation: its pieces, of each `direction` and `data`, and the direction to be played; or nil and what is
-- wrong in which line.
function M.parse(text)
  local pieces, played, number = {}, ">", 0
  for line in text:gmatch "[^\n]*" do
    number = number + 1
    local direction, literal = line:match "^%s*[%d.]+%s+([<>])%s+(.*)$"
    literal = literal or line:match '^%s*(["\'].*)$'
    if line:find "^%s*#" then
      played = line:match "to be played: ([<>])" or played
    elseif literal then
      local data = bytes_of(literal)
      local piece = pieces[#pieces]
      if not data or not (direction or piece) then return nil, NO_PIECE:format(number) end
      if direction and not (piece and piece.direction == direction) then
        pieces[#pieces + 1] = { direction = direction, data = data }
      else
        piece.data = piece.data .. data
      end
    elseif line:find "%S" then
      return nil, NO_PIECE:format(number)
    end
  end
  return pieces, played
end

local PATIENCE = 5 -- seconds for what is expected

-- So many bytes, or what there is until the peer is silent or has finished.
local function receive(conn, size)
  local parts, got, deadline = {}, 0, loop.now() + PATIENCE
  while got < size and loop.now() < deadline do
    conn:settimeout(math.max(deadline - loop.now(), 1e-3))
    local data = conn:recv(math.min(size - got, 65536))
    if not data or data == "" then break end
    parts[#parts + 1], got = data, got + #data
  end
  return table.concat(parts)
end

local function first_difference(a, b)
  for i = 1, math.max(#a, #b) do
    if a:byte(i) ~= b:byte(i) then return i end
  end
end

local AFTERWARDS = 0.05 -- seconds in which more than was expected may come

-- What comes beyond a piece.
local function rest(conn)
  conn:settimeout(AFTERWARDS)
  return conn:recv(65536) or ""
end

-- Plays a conversation against a server: sends what was sent, and compares what comes. Calls `tell` with a line for
-- each piece that came otherwise, and gives their number; or nil and an error.
function M.play(conn, pieces, played, tell)
  local differences = 0
  for number, piece in ipairs(pieces) do
    if piece.direction == played then
      conn:settimeout(PATIENCE)
      local sent, err = conn:sendall(piece.data)
      if not sent then return nil, err end
    else
      local got = receive(conn, #piece.data)
      local at = first_difference(piece.data, got)
      if at then
        differences = differences + 1
        tell(("piece %d differs at byte %d: expected %s, got %s"):format(number, at,
          show(piece.data:sub(at, at + 39)), show(got:sub(at, at + 39))))
      end
      local more = rest(conn)
      if more ~= "" then
        if not at then differences = differences + 1 end
        tell(("piece %d goes on: %s"):format(number, show(more, { strings = 40 })))
      end
    end
  end
  return differences
end

return M

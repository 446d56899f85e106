-- address.lua: the addresses in header fields, from text to names and addresses, and back (RFC 5322, sections 3.4 and
-- 4.4). What is wrong gives what can be made of it, never an error.
local words = require "csock.wire.words"

local M = {}

local SPECIALS = '[()<>@,:;."%[%]\\]'
local ATOM = '^[^()<>@,:;."%[%]\\ \t\r\n]+'
local PHRASE_ATOM = '^[^()<>@,:;"%[%]\\ \t\r\n]+' -- also with dots, which the old ones had

local MOST_NESTED = 100 -- groups

-- --- reading --------------------------------------------------------------------------------------

local Reader = {}
Reader.__index = Reader

function Reader:peek() return self.text:sub(self.at, self.at) end

function Reader:take(pattern)
  local _, last = self.text:find(pattern, self.at)
  if not last then return nil end
  local taken = self.text:sub(self.at, last)
  self.at = last + 1
  return taken
end

-- From the bracket, quote or parenthesis here to its end: what is inside, without the backslashes of quoted pairs, and
-- without the parentheses of comments in comments.
function Reader:delimited(close, nested)
  local open, pieces, depth = self:peek(), {}, 1
  self.at = self.at + 1
  while self.at <= #self.text do
    local character = self:peek()
    self.at = self.at + 1
    if character == "\\" then
      character = self:peek()
      self.at = self.at + 1
    elseif character == close then
      depth = depth - 1
      if depth == 0 then break end
      character = ""
    elseif nested and character == open then
      depth = depth + 1
      character = ""
    end
    pieces[#pieces + 1] = character
  end
  return table.concat(pieces)
end

-- Blanks and comments. Whether there was a blank.
function Reader:skip()
  local from = self.at
  while true do
    self:take "^[ \t\r\n]+"
    if self:peek() ~= "(" then break end
    self.comments[#self.comments + 1] = self:delimited(")", true)
  end
  return self.text:find("^[ \t\r\n]", from) ~= nil
end

-- A sequence of words, each an atom or a quoted string.
function Reader:phrase()
  local list = {}
  while true do
    self:skip()
    local word = self:peek() == '"' and self:delimited '"' or self:take(PHRASE_ATOM)
    if not word then return list end
    list[#list + 1] = word
  end
end

function Reader:domain()
  local pieces = {}
  while true do
    self:skip()
    local character = self:peek()
    if character == "[" then
      pieces[#pieces + 1] = "[" .. self:delimited "]" .. "]"
    elseif character == "@" then
      return "" -- two of them: nobody's
    else
      local piece = self:take "^%." or self:take(ATOM)
      if not piece then return table.concat(pieces) end
      pieces[#pieces + 1] = piece
    end
  end
end

-- local@domain; without a domain, what there is.
function Reader:addr_spec()
  local pieces, blank = {}, false
  self:skip()
  while true do
    local character = self:peek()
    local piece
    if character == '"' then
      piece = '"' .. self:delimited '"':gsub('[\\"]', "\\%0") .. '"'
    else
      piece = self:take "^%." or self:take(ATOM)
    end
    if not piece then break end
    -- Blanks between two words are no address's, but that is what stands there; at a dot they are none's.
    if blank and piece ~= "." and pieces[#pieces] ~= "." then pieces[#pieces + 1] = " " end
    pieces[#pieces + 1] = piece
    blank = self:skip()
  end
  local name = table.concat(pieces)
  if self:peek() ~= "@" then return name end
  self.at = self.at + 1
  local domain = self:domain()
  return domain ~= "" and name .. "@" .. domain or ""
end

-- <address>, with a route before it that nobody uses any more.
function Reader:angle()
  self.at = self.at + 1
  self:skip()
  while self:peek() == "@" do
    self.at = self.at + 1
    self:domain()
    self:take "^[,:]"
    self:skip()
  end
  local address = self:addr_spec()
  self:skip()
  self:take "^>"
  return address
end

function Reader:comment() return table.concat(self.comments, " ") end

-- Adds the next address to the list, or the addresses of a group.
function Reader:address(list, depth)
  self.comments = {}
  local from = self.at
  local phrase = self:phrase()
  local character = self:peek()
  if character == "@" or character == "." then
    self.at, self.comments = from, {}
    local address = self:addr_spec()
    self:skip()
    list[#list + 1] = { self:comment(), address }
  elseif character == "<" then
    local name = table.concat(phrase, " ")
    local address = self:angle()
    if #self.comments > 0 then name = name .. " (" .. self:comment() .. ")" end
    list[#list + 1] = { name, address }
  elseif character == ":" and depth < MOST_NESTED then
    self.at = self.at + 1
    self:skip()
    while self.at <= #self.text and self:peek() ~= ";" do
      self:address(list, depth + 1)
      self:take "^[ \t\r\n]+"
    end
    self:take "^;"
  else
    if phrase[1] then list[#list + 1] = { self:comment(), phrase[1] } end
    if self.at == from or character ~= "," and character ~= "" and character ~= ";" then self.at = self.at + 1 end
  end
  self:skip()
  self:take "^,"
end

-- A sequence of { name, address } in a field's value.
function M.parse(text)
  local reader, list = setmetatable({ text = text, at = 1, comments = {} }, Reader), {}
  while reader.at <= #text do
    reader:take "^[ \t\r\n]+" -- a comment is the next address's
    reader:address(list, 0)
  end
  return list
end

-- --- writing --------------------------------------------------------------------------------------

local function quoted(text) return '"' .. text:gsub('[\\"]', "\\%0") .. '"' end

-- A display name as it stands before an address.
function M.format_name(name, charset)
  if name:find "[^\x20-\x7e]" then return words.encode(name, charset, true) end
  return name:find(SPECIALS) and quoted(name) or name
end

-- The words of an address field's value: what is encoded comes in quotes where it would be taken for more than a name.
function M.decode(value)
  return (value:gsub("()(=%?[^?%s]+%?[bBqQ]%?[^?]-%?=[^,;<]*)", function(at, run)
    local last = run:match ".*%?=()"
    local text = words.decode(run:sub(1, last - 1))
    if value:sub(at - 1, at - 1) == '"' then
      text = text:gsub('[\\"]', "\\%0") -- it is in quotes, where it should not be encoded
    elseif text:find(SPECIALS) then
      text = quoted(text)
    end
    return text .. run:sub(last)
  end))
end

-- The other way: what is no ASCII in names and comments becomes encoded words. Addresses stay as they are.
function M.encode(value, charset)
  if not value:find "[^\x20-\x7e\t]" then return value end
  local pieces = {}
  for blanks, word in value:gsub('"[^"\\]*"', function(text)
    return text:find "[^\x20-\x7e]" and words.encode(text:sub(2, -2), charset, true) or text
  end):gmatch "([%s,;:]*)([^%s,;:]*)" do
    local special = word:find "[^\x20-\x7e]" and not word:find "[@<>]"
    local before = pieces[#pieces]
    if special and before and before.special and not blanks:find "[,;:]" then
      before.text = before.text .. blanks .. word
    elseif special then
      pieces[#pieces + 1] = { blanks = blanks, text = word, special = true }
    else
      pieces[#pieces + 1] = { blanks = blanks, text = word }
    end
  end
  for i, piece in ipairs(pieces) do
    pieces[i] = piece.blanks .. (piece.special and words.encode(piece.text, charset) or piece.text)
  end
  return table.concat(pieces)
end

return M

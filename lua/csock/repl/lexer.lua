-- lexer.lua: the words of Lua, as far as a prompt must know them: to find the locals at the top level, where a
-- function ends, whether the last line goes on, and what the cursor stands in. A pure function of the text, which may
-- be unfinished or no Lua at all.
local KEYWORDS = require "csock.keywords"

-- The bracket's level, and where what is inside begins, if a long bracket opens at `at`.
local function long_bracket(text, at)
  local level, after = text:match("^%[(=*)%[()", at)
  if level then return #level, after end
end

-- Where a long bracket ends; nil: it does not.
local function long_end(text, at, level)
  local _, last = text:find("]" .. ("="):rep(level) .. "]", at, true)
  return last
end

-- Where a string in the quotes at `first` ends; nil: not in its line.
local function quoted_end(text, first)
  local quote, at = text:sub(first, first), first + 1
  while true do
    at = text:find("[\\\n" .. quote .. "]", at)
    local char = at and text:sub(at, at)
    if char == quote then return at end
    if char ~= "\\" then return nil end
    local _, blank = text:find("^\\z%s*", at)
    at = blank and blank + 1 or at + 2
  end
end

local function number_end(text, first)
  local exponent = text:find("^0[xX]", first) and "[pP]" or "[eE]"
  local last = first
  while true do
    local char = text:sub(last + 1, last + 1)
    local signed = char:find "[+-]" and text:sub(last, last):find(exponent)
    if not (signed or char:find "[%w_.]") then return last end
    last = last + 1
  end
end

local SYMBOLS = { "...", "<<", ">>", "//", "==", "~=", "<=", ">=", "::", ".." }

local function symbol_end(text, first)
  for _, symbol in ipairs(SYMBOLS) do
    if text:sub(first, first + #symbol - 1) == symbol then return first + #symbol - 1 end
  end
  return first
end

-- What begins at `first`, which is no blank: its kind, and where it ends (nil: nowhere in this text).
local function word_at(text, first)
  local char = text:sub(first, first)
  if char:find "[%a_]" then
    local word = text:match("^[%w_]+", first)
    return KEYWORDS[word] and "keyword" or "name", first + #word - 1
  elseif text:find("^%.?%d", first) then
    return "number", number_end(text, first)
  elseif char == "'" or char == '"' then
    return "string", quoted_end(text, first)
  elseif text:find("^%-%-", first) then
    local level, after = long_bracket(text, first + 2)
    if level then return "comment", long_end(text, after, level) end
    return "comment", (text:find("\n", first, true) or #text + 1) - 1
  end
  local level, after = long_bracket(text, first)
  if level then return "string", long_end(text, after, level) end
  return "symbol", symbol_end(text, first)
end

-- The words of a text: of each its `kind` ("name", "keyword", "string", "number", "symbol", "comment"), its `text`, and
-- where it is: `first`, `last`. One that does not end has `open`.
return function(text)
  local words, at = {}, text:match "^#[^\n]*()" or 1
  while true do
    at = text:find("%S", at)
    if not at then return words end
    local kind, last = word_at(text, at)
    local word = { kind = kind, first = at, last = last or #text, open = last == nil or nil }
    word.text = text:sub(word.first, word.last)
    words[#words + 1] = word
    at = word.last + 1
  end
end

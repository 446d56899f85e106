-- chunk.lua: from what was typed to a function.
--
-- What is typed is Lua, but for three things. A `local` at the top level stays: it becomes a field of the session's
-- table of locals, which stands before the globals. A function that is defined anew at the top level takes the old
-- one's place wherever that was handed to (see live.lua). And a `&` at the end puts it into the background.
local lexer = require "csock.repl.lexer"

local M = {}

M.LOCALS, M.LIVE = "_LOCALS", "_LIVE" -- how the translated text calls the session's locals, and what makes functions

local OPENS = { ["do"] = true, ["then"] = true, ["function"] = true, ["repeat"] = true }
local CLOSES = { ["end"] = true, ["until"] = true, ["elseif"] = true }

local function significant(text)
  local words = {}
  for _, word in ipairs(lexer(text)) do
    if word.kind ~= "comment" then words[#words + 1] = word end
  end
  return words
end

-- By how much a keyword opens blocks, or closes them.
function M.depth(keyword)
  return (OPENS[keyword] and 1 or 0) - (CLOSES[keyword] and 1 or 0)
end

-- The index of the `end` that belongs to the `function` at `i`.
function M.function_end(words, i)
  local depth = 0
  for j = i, #words do
    local word = words[j]
    if word.kind == "keyword" then
      depth = depth + M.depth(word.text)
      if depth == 0 then return j end
    end
  end
end

local function is(words, i, kind, text)
  local word = words[i]
  return word ~= nil and word.kind == kind and (text == nil or word.text == text)
end

-- An edit of the text: what stands from `first` to `last` becomes `by`. The lines stay, for what errors say.
local function edit(edits, first, last, by)
  edits[#edits + 1] = { first = first, last = last, by = by }
end

local function apply(text, edits)
  table.sort(edits, function(a, b) return a.first < b.first end)
  local pieces, at = {}, 1
  for _, e in ipairs(edits) do
    local old = text:sub(e.first, e.last)
    pieces[#pieces + 1] = text:sub(at, e.first - 1)
    pieces[#pieces + 1] = e.by .. old:gsub("[^\n]", "")
    at = e.last + 1
  end
  return table.concat(pieces) .. text:sub(at)
end

-- Whether a new statement begins after words[i], or the text ends: what stood there was a whole expression.
local function ends_statement(words, i)
  local word = words[i + 1]
  return word == nil or word.kind == "name" or is(words, i + 1, "symbol", ";")
    or word.kind == "keyword" and word.text ~= "and" and word.text ~= "or"
end

-- `function NAME ... end` at words[i], where the statement begins at `first`. Gives the index of its last word.
local function live_function(edits, words, i, first, is_local)
  local name, last = words[i + 1], M.function_end(words, i)
  if not last then return i end -- unfinished: the compiler says so
  local place = is_local and M.LOCALS .. "." or ""
  edit(edits, first, name.last, ("%s%s = %s(%q, function"):format(place, name.text, M.LIVE, name.text))
  edit(edits, words[last].last + 1, words[last].last, is_local and ", true);" or ");")
  return last
end

-- `NAME = function ... end` at words[i].
local function live_assignment(edits, words, i)
  local from, last = words[i + 2].first, M.function_end(words, i + 2)
  if not last or not ends_statement(words, last) then return i + 1 end
  edit(edits, from, from - 1, ("%s(%q, "):format(M.LIVE, words[i].text))
  edit(edits, words[last].last + 1, words[last].last, ");")
  return last
end

-- `local NAMES [= ...]` at words[i].
local function local_names(edits, words, i, closing)
  edit(edits, words[i].first, words[i].last, "")
  while is(words, i + 1, "name") do
    i = i + 1
    local name = words[i]
    edit(edits, name.first, name.last, M.LOCALS .. "." .. name.text)
    if is(words, i + 1, "symbol", "<") and is(words, i + 2, "name") and is(words, i + 3, "symbol", ">") then
      edit(edits, words[i + 1].first, words[i + 3].last, "")
      if words[i + 2].text == "close" then closing[#closing + 1] = name.text end
      i = i + 3
    end
    if not is(words, i + 1, "symbol", ",") then break end
    i = i + 1
  end
  if not is(words, i + 1, "symbol", "=") then edit(edits, words[i].last + 1, words[i].last, " = nil;") end
  return i
end

-- Whether words[i] begins a statement `NAME = function`.
local function assigns_function(words, i)
  local before = words[i - 1]
  return is(words, i, "name") and is(words, i + 1, "symbol", "=") and is(words, i + 2, "keyword", "function")
    and (before == nil or before.kind ~= "symbol" or before.text == ";" or before.text == ")")
end

-- The statements in the session's own terms, and the names of the locals that are to be closed.
local function translate(text)
  local words, edits, closing = significant(text), {}, {}
  local depth, i = 0, 1
  while words[i] do
    local word = words[i]
    local keyword = word.kind == "keyword" and word.text
    if CLOSES[keyword] then depth = depth - 1 end
    if depth == 0 and keyword == "local" and is(words, i + 1, "keyword", "function") and is(words, i + 2, "name") then
      i = live_function(edits, words, i + 1, word.first, true)
    elseif depth == 0 and keyword == "local" and is(words, i + 1, "name") then
      i = local_names(edits, words, i, closing)
    elseif depth == 0 and keyword == "function" and is(words, i + 1, "name") and is(words, i + 2, "symbol", "(") then
      i = live_function(edits, words, i, word.first, false)
    elseif depth == 0 and assigns_function(words, i) then
      i = live_assignment(edits, words, i)
    elseif OPENS[keyword] then
      depth = depth + 1
    end
    i = i + 1
  end
  return apply(text, edits), closing
end

local function load_text(text, name, env)
  local f, message = load(text, name, "t", env)
  if f then return f end
  return nil, message:find("<eof>", -5, true) and "more" or message
end

-- Where the `&` at the end of the text stands, if it has one.
local function ampersand(text)
  local words = significant(text)
  local word = words[#words]
  return word and word.kind == "symbol" and word.text == "&" and word.first or nil
end

-- Compiles what was typed; name and environment are as for `load`. Gives a table: `run`, the function; `text`, what was
-- typed, in Lua alone; `is_expression`; `background`, whether it ended with `&`; `closing`, the names of locals
-- `<close>`. Or nil and "more" (it is not complete), or what
-- is wrong with it.
function M.compile(text, name, env)
  local at = ampersand(text)
  text = (at and text:sub(1, at - 1) or text):gsub("^%s*=", "") -- `=x`, from the times of Lua 5.1
  local chunk = { text = text, background = at ~= nil, closing = {} }
  local why, message
  chunk.run, why = load_text("return " .. text, name, env)
  chunk.is_expression = chunk.run ~= nil
  if chunk.run then return chunk end
  text, chunk.closing = translate(text)
  chunk.run, message = load_text(text, name, env)
  if chunk.run then return chunk end
  return nil, why == "more" and why or message
end

return M

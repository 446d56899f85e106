-- options.lua: what stands on a command line, read by data; and the help, printed from the same.
--
-- A command is a table:
--
--   name      "nc"; nil for csock itself
--   about     what it does, in a line
--   usage     {"[OPTIONS] HOST PORT", ...}
--   text      paragraphs of the help, after the options (or nil)
--   options   {{"-w", "--timeout", "SECONDS", kind = M.SECONDS, key = "timeout", help = "..."}, ...}: the names; the
--             words for its values (none: it is a switch); how each value is read (as it is); under which name it is
--             found (the long name); `many`: it may be given several times, and is a list
--   operands  {least, most}: how many words may be there that are no options
--   script    the first operand ends the options: what follows belongs to somebody else
local M = {}

-- --- values ---------------------------------------------------------------------------------------

-- How a value is read: the value, or nil and what is expected.
function M.SECONDS(text)
  local seconds = (text:find "^%d+%.?%d*$" or text:find "^%.%d+$") and tonumber(text)
  if seconds and seconds > 0 and seconds <= 1e9 then return seconds end
  return nil, "a number of seconds, more than none"
end

-- --- rows -----------------------------------------------------------------------------------------

local HELP = { "-h", "--help", help = "print this" }

-- A row's names and the words for its values.
local function parts(row)
  local names, values = {}, {}
  for _, word in ipairs(row) do
    local list = word:find "^%-" and names or values
    list[#list + 1] = word
  end
  return names, values
end

local function key_of(row)
  if row.key then return row.key end
  local names = parts(row)
  return (names[#names]:gsub("^%-+", ""):gsub("%-", "_"))
end

-- All rows of a command; every command has --help.
local function rows_of(command)
  local rows = { table.unpack(command.options or {}) }
  rows[#rows + 1] = HELP
  return rows
end

local function find(command, name)
  for _, row in ipairs(rows_of(command)) do
    for _, own in ipairs((parts(row))) do
      if own == name then return row end
    end
  end
end

-- --- reading --------------------------------------------------------------------------------------

-- Takes an option whose values begin with `inline` (nil: with the next word). Gives how many words it took, or nil and
-- a complaint.
local function take(row, name, inline, words, at, found)
  local _, values = parts(row)
  if #values == 0 then
    if inline then return nil, ("option %s takes no value"):format(name) end
    found[key_of(row)] = true
    return 0
  end
  local taken, list = 0, {}
  for i, what in ipairs(values) do
    local text = i == 1 and inline or nil
    if not text then
      taken = taken + 1
      text = words[at + taken]
    end
    if not text then return nil, ("option %s needs %s"):format(name, table.concat(values, " and ")) end
    local value, expected = text, nil
    if row.kind then value, expected = row.kind(text) end
    if value == nil then return nil, ("option %s: %s must be %s, not '%s'"):format(name, what, expected, text) end
    list[i] = value
  end
  local value = #values == 1 and list[1] or list
  local key = key_of(row)
  if row.many then
    found[key] = found[key] or {}
    table.insert(found[key], value)
  else
    found[key] = value
  end
  return taken
end

-- One word with options. Gives how many further words it took, or nil and a complaint.
local function read_word(command, word, words, at, found)
  local long, inline = word:match "^(%-%-[^=]+)=?(.*)$"
  if long then
    local row = find(command, long)
    if not row then return nil, "unknown option " .. long end
    return take(row, long, word:find("=", 1, true) and inline or nil, words, at, found)
  end
  for i = 2, #word do
    local name = "-" .. word:sub(i, i)
    local row = find(command, name)
    if not row then return nil, "unknown option " .. name end
    local _, values = parts(row)
    local rest = #values > 0 and i < #word and word:sub(i + 1) or nil
    local taken, complaint = take(row, name, rest, words, at, found)
    if not taken then return nil, complaint end
    if #values > 0 then return taken end
  end
  return 0
end

-- Reads words: `found`, the options by their keys, and the list of operands; or nil and a complaint.
function M.parse(command, words)
  local found, operands = {}, {}
  local i = 1
  while i <= #words do
    local word = words[i]
    if word == "--" then
      table.move(words, i + 1, #words, #operands + 1, operands)
      break
    elseif word == "-" or word:sub(1, 1) ~= "-" then
      if command.script then
        table.move(words, i, #words, 1, operands)
        break
      end
      operands[#operands + 1] = word
    else
      local taken, complaint = read_word(command, word, words, i, found)
      if not taken then return nil, complaint end
      i = i + taken
    end
    i = i + 1
  end
  local least, most = table.unpack(command.operands or { 0, 0 })
  if found.help then return found, operands end
  if #operands < least then return nil, "too few arguments" end
  if #operands > most then return nil, "too many arguments" end
  return found, operands
end

-- --- helping --------------------------------------------------------------------------------------

local WIDTH = 79

-- Breaks a text into lines: the first goes on after `before`, the others are indented.
local function wrap(before, text, indent)
  local lines, line = {}, before
  for word in text:gmatch "%S+" do
    if #line + 1 + #word > WIDTH and line:find "%S" then
      lines[#lines + 1] = line
      line = (" "):rep(indent) .. word
    else
      line = line:find "%S$" and line .. " " .. word or line .. word
    end
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- How an option is written: "-w, --timeout SECONDS".
function M.synopsis(row)
  local names, values = parts(row)
  local text = table.concat(names, ", ")
  return #values > 0 and text .. " " .. table.concat(values, " ") or text
end

-- Rows of two columns.
local function columns(list)
  local width = 0
  for _, pair in ipairs(list) do width = math.max(width, #pair[1]) end
  for i, pair in ipairs(list) do list[i] = wrap(("  %-" .. width .. "s  "):format(pair[1]), pair[2], width + 4) end
  return table.concat(list, "\n")
end

local function full_name(command) return command.name and "csock " .. command.name or "csock" end

-- The whole help of a command; `others`: commands to be listed.
function M.help(command, others)
  local out = {}
  for i, usage in ipairs(command.usage) do
    out[i] = ("%s %s %s"):format(i == 1 and "usage:" or "      ", full_name(command), usage)
  end
  out = { table.concat(out, "\n"), wrap("", command.about, 0) }
  if others then
    local list = {}
    for i, other in ipairs(others) do list[i] = { other.name, other.about } end
    out[#out + 1] = "Commands:\n" .. columns(list)
  end
  local rows = {}
  for i, row in ipairs(rows_of(command)) do rows[i] = { M.synopsis(row), row.help } end
  out[#out + 1] = "Options:\n" .. columns(rows)
  for _, paragraph in ipairs(command.text or {}) do out[#out + 1] = wrap("", paragraph, 0) end
  return table.concat(out, "\n\n") .. "\n"
end

-- All options of a command, as they are written.
function M.list(command)
  local list = {}
  for i, row in ipairs(rows_of(command)) do list[i] = M.synopsis(row) end
  return list
end

return M

-- description.lua: what a description of an endpoint says, `tcp:8080:interface=127.0.0.1`: its parts, and what they are
-- for. Nothing is made of it here.
--
-- A colon separates arguments; the first equals sign in one separates its name from its value; a backslash makes the
-- byte behind it an ordinary one. What is wrong is said in the words of Twisted and of Python's calls.
local check = require "csock.check"

local M = {}

-- Reads one argument that begins at `at`: its name (nil: it has none), its value, and where its colon is (nil: it is
-- the last one).
local function read_argument(text, at)
  local name, pieces = nil, {}
  while true do
    local place = text:find(name and "[:\\]" or "[:=\\]", at)
    pieces[#pieces + 1] = text:sub(at, (place or 0) - 1)
    local byte = place and text:sub(place, place)
    if byte == "\\" then
      if place == #text then check.fail "the description ends in a backslash, which is to quote something" end
      pieces[#pieces + 1], at = text:sub(place + 1, place + 1), place + 2
    elseif byte == "=" then
      name, pieces, at = table.concat(pieces), {}, place + 1
    else
      return name, table.concat(pieces), place
    end
  end
end

-- The prefix, in small letters; a sequence of the arguments without a name; and a table of those that have one.
function M.parse(text)
  local args, named, at = {}, {}, 1
  repeat
    local name, value, colon = read_argument(text, at)
    if name then named[name] = value else args[#args + 1] = value end
    at = colon and colon + 1
  until not at
  if not args[1] then check.fail "the description does not say which type of endpoint it is" end
  return table.remove(args, 1):lower(), args, named
end

-- Makes an argument of any text.
function M.quote(text) return (text:gsub("[\\:]", "\\%0")) end

-- --- values ---------------------------------------------------------------------------------------

local DIGITS = { [8] = "^[+-]?([0-7]+)$", [10] = "^[+-]?(%d+)$" }
local MOST = 18 -- digits: what has more is larger than anything that is asked for

local function number(base)
  return function(text)
    local digits = text:match(DIGITS[base])
    if not digits then check.fail(("invalid literal for int() with base %d: '%s'"):format(base, text)) end
    digits = digits:match "^0*(.*)$"
    if #digits > MOST then check.fail(("a number of %d digits"):format(#digits)) end
    return math.tointeger(tonumber((text:gsub("^%+", "")), base))
  end
end

M.INTEGER, M.OCTAL = number(10), number(8)

function M.STRING(text) return text end

function M.BOOLEAN(text) return M.INTEGER(text) ~= 0 end

-- --- parameters -----------------------------------------------------------------------------------

local function list(names)
  local last = table.remove(names)
  if not names[1] then return last end
  return table.concat(names, ", ") .. (names[2] and "," or "") .. " and " .. last
end

local function check_missing(prefix, parameters, values)
  local missing = {}
  for _, row in ipairs(parameters) do
    if row.required and not values[row[1]] then missing[#missing + 1] = "'" .. row[1] .. "'" end
  end
  if not missing[1] then return end
  check.fail(("%s: missing %d required positional argument%s: %s")
    :format(prefix, #missing, missing[2] and "s" or "", list(missing)))
end

-- What is given for each parameter: a table of values by names. `parameters`: a sequence of `{ name, kind, required }`
-- in the order of the arguments without a name; `kind(text)` makes the value.
function M.bind(prefix, parameters, args, named)
  local texts, known = {}, {}
  for i, row in ipairs(parameters) do
    texts[row[1]], known[row[1]] = args[i], row[2]
  end
  for name, text in pairs(named) do
    if not known[name] then check.fail(("%s: got an unexpected keyword argument '%s'"):format(prefix, name)) end
    if texts[name] then check.fail(("%s: got multiple values for argument '%s'"):format(prefix, name)) end
    texts[name] = text
  end
  if #args > #parameters then
    check.fail(("%s: takes at most %d positional arguments but %d were given"):format(prefix, #parameters, #args))
  end
  check_missing(prefix, parameters, texts)
  local values = {}
  for name, text in pairs(texts) do values[name] = known[name](text) end
  return values
end

return M

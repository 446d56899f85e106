-- check.lua: what a caller has given, checked: arguments, and tables of options. For csock's own modules.
--
-- An error names the argument, and stands where csock was called, however deep in its modules that is found out.
local getinfo = debug and debug.getinfo -- a host may have left it out

local M = {}

-- --- errors ---------------------------------------------------------------------------------------

-- What the sources of csock's modules begin with, and of `csock` itself.
local HOME = getinfo and getinfo(1, "S").source:match "^(.*)check"
local ROOT = HOME and HOME:sub(1, -2)

local function is_own(source)
  return source:sub(1, #HOME) == HOME or source == ROOT or source == ROOT .. ".lua"
end

-- Where csock was called, as `error` has it: "file:line: ".
local function place_of_call()
  local level = 3
  local frame = HOME and getinfo(level, "Sl")
  while frame and (frame.what == "C" or is_own(frame.source)) do
    level = level + 1
    frame = getinfo(level, "Sl")
  end
  return frame and frame.currentline > 0 and ("%s:%d: "):format(frame.short_src, frame.currentline) or ""
end

-- The same for error values that are objects.
M.place = place_of_call

-- Raises a mistake of the caller's, in these words.
function M.fail(words) error(place_of_call() .. words, 0) end

-- The same for an argument of the function `call`, by its number.
function M.bad(call, number, words)
  error(("%sbad argument #%d to '%s' (%s)"):format(place_of_call(), number, call, words), 0)
end

local function got(value) return math.type(value) and tostring(value) or type(value) end

-- The same where something else was expected.
function M.expected(call, number, what, value)
  M.bad(call, number, ("%s expected, got %s"):format(what, got(value)))
end

local function relay(ok, ...)
  if not ok then error((...), 0) end
  return ...
end

-- Makes a function for users of one that hands some of its arguments on: what the core finds wrong with them is told
-- where csock was called, too.
function M.public(f)
  local file = getinfo and getinfo(f, "S").short_src .. ":" or ""
  local function relocate(err)
    local at_home = type(err) == "string" and err:sub(1, #file) == file
    local words = at_home and err:match("^%d+: (bad argument .*)$", #file + 1)
    return words and place_of_call() .. words or err
  end
  return function(...) return relay(xpcall(f, relocate, ...)) end
end

-- --- kinds ----------------------------------------------------------------------------------------

-- What an argument or an option may be: the words for it, and whether a value is that.
function M.kind(words, fits) return { words = words, fits = fits } end

M.ANY = M.kind("value", function(value) return value ~= nil end)
M.STRING = M.kind("string", function(value) return type(value) == "string" end)
M.FUNCTION = M.kind("function", function(value) return type(value) == "function" end)
M.TABLE = M.kind("table", function(value) return type(value) == "table" end)
M.SECONDS = M.kind("seconds >= 0", function(value)
  return math.type(value) and value >= 0 and value < math.huge
end)

-- A limit of time; math.huge is none.
M.TIMEOUT = M.kind(M.SECONDS.words, function(value)
  return value == math.huge or M.SECONDS.fits(value)
end)

M.INTEGER = M.kind("integer", function(value) return math.type(value) == "integer" end)

function M.integer(least, most)
  local words = most and ("integer from %d to %d"):format(least, most) or ("integer >= %d"):format(least)
  return M.kind(words, function(value)
    return math.type(value) == "integer" and value >= least and value <= (most or math.maxinteger)
  end)
end

-- One of these values, for which there are words.
function M.one_of(words, ...)
  local values = {}
  for _, value in ipairs { ... } do values[value] = true end
  return M.kind(words, function(value) return values[value] end)
end

-- --- arguments ------------------------------------------------------------------------------------

-- Raises unless the argument `number` of `call` is of this kind.
function M.argument(what, value, number, call)
  if not what.fits(value) then M.expected(call, number, what.words, value) end
  return value
end

-- A time that comes: in so many seconds, from now or from something else.
function M.seconds(value, number, call) return M.argument(M.SECONDS, value, number, call) end

-- A limit of time, which may be left out: seconds; nil or math.huge for none.
function M.timeout(value, number, call)
  if value ~= nil then M.argument(M.TIMEOUT, value, number, call) end
  return value
end

-- --- options --------------------------------------------------------------------------------------

-- Reads a table of options. `rows` says which there are: name -> { kind, default, off }, where `off` is what the option
-- is when it is turned off, by `false`: nil unless said otherwise. Raises for others.
function M.options(given, rows, number, call)
  if given == nil then given = {} end
  if type(given) ~= "table" then M.expected(call, number, "table", given) end
  for name in next, given do
    if not rows[name] then M.bad(call, number, ("unknown option '%s'"):format(tostring(name))) end
  end
  local options = {}
  for name, row in pairs(rows) do
    local value = given[name]
    if value == nil then
      value = row[2]
    elseif value == false then
      value = row[3]
    elseif not row[1].fits(value) then
      M.expected(call, number, name .. ": " .. row[1].words, value)
    end
    options[name] = value
  end
  return options
end

-- Two tables of one: the options of which `rows` know, read as above, and those that are somebody else's.
function M.split(given, rows, number, call)
  M.argument(M.TABLE, given, number, call)
  local own, rest = {}, {}
  for name, value in next, given do (rows[name] and own or rest)[name] = value end
  return M.options(own, rows, number, call), rest
end

return M

-- show.lua: values as text that can be read, and as far as may be, typed: what the prompt prints.
local csock = require "csock"
local KEYWORDS = require "csock.keywords"
local live = require "csock.repl.live"

local ESCAPES = { ["\a"] = "\\a", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t",
  ["\v"] = "\\v", ["\\"] = "\\\\", ['"'] = '\\"' }

local function escape(char) return ESCAPES[char] or ("\\x%02x"):format(char:byte()) end

local function escape_c1(char) return ("\\u{%x}"):format(char:byte()) end

-- Text that is UTF-8, with the control characters escaped.
local function escaped(text)
  return (text:gsub('[%c\\"]', escape):gsub("\xc2([\x80-\x9f])", escape_c1))
end

-- Bytes as a literal of Lua: what is UTF-8 and no control character stands for itself.
local function quoted(bytes)
  local pieces, at = {}, 1
  repeat
    local _, bad = utf8.len(bytes, at)
    pieces[#pieces + 1] = escaped(bytes:sub(at, bad and bad - 1 or -1))
    if bad then pieces[#pieces + 1] = escape(bytes:sub(bad, bad)) end
    at = bad and bad + 1
  until not at
  return '"' .. table.concat(pieces) .. '"'
end

local function show_string(bytes, limit)
  if #bytes <= limit then return quoted(bytes) end
  local cut = utf8.offset(bytes, 0, limit + 1) or limit + 1 -- not within a character
  return ("%s… (%d bytes)"):format(quoted(bytes:sub(1, cut - 1)), #bytes)
end

local function is_identifier(key)
  return type(key) == "string" and key:find "^[%a_][%w_]*$" and not KEYWORDS[key]
end

local ORDER = { number = 1, string = 2, boolean = 3 }

local function before(a, b)
  local ta, tb = type(a), type(b)
  if ta ~= tb then return (ORDER[ta] or 4) < (ORDER[tb] or 4) or (ORDER[ta] == ORDER[tb] and ta < tb) end
  if ORDER[ta] and ta ~= "boolean" then return a < b end
  return false
end

local SEEN = 30000 -- of a table with more parts these are looked at: the loop does not wait for it
local SORTED = 2000

-- The keys outside the sequence 1 .. n, sorted, if they are not too many; no metamethod is asked. How many there are
-- besides (false: nobody has counted).
local function keys_of(t, n)
  local keys, more, seen = {}, 0, 0
  for key in next, t do
    seen = seen + 1
    if seen > SEEN then
      more = false
      break
    end
    if not (math.type(key) == "integer" and key >= 1 and key <= n) then
      if #keys < SORTED then keys[#keys + 1] = key else more = more + 1 end
    end
  end
  table.sort(keys, before)
  return keys, more
end

local function length_of(t)
  local n = 0
  while n < SEEN and rawget(t, n + 1) ~= nil do n = n + 1 end
  return n < SEEN and n or math.max(n, rawlen(t))
end

-- The text that an object gives of itself; nil: it gives none.
local function own_text(value)
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" or rawget(meta, "__tostring") == nil and type(value) == "table" then return nil end
  local ok, text = pcall(tostring, value)
  return ok and text or ("<%s whose __tostring fails: %s>"):format(type(value), type(text) == "string" and text or "?")
end

local function show_function(f)
  local info = debug.getinfo(live.definition(f), "S")
  if info.what == "C" then return tostring(f):gsub("^function: builtin: ", "function: ") end
  return ("<function %s:%d>"):format(info.short_src, info.linedefined)
end

local TYPES = { "SOCK_STREAM", "SOCK_DGRAM", "SOCK_RAW", "SOCK_RDM", "SOCK_SEQPACKET" }
local constants -- "family" or "type" -> number -> name

-- The constant's name: AF_INET for a family 2. Of several the last by the alphabet: AF_UNIX and not AF_LOCAL.
local function constant(field, number)
  if not constants then
    constants = { family = {}, type = {} }
    for _, name in ipairs(TYPES) do constants.type[csock[name] or name] = name end
    for name, value in pairs(csock) do
      local family = type(name) == "string" and name:find "^AF_" and (constants.family[value] or "")
      if family and name > family then constants.family[value] = name end
    end
  end
  return constants[field][number] or tostring(number)
end

-- A row of getaddrinfo: its fields are also there by number, as in Python's tuple.
local function is_addrinfo(t)
  return rawget(t, "addr") ~= nil and rawget(t, "family") ~= nil and rawget(t, "family") == rawget(t, 1)
end

local function show_addrinfo(t)
  local canonname = t.canonname ~= "" and (" canonname=%s,"):format(quoted(tostring(t.canonname))) or ""
  return ("{family=%s, type=%s, proto=%s,%s addr=%s}"):format(constant("family", t.family),
    constant("type", t.type), t.proto, canonname, type(t.addr) == "string" and quoted(t.addr) or tostring(t.addr))
end

local ALL = 20 -- times the parts of one table may be printed of all tables within each other

local Shower = {}
Shower.__index = Shower

function Shower:scalar(value)
  local kind = type(value)
  if kind == "string" then return show_string(value, self.strings) end
  if kind == "function" then return show_function(value) end
  if kind ~= "table" then return own_text(value) or tostring(value) end
  if is_addrinfo(value) then return show_addrinfo(value) end
  return own_text(value)
end

function Shower:key(key)
  if is_identifier(key) then return key end
  return "[" .. (self:scalar(key) or tostring(key)) .. "]"
end

-- The parts of a table, each a text: "1", "name = 2".
function Shower:parts(t, indent)
  local parts, n = {}, length_of(t)
  local keys, more = keys_of(t, n)
  local function has_room() return #parts < self.items and self.left > 0 end
  for i = 1, n do
    if not has_room() then break end
    parts[i] = self:value(rawget(t, i), indent)
  end
  for _, key in ipairs(keys) do
    if not has_room() then break end
    parts[#parts + 1] = self:key(key) .. " = " .. self:value(rawget(t, key), indent)
  end
  local rest = n + #keys + (more or 0) - #parts
  if rest > 0 or not more then
    parts[#parts + 1] = more and ("… (%d more)"):format(rest) or ("… (more than %d more)"):format(math.max(rest, 0))
  end
  return parts
end

-- The parts of a long sequence, as many in a row as there is room for.
local function filled(parts, columns)
  local rows = {}
  for _, part in ipairs(parts) do
    local row = rows[#rows]
    if row and #row + #part + 2 <= columns and not part:find "\n" then
      rows[#rows] = row .. ", " .. part
    else
      rows[#rows + 1] = part
    end
  end
  return rows
end

function Shower:table(t, indent)
  if self.within[t] then return "<the table around it>" end
  if #indent // 2 >= self.depth then return next(t) == nil and "{}" or "{…}" end
  self.within[t] = true
  local parts = self:parts(t, indent .. "  ")
  self.within[t] = nil
  local meta = debug.getmetatable(t)
  local name = type(meta) == "table" and rawget(meta, "__name")
  local head = type(name) == "string" and name .. " {" or "{"
  local line = head .. table.concat(parts, ", ") .. "}"
  if utf8.len(line, 1, -1, true) and utf8.len(line, 1, -1, true) + #indent <= self.columns and not line:find "\n" then
    return line
  end
  local rows = length_of(t) > self.items // 5 and filled(parts, self.columns - #indent - 3) or parts
  return head .. "\n" .. indent .. "  " .. table.concat(rows, ",\n" .. indent .. "  ") .. "\n" .. indent .. "}"
end

function Shower:value(value, indent)
  self.left = self.left - 1
  return self:scalar(value) or self:table(value, indent)
end

-- The text of a value: a string as a literal, a table as a constructor, anything else as it tells of itself. Never
-- fails, ends for each table, asks no `__index` and no `__pairs`.
-- The options: `columns`: what is wider is written over several lines (80); `items`: how many parts of a table (50);
-- `depth`: how many tables within each other (5); `strings`: how many bytes of a string (1000).
return function(value, options)
  options = options or {}
  local shower = setmetatable({
    columns = options.columns or 80, items = options.items or 50, depth = options.depth or 5,
    strings = options.strings or 1000, within = {},
  }, Shower)
  shower.left = shower.items * ALL
  return shower:value(value, "")
end

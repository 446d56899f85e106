-- query.lua: query strings and forms.
local arguments = require "csock.url.arguments"
local check = require "csock.check"
local csock = require "csock"
local quoting = require "csock.url.quote"

local M = {}

-- --- making ---------------------------------------------------------------------------------------

local TEXTS = { string = true, number = true, boolean = true }

local urlencode_options = arguments.reader("urlencode", 1, {
  { "doseq", arguments.BOOLEAN, false }, { "safe", check.STRING, "" },
  { "quote_via", check.FUNCTION, quoting.quote_plus },
})

-- A map's pairs, in the order of their names.
local function sorted(map)
  local list = {}
  for name, value in pairs(map) do
    if type(name) ~= "string" then check.expected("urlencode", 1, "names that are strings", name) end
    list[#list + 1] = { name, value }
  end
  table.sort(list, function(a, b) return a[1] < b[1] end)
  return list
end

--- Makes a query string, or a form's body: `name=value&name=value`.
--
--     url.urlencode { { "q", "a b" }, { "page", 2 } }              --> q=a+b&page=2
--     url.urlencode({ tag = { "x", "y" } }, true)                 --> tag=x&tag=y
--
-- Source: Python's `urllib.parse.urlencode`.
-- @tparam table query a sequence of pairs, in this order; or a map, in the order of its names. Names and values are
-- strings, numbers or booleans (a map's names strings)
-- @tparam[opt=false] boolean doseq a value may be a sequence: a pair for each of its values
-- @tparam[opt=""] string safe what is not quoted
-- @tparam[opt=quote_plus] function quote_via called with a text and `safe`. These may also be a table:
-- `{ doseq = true }`
-- @treturn string
-- @raise for other values, naming the pair
-- @usage print(url.urlencode {{"q", "a b"}, {"page", 2}}) --> q=a+b&page=2
function M.urlencode(query, ...)
  check.argument(check.TABLE, query, 1, "urlencode")
  local options, list = urlencode_options(...), {}

  local function quoted(value, what, of)
    if not TEXTS[type(value)] then
      check.expected("urlencode", 1, ("the %s %s: string, number or boolean"):format(what, of), value)
    end
    return options.quote_via(tostring(value), options.safe)
  end

  for i, pair in ipairs(query[1] ~= nil and query or sorted(query)) do
    if type(pair) ~= "table" then check.expected("urlencode", 1, ("[%d]: pair"):format(i), pair) end
    local name = quoted(pair[1], "name of pair", i)
    local values = options.doseq and type(pair[2]) == "table" and pair[2] or { pair[2], n = 1 }
    for k = 1, values.n or #values do list[#list + 1] = name .. "=" .. quoted(values[k], "value of", name) end
  end
  return table.concat(list, "&")
end

-- --- reading --------------------------------------------------------------------------------------

local SEPARATOR = check.kind("string that is not empty", function(value)
  return type(value) == "string" and value ~= ""
end)

local function query_options(call)
  return arguments.reader(call, 1, {
    { "keep_blank_values", arguments.BOOLEAN, false }, { "strict_parsing", arguments.BOOLEAN, false },
    { "max_num_fields", check.integer(0) }, { "separator", SEPARATOR, "&" },
  })
end

local parse_qsl_options, parse_qs_options = query_options "parse_qsl", query_options "parse_qs"

-- The fields between separators, one after the other.
local function fields_of(text, separator)
  local next_one = text ~= "" and 1 or nil
  return function()
    if not next_one then return nil end
    local first, last = text:find(separator, next_one, true)
    local field = text:sub(next_one, (first or 0) - 1)
    next_one = last and last + 1
    return field
  end
end

local function is_over(text, options)
  local n = 0
  for _ in fields_of(text, options.separator) do
    n = n + 1
    if n > options.max_num_fields then return true end
  end
  return false
end

local function read(call, text, options)
  if options.max_num_fields and is_over(text, options) then
    return csock.make_error {
      call = call, errno = csock.errno.EMSGSIZE, strerror = ("more than %d fields"):format(options.max_num_fields),
    }
  end
  local list = {}
  for field in fields_of(text, options.separator) do
    local name, equals, value = field:match "^([^=]*)(=?)(.*)$"
    if equals == "" and options.strict_parsing then
      return csock.make_error { call = call, errno = csock.errno.EINVAL, strerror = "a field without '='" }
    end
    if field ~= "" and (value ~= "" or options.keep_blank_values) then
      list[#list + 1] = { quoting.unquote_plus(name), quoting.unquote_plus(value) }
    end
  end
  return list
end

--- Reads a query string, or a form's body: its fields in their order.
-- Source: Python's `urllib.parse.parse_qsl`.
-- @tparam string query
-- @tparam[opt=false] boolean keep_blank_values also fields with an empty value, or with none
-- @tparam[opt=false] boolean strict_parsing a field without `=` is an error; otherwise it is left out
-- @tparam[opt] int max_num_fields more fields are an error, before any is read
-- @tparam[opt="&"] string separator what is between fields. These may also be a table: `{ max_num_fields = 100 }`
-- @treturn[1] {{string,string},...} names and values, unquoted
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`; `EMSGSIZE` for too many)
-- @usage for _, field in ipairs(assert(url.parse_qsl "a=1&b=2")) do print(field[1], field[2]) end --> a 1 b 2
function M.parse_qsl(query, ...)
  check.argument(check.STRING, query, 1, "parse_qsl")
  return read("parse_qsl", query, parse_qsl_options(...))
end

--- The same, by names: `parse_qs("a=1&a=2").a` is `{ "1", "2" }`.
-- Source: Python's `urllib.parse.parse_qs`.
-- @tparam string query
-- @tparam[opt=false] boolean keep_blank_values
-- @tparam[opt=false] boolean strict_parsing
-- @tparam[opt] int max_num_fields
-- @tparam[opt="&"] string separator
-- @treturn[1] {[string]={string,...},...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`; `EMSGSIZE` for too many)
-- @usage print(url.parse_qs("a=1&a=2").a[2]) --> 2
function M.parse_qs(query, ...)
  check.argument(check.STRING, query, 1, "parse_qs")
  local list, err, errno = read("parse_qs", query, parse_qs_options(...))
  if not list then return nil, err, errno end
  local values_of = {}
  for _, pair in ipairs(list) do
    local values = values_of[pair[1]] or {}
    values_of[pair[1]] = values
    values[#values + 1] = pair[2]
  end
  return values_of
end

return M

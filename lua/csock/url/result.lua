-- result.lua: what taking a URL apart gives: values with Python's names.
local check = require "csock.check"
local csock = require "csock"
local netlocs = require "csock.url.netloc"
local split = require "csock.url.split"

local M = {}

-- The results of a call that refuses a URL. They do not show it: it may hold a password.
local function refuse(call, why)
  return csock.make_error { call = call, errno = csock.errno.EINVAL, strerror = why }
end

local function quoted(text)
  local function escaped(c) return (c == "'" or c == "\\") and "\\" .. c or ("\\x%02x"):format(c:byte()) end
  return "'" .. text:gsub("['\\\0-\x1F\x7F-\xFF]", escaped) .. "'"
end

-- A class of results: a sequence of strings that have names, too. `complete(self, call)` adds what follows from them,
-- or gives nil, err, errno; `geturl` puts them together again.
local function define(name, fields, complete, geturl)
  local place_of, meta, methods = {}, { __name = name }, { geturl = geturl }
  for i, field in ipairs(fields) do place_of[field] = i end

  function meta:__index(key) return methods[key] or rawget(self, place_of[key]) end

  function meta.__newindex() check.fail(("a %s cannot be changed: _replace makes another"):format(name)) end

  function meta.__eq(a, b)
    if getmetatable(a) ~= getmetatable(b) then return false end
    for i = 1, #fields do
      if a[i] ~= b[i] then return false end
    end
    return true
  end

  function meta:__tostring()
    local list = {}
    for i, field in ipairs(fields) do list[i] = field .. "=" .. quoted(self[i]) end
    return ("%s(%s)"):format(name, table.concat(list, ", "))
  end

  local function make(call, parts)
    for i, part in ipairs(parts) do
      if part:find "[\0- \x7F]" then return refuse(call, "a control character or a blank in the " .. fields[i]) end
    end
    local ok, err, errno = complete(parts, call)
    if not ok then return nil, err, errno end
    return setmetatable(parts, meta)
  end

  -- Python's name for it, since a field may be called anything.
  function methods:_replace(changes)
    check.argument(check.TABLE, changes, 1, "_replace")
    local parts = table.move(self, 1, #fields, 1, {})
    for field, value in pairs(changes) do
      local i = place_of[field]
      if not i then check.bad("_replace", 1, ("unknown field '%s'"):format(tostring(field))) end
      if type(value) ~= "string" then check.expected("_replace", 1, field .. ": string", value) end
      parts[i] = value
    end
    return make("_replace", parts)
  end

  M[name] = function(...)
    local parts = { ... }
    for i = 1, #fields do check.argument(check.STRING, parts[i], i, name) end
    if #parts > #fields then check.expected(name, #fields + 1, "no value", parts[#fields + 1]) end
    return make(name, parts)
  end
  return make
end

local function complete_place(parts, call)
  if not split.is_scheme(parts[1]) then return refuse(call, "no scheme is called so") end
  local place, why = netlocs.parse(parts[2])
  if not place then return refuse(call, why) end
  for name, value in pairs(place) do parts[name] = value end
  return true
end

--- A URL in five parts, which are also its elements 1 to 5: `table.unpack(u, 1, 5)`. Equal ones are `==`. It cannot be
-- changed. `csock.url.SplitResult(scheme, netloc, path, query, fragment)` makes one, or gives `nil, err, EINVAL`.
-- Source: Python's `urllib.parse.SplitResult`.
-- @type splitresult

--- In small letters; `""` where there is none, as for the other parts.
-- @field splitresult:scheme

--- All that stands between `//` and the path: user, password, host, port.
-- @field splitresult:netloc

--- Begins with `/`, if there is a netloc and a path.
-- @field splitresult:path

--- What is behind `?`.
-- @field splitresult:query

--- What is behind `#`.
-- @field splitresult:fragment

--- As it stands there, not unquoted; nil where there is none.
-- @field splitresult:username

--- As it stands there, not unquoted; nil where there is none.
-- @field splitresult:password

--- In small letters, an IPv6 address without its brackets, but with its zone; nil where there is none.
-- @field splitresult:hostname

--- An integer; nil where there is none.
-- @field splitresult:port

--- The URL. That may be another one than was taken apart, but it means the same.
-- @function splitresult:geturl
-- @treturn string
-- @usage print(url.urlsplit("HTTP://example.org"):geturl()) --> http://example.org

--- Another one that has these parts instead.
-- Source: `_replace` of Python's named tuples.
-- @function splitresult:_replace
-- @tparam table changes by name: `{ path = "/", query = "" }`
-- @treturn[1] splitresult
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage print(url.urlsplit("http://a/b?q"):_replace({query = ""}):geturl()) --> http://a/b

M.make_split = define("SplitResult", { "scheme", "netloc", "path", "query", "fragment" }, complete_place,
  function(self) return split.unsplit(table.unpack(self, 1, 5)) end)

--- A URL in six parts: as a splitresult, with `params` between `path` and `query`.
-- Source: Python's `urllib.parse.ParseResult`.
-- @type parseresult

--- What is behind `;` in the last segment of the path.
-- @field parseresult:params

M.make_parse = define("ParseResult", { "scheme", "netloc", "path", "params", "query", "fragment" }, complete_place,
  function(self)
    return split.unsplit(self[1], self[2], split.with_params(self[3], self[4]), self[5], self[6])
  end)

--- A URL without its fragment: a value as a splitresult, with other fields.
-- Source: Python's `urllib.parse.DefragResult`.
-- @type defragresult

--- The URL without it.
-- @field defragresult:url

--- What was behind `#`; `""` where there is none.
-- @field defragresult:fragment

M.make_defrag = define("DefragResult", { "url", "fragment" }, function() return true end,
  function(self) return split.with_query(self[1], "", self[2]) end)

return M

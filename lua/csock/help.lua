--- What csock has, told at a prompt: `help(csock.socket)`, `help "recv"`, `help(conn)`, `help()`.
--
--     help = require "csock.help"
--     help(csock.create_server)      -- a function, a method, a class, a module
--     help "socket:recv"             -- a name; `help "recv"` finds it, too
--     help(conn)                     -- an object: what its type has
--     help(handler)                  -- a function of the program's own: the comment above it
--
-- It is the text of the reference manual, from the same source.
-- @module csock.help
local index -- loaded when it is first asked for: with it comes all of the text
local own = require "csock.help.own"
local text -- as `index`

local M = {}

local COLUMNS = 80

local function load_text()
  index, text = require "csock.help.index", require "csock.help.text"
end

local OVERVIEW = [[

help(x) tells of a function, a module, a class or an object; help "name" of a
name, or of what has a word in it; help(x, {long = true}) all there is to tell.]]

local function overview(columns)
  local lines = {}
  for _, module in ipairs(index.data.modules) do
    local line = ("  %-24s %s"):format(module.name, text.summary(module.text))
    lines[#lines + 1] = #line > columns and line:sub(1, columns - 3):gsub("%s+%S*$", "") .. "..." or line
  end
  return table.concat(lines, "\n") .. "\n" .. OVERVIEW
end

local function text_of_name(name, columns, long)
  local entry, full, others = index.find(name)
  if entry then
    local said = text.entry(entry, full, columns, long)
    if #others == 0 then return said end
    return said .. "\n\n" .. text.wrap(table.concat(others, ", "), columns, "See also: ", "  ")
  end
  local found = index.search(name)
  if #found == 0 then return nil end
  local lines = text.list(table.move(found, 1, math.min(#found, 30), 1, {}), columns)
  if #found > #lines then lines[#lines + 1] = ("  ... and %d more"):format(#found - #lines) end
  return table.concat(lines, "\n")
end

local function text_of_own(f, columns, long)
  local name, comment, place = own.of(f)
  local entry = name and comment and place:find("csock/", 1, true) and index.entry((name:gsub("^M%.", "")))
  if entry and entry.kind == "function" and name:find ":" then return text.entry(entry, name, columns, long) end
  if place == "C" then return "a function in C" end
  local said = text.signature(name or "function", own.parameters(f))
  return said .. (comment and "\n\n" .. comment or "") .. "\n\n" .. place
end

--- The text about something.
-- @param x a function, a method, a module, a class, an object, a name or a word to look for; nil: an overview
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.long with all paragraphs and the source
-- @tparam[opt=80] int options.columns how long a line may be
-- @treturn ?string nil where nothing is known of it
-- @usage print(help.text "socket:recv")
function M.text(x, options)
  load_text()
  options = type(options) == "table" and options or {} -- also in `help(f())`, where `f` has more results
  local columns = math.max(options.columns or COLUMNS, 40)
  x = own.definition(x)
  if x == nil then return overview(columns) end
  if type(x) == "string" then return text_of_name(x, columns, options.long) end
  local entry, name = index.of_value(x)
  if entry then return text.entry(entry, name, columns, options.long) end
  if type(x) == "function" then return text_of_own(x, columns, options.long) end
end

--- How a function is called: `"socket:recv(size[, flags])"`.
-- @tparam string|function x a function or its name
-- @treturn ?string nil for what is no function that is known
-- @usage print(help.signature "csock.create_server")
function M.signature(x)
  load_text()
  x = own.definition(x)
  local entry, name
  if type(x) == "string" then entry, name = index.find(x) else entry, name = index.of_value(x) end
  if entry and entry.call then entry = entry.call end
  if entry and entry.kind == "function" then return text.signature(name, entry.params) end
  if type(x) == "function" then return text.signature(own.of(x) or "function", own.parameters(x)) end
end

--- All names that there is a text for: of modules, what they have, types, their methods, and constants.
-- @treturn {string,...} in the order of the alphabet
-- @usage print(#help.names())
function M.names()
  load_text()
  local list = {}
  for name in pairs(index.data.entries) do list[#list + 1] = name end
  for name in pairs(index.modules) do list[#list + 1] = name end
  for name in pairs(index.types) do list[#list + 1] = name end
  for name, value in pairs(package.loaded.csock or {}) do
    if math.type(value) == "integer" then list[#list + 1] = "csock." .. name end
  end
  table.sort(list)
  return list
end

--- The options that a function takes in a table: for completing them.
-- @tparam string name the function's
-- @treturn ?{[string]=string} a line about each, by its name; nil for a function that has none, or is not known
-- @usage for name, about in pairs(help.options "csock.create_server") do print(name, about) end
function M.options(name)
  load_text()
  local entry = index.find(name)
  if entry and entry.call then entry = entry.call end
  local list = entry and index.options(entry) or {}
  local by_name = {}
  for _, option in ipairs(list) do by_name[option.name] = by_name[option.name] or text.summary(option.text) end
  return next(by_name) and by_name or nil
end

local function answer(x, options) return M.text(x, options) or "nothing is known of " .. tostring(x) end

--- The same with another function that prints: for a prompt whose output goes elsewhere.
-- @tparam function put called with the text
-- @treturn table that can be called as the module is, and has its functions
-- @usage
-- local help = help.with(print)
-- help "csock.getpid"
function M.with(put)
  return setmetatable({}, { __index = M, __call = function(_, x, options) put(answer(x, options)) end })
end

return setmetatable(M, {
  --- Prints the text about something, by the program's `print`. Called as the module itself: `help(x)`.
  -- @function help
  -- @param[opt] x as for `text`
  -- @tparam[opt] table options those of @{csock.help.text}
  -- @usage help "csock.create_server"
  __call = function(_, x, options) print(answer(x, options)) end,
})

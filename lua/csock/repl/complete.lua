-- complete.lua: what could stand before the cursor: names, fields, methods after a colon, modules in `require`, options
-- in a table of them, files in strings, the prompt's commands. Nothing that is typed is run for it: values are looked
-- up, and no function of theirs is called but csock's own.
local commands = require "csock.repl.commands"
local csock = require "csock"
local help = require "csock.help"
local KEYWORDS = require "csock.keywords"
local lexer = require "csock.repl.lexer"
local names = require "csock.repl.names"
local state = require "csock.repl.state"

local MOST = 1000 -- candidates

-- Gathers names that begin with a prefix, each once.
local function gatherer(prefix)
  local found, list = {}, {}
  return function(name)
    if type(name) == "string" and not found[name] and name:sub(1, #prefix) == prefix and #list < MOST then
      found[name] = true
      list[#list + 1] = name
    end
  end, list
end

-- The table behind a value's fields, if Lua alone finds them there.
local function index_of(value)
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return nil end
  local index = rawget(meta, "__index")
  if type(index) == "table" then return index end
  local methods = rawget(meta, "methods") -- a class of userdata whose fields a function gives
  return type(methods) == "table" and methods or nil
end

-- Calls `add` with the names of a value's fields: its own, and those that its metatables lead to.
local function each_field(value, add)
  local seen = {}
  while value ~= nil and not seen[value] do
    seen[value] = true
    if type(value) == "table" then
      if value == csock or value == csock.errno then
        for key in pairs(value) do add(key) end -- they make all their fields then
      else
        for key in next, value do add(key) end
      end
    end
    value = index_of(value)
  end
end

local function field(value, key)
  for _ = 1, 100 do
    if value == csock then return csock[key] end
    local own
    if type(value) == "table" then own = rawget(value, key) end
    if own ~= nil then return own end
    value = index_of(value)
    if value == nil then return nil end
  end
end

-- The key in brackets, `[1]` or `["name"]`, that ends at words[i], or nil.
local function literal_key(words, i)
  local word, open = words[i - 1], words[i - 2]
  if not open or open.text ~= "[" or word.kind ~= "string" and word.kind ~= "number" then return nil end
  local f = load("return " .. word.text, "=key", "t", {})
  return f and f()
end

-- The words `a.b[1].c:` that end before words[i], as a list: a name, and keys; nil if there is more to it.
local function chain_before(words, i)
  local chain = {}
  while words[i] and words[i].kind == "symbol" and words[i].text:find "^[.:]$" do
    i = i - 1
    while words[i] and words[i].text == "]" do
      local key = literal_key(words, i)
      if key == nil then return nil end
      table.insert(chain, 1, key)
      i = i - 3
    end
    if not words[i] or words[i].kind ~= "name" then return nil end
    table.insert(chain, 1, words[i].text)
    i = i - 1
  end
  return chain
end

local function value_of(session, chain)
  local value = session.locals[chain[1]]
  for i = 2, #chain do value = field(value, chain[i]) end
  return value
end

-- The value whose field or method is typed behind words[i], a dot or a colon; nil: that cannot be said.
local function value_before(session, words, i)
  local before = words[i - 1]
  if before and before.text == ")" then before = words[i - 2] end
  if before and before.kind == "string" then return "" end -- ("..."):
  local chain = chain_before(words, i)
  return chain and chain[1] and value_of(session, chain)
end

local OPENING = { ["("] = true, ["{"] = true, ["["] = true }
local CLOSING = { [")"] = true, ["}"] = true, ["]"] = true }

-- The last bracket before words[i] that is still open: its index and text.
local function open_bracket(words, i)
  local depth = 0
  for at = i, 1, -1 do
    local text = words[at].kind == "symbol" and words[at].text
    if CLOSING[text] then
      depth = depth + 1
    elseif OPENING[text] and depth == 0 then
      return at, text
    elseif OPENING[text] then
      depth = depth - 1
    end
  end
end

local function is_name(word) return word ~= nil and word.kind == "name" end

-- In a table that is given to a function, `f{` or `f(a, {`: the index of the function's last name.
local function called_function(words, i)
  local at, bracket = open_bracket(words, i)
  if bracket ~= "{" then return nil end
  if is_name(words[at - 1]) then return at - 1 end
  at, bracket = open_bracket(words, at - 1)
  return bracket == "(" and is_name(words[at - 1]) and at - 1 or nil
end

local function options_at(words, i, add)
  local at = called_function(words, i)
  if not at then return end
  local chain = chain_before(words, at - 1) or {}
  chain[#chain + 1] = words[at].text
  for name in pairs(help.options(table.concat(chain, ".")) or {}) do add(name .. " = ") end
end

local function each_module(add)
  for name in pairs(package.preload) do add(name) end
  for name in pairs(package.loaded) do add(name) end
  add "csock"
  add "csock.loop"
  for _, name in ipairs(names.MODULES) do add("csock." .. name) end
end

-- Whether the string at words[i] is the argument of `require`.
local function is_required(words, i)
  local before = words[i - 1]
  if before and before.text == "(" then before = words[i - 2] end
  return before ~= nil and before.text == "require"
end

local function each_global(session, add)
  for name in pairs(session.locals) do add(name) end
  for name in pairs(session.own) do if not name:find "^_%u" then add(name) end end
  for name in pairs(_G) do add(name) end
  for name in pairs(csock) do add(name) end
  for _, name in ipairs(names.MODULES) do add(name) end
  for name in pairs(KEYWORDS) do add(name) end
end

-- Methods alone, after a colon.
local function only_functions(value, add)
  return function(name)
    if type(name) == "string" and type(field(value, name)) == "function" then add(name) end
  end
end

-- Candidates for the name that begins at `from`, and what belongs behind a single one.
local function complete_name(session, words, i, prefix)
  local add, list = gatherer(prefix)
  local separator = words[i]
  if separator and separator.text:find "^[.:]$" and separator.kind == "symbol" then
    local value = value_before(session, words, i)
    if value ~= nil then each_field(value, separator.text == ":" and only_functions(value, add) or add) end
    return list
  end
  if separator and separator.kind == "symbol" and separator.text:find "^[{,;]$" then options_at(words, i, add) end
  if #list == 0 then each_global(session, add) end
  return list
end

local function complete_string(words, i)
  local prefix = words[i].text:sub(2)
  if is_required(words, i) then
    local add, list = gatherer(prefix)
    each_module(add)
    return list, words[i].first + 1
  end
  return nil -- a file's name: the editor's own way
end

-- --- the prompt's commands ---------------------------------------------------------------------------

local each = {}

function each.command(_, add) for name in pairs(commands.all) do add(name) end end
function each.setting(session, add) for name in pairs(session.settings) do add(name) end end
function each.module(_, add) for name in pairs(package.loaded) do add(name) end end
function each.socket(_, add) for _, row in ipairs(state.sockets()) do add(tostring(row.id)) end end

function each.task(_, add)
  for _, row in ipairs(state.tasks()) do
    if not row.own then add(row.name or tostring(row.id)) end
  end
end

-- Candidates for what stands at the end of a command, and where that begins; false: it is Lua. For names of files: nil.
local function complete_command(session, text)
  local from, word = text:match "^%s*:()(%a*)$"
  local kind = from and "command"
  if not kind then
    local name
    name, from, word = text:match "^%s*:(%a+)%s.-()(%S*)$"
    kind = name and commands.all[name] and commands.all[name].complete
    if kind == "file" then return nil end
    if not kind then return false end
  end
  local add, list = gatherer(word)
  each[kind](session, add)
  return list, from
end

-- Candidates for what stands at the end of a piece of Lua, and where that begins; nil: names of files.
local function complete_lua(session, text)
  local words = lexer((text:gsub("^(%s*):", "%1 ")))
  local at = words[#words]
  if at and at.kind == "comment" and (at.open or at.last == #text) then return {}, #text + 1 end
  if at and at.kind == "string" and at.open then return complete_string(words, #words) end
  local named = at and (at.kind == "name" or at.kind == "keyword") and at.last == #text
  local from = named and at.first or #text + 1
  return complete_name(session, words, named and #words - 1 or #words, text:sub(from)), from
end

-- What the text before the cursor could go on as: candidates for `line:sub(first, last)`, which is the word that the
-- editor sees there; nil: names of files.
return function(session, line, first, last)
  local text = line:sub(1, last)
  local list, from = complete_command(session, text)
  if list == false then list, from = complete_lua(session, text) end
  if not list then return nil end
  table.sort(list)
  -- The editor's word may begin elsewhere.
  for i, candidate in ipairs(list) do
    list[i] = from >= first and line:sub(first, from - 1) .. candidate or candidate:sub(first - from + 1)
  end
  return list
end

-- luacats.lua: writes what is documented as definitions for lua-language-server, in its notation (LuaCATS): an addon.
local index = require "csock.help.index"
local internal = require "csock.loop.internal"
local KEYWORDS = require "csock.keywords"

local M = {}

local BASIC = {
  int = "integer", object = "any", value = "any", class = "table", file = "file*", table = "table", string = "string",
  number = "number", boolean = "boolean", ["function"] = "function", thread = "thread", ["nil"] = "nil",
}

local function class_of(name) return "csock." .. name end

-- A type of the manual in LuaCATS: "?int|string" is "integer|string|nil".
local function convert(name)
  if name == nil then return "any" end
  if name:find "^%?" then
    local rest = convert(name:sub(2))
    return rest == "any" and rest or rest .. "|nil"
  end
  name = name:gsub("%.%.%.$", "")
  local element = name:match "^{(.*),%.%.%.}$"
  if element and not element:find "^%[" then
    element = convert(element)
    return element:find "|" and ("(%s)[]"):format(element) or element .. "[]"
  end
  if name:find "^{" then return "table" end
  local parts = {}
  for part in name:gmatch "[^|]+" do
    local _, full = index.entry(part)
    parts[#parts + 1] = BASIC[part] or index.types[full] and class_of(full) or index.types[part] and class_of(part)
      or "any"
  end
  return table.concat(parts, "|")
end

-- The class of a function's options.
local function options_class(name) return "csock." .. name:gsub("^csock%.", ""):gsub("[.:]", "_") .. "_options" end

-- Editors show Markdown, which the manual's text is but for references.
local function markdown(said) return (said:gsub("@{([^}]*)}", "`%1`"):gsub("%s+$", "")) end

local function comment(out, said)
  said = markdown(said)
  if said == "" then return end
  for line in (said .. "\n"):gmatch "([^\n]*)\n" do out[#out + 1] = "--- " .. line end
end

local function in_a_line(said) return (markdown(said):gsub("%s+", " "):gsub("^%s+", "")) end

-- The table of options, as a class with its fields.
local function add_options(out, name, entry)
  local list = index.options(entry)
  if #list == 0 then return nil end
  local class, seen = options_class(name), {}
  out[#out + 1] = ("---@class %s: table"):format(class)
  for _, option in ipairs(list) do
    if not seen[option.name] then
      local kind = convert(option.type)
      if option.text:find "%f[%a]false:" and not kind:find "boolean" and kind ~= "any" then kind = kind .. "|false" end
      out[#out + 1] = ("---@field %s%s %s %s"):format(option.name, option.optional and "?" or "", kind,
        in_a_line(option.text))
      seen[option.name] = true
    end
  end
  out[#out + 1] = ""
  return class
end

-- The results of all outcomes, by their places: a place has the types of each.
local function results_of(entry)
  local places = {}
  local counts, groups = {}, 0
  for _, result in ipairs(entry.results or {}) do
    if not counts[result.group] then groups = groups + 1 end
    counts[result.group] = (counts[result.group] or 0) + 1
    local place = counts[result.group]
    places[place] = places[place] or { types = {}, seen = {}, groups = 0, said = {} }
    local slot = places[place]
    slot.groups = slot.groups + 1
    local said = in_a_line(result.text)
    if said ~= "" then slot.said[#slot.said + 1] = said end
    slot.many = slot.many or (result.type or ""):find "%.%.%.$" and true
    for part in convert(result.type):gmatch "[^|]+" do
      if not slot.seen[part] then slot.types[#slot.types + 1] = part end
      slot.seen[part] = true
    end
  end
  for _, slot in ipairs(places) do
    if slot.groups < groups and not slot.seen["nil"] and not slot.seen.any then slot.types[#slot.types + 1] = "nil" end
    if slot.seen.any then slot.types = { "any" } end
  end
  return places
end

-- The names of the parameters; nothing may come after `...` in Lua.
local function parameters(entry)
  local list = {}
  for _, param in ipairs(entry.params or {}) do
    list[#list + 1] = param
    if param.name == "..." then break end
  end
  return list
end

local function add_annotations(out, name, entry)
  local class = add_options(out, name, entry)
  comment(out, entry.text)
  if entry.source then comment(out, "\nSource: " .. entry.source) end
  local names = {}
  for _, param in ipairs(parameters(entry)) do
    local kind = convert(param.type)
    if class and (param.name == "options" or param.type == "table") then kind = class end
    local is_more = param.name == "..."
    out[#out + 1] = ("---@param %s%s %s %s"):format(param.name, param.optional and not is_more and "?" or "", kind,
      in_a_line(param.text))
    names[#names + 1] = param.name
  end
  for _, slot in ipairs(results_of(entry)) do
    local kind = table.concat(slot.types, "|")
    out[#out + 1] = ("---@return %s%s # %s"):format(kind, slot.many and " ..." or "", table.concat(slot.said, "; "))
  end
  return names
end

local ANYTHING = { params = { { name = "..." } } }

-- A constructor, as an overload of a call of the class.
local function overload(entry, class)
  local params = {}
  for _, param in ipairs(parameters(entry)) do
    params[#params + 1] = param.name .. (param.optional and param.name ~= "..." and "?" or "") .. ": "
      .. convert(param.type)
  end
  return ("---@overload fun(%s): %s"):format(table.concat(params, ", "), class)
end

local function add_member(out, owner, separator, full, entry)
  local word = full:match "[%w_]+$"
  out[#out + 1] = ""
  if entry.kind == "function" and not KEYWORDS[word] then
    local names = add_annotations(out, full, entry)
    out[#out + 1] = ("function %s%s%s(%s) end"):format(owner, separator, word, table.concat(names, ", "))
  else
    comment(out, entry.text)
    out[#out + 1] = "---@type any"
    out[#out + 1] = ("%s.%s = nil"):format(owner, word)
  end
end

-- Whether a type is a name of its module: as a class, or as a function that is told of as the type alone.
local function is_exported(object)
  local module = package.loaded[object.module]
  local value = type(module) == "table" and rawget(module, object.class or object.name)
  local class = index.class(object)
  if class then return rawequal(class, value) or rawequal(class, module) end
  return value and not index.data.entries[object.module .. "." .. object.name]
end

-- What has the methods of a socket over TLS, too.
local OVER_TLS = { socket = true, SSLObject = true }

local function add_type(out, object)
  local class, parents = class_of(object.name), {}
  for i, parent in ipairs(index.parents(object, object.name)) do parents[i] = class_of(parent.name) end
  if OVER_TLS[object.name] then parents[1] = class_of "SSLSocket" end
  out[#out + 1] = ""
  comment(out, object.text)
  out[#out + 1] = "---@class " .. class .. (#parents > 0 and ": " .. table.concat(parents, ", ") or "")
  if is_exported(object) then out[#out + 1] = overload(index.constructor(object) or ANYTHING, class) end
  out[#out + 1] = ("local %s = {}"):format(object.name)
  for _, name in ipairs(object.members) do
    if not name:find ":__" then add_member(out, object.name, ":", name, index.data.entries[name]) end
  end
end

-- What a class without a text of its own inherits.
local function add_class(out, name, entry)
  local word, parents = name:match "[%w_]+$", {}
  for i, parent in ipairs(index.parents(entry, name)) do parents[i] = class_of(parent.name) end
  out[#out + 1] = ""
  comment(out, entry.text)
  out[#out + 1] = ("---@class %s: %s"):format(class_of(word), table.concat(parents, ", "))
  out[#out + 1] = overload(ANYTHING, class_of(word))
  out[#out + 1] = ("M.%s = {}"):format(word)
end

local function add_constants(out)
  local names = {}
  for name, value in pairs(require "csock") do
    if math.type(value) == "integer" then names[#names + 1] = name end
  end
  table.sort(names)
  out[#out + 1] = ""
  for _, name in ipairs(names) do out[#out + 1] = ("M.%s = %d"):format(name, require "csock"[name]) end
end

-- What is csock's own name for what another module has: `csock.spawn`.
local function add_aliases(out)
  local csock = require "csock"
  out[#out + 1] = ""
  out[#out + 1] = 'M.loop = require "csock.loop"'
  out[#out + 1] = 'M.serve = require "csock.serve"'
  for _, name in ipairs(index.modules["csock.loop"].members) do
    local word = name:match "[%w_]+$"
    if csock[word] ~= nil and not index.data.entries["csock." .. word] then
      out[#out + 1] = ("M.%s = M.loop.%s"):format(word, word)
    end
  end
end

-- The definitions of a module.
function M.module(module)
  local out = { "---@meta " .. module.name, "" }
  comment(out, module.text)
  local exported = {}
  local class -- the module itself, as csock.bytesio is
  for _, object in ipairs(index.data.types) do
    local known = index.class(object)
    if known and rawequal(known, package.loaded[module.name]) then class = object end
  end
  if class then
    out[#out] = nil
  elseif module.call then
    local names = add_annotations(out, module.name, module.call)
    out[#out + 1] = ("local function M(%s) end"):format(table.concat(names, ", "))
  else
    out[#out + 1] = "local M = {}"
  end
  for _, object in ipairs(index.data.types) do
    if object.module == module.name then
      add_type(out, object)
      if is_exported(object) and object ~= class then
        exported[object.class or object.name] = true
        out[#out + 1] = ("M.%s = %s"):format(object.class or object.name, object.name)
      end
    end
  end
  for _, name in ipairs(module.members) do
    local entry, word = index.data.entries[name], name:match "[%w_]+$"
    local is_class = entry.kind == "field" and #index.parents(entry, name) > 0
    if is_class then
      add_class(out, name, entry)
    elseif not exported[word] then -- those are said above
      add_member(out, "M", ".", name, entry)
    end
  end
  if module.name == "csock" then
    add_constants(out)
    add_aliases(out)
  end
  out[#out + 1] = ""
  out[#out + 1] = "return " .. (class and class.name or "M")
  return table.concat(out, "\n"):gsub("[ \t]+\n", "\n") .. "\n"
end

local CONFIG = [[
{
  "$schema": "https://raw.githubusercontent.com/LuaLS/LLS-Addons/main/schemas/addon_config.schema.json",
  "name": "csock",
  "words": ["csock"],
  "settings": { "Lua.runtime.version": "Lua 5.4" }
}
]]

local function write(path, content)
  local file <close> = assert(io.open(path, "wb"))
  assert(file:write(content))
end

-- Writes the addon into a directory, which is there.
function M.write(directory)
  assert(internal.may_open("luacats", directory))
  write(directory .. "/config.json", CONFIG)
  for _, module in ipairs(index.data.modules) do
    pcall(require, module.name) -- for the parents of its classes; it may need what is not installed
    local path = directory .. "/library/" .. module.name:gsub("%.", "/") .. ".lua"
    assert(os.execute("mkdir -p '" .. path:match "^(.*)/" .. "'"))
    write(path, (M.module(module)))
  end
end

return M

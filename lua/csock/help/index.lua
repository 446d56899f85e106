-- index.lua: finds what is documented by its name, or by the value itself.
local data = require "csock.help.data"

local M = {}

local modules, types, lower = {}, {}, {} -- by name; `lower`: the names of types and members, in small letters
for _, module in ipairs(data.modules) do modules[module.name] = module end
local by_class = {}
for _, object in ipairs(data.types) do
  types[object.name] = object
  by_class[object.class or object.name] = object
  lower[object.name:lower()] = object.name
end
for name in pairs(data.entries) do lower[name:lower()] = lower[name:lower()] or name end

M.data, M.modules, M.types = data, modules, types

-- The entry of a full name, and that name; nil for another one.
function M.entry(name)
  if data.entries[name] then return data.entries[name], name end
  if modules[name] then return modules[name], name end
  if types[name] then return types[name], name end
  name = lower[name:lower()]
  if name then return data.entries[name] or types[name], name end
end

-- What is a name of csock itself and documented elsewhere: `csock.spawn`, `csock.serve`, `csock.loop`.
local function of_csock(word) return M.entry("csock.loop." .. word) end

local function is_constant(word)
  local csock = package.loaded.csock
  return csock and word:find "^%u[%w_]*$" and math.type(csock[word]) == "integer"
end

local function constant(word)
  if not is_constant(word) then return nil end
  return { kind = "constant", value = package.loaded.csock[word], text = "" }, "csock." .. word
end

-- All full names that end with a word, `csock`'s first.
local function ending_with(word)
  local list = {}
  local function search(owner)
    for _, name in ipairs(owner.members) do
      if name:match "[%w_]+$" == word then list[#list + 1] = name end
    end
  end
  for _, module in ipairs(data.modules) do
    search(module)
    for _, object in ipairs(data.types) do
      if object.module == module.name then search(object) end
    end
  end
  return list
end

-- The entry that a name means: a full one, `"csock.socket"`, `"socket:recv"`; a shorter one, `"http.get"`, `"recv"`,
-- `"AF_INET"`; or with a dot for the colon. And its full name, and a sequence of the full names that it could mean.
function M.find(name)
  name = name:gsub("%(.*", ""):gsub("%s", "")
  local word = name:match "^csock%.([%w_]+)$"
  for _, candidate in ipairs { name, "csock." .. name, (name:gsub("%.([%w_]+)$", ":%1")) } do
    local entry, full = M.entry(candidate)
    if entry then return entry, full, {} end
  end
  local entry, full = of_csock(word or name)
  if not entry then entry, full = constant(word or name) end
  if entry then return entry, full, {} end
  local list = ending_with(name:match "[%w_]+$" or name)
  full = table.remove(list, 1)
  if full then return data.entries[full], full, list end
end

-- The full names of what has a word in its name or its text: those with the word in the name first.
function M.search(word)
  word = word:lower()
  local named, told = {}, {}
  local function look(name, entry)
    if name:lower():find(word, 1, true) then
      named[#named + 1] = name
    elseif entry.text:lower():find(word, 1, true) then
      told[#told + 1] = name
    end
  end
  for name, entry in pairs(data.entries) do look(name, entry) end
  for name, entry in pairs(modules) do look(name, entry) end
  for name, entry in pairs(types) do look(name, entry) end
  table.sort(named)
  table.sort(told)
  return table.move(told, 1, #told, #named + 1, named)
end

-- --- values ---------------------------------------------------------------------------------------

local function is_class(value)
  local class = package.loaded["csock.class"]
  return class and class.isclass(value)
end

-- The class of a type: it may be in a part of its module, as Port is in csock.reactor.port.
local function class_of(object)
  for name, module in pairs(package.loaded) do
    if name:find(object.module, 1, true) == 1 and type(module) == "table" then
      local class = rawget(module, object.class or object.name)
      if is_class(class) then return class end
      if is_class(module) and module.__name == object.name then return module end -- csock.bytesio
    end
  end
end

-- The table of a type's methods: that of a class, or of the userdata that the core has registered.
local function methods_of(object)
  local class = class_of(object)
  if class then return class end
  for _, meta in pairs(debug.getregistry()) do
    if type(meta) == "table" and rawget(meta, "__name") == "csock." .. object.name then
      local methods = rawget(meta, "methods") or rawget(meta, "__index")
      return type(methods) == "table" and methods or meta
    end
  end
end

-- Whether a module, a class or a table of methods has this very value under the last word of a name. Nothing is loaded
-- for it.
local function holds(owner, name, value)
  local word = name:match "[%w_]+$"
  if is_class(owner) then return rawequal(owner[word], value) end
  return type(owner) == "table" and rawequal(rawget(owner, word), value)
end

-- The entry of what a module has, and its name.
local function of_modules(value)
  for _, module in ipairs(data.modules) do
    for _, name in ipairs(module.members) do
      if holds(package.loaded[module.name], name, value) then return data.entries[name], name end
    end
  end
end

-- The entry of a type, by its class or its table of methods; and of a method.
local function of_types(value)
  for _, object in ipairs(data.types) do
    local methods = methods_of(object)
    if rawequal(methods, value) then return object, object.name end
    for _, name in ipairs(object.members) do
      if holds(methods, name, value) then return data.entries[name], name end
    end
  end
end

-- The entry of an object: of the nearest of its classes that is documented; or of the type that its metatable names.
local function of_object(value)
  local meta = debug.getmetatable(value)
  if type(meta) ~= "table" then return nil end
  local class = rawget(meta, "__class")
  for _, parent in ipairs(class and class.__mro or {}) do
    local entry, name = of_types(parent)
    if not entry then entry, name = of_modules(parent) end
    if entry then return entry, name end
  end
  local name = rawget(meta, "__name")
  name = type(name) == "string" and name:match "[^.]+$"
  local object = name and (by_class[name] or types[lower[name:lower()]])
  if object then return object, object.name end
end

-- The entry of a value and its full name: of a function, a method, a module, a class, or of an object's type. Nil for
-- what is not csock's.
function M.of_value(value)
  for _, module in ipairs(data.modules) do
    if rawequal(package.loaded[module.name], value) then return module, module.name end
  end
  local entry, name = of_types(value)
  if not entry then entry, name = of_modules(value) end
  if not entry and (type(value) == "table" or type(value) == "userdata") then entry, name = of_object(value) end
  return entry, name
end

-- The class of a type; nil for one that is none.
M.class = class_of

-- What tells of the arguments of a call of the class of a type: the module's entry of its name, that of the module
-- itself, or its `__init`; nil where nothing does.
function M.constructor(object)
  local class = class_of(object)
  if not class then return nil end
  if rawequal(class, package.loaded[object.module]) then return modules[object.module].call end
  return data.entries[object.module .. "." .. (object.class or object.name)] or data.entries[object.name .. ":__init"]
end

-- The types of the parents of a class, the nearest first: of a type, or of what a module has under this name.
function M.parents(entry, name)
  local module, word = name:match "^(.*)%.([%w_]+)$"
  local class = entry.kind == "type" and methods_of(entry) or module and rawget(package.loaded[module] or {}, word)
  local list = {}
  for i, parent in ipairs(is_class(class) and class.__mro or {}) do
    if i > 1 then list[#list + 1] = of_types(parent) end
  end
  return list
end

-- The options of a function, those of others that it takes, too: sequences of rows with `name`, `type`, `text`.
function M.options(entry, list)
  list = list or {}
  for _, option in ipairs(entry.options or {}) do list[#list + 1] = option end
  local from = entry.from
  local other = from and M.entry(from[1])
  if not other and from then other = M.find(from[1]) end
  for _, option in ipairs(other and M.options(other) or {}) do
    if not from.marked or option.text:find("(S)", 1, true) then list[#list + 1] = option end
  end
  return list
end

return M

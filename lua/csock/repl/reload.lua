-- reload.lua: a module's new code in the place of its old one.
--
-- Each table of the new module is paired with the old one that had its place: the module itself, what is in it under
-- the same name (classes, metatables), what its functions know under the same name (`local clients = {}`). The old
-- table stays, since others hold it: it gets what the new one has, loses functions that the new one lacks, and keeps
-- all else. The new functions see the old tables.
local live = require "csock.repl.live"

local M = {}

local Pairing = {}
Pairing.__index = Pairing

-- The fields of a table or class, apart from it.
local function fields_of(t)
  local fields = {}
  for key, value in pairs(t) do fields[key] = value end
  return fields
end

-- The upvalues of a function by their names: index and value. C functions have none with names.
local function upvalues_of(f)
  local by_name = {}
  for i = 1, math.huge do
    local name, value = debug.getupvalue(f, i)
    if not name then return by_name end
    if name ~= "" then by_name[name] = { i = i, value = value } end
  end
end

function Pairing:match(old, new)
  if rawequal(old, new) or type(old) ~= type(new) then return end
  if type(new) == "table" then self:match_tables(old, new) end
  if type(new) == "function" then self:match_functions(old, new) end
end

function Pairing:match_functions(old, new)
  if self.functions[new] then return end
  self.functions[new] = true
  local before = upvalues_of(live.definition(old))
  for name, upvalue in pairs(upvalues_of(new)) do
    if before[name] then self:match(before[name].value, upvalue.value) end
    if type(upvalue.value) == "function" then self.functions[upvalue.value] = true end
  end
end

function Pairing:match_tables(old, new)
  if self.old[new] then return end
  self.old[new] = old
  local before, after = fields_of(old), fields_of(new)
  for key, value in pairs(before) do
    if type(value) == "function" and after[key] == nil then old[key] = nil end
  end
  for key, value in pairs(after) do
    self:match(before[key], value)
    if type(value) == "function" then
      self.changed = self.changed + 1
      self.functions[value] = true
    end
    if not (type(value) == "table" and type(before[key]) == "table") then old[key] = value end
  end
  self:match(debug.getmetatable(old), debug.getmetatable(new))
end

-- The new functions see the old tables.
function Pairing:link()
  for f in pairs(self.functions) do
    for _, upvalue in pairs(upvalues_of(f)) do
      local old = self.old[upvalue.value]
      if old then debug.setupvalue(f, upvalue.i, old) end
    end
  end
end

local function load_module(name)
  local path = package.searchpath(name, package.path)
  if not path then return nil, "there is no module " .. name end
  local chunk, message = loadfile(path)
  if not chunk then return nil, message end
  local ok, module = pcall(chunk, name, path)
  if not ok then return nil, tostring(module) end
  if module == nil then return nil, name .. " gives nil" end
  return module
end

-- Loads a module anew: how many functions it has; or nil and what is wrong, and then all is as before.
function M.module(name)
  local old = package.loaded[name]
  if old == nil then return nil, name .. " is not loaded" end
  local new, why = load_module(name)
  if new == nil then return nil, why end
  local pairing = setmetatable({ old = {}, functions = {}, changed = 0 }, Pairing)
  pairing:match(old, new)
  pairing:link()
  if type(old) ~= "table" or type(new) ~= "table" then package.loaded[name] = new end
  return math.max(pairing.changed, 1)
end

-- Runs a file, whose global functions take the old ones' places, as those do that are typed: true, or nil and what is
-- wrong with it.
function M.file(path, env, ...)
  local names = setmetatable({}, {
    __index = env,
    __newindex = function(_, key, value)
      if type(value) == "function" then value = live.define(env[key], value) end
      env[key] = value
    end,
  })
  local chunk, message = loadfile(path, "bt", names)
  if not chunk then return nil, message end
  local ok, why = pcall(chunk, ...)
  if not ok then return nil, tostring(why) end
  return true
end

return M

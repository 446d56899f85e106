-- names.lua: what a name means at the prompt: a local of the session; a name of the session's own (`_`, `help`); a
-- global; a name of csock's; or one of its modules, which is loaded then.
local csock = require "csock"
local chunk = require "csock.repl.chunk"
local help = require "csock.help"
local live = require "csock.repl.live"

local M = {}

-- Modules that are there without `require`, by their last names.
M.MODULES = {
  "asynchat", "asyncore", "class", "cookies", "http", "httpserver", "protocol", "reactor", "redis", "repl",
  "socketserver", "ssl", "url", "websocket",
}

local is_module = {}
for _, name in ipairs(M.MODULES) do is_module[name] = true end

local function module_named(name)
  if not is_module[name] then return nil end
  local ok, module = pcall(require, "csock." .. name)
  return ok and module or nil
end

local function is_name(key) return type(key) == "string" end

-- The environment of what is typed, for `load`: the table of its locals. `own`: the session's own names, which stand
-- before the globals.
function M.environment(own)
  local locals, declared = {}, {} -- declared: what is a local, also while it is nil
  own.csock = csock
  own.help = help.with(function(text) (own.print or print)(text) end)
  own[chunk.LOCALS] = setmetatable({}, {
    __newindex = function(_, key, value)
      declared[key] = true
      rawset(locals, key, value)
    end,
  })
  own[chunk.LIVE] = function(name, f, is_local)
    local old
    if is_local then old = rawget(locals, name) else old = locals[name] end
    return live.define(old, f)
  end
  return setmetatable(locals, {
    __index = function(_, key)
      if declared[key] then return nil end
      local value = own[key]
      if value == nil then value = _G[key] end
      if value == nil and is_name(key) then value = csock[key] end
      if value == nil then value = module_named(key) end
      return value
    end,
    __newindex = function(_, key, value)
      if declared[key] then return rawset(locals, key, value) end
      if own[key] ~= nil then own[key] = value end
      _G[key] = value
    end,
  })
end

return M

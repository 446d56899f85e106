--- What the servers of remote calls have in common: the functions that may be called.
-- @module csock.xmlrpc
local check = require "csock.check"
local class = require "csock.class"
local own = require "csock.help.own"
local shape = require "csock.rpc.shape"

local NAME = check.kind("string that is not empty", function(value) return type(value) == "string" and value ~= "" end)
local OBJECT = check.kind("table", function(value) return type(value) == "table" end)

--- The functions that may be called from far away: of `SimpleXMLRPCServer`, `CGIXMLRPCRequestHandler` and
-- @{csock.jsonrpc}'s `SimpleJSONRPCServer`.
--
-- What a function returns is the result: one value. It says that it has failed by returning nil and an error, or by
-- raising: a `Fault` goes to the client as it is; of other errors the client gets the message, without the place, and
-- the server `method_error`. An argument that is null is nil to the function.
-- Source: Python's `xmlrpc.server.SimpleXMLRPCDispatcher`.
-- @type rpcdispatcher
local RPCDispatcher = class("RPCDispatcher")

-- The fields that it works with: an object of several classes gets them by this, before anything is registered.
function RPCDispatcher:_prepare() self.funcs, self.docs, self.instance = {}, {}, nil end

function RPCDispatcher:__init() self:_prepare() end

--- Lets a function be called.
-- @tparam function f
-- @tparam string name under which it is called. (Lua's functions have none of their own.)
-- @tparam[opt] string help what `system.methodHelp` says (default: the comment above the function)
-- @treturn function `f`
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_function(function(a, b) return a + b end, "add")
function RPCDispatcher:register_function(f, name, help)
  check.argument(check.FUNCTION, f, 1, "register_function")
  check.argument(NAME, name, 2, "register_function")
  if help ~= nil then check.argument(check.STRING, help, 3, "register_function") end
  self.funcs[name], self.docs[name] = f, help
  return f
end

--- Lets an object's methods be called, those whose names do not begin with `_`; in the place of an object before. If it
-- has a method `_dispatch`, that is called for each name that is no function's: `instance:_dispatch(name, params)`.
-- `_listMethods` and `_methodHelp` answer introspection.
-- @tparam table instance
-- @tparam[opt=false] boolean allow_dotted_names whether `a.b` is the method `b` of its field `a`. What can be reached
-- from the object is then open to strangers
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- local Calculator = class "Calculator"
-- function Calculator:add(a, b) return a + b end
-- server:register_instance(Calculator())
function RPCDispatcher:register_instance(instance, allow_dotted_names)
  check.argument(OBJECT, instance, 1, "register_instance")
  self.instance, self.allow_dotted_names = instance, allow_dotted_names == true
end

--- Lets `system.listMethods`, `system.methodHelp` and `system.methodSignature` be called.
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_introspection_functions()
-- print(server:system_listMethods()[1]) --> system.listMethods
function RPCDispatcher:register_introspection_functions()
  for _, name in ipairs { "listMethods", "methodHelp", "methodSignature" } do
    local method = "system_" .. name
    self.funcs["system." .. name] = function(...) return self[method](self, ...) end
  end
end

-- --- finding ---------------------------------------------------------------------------------------

local function index(object, name) return object[name] end

-- A field of an object, which may raise for one that it has not.
local function field_of(object, name)
  local ok, value = pcall(index, object, name)
  return ok and value or nil
end

local function has_method(object, name) return type(field_of(object, name)) == "function" end

-- The function of a name, and the object that it is a method of; nil.
local function resolve(self, name)
  local object, words = self.instance, { name }
  if self.allow_dotted_names then
    words = {}
    for word in (name .. "."):gmatch "([^.]*)%." do words[#words + 1] = word end
  end
  local value = object
  for _, word in ipairs(words) do
    if word == "" or word:sub(1, 1) == "_" or type(value) ~= "table" then return nil end
    object, value = value, field_of(value, word)
  end
  if type(value) == "function" then return value, object end
end

-- What is to be called for a name, as a function of the parameters; nil. And the function that is meant, if known.
function RPCDispatcher:_find(name)
  local f = self.funcs[name]
  if f then return f, f end
  local instance = self.instance
  if not instance then return nil end
  if has_method(instance, "_dispatch") then
    return function(...) return instance:_dispatch(name, shape.array(table.pack(...))) end
  end
  local method, object = resolve(self, name)
  if method then return function(...) return method(object, ...) end, method end
end

-- The names of an object's methods, its class's included.
local function public_methods(instance, names)
  local function look(values)
    for name, value in pairs(values) do
      if type(name) == "string" and name:sub(1, 1) ~= "_" and type(value) == "function" then names[name] = true end
    end
  end
  look(instance)
  local meta = getmetatable(instance)
  local of_class = type(meta) == "table" and rawget(meta, "__class")
  for _, one in ipairs(class.isclass(of_class) and of_class.__mro or {}) do look(one) end
  if not of_class and type(meta) == "table" and type(meta.__index) == "table" then look(meta.__index) end
end

--- The names of all functions that may be called, sorted.
-- @treturn {string,...}
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_function(print, "print")
-- print(server:system_listMethods()[1]) --> print
function RPCDispatcher:system_listMethods()
  local names, list, instance = {}, shape.array(), self.instance
  for name in pairs(self.funcs) do names[name] = true end
  if instance and has_method(instance, "_listMethods") then
    for _, name in ipairs(instance:_listMethods()) do names[name] = true end
  elseif instance and not has_method(instance, "_dispatch") then
    public_methods(instance, names)
  end
  for name in pairs(names) do list[#list + 1] = name end
  table.sort(list)
  return list
end

-- csock's own, which have no comments that are meant for clients.
local HELP = {
  ["system.listMethods"] = "The names of all methods.", ["system.methodHelp"] = "What a method does: (name).",
  ["system.methodSignature"] = "The types of a method's arguments, which this server does not know: (name).",
  ["system.multicall"] = "Calls several methods: an array of structs of methodName and params.",
}

--- What a function does: what it was registered with, or the comment above it.
-- @tparam string name
-- @treturn string `""` where there is none
-- @usage
-- local server = xmlrpc.SimpleXMLRPCServer {"", 8000}
-- server:register_function(function(a, b) return a + b end, "add", "Adds two numbers.")
-- print(server:system_methodHelp "add") --> Adds two numbers.
function RPCDispatcher:system_methodHelp(name)
  name = tostring(name)
  if self.docs[name] then return self.docs[name] end
  if HELP[name] and self.funcs[name] then return HELP[name] end
  local instance = self.instance
  if instance and not self.funcs[name] and has_method(instance, "_methodHelp") then
    return instance:_methodHelp(name)
  end
  local _, f = self:_find(name)
  if not f then return "" end
  local _, comment = own.of(f)
  return comment or ""
end

--- Says that signatures are not known.
-- @treturn string `"signatures not supported"`
-- @usage print(xmlrpc.SimpleXMLRPCDispatcher():system_methodSignature()) --> signatures not supported
function RPCDispatcher.system_methodSignature() return "signatures not supported" end

--- Called when a function has raised something that is no fault: writes it and a traceback to standard error.
-- @tparam string name the function's
-- @param err what it has raised
-- @tparam string traceback
function RPCDispatcher.method_error(_, name, _, traceback)
  io.stderr:write(("Error in the method %q:\n%s\n"):format(name, traceback))
end

-- --- calling ---------------------------------------------------------------------------------------

local function traced(err) return { err = err, traceback = debug.traceback(tostring(err), 2) } end

-- Calls a function with its parameters: true and the result; or false, what was raised, and the words about it that are
-- meant for the client.
function RPCDispatcher:_call(f, name, params)
  local arguments, count = {}, params.n or #params
  for i = 1, count do
    if params[i] ~= shape.null then arguments[i] = params[i] end
  end
  local results = table.pack(xpcall(f, traced, table.unpack(arguments, 1, count)))
  local ok, value, err = results[1], results[2], results[3]
  if ok and value == nil and err ~= nil then return false, err, tostring(err) end
  if ok then return true, value end
  if not self:_is_fault(value.err) then self:method_error(name, value.err, value.traceback) end
  return false, value.err, (tostring(value.err):gsub("^[^\n]-:%d+: ", ""))
end

return RPCDispatcher

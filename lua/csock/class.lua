--- Classes with several parents, in Python's order of resolution.
--
--     local class = require "csock.class"
--
--     local Animal = class("Animal")
--     function Animal:__init(name) self.name = name end
--     function Animal:speak() return self.name .. " says " .. self:sound() end
--
--     local Dog = class("Dog", Animal)
--     function Dog:sound() return "woof" end
--     function Dog:speak() return Dog.super.speak(self) .. "!" end
--
--     print(Dog("Rex"):speak()) --> Rex says woof!
--
-- **Making objects.** Calling a class makes an object and calls its `__init` with the arguments. An
-- `__init` that returns nil and an error refuses: these are then the results of the call, as of
-- any function of csock that can fail. Whatever else it returns does not matter. What a class's `__new()` gives, if it
-- has one, becomes the object: a table with its fields already, where so many are made that it should not grow field by
-- field.
--
-- **Looking up.** An object's own fields come first, then those of its class and of all the class's
-- ancestors, in the order of `Class.__mro`. Classes are live: what is assigned to one is seen at once by
-- its objects and descendants, those that exist already too. A field that is nil is not there.
--
-- **The parent's method.** `Class.super.method(self, ...)` calls the method that comes after `Class`'s own in
-- the order of *the object's* class, as Python's `super()` does; `Class` is the class in which the call
-- is written.
--
-- **Metamethods** (`__tostring`, `__close`, `__gc`, `__len`, `__call`, `__eq`, ...) are inherited like methods. A
-- class's `__index` is a function `(object, key)`, asked for what is found nowhere else, or a table. (Lua finalizes
-- only objects that had a `__gc` when they were made; it may be redefined then.)
--
-- Every class has `__name` (a string), `__bases` and `__mro` (sequences), `super`, and `__class`, which is
-- itself, so that `object.__class` is the object's class.
-- @module csock.class

-- What is known of each class. `own` holds what was assigned to it; `all` what its objects see: for
-- every name the first value along the order. `all` is brought up to date on each assignment, in the
-- class and its descendants, so that a look-up is one in a plain table.
local records = setmetatable({}, { __mode = "k" })

local function lookup(mro, first, name)
  for i = first, #mro do
    local value = records[mro[i]].own[name]
    if value ~= nil then return value end
  end
end

-- Asks a class's own `__index` for what the class does not have.
local function fallback(all, index)
  if index == nil then return all end
  return function(object, key)
    local value = all[key]
    if value ~= nil then return value end
    if type(index) == "function" then return index(object, key) end
    return index[key]
  end
end

-- Brings what the class's objects see under a name up to date.
local function refresh(record, name)
  local value = lookup(record.mro, 1, name)
  record.all[name] = value
  if type(name) ~= "string" or name:sub(1, 2) ~= "__" then return end
  if name == "__index" then value = fallback(record.all, value) end
  record.meta[name] = value
end

local function assign(class, name, value)
  local record = records[class]
  record.own[name] = value
  refresh(record, name)
  for descendant in pairs(record.descendants) do refresh(records[descendant], name) end
end

-- The order --------------------------------------------------------------------------------------

local function names(classes)
  local list = {}
  for i, class in ipairs(classes) do list[i] = class.__name end
  return table.concat(list, ", ")
end

-- Whether the class stands in one of the lists behind its first place.
local function in_a_tail(class, lists)
  for _, list in ipairs(lists) do
    for i = list.first + 1, #list do
      if list[i] == class then return true end
    end
  end
  return false
end

-- The first class that heads a list and comes behind another one in none.
local function next_class(lists)
  for _, list in ipairs(lists) do
    local class = list[list.first]
    if class and not in_a_tail(class, lists) then return class end
  end
end

-- C3: each class before its parents, the parents in the order in which they are named, and the
-- parents' own orders kept. Gives the ancestors in that order; nil when there is none.
local function linearize(bases)
  local lists, order = {}, {}
  for i, base in ipairs(bases) do
    lists[i] = table.move(records[base].mro, 1, #records[base].mro, 1, { first = 1 })
  end
  lists[#lists + 1] = table.move(bases, 1, #bases, 1, { first = 1 })
  while true do
    local class = next_class(lists)
    if not class then break end
    order[#order + 1] = class
    for _, list in ipairs(lists) do
      if list[list.first] == class then list.first = list.first + 1 end
    end
  end
  for _, list in ipairs(lists) do
    if list.first <= #list then return nil end
  end
  return order
end

-- super -------------------------------------------------------------------------------------------

-- `Class.super`: for each name a function that finds the method anew in each call, since the order
-- is the object's and methods may change.
local function new_super(class)
  return setmetatable({}, {
    __index = function(super, name)
      local function call(object, ...)
        local record = type(object) == "table" and records[object.__class]
        local place = record and record.places[class]
        if not place then
          error(("%s.super.%s: a %s expected as the first argument"):format(class.__name, name, class.__name), 2)
        end
        local method = lookup(record.mro, place + 1, name)
        if method == nil then
          error(("no method '%s' after %s in the order of %s"):format(name, class.__name, record.own.__name), 2)
        end
        return method(object, ...)
      end
      super[name] = call
      return call
    end,
    __tostring = function() return ("<super of %s>"):format(class.__name) end,
  })
end

-- Classes -----------------------------------------------------------------------------------------

local function constructed(object, ok, err, ...)
  if ok == nil and err ~= nil then return nil, err, ... end
  return object
end

local class_meta = {
  __name = "class",
  __index = function(class, name) return records[class].all[name] end,
  __newindex = assign,
  __tostring = function(class) return ("<class %s>"):format(class.__name) end,
  __pairs = function(class) return pairs(records[class].own) end,
  __call = function(class, ...)
    local meta = records[class].meta
    local new = meta.__new
    local object = setmetatable(new and new() or {}, meta)
    return constructed(object, object:__init(...))
  end,
}

local function is_class(value) return getmetatable(value) == class_meta end

local function new_class(name, bases, ancestors)
  local class = setmetatable({}, class_meta)
  local all = {}
  local record = {
    own = {}, all = all, meta = { __index = all },
    descendants = setmetatable({}, { __mode = "k" }), -- at any depth
    places = {},                                      -- ancestor -> its place in the order
    mro = table.move(ancestors, 1, #ancestors, 2, { class }),
  }
  records[class] = record
  for i, ancestor in ipairs(record.mro) do
    record.places[ancestor] = i
    if i > 1 then records[ancestor].descendants[class] = true end
  end
  for i = #record.mro, 2, -1 do
    for inherited in pairs(records[record.mro[i]].own) do refresh(record, inherited) end
  end
  assign(class, "__name", name)
  assign(class, "__bases", bases)
  assign(class, "__mro", record.mro)
  assign(class, "__class", class)
  assign(class, "super", new_super(class))
  return class
end

--- The ancestor of all classes.
-- @field Object
local Object = new_class("Object", {}, {})

function Object.__init() end

-- As Python's: `<Dog object at 0x55d0c0ffee00>`.
function Object:__tostring()
  return ("<%s object at %p>"):format(self.__class.__name, self)
end

local M = { Object = Object }

--- Makes a class. Called as the module itself: `class("Dog", Animal, Pet)`.
-- @function csock.class
-- @tparam string name for messages and `tostring`
-- @param ... its parents, in the order of resolution; none: `class.Object`
-- @treturn class
-- @raise when the parents allow no order of resolution, naming them
-- @usage
-- local Animal = class "Animal"
-- function Animal:__init(name) self.name = name end
-- local Dog = class("Dog", Animal)
-- function Dog:speak() return self.name .. ": woof" end
-- print(Dog("Rex"):speak()) --> Rex: woof
local function make(_, name, ...)
  if type(name) ~= "string" then
    error(("bad argument #1 to 'class' (string expected, got %s)"):format(type(name)), 2)
  end
  local bases, seen = { ... }, {}
  for i = 1, select("#", ...) do
    local base = bases[i]
    if not is_class(base) then
      error(("bad argument #%d to 'class' (parent %d of '%s': class expected, got %s)")
        :format(i + 1, i, name, type(base)), 2)
    end
    if seen[base] then error(("class '%s': the parent %s is named twice"):format(name, base.__name), 2) end
    seen[base] = true
  end
  if #bases == 0 then bases[1] = Object end
  local ancestors = linearize(bases)
  if not ancestors then
    error(("class '%s': there is no order of resolution for the parents %s"):format(name, names(bases)), 2)
  end
  return new_class(name, bases, ancestors)
end

--- Makes an object of a table that is there already, and calls its `__init`: the table's fields are the object's.
-- Where many objects are made, none of them grows field by field then.
-- @param class
-- @tparam table object
-- @param ... what `__init` gets
-- @treturn table `object`, or what a call of the class would give
-- @usage
-- local Animal = class "Animal"
-- function Animal:__init(sound) self.sound = sound end
-- local cat = class.adopt(Animal, {name = "Tom", sound = nil}, "miaow")
-- print(cat.name, cat.sound, class.isinstance(cat, Animal)) --> Tom	miaow	true
function M.adopt(class, object, ...)
  if not is_class(class) then
    error(("bad argument #1 to 'adopt' (class expected, got %s)"):format(type(class)), 2)
  end
  if type(object) ~= "table" then
    error(("bad argument #2 to 'adopt' (table expected, got %s)"):format(type(object)), 2)
  end
  setmetatable(object, records[class].meta)
  return constructed(object, object:__init(...))
end

--- Whether a value is a class.
-- @param value
-- @treturn boolean
-- @usage print(class.isclass(class "Dog"), class.isclass {}) --> true false
function M.isclass(value) return is_class(value) end

-- Whether there is one of some classes in the order of a class. `class` may be nil: nothing that has one.
local function descends(call, class, ...)
  local n, found = select("#", ...), false
  if n == 0 then error(("bad argument #2 to '%s' (class expected, got no value)"):format(call), 3) end
  for i = 1, n do
    local ancestor = select(i, ...)
    if not is_class(ancestor) then
      error(("bad argument #%d to '%s' (class expected, got %s)"):format(i + 1, call, type(ancestor)), 3)
    end
    found = found or class ~= nil and records[class].places[ancestor] ~= nil
  end
  return found
end

--- Whether a class is one of some classes or descends from one.
-- Source: Python's `issubclass`.
-- @tparam class class
-- @tparam class ... the classes
-- @treturn boolean
-- @raise for what is no class
-- @usage
-- local Animal = class "Animal"
-- print(class.issubclass(class("Dog", Animal), Animal)) --> true
function M.issubclass(class, ...)
  if not is_class(class) then
    error(("bad argument #1 to 'issubclass' (class expected, got %s)"):format(type(class)), 2)
  end
  local found = descends("issubclass", class, ...)
  return found
end

--- Whether a value is an object of one of some classes, or of a descendant of one.
-- Source: Python's `isinstance`.
-- @param value anything
-- @tparam class ... the classes
-- @treturn boolean
-- @raise when one of them is no class
-- @usage
-- local Dog = class "Dog"
-- print(class.isinstance(Dog(), Dog)) --> true
function M.isinstance(value, ...)
  local meta = type(value) == "table" and not is_class(value) and getmetatable(value)
  local class = type(meta) == "table" and rawget(meta, "__class")
  local found = descends("isinstance", is_class(class) and class or nil, ...)
  return found
end

return setmetatable(M, { __call = make })

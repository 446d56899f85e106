--- Writes what `csock.help` tells: `lua doc/help.lua FILE`. The comments are those that doc/manual.lua gathers; here
-- their tags are taken apart, and it all becomes one table in Lua.
local manual = require "doc.manual"

local M = {}

-- A tag over several lines becomes one text; `more` are its modifiers: `opt`, `opt=5`, `2`.
local function tags_of(item)
  local list = {}
  for _, line in ipairs(item.tags) do
    local name, rest = line:match "^@(%w+)(.*)$"
    if name then
      local more, modifiers = "", rest:match "^%b[]"
      if modifiers then more, rest = modifiers:sub(2, -2), rest:sub(#modifiers + 1) end
      list[#list + 1] = { name = name, more = more, text = rest:gsub("^ +", "") }
    else
      list[#list].text = list[#list].text .. "\n" .. line
    end
  end
  for _, tag in ipairs(list) do tag.text = tag.text:gsub("^\n+", ""):gsub("%s+$", "") end
  return list
end

-- "Source: ..." may begin a line or stand in one, and lasts until the paragraph's end.
local function split_source(lines)
  local text = ("\n" .. table.concat(lines, "\n") .. "\n\n"):gsub("%-%-+\n", "\n")
  local before, source, after = text:match "^(.-%s)Source: (.-)\n\n(.*)$"
  if not source then before, after = text, "" end
  text = (before .. (after ~= "" and "\n\n" .. after or "")):gsub("\n\n\n+", "\n\n"):gsub("^%s*\n", ""):gsub("%s+$", "")
  return text, source and source:gsub("%s+", " ")
end

local function pair_of(text)
  local first, rest = text:match "^(%S+)%s*(.*)$"
  return first, rest
end

-- --- entries --------------------------------------------------------------------------------------

local function parameter(tag)
  local new = { text = "" }
  if tag.name == "param" then
    new.name, new.text = pair_of(tag.text)
  elseif tag.name == "tparam" then
    new.type, new.text = pair_of(tag.text)
    new.name, new.text = pair_of(new.text)
  elseif tag.name == "int" then
    new.type = "int"
    new.name, new.text = pair_of(tag.text)
  else
    return nil
  end
  new.name = new.name:gsub(";$", "")
  if tag.more:find "^opt" then new.optional, new.default = true, tag.more:match "^opt=(.*)$" end
  return new
end

-- An argument `options.timeout` is an option of the argument `options`, which may have those of other functions, too:
-- "those of @{csock.create_server}"; "... that are marked (S)" means those alone whose text begins so.
local function add_parameter(entry, new)
  local owner, option = new.name:match "^(%w+)%.([%w_]+)$"
  if owner then
    new.name = option
    entry.options = entry.options or {}
    table.insert(entry.options, new)
    return
  end
  entry.params = entry.params or {}
  table.insert(entry.params, new)
  for phrase, name in new.text:gmatch "(those of @{([%w_.:]+)}[^,;]*)" do
    entry.from = { name, marked = phrase:find("marked (S)", 1, true) and true }
  end
end

local function add_tags(entry, item)
  for _, tag in ipairs(tags_of(item)) do
    local new = parameter(tag)
    if new then
      add_parameter(entry, new)
    elseif tag.name == "treturn" or tag.name == "return" then
      local result = { group = math.tointeger(tonumber(tag.more)) or 1, text = tag.text }
      if tag.name == "treturn" then result.type, result.text = pair_of(tag.text) end
      entry.results = entry.results or {}
      table.insert(entry.results, result)
    elseif tag.name == "raise" then
      entry.raises = tag.text
    elseif tag.name == "usage" then
      entry.usage = entry.usage or {}
      table.insert(entry.usage, tag.text)
    end
  end
end

local function entry_of(item, kind)
  local entry = { kind = kind or item.kind }
  entry.text, entry.source = split_source(item.text)
  add_tags(entry, item)
  return entry
end

-- The name that users write for a type that is a class: `StreamRequestHandler`.
local function class_name(about)
  local file <close> = assert(io.open(about.place, "rb"))
  for word in file:read("a"):gmatch '[%w_]%(?%s*"([%a_][%w_]*)"' do
    if word:lower() == about.name:lower() and word:find "%u" and about.place:find "%.lua$" then return word end
  end
  return about.name
end

--- What is known, as a table: `modules` and `types`, sequences of entries with their `name` and their `members` (the
-- names of what they have), a type also with its `module`, and its `class` where that has another name; and `entries`,
-- from a full name (`"csock.socket"`, `"socket:recv"`) to an entry:
--
-- - `kind`: "function", "field", "module" or "type"; `text`; `source`; `usage` (a sequence of examples)
-- - `params`: a sequence of `name`, `type`, `optional`, `default`, `text`
-- - `results`: a sequence of `group` (1: what a success gives; others: what a failure does), `type`, `text`
-- - `raises`; `options`: a sequence as `params`; `from`: the function whose options it takes, too
-- - `call`, of a module: the entry of a call of the module itself
function M.collect()
  local data = { modules = {}, types = {}, entries = {} }

  local function add(name, entry, owner)
    assert(not data.entries[name], name .. " is documented twice")
    data.entries[name] = entry
    if owner then table.insert(owner.members, name) end
  end

  for _, page in ipairs(manual.gather()) do
    local module = entry_of(page.about, "module")
    module.name, module.members = page.name, {}
    table.insert(data.modules, module)
    for _, section in ipairs(page.sections) do
      for _, item in ipairs(section.items) do
        if page.name:match "[^.]+$" == item.name then -- the module is called itself
          module.call = entry_of(item)
        else
          add(page.name .. "." .. item.name, entry_of(item), module)
        end
      end
    end
    for _, object in ipairs(page.types) do
      local known = entry_of(object.about, "type")
      known.name, known.module, known.members = class_name(object.about), page.name, {}
      if object.about.class ~= known.name then known.class = object.about.class end
      table.insert(data.types, known)
      for _, item in ipairs(object.items) do
        add(known.name .. ":" .. item.name:match ":(.*)", entry_of(item), known)
      end
    end
  end
  return data
end

-- --- writing --------------------------------------------------------------------------------------

-- A table as Lua, keys in order, so that the same comments give the same bytes; a line for each entry.
local function write(value, put, depth)
  if type(value) ~= "table" then return put((("%q"):format(value):gsub("\\\n", "\\n"))) end
  local behind = depth < 2 and ",\n" or ","
  put "{"
  for _, element in ipairs(value) do
    write(element, put, depth + 1)
    put(behind)
  end
  local keys = {}
  for key in pairs(value) do
    if type(key) == "string" then keys[#keys + 1] = key end
  end
  table.sort(keys)
  for _, key in ipairs(keys) do
    put(key:find "^[%a_][%w_]*$" and key or ("[%q]"):format(key))
    put "="
    write(value[key], put, depth + 1)
    put(behind)
  end
  put "}"
end

--- The text of the module `csock.help.data`.
function M.generate()
  local pieces = { "-- Written by doc/help.lua.\nreturn " }
  write(M.collect(), function(piece) pieces[#pieces + 1] = piece end, 0)
  pieces[#pieces + 1] = "\n"
  return table.concat(pieces)
end

if arg and arg[0] and arg[0]:find "doc/help%.lua$" then
  local text = M.generate()
  local file <close> = assert(io.open(arg[1], "wb"))
  assert(file:write(text))
end

return M

-- text.lua: puts what is known of a name into plain text.
local index = require "csock.help.index"

local M = {}

-- Without the marks of the manual: `code`, @{references}, **stress**.
local function plain(text)
  return (text:gsub("@{([^}]*)}", "%1"):gsub("`", ""):gsub("%*%*(.-)%*%*", "%1"))
end

-- One paragraph in lines of at most `columns`, the first behind `first`, the others behind `rest`.
local function wrap(text, columns, first, rest)
  local lines, line = {}, first
  for word in text:gmatch "%S+" do
    local longer = line == first and line .. word or line .. (line == rest and "" or " ") .. word
    if #longer > columns and line ~= first and line ~= rest then
      lines[#lines + 1] = line
      longer = rest .. word
    end
    line = longer
  end
  lines[#lines + 1] = line
  return table.concat(lines, "\n")
end

-- The blocks of a text: paragraphs, the items of lists, code.
local function blocks(text)
  local list, block = {}, nil
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do
    local item = line:match "^[*-] (.*)"
    if line:find "^%s*$" then
      if block and block.code then block[#block + 1] = "" else block = nil end
    elseif line:find "^    " and (not block or block.code) then
      if not block then
        block = { code = true }
        list[#list + 1] = block
      end
      block[#block + 1] = line
    else
      if item or not block or block.code then
        block = { item = item and true, after = list[#list] and list[#list] == block }
        list[#list + 1] = block
      end
      block[#block + 1] = item or line
    end
  end
  return list
end

-- A text of the manual, wrapped, every line behind `indent`.
local function flow(text, columns, indent)
  local out = {}
  for _, block in ipairs(blocks(text)) do
    if block.code then
      while block[#block] == "" do block[#block] = nil end
      out[#out + 1] = indent .. table.concat(block, "\n" .. indent)
    elseif block.item then
      out[#out + 1] = wrap(plain(table.concat(block, " ")), columns, indent .. "- ", indent .. "  ")
    else
      out[#out + 1] = wrap(plain(table.concat(block, " ")), columns, indent, indent)
    end
  end
  return (table.concat(out, "\n\n"):gsub("(\n *%- [^\n]*)\n\n(%f[ -] *%- )", "%1\n%2"))
end

-- The first sentence of a text, in one line.
function M.summary(text)
  local paragraph = plain((text .. "\n\n"):match "^(.-)\n\n"):gsub("%s+", " ")
  return (paragraph:match "^(.-[.:])%s+[%u(]" or paragraph):gsub("%s*[.:]?%s*$", "")
end

local function words_of_type(name)
  local optional = name:find "^%?"
  name = name:gsub("^%?", ""):gsub("|", " or ")
  return optional and name .. " or nil" or name
end

-- How a function is called: `socket:recv(size[, flags])`.
function M.signature(name, params)
  local text, open = {}, 0
  for i, param in ipairs(params or {}) do
    local begin = i > 1 and ", " or ""
    local later_required = false
    for k = i + 1, #params do
      later_required = later_required or not (params[k].optional or params[k].name == "...")
    end
    if not param.optional then
      text[#text + 1] = begin .. param.name
    elseif later_required then -- may be left out in the middle: `sendto(data[, flags], address)`
      text[#text + 1] = ("[%s%s]"):format(begin, param.name)
    else
      text[#text + 1] = ("[%s%s"):format(begin, param.name)
      open = open + 1
    end
  end
  return ("%s(%s%s)"):format(name, table.concat(text), ("]"):rep(open))
end

local function add_parameter(out, param, columns, indent)
  local about = {}
  if param.type then about[#about + 1] = words_of_type(param.type) end
  if param.default then
    about[#about + 1] = "default " .. param.default
  elseif param.optional then
    about[#about + 1] = "optional"
  end
  local head = param.name .. (#about > 0 and (" (%s)"):format(table.concat(about, ", ")) or "")
  local text = flow(param.text, columns, indent .. "  ")
  if text == "" then
    out[#out + 1] = indent .. head
    return
  end
  local first, rest = (text .. "\n\n"):match "^(.-)\n\n(.*)$"
  out[#out + 1] = wrap(head .. ": " .. first, columns, indent, indent .. "  ")
  rest = rest:gsub("%s+$", "")
  if rest ~= "" then out[#out + 1] = rest end
end

-- "socket", "nil, error, errno (`EBADF`)"; what has something said of it ends its line.
local function add_results(out, group, columns, first)
  local types = {}
  for i, result in ipairs(group) do
    local head, said = result.type and words_of_type(result.type), plain(result.text)
    if head == "int" and said:find "^errno" then head = nil end
    if head and (said == "" or said:find "^%(") then head, said = head .. (said ~= "" and " " or "") .. said, "" end
    types[#types + 1] = (head or "") .. (head and said ~= "" and ": " or "") .. said
    if said ~= "" or i == #group then
      out[#out + 1] = wrap(table.concat(types, ", ") .. (i < #group and "," or ""), columns, first, "    ")
      types, first = {}, "  "
    end
  end
end

local function results_of(entry, columns)
  local groups, order = {}, {}
  for _, result in ipairs(entry.results or {}) do
    if not groups[result.group] then
      groups[result.group] = {}
      order[#order + 1] = result.group
    end
    table.insert(groups[result.group], result)
  end
  local out = {}
  for i, number in ipairs(order) do add_results(out, groups[number], columns, i > 1 and "  or " or "  ") end
  return out
end

local function add_section(out, title, lines)
  if #lines > 0 then out[#out + 1] = title .. ":\n" .. table.concat(lines, "\n") end
end

local function function_text(out, entry, columns)
  local lines = {}
  for _, param in ipairs(entry.params or {}) do
    add_parameter(lines, param, columns, "  ")
    if param.type == "table" or param.name == "options" then
      for _, option in ipairs(entry.options or {}) do add_parameter(lines, option, columns, "    ") end
    end
  end
  add_section(out, "Arguments", lines)
  add_section(out, "Results", results_of(entry, columns))
  if entry.raises then out[#out + 1] = wrap(plain(entry.raises), columns, "Raises: ", "  ") end
end

local function examples(out, entry)
  for i, example in ipairs(entry.usage or {}) do
    out[#out + 1] = (i == 1 and "Example:\n  " or "  ") .. example:gsub("\n", "\n  ")
  end
end

-- A line for each of some names: how it is called, and its first sentence.
function M.list(names, columns)
  local lines = {}
  for _, name in ipairs(names) do
    local entry = index.entry(name)
    local head = name
    if entry.kind == "function" then head = M.signature(name, entry.params) end
    local line = ("  %s  %s"):format(head, M.summary(entry.text))
    if #line > columns then line = line:sub(1, columns - 3):gsub("%s+%S*$", "") .. "..." end
    lines[#lines + 1] = line
  end
  return lines
end

local function types_of(module)
  local names = {}
  for _, object in ipairs(index.data.types) do
    if object.module == module.name then names[#names + 1] = object.name end
  end
  return names
end

-- What a module, a type or a class has, and what a class has from its parents.
local function members(out, entry, name, columns)
  local own, seen = entry.members or {}, {}
  add_section(out, "It has", M.list(own, columns))
  if entry.kind == "module" then return add_section(out, "Types", M.list(types_of(entry), columns)) end
  for _, member in ipairs(own) do seen[member:match "[^:]+$"] = true end
  for _, parent in ipairs(index.parents(entry, name)) do
    local inherited = {}
    for _, member in ipairs(parent.members) do
      local word = member:match "[^:]+$"
      if not seen[word] then inherited[#inherited + 1] = member end
      seen[word] = true
    end
    add_section(out, "From " .. parent.name, M.list(inherited, columns))
  end
end

local function heading(entry, name)
  if entry.kind == "function" then return M.signature(name:gsub(":__init$", ""), entry.params) end
  if entry.kind == "constant" then return ("%s = %d"):format(name, entry.value) end
  if entry.kind == "type" then return ("%s: a type of %s"):format(name, entry.module) end
  if entry.kind == "module" then return ("%s: a module (require %q)"):format(name, name) end
  return name
end

-- The whole text of an entry. `long`: with all paragraphs and the source; else the first one.
function M.entry(entry, name, columns, long)
  local out = { heading(entry, name) }
  local text = entry.text
  if not long and entry.kind == "function" then
    text = (text .. "\n\n"):match "^(.-)\n\n" .. (text:find("\n\n", 1, true) and " [...]" or "")
  end
  if text ~= "" then out[#out + 1] = flow(text, columns, "") end
  if entry.kind == "constant" then out[#out + 1] = "A constant of this system, see its manual." end
  local called = entry.call or entry.kind == "type" and index.constructor(entry)
  if called then out[#out + 1] = M.entry(called, name, columns, long) end
  if entry.kind == "function" then function_text(out, entry, columns) end
  if entry.kind ~= "function" then members(out, entry, name, columns) end
  examples(out, entry)
  if entry.source and (long or entry.kind == "function") then
    out[#out + 1] = wrap(plain(entry.source), columns, "Source: ", "  ")
  end
  return table.concat(out, "\n\n")
end

M.plain, M.wrap = plain, wrap

return M

-- embed.lua: csock's modules that are written in Lua, as a C file: `lua csrc/csock/embed.lua lua OUTPUT`. Comments and
-- indentation stay behind, lines keep their numbers.
local omit = dofile "csrc/csock/omit.lua"
local root, output = ...

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- The text without comments and indentation: token by token, for as far as comments and strings go.
local function bare(text)
  local out, at = {}, 1
  while at <= #text do
    local level = text:match("^%-%-%[(=*)%[", at) or text:match("^%[(=*)%[", at)
    local quote = text:match("^[\"']", at)
    local stop
    if level then -- a long comment or string
      local close = "]" .. level .. "]"
      stop = select(2, assert(text:find(close, at, true)))
      local comment = text:sub(at, at) == "-"
      local piece = text:sub(at, stop)
      out[#out + 1] = comment and " " .. piece:gsub("[^\n]+", "") or piece
    elseif text:find("^%-%-", at) then
      stop = (text:find("\n", at, true) or #text + 1) - 1
    elseif quote then
      stop = at + 1
      while text:sub(stop, stop) ~= quote do stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1) end
      out[#out + 1] = text:sub(at, stop)
    elseif text:find("^\n", at) then
      stop = select(2, text:find("^\n[ \t]*", at))
      out[#out + 1] = "\n"
    else
      stop = at
      out[#out + 1] = text:sub(at, at)
    end
    at = stop + 1
  end
  return table.concat(out)
end

local escapes = { ["\n"] = "\\n", ['"'] = '\\"', ["\\"] = "\\\\", ["?"] = "\\?" }

-- As C's string literals, one for each line.
local function literals(text)
  local list = {}
  for line in text:gmatch "[^\n]*\n?" do
    local escaped = line:gsub('[\n"\\?\128-\255%c]', function(c)
      return escapes[c] or ("\\%03o"):format(c:byte())
    end)
    if line ~= "" then list[#list + 1] = '"' .. escaped .. '"' end
  end
  return list
end

local pipe <close> = assert(io.popen(("find '%s' -name '*.lua' | LC_ALL=C sort"):format(root)))
local modules = {}
for path in pipe:lines() do
  local name = path:sub(#root + 2, -5):gsub("/", ".")
  local text = read(path)
  local short = bare(text)
  -- The same program, to the last line number.
  assert(string.dump(assert(load(text, "=" .. name))) == string.dump(assert(load(short, "=" .. name))), path)
  local module = { name = name, text = short, needs = {} }
  for needed in ("\n" .. text):gmatch '\nlocal [%w_]+ = require "(csock[%w_.]*)"' do
    table.insert(module.needs, needed)
  end
  modules[#modules + 1] = module
  modules[name] = module
end

-- The groups without which a module cannot be loaded: its own, and those of what it loads.
local function groups_of(module, seen)
  if seen[module] then return end
  seen[module] = true
  for _, group in ipairs(omit.of(omit.modules, module.name)) do seen[group] = true end
  for _, needed in ipairs(module.needs) do
    if modules[needed] then groups_of(modules[needed], seen) end
  end
end

local out = {
  "/* Written by csrc/csock/embed.lua. */",
  '#include "csock/modules.h"',
  "#if defined(__GNUC__)",
  '#pragma GCC diagnostic ignored "-Woverlength-strings"',
  "#endif",
  "const cs_module cs_modules[] = {",
}
for _, module in ipairs(modules) do
  local groups, conditions, macros = {}, {}, {}
  groups_of(module, groups)
  for group in pairs(omit.modules) do
    if groups[group] then macros[#macros + 1] = "CSOCK_OMIT_" .. group end
  end
  table.sort(macros)
  for i, macro in ipairs(macros) do conditions[i] = ("defined(%s)"):format(macro) end
  if #macros > 0 then
    out[#out + 1] = "#if " .. table.concat(conditions, " || ")
    out[#out + 1] = ('{"%s", NULL, 0, "%s"},\n#else'):format(module.name, table.concat(macros, " or "))
  end
  out[#out + 1] = ('{"%s",'):format(module.name)
  for _, line in ipairs(literals(module.text)) do out[#out + 1] = line end
  out[#out + 1] = ("  , %d, NULL},"):format(#module.text)
  if #macros > 0 then out[#out + 1] = "#endif" end
end
out[#out + 1] = "{NULL, NULL, 0, NULL},\n};\n"
local file <close> = assert(io.open(output, "wb"))
assert(file:write(table.concat(out, "\n")))

-- amalgamate.lua: all of csock in one C file: `lua csrc/csock/amalgamate.lua MODULES OUTPUT FILE...`. MODULES is what
-- embed.lua wrote, FILE... are the sources. Headers come in where they are first included, once. Names that several
-- files have for something of their own get the file's name as well: `fill` of csrc/stream/read.c is
-- `fill_stream_read`.
local modules, output = ...
local files = { select(3, ...) }

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
end

-- What is in a text besides comments.
local function code_of(text)
  return (text:gsub("/%*.-%*/", function(comment) return (comment:gsub("[^\n]", "")) end))
end

-- The path that an #include in `path` means.
local function resolve(path, included)
  local full = path:match "^(.*/)" .. included
  repeat
    local before = full
    full = full:gsub("[^/.]+/%.%./", "")
  until full == before
  return full
end

-- What the file has for itself: name -> whether it is a macro. What is nested deeper is indented.
local function names_of(code)
  local names = {}
  for line in code:gmatch "[^\n]+" do
    local static = line:match "^static%s+(.*)"
    if static then
      local before = static:match "^[^(=;%[]*"
      if before:find "struct%s*{?$" or before:find "[{]" then before = "" end
      local name = before:match "([%a_][%w_]*)%s*$"
      if name then names[name] = false end
    end
    local macro = line:match "^#%s*define%s+([%a_][%w_]*)"
    if macro then names[macro] = true end
    local tag = line:match "^typedef%s+struct%s+([%a_][%w_]*)" or line:match "^}%s*([%a_][%w_]*);"
      or line:match "^struct%s+([%a_][%w_]*)%s*{" or line:match "^%a*%s*enum%s+([%a_][%w_]*)%s*{"
    if tag then names[tag] = false end
  end
  for constants in code:gmatch "\n%a*%s*enum[%w_%s]*{(.-)}" do
    for constant in constants:gsub("=[^,]*", ""):gmatch "[%a_][%w_]*" do names[constant] = false end
  end
  return names
end

local owners, own = {}, {}
for _, path in ipairs(files) do
  own[path] = names_of(code_of(read(path)))
  for name in pairs(own[path]) do owners[name] = (owners[name] or 0) + 1 end
end

-- The text with the file's names made its own: of identifiers that are no fields, outside of strings and comments.
local function renamed(path, text)
  local suffix = "_" .. path:match "^csrc/(.*)%.c$":gsub("/", "_")
  local out, at = {}, 1
  while at <= #text do
    local _, stop = text:find("^/%*.-%*/", at)
    if not stop then _, stop = text:find("^#%s*include[^\n]*", at) end
    local piece
    if not stop and text:find('^["\']', at) then
      local quote = text:sub(at, at)
      stop = at + 1
      while text:sub(stop, stop) ~= quote do stop = stop + (text:sub(stop, stop) == "\\" and 2 or 1) end
    elseif not stop and text:find("^[%a_]", at) then
      _, stop = text:find("^[%w_]+", at)
      local name = text:sub(at, stop)
      local before = text:sub(math.max(1, at - 2), at - 1)
      local field = before:find "%.$" and not before:find "%.%.$" or before == "->"
      if own[path][name] == false and owners[name] > 1 and not field then piece = name .. suffix end
    elseif not stop then
      _, stop = text:find("^%d[%w_.]*", at) -- 0xff is no name
      stop = stop or at
    end
    out[#out + 1] = piece or text:sub(at, stop)
    at = stop + 1
  end
  return table.concat(out)
end

local out, seen = {}, {}

local function add(path, text)
  if seen[path] then return end
  seen[path] = true
  out[#out + 1] = ('\n/* --- %s --- */\n'):format(path)
  for line, newline in text:gmatch "([^\n]*)(\n?)" do
    local included = line:match '^#%s*include%s+"([^"]+)"'
    if included then
      local header = resolve(path, included)
      if header == "csrc/csock.h" then out[#out + 1] = '#include "csock.h"\n' else add(header, read(header)) end
    elseif line:find "^#%s*include" then -- what is the system's is not hidden
      out[#out + 1] = "CS_SYSTEM_BEGIN\n" .. line .. "\nCS_SYSTEM_END\n"
    else
      out[#out + 1] = line .. newline
    end
  end
end

local version = read "csrc/csock.h":match '#define CSOCK_VERSION%s+"([^"]+)"'
local title = "/* csock %s in one file, put together from its sources by `make amalgamation`: see csock.h. */\n"
out[1] = title:format(version) .. [[
#define CS_AMALGAMATION 1
#define CS_EXPORT       static
#if defined(__GNUC__)
#define CS_SYSTEM_BEGIN _Pragma("GCC visibility push(default)")
#define CS_SYSTEM_END   _Pragma("GCC visibility pop")
_Pragma("GCC visibility push(hidden)")
#else
#define CS_SYSTEM_BEGIN
#define CS_SYSTEM_END
#endif
]]
for _, path in ipairs(files) do
  add(path, renamed(path, read(path)))
  for name, macro in pairs(own[path]) do
    if macro and owners[name] > 1 then out[#out + 1] = "#undef " .. name .. "\n" end
  end
end
for line in io.lines(modules) do
  if not line:find "^#include" then out[#out + 1] = line .. "\n" end
end
out[#out + 1] = '#if defined(__GNUC__)\n_Pragma("GCC visibility pop")\n#endif\n'
local file <close> = assert(io.open(output, "wb"))
assert(file:write(table.concat(out)))

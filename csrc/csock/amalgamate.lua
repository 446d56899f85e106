-- amalgamate.lua: all of csock in one C file: `lua csrc/csock/amalgamate.lua MODULES OUTPUT FILE...`. MODULES is what
-- embed.lua wrote, FILE... are the sources. Headers come in where they are first included, once. No two files have one
-- name for something of their own (spec/amalgamation_spec.lua).
local omit = dofile "csrc/csock/omit.lua"
local modules, output = ...
local files = { select(3, ...) }

local function read(path)
  local file <close> = assert(io.open(path, "rb"))
  return file:read "a"
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
#if defined(__cplusplus) /* which warns of fields that are left 0 by name, as C does not */
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wmissing-field-initializers"
#endif
#define CS_SYSTEM_BEGIN _Pragma("GCC visibility push(default)")
#define CS_SYSTEM_END   _Pragma("GCC visibility pop")
_Pragma("GCC visibility push(hidden)")
#else
#define CS_SYSTEM_BEGIN
#define CS_SYSTEM_END
#endif
]]
for _, path in ipairs(files) do
  local condition = omit.condition(omit.files, path)
  if condition then -- its headers come before: others may need them
    for included in read(path):gmatch '#include%s+"([^"]+)"' do
      local header = resolve(path, included)
      if header ~= "csrc/csock.h" then add(header, read(header)) end
    end
    out[#out + 1] = condition .. "\n"
  end
  add(path, read(path))
  if condition then out[#out + 1] = "#endif\n" end
end
for line in io.lines(modules) do
  if not line:find "^#include" then out[#out + 1] = line .. "\n" end
end
out[#out + 1] = '#if defined(__GNUC__)\n_Pragma("GCC visibility pop")\n'
  .. "#if defined(__cplusplus)\n#pragma GCC diagnostic pop\n#endif\n#endif\n"
local file <close> = assert(io.open(output, "wb"))
assert(file:write(table.concat(out)))

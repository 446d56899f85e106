-- capture.lua: what a program prints to the terminal, told to the editor: `print`, `io.write`, and the `write` of
-- standard output and standard error.
local csock = require "csock"

local methods = getmetatable(io.stdout).__index
local native = methods.write -- of all files

local M = { write = native }

-- What a call of `write` would write; nil: what it does not take.
local function text_of(...)
  local parts = table.pack(...)
  for i = 1, parts.n do
    local kind = math.type(parts[i])
    if kind == "float" then
      parts[i] = ("%.14g"):format(parts[i])
    elseif kind == "integer" then
      parts[i] = ("%d"):format(parts[i])
    elseif type(parts[i]) ~= "string" then
      return nil
    end
  end
  return table.concat(parts)
end

local Capture = {}
Capture.__index = Capture

-- From now on `editor:above` is called with what is printed, until what this returns is closed.
function M.begin(editor)
  local shown = { [io.stdout] = csock.isatty(1), [io.stderr] = csock.isatty(2) }
  local self = setmetatable({ print = print, write = io.write }, Capture)

  function methods.write(file, ...)
    local text = shown[file] and text_of(...)
    if not text then return native(file, ...) end
    editor:above(text)
    return file
  end

  io.write = function(...) -- luacheck: ignore
    local file = io.output()
    if shown[file] then return file:write(...) end
    return self.write(...)
  end

  print = function(...) -- luacheck: ignore
    local parts = table.pack(...)
    for i = 1, parts.n do parts[i] = tostring(parts[i]) end
    io.stdout:write(table.concat(parts, "\t"), "\n")
  end

  self.own = { print = print, write = io.write }
  return self
end

-- Those that were put in their places since then stay.
function Capture:close()
  methods.write = native
  if print == self.own.print then print = self.print end -- luacheck: ignore
  if io.write == self.own.write then io.write = self.write end -- luacheck: ignore
end

return M

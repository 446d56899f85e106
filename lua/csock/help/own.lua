-- own.lua: what a program says of its functions itself: the comment above each.
local M = {}

-- The lines of the chunk that a function is from; nil where they cannot be had. Code that was typed is its chunk's
-- name, or kept by the prompt.
local function lines_of(info)
  local text
  if info.source:find "^@" then
    local file <close> = io.open(info.source:sub(2), "rb")
    text = file and file:read "a"
  elseif info.source:find "^=" then
    local sources = package.loaded["csock.repl.sources"]
    text = sources and sources.get(info.source:sub(2))
  else
    text = info.source
  end
  if not text then return nil end
  local lines = {}
  for line in (text .. "\n"):gmatch "(.-)\r?\n" do lines[#lines + 1] = line end
  return lines
end

-- The comment that ends in the line before `number`.
local function comment_above(lines, number)
  local found = {}
  local i = number - 1
  if (lines[i] or ""):find "%]=*%]%s*$" and not lines[i]:find "^%s*%-%-[^%[]" then
    repeat
      table.insert(found, 1, lines[i])
      i = i - 1
    until not lines[i] or found[1]:find "^%s*%-%-%[=*%["
    if not found[1]:find "^%s*%-%-%[=*%[" then return nil end
    local text = table.concat(found, "\n"):gsub("^%s*%-%-%[=*%[", ""):gsub("%]=*%]%s*$", "")
    return (text:gsub("^%s+", ""):gsub("%s+$", ""):gsub("\n[ \t]+", "\n"))
  end
  while (lines[i] or ""):find "^%s*%-%-" do
    table.insert(found, 1, (lines[i]:gsub("^%s*%-%-+ ?", "")))
    i = i - 1
  end
  return #found > 0 and table.concat(found, "\n") or nil
end

local function name_in(line)
  return line:match "function%s+([%w_.:]+)%s*%(" or line:match "([%w_.:]+)%s*=%s*function"
end

-- What a function that was typed at csock's prompt is defined as now; any other value itself.
function M.definition(value)
  local live = package.loaded["csock.repl.live"]
  return live and type(value) == "function" and live.definition(value) or value
end

-- A function's parameters, as they are in the manual's entries.
function M.parameters(f)
  local info, params = debug.getinfo(f, "u"), {}
  for i = 1, info.nparams do params[i] = { name = debug.getlocal(f, i) or "?" } end
  if info.isvararg then params[#params + 1] = { name = "..." } end
  return params
end

-- What is known of a function that is not csock's: its name as its source has it (nil: none), the comment (nil), and
-- the place, such as `"server.lua:12"`.
function M.of(f)
  local info = debug.getinfo(f, "S")
  if info.what == "C" then return nil, nil, "C" end
  local place = ("%s:%d"):format(info.short_src, info.linedefined)
  local lines = lines_of(info)
  local line = lines and lines[info.linedefined]
  if not line or not line:find "%f[%w_]function%f[^%w_]" then return nil, nil, place end -- the file has changed
  return name_in(line), comment_above(lines, info.linedefined), place
end

return M

-- Runs spec files, each in a process of its own, several at a time:
-- `lua5.4 spec/support/suite.lua COMMAND... -- SPEC...`, where COMMAND with a file behind it runs that file, and a SPEC
-- is a file or a directory. What a file prints comes as a whole when it has ended; the counts of all are the last line.
-- JOBS: how many at a time; the number of processors by default.
local FIRST = { "spec/backends_spec.lua", "spec/waits_spec.lua" } -- they take longest

local function lines_of(command)
  local pipe <close> = assert(io.popen(command))
  local list = {}
  for line in pipe:lines() do list[#list + 1] = line end
  return list
end

local function quote(text) return "'" .. text:gsub("'", "'\\''") .. "'" end

local function files_of(specs)
  local files, seen = {}, {}
  local function add(name)
    if not seen[name] then files[#files + 1] = name end
    seen[name] = true
  end
  local list = {}
  for _, spec in ipairs(specs) do
    local found = spec:find "%.lua$" and { spec } or
      lines_of("find " .. quote(spec) .. " -name '*_spec.lua' | LC_ALL=C sort")
    for _, name in ipairs(found) do list[#list + 1] = name:gsub("^%./", "") end
  end
  local wanted = {}
  for _, name in ipairs(list) do wanted[name] = true end
  for _, name in ipairs(FIRST) do
    if wanted[name] then add(name) end
  end
  for _, name in ipairs(list) do add(name) end
  return files
end

local command, specs = {}, {}
for _, word in ipairs(arg) do
  if word == "--" and not command.done then
    command.done = true
  else
    table.insert(command.done and specs or command, command.done and word or quote(word))
  end
end

local files = files_of(specs)
if #files == 0 then
  print "0 passed, 0 failed"
  os.exit(1)
end
local jobs = math.tointeger(os.getenv "JOBS") or math.tointeger(lines_of("getconf _NPROCESSORS_ONLN")[1]) or 1
local directory = lines_of("mktemp -d")[1]
local todo = assert(io.open(directory .. "/files", "w"))
for i, name in ipairs(files) do todo:write(i, "\n", name, "\n") end
todo:close()

-- Each job ends with a line: its exit status, its number, its file.
local job = ([[%s "$2" >%s/"$1" 2>&1; echo "$? $1 $2"]]):format(table.concat(command, " "), directory)
local pipe = assert(io.popen(("xargs -n 2 -P %d sh -c %s job <%s/files"):format(jobs, quote(job), directory)))

local passed, failed, skipped = 0, 0, 0
for line in pipe:lines() do
  local status, number, name = line:match "^(%d+) (%d+) (.*)$"
  local log = assert(io.open(directory .. "/" .. number))
  local text = log:read "a"
  log:close()
  local rest, counts = text:match "^(.-)([^\n]* passed, %d+ failed[^\n]*)\n$"
  local p, f, s = (counts or ""):match "^(%d+) passed, (%d+) failed,? ?(%d*)"
  io.stdout:write(p and rest or text)
  if not p then -- it died; an empty file's failure is told by run.lua itself
    p, f, s = 0, 1, 0
    io.stdout:write(("\nFAILED %s ended with the status %s\n\n"):format(name, status))
  elseif status ~= "0" and f == "0" then
    f = 1
    io.stdout:write(("\nFAILED %s ended with the status %s\n%s\n\n"):format(name, status, counts))
  end
  passed, failed, skipped = passed + p, failed + f, skipped + (tonumber(s) or 0)
  io.stdout:flush()
end
pipe:close()
os.execute("rm -rf " .. quote(directory))
print(("%d passed, %d failed"):format(passed, failed) .. (skipped > 0 and (", %d skipped"):format(skipped) or ""))
os.exit(failed == 0 and passed > 0)

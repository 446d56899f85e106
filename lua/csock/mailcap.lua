--- Which program shows which type: mailcap files (RFC 1524), as Python's `mailcap` reads them.
--
--     local caps = mailcap.getcaps()
--     local argv, entry, stdin = mailcap.findmatch(caps, "text/html", "view", "/tmp/page.html")
--     if argv then print(table.concat(argv, " ")) end
--
-- **No shell** sees any of it. A command is taken apart into a program and its arguments here: blanks, quotes,
-- backslashes and variables of the environment (`$DISPLAY`) are understood; what would need a shell (pipes,
-- redirection, several commands, patterns, substitutions) is passed over. Names of files, types and parameters, which
-- strangers choose, are taken only if they are harmless even where a program hands them to a shell.
-- @module csock.mailcap
local check = require "csock.check"
local core = require "csock.core"
local csock = require "csock"

local lower = require("csock.wire.ascii").lower

local M = {}

local files = core.file

local MOST = 1 << 24 -- bytes of a file

-- --- reading --------------------------------------------------------------------------------------

-- The fields of an entry, between semicolons without a backslash.
local function fields_of(line)
  local fields, from, at = {}, 1, 1
  while true do
    local found = line:find("[;\\]", at)
    if found and line:byte(found) == 92 then
      at = found + 2
    else
      fields[#fields + 1] = line:sub(from, (found or #line + 1) - 1):match "^%s*(.-)%s*$"
      if not found then return fields end
      from, at = found + 1, found + 1
    end
  end
end

-- A type, and its entry; nil for what is none.
local function parse_line(line)
  local fields = fields_of(line)
  if #fields < 2 or fields[1] == "" then return nil end
  local entry = { view = fields[2] }
  for i = 3, #fields do
    local name, value = fields[i]:match "^([^=]-)%s*=%s*(.*)$"
    name = name or fields[i]
    if name ~= "" and entry[name] == nil then entry[name] = value or "" end
  end
  return lower((fields[1]:gsub("%s*/%s*", "/"))), entry
end

-- Adds the entries of a file's text.
local function read(caps, text, count)
  text = text:gsub("\r\n", "\n")
  text = ("\n" .. text):gsub("\n#[^\n]*", "\n"):gsub("\\\n", "") -- a comment is no line that goes on
  for line in text:gmatch "[^\n]+" do
    local kind, entry = parse_line(line)
    if kind then
      entry.lineno = count
      count = count + 1
      caps[kind] = caps[kind] or {}
      table.insert(caps[kind], entry)
    end
  end
  return count
end

--- The mailcap files of this user and this system, in the order in which they count.
-- @function listmailcapfiles
-- @treturn {string,...} paths, of files that may be missing: those in the variable `MAILCAPS`, or the usual ones
-- @usage print(#mailcap.listmailcapfiles() > 0) --> true
function M.listmailcapfiles()
  local list, given = {}, os.getenv "MAILCAPS"
  if given then
    for path in given:gmatch "[^:]+" do list[#list + 1] = path end
    return list
  end
  return { (os.getenv "HOME" or ".") .. "/.mailcap", "/etc/mailcap", "/usr/etc/mailcap", "/usr/local/etc/mailcap" }
end

--- Reads mailcap files.
-- @function getcaps
-- @tparam[opt] {string,...} paths default: those of `listmailcapfiles`; what cannot be read is passed over
-- @treturn table from types in lower case, as `"text/html"` or `"image/*"`, to sequences of entries: tables of what
-- stands there (`view`, `test`, `edit`, `compose`, `print`, `nametemplate` ...; flags such as `needsterminal` are
-- `""`), and `lineno`
-- @usage print(type(mailcap.getcaps()["text/html"] or {})) --> table
function M.getcaps(paths)
  local caps, count = {}, 0
  for _, path in ipairs(paths or M.listmailcapfiles()) do
    local file <close> = files.open(path, "r")
    local text = file and file:read(MOST, 0)
    if text then count = read(caps, text, count) end
  end
  return caps
end

-- --- commands -------------------------------------------------------------------------------------

local function refused(words)
  return csock.make_error { call = "subst", errno = csock.errno.EINVAL, strerror = words, kind = "mailcap" }
end

-- Harmless to any shell, and no option.
local function is_safe(text) return not text:find "[^%w_@+=:,./\x80-\xff-]" and not text:find "^%-" end

-- What stands for `%s`, `%t`, `%{name}`; nil: it is refused.
local function value_of(letter, name, from)
  if letter == "%" then return "%" end
  if letter == "s" then return from.filename end
  if letter == "t" then return from.type end
  if letter ~= "{" then return nil end
  return from.params[lower(name)] or ""
end

-- Reads the characters of a command, one after the other.
local Reader = {}
Reader.__index = Reader

function Reader:put(text) self.word = (self.word or "") .. text end

function Reader:next_word()
  if self.word then self.argv[#self.argv + 1] = self.word end
  self.word = nil
end

-- Behind "%": nil, or why it is refused.
function Reader:percent()
  local letter = self.text:sub(self.at, self.at)
  local name, behind
  if letter == "{" then
    name, behind = self.text:match("^{([^}]*)}()", self.at)
    if not name then return "a '}' is missing" end
  end
  local value = value_of(letter, name, self.from)
  if not value then return "'%" .. letter .. "' is not known" end
  if letter ~= "%" and not is_safe(value) then return "no harmless value of '%" .. letter .. "': " .. value end
  if letter == "s" then self.named = true end
  self:put(value)
  self.at = behind or self.at + 1
end

-- Behind "$".
function Reader:dollar()
  local name, behind = self.text:match("^([%a_][%w_]*)()", self.at)
  if not name then
    name, behind = self.text:match("^{([%a_][%w_]*)}()", self.at)
  end
  if not name then return "'$' needs a shell" end
  self:put(os.getenv(name) or "")
  self.at = behind
end

-- In double quotes, up to their end.
function Reader:double()
  self:put ""
  while self.at <= #self.text do
    local c = self.text:sub(self.at, self.at)
    self.at = self.at + 1
    local why
    if c == '"' then
      return nil
    elseif c == "%" then
      why = self:percent()
    elseif c == "$" then
      why = self:dollar()
    elseif c == "`" then
      why = "'`' needs a shell"
    elseif c == "\\" and self.text:find('^["\\$`]', self.at) then
      self:put(self.text:sub(self.at, self.at))
      self.at = self.at + 1
    else
      self:put(c)
    end
    if why then return why end
  end
  return "a quote is missing"
end

-- In single quotes. What stands for something does so there, too.
function Reader:single()
  self:put ""
  while self.at <= #self.text do
    local c = self.text:sub(self.at, self.at)
    self.at = self.at + 1
    local why
    if c == "'" then return nil end
    if c == "%" then why = self:percent() else self:put(c) end
    if why then return why end
  end
  return "a quote is missing"
end

function Reader:step()
  local c = self.text:sub(self.at, self.at)
  self.at = self.at + 1
  if c == " " or c == "\t" then
    self:next_word()
  elseif c == '"' then
    return self:double()
  elseif c == "'" then
    return self:single()
  elseif c == "%" then
    return self:percent()
  elseif c == "$" then
    return self:dollar()
  elseif c == "\\" then
    if self.at > #self.text then return "a '\\' at the end" end
    self:put(self.text:sub(self.at, self.at))
    self.at = self.at + 1
  elseif c:find "[|&;<>()`*?%[%]{}!\n\r%z]" or not self.word and c:find "[~#]" then
    return ("'%s' needs a shell"):format(c)
  elseif c == "=" and #self.argv == 0 then
    return "'=' in the first word needs a shell"
  else
    self:put(c)
  end
end

-- Parameters as a table from names in lower case; Python's "name=value" as well.
local function params_of(params)
  local list = {}
  for key, given in pairs(params or {}) do
    local name, value = key, given
    if math.type(key) then
      name, value = tostring(given):match "^([^=]*)=(.*)$"
    end
    if name then list[lower(name)] = tostring(value) end
  end
  return list
end

--- Makes a command ready to be run: a program and its arguments.
-- @function subst
-- @tparam string command as an entry has it: `%s` is the file, `%t` the type, `%{name}` a parameter
-- @tparam string type
-- @tparam string filename
-- @tparam[opt] table params of the type: from names to values, or `"name=value"`
-- @treturn[1] {string,...} the program and its arguments
-- @treturn[1] boolean whether the file must come as standard input: it is not named
-- @treturn[2] nil when it needs a shell, or one of the values is not harmless
-- @treturn[2] error
-- @treturn[2] int errno (EINVAL)
-- @usage
-- local argv = mailcap.subst("show -t %t '%s'", "text/html", "/tmp/page.html")
-- print(table.unpack(argv)) --> show -t text/html /tmp/page.html
function M.subst(command, type, filename, params)
  check.argument(check.STRING, command, 1, "subst")
  check.argument(check.STRING, type, 2, "subst")
  check.argument(check.STRING, filename, 3, "subst")
  -- The backslashes of the file come before those of the command.
  command = command:gsub("\\(.)", function(c) return c == "%" and "%%" or c end)
  local from = { type = type, filename = filename, params = params_of(params) }
  local reader = setmetatable({ text = command, at = 1, argv = {}, from = from }, Reader)
  while reader.at <= #command do
    local why = reader:step()
    if why then return refused(why) end
  end
  reader:next_word()
  if #reader.argv == 0 or reader.argv[1] == "" then return refused "no command" end
  return reader.argv, not reader.named
end

-- --- choosing -------------------------------------------------------------------------------------

local PASSED_ON = {
  "PATH", "HOME", "USER", "LOGNAME", "SHELL", "TERM", "LANG", "LC_ALL", "DISPLAY", "WAYLAND_DISPLAY", "XAUTHORITY",
  "XDG_RUNTIME_DIR", "TMPDIR",
}

-- Where a program is; nil: nowhere.
local function path_of(name)
  if name:find "/" then return name end
  for folder in (os.getenv "PATH" or "/usr/bin:/bin"):gmatch "[^:]+" do
    local path = folder .. "/" .. name
    local file = files.open(path, "r")
    if file then
      local _, mode = file:stat()
      file:close()
      if mode & 73 ~= 0 then return path end -- somebody may execute it
    end
  end
end

-- Runs a test, without a shell: whether it is passed.
local function passes(command, kind, filename, params)
  local argv = M.subst(command, kind, filename, params)
  local path = argv and path_of(argv[1])
  local nothing <close> = path and files.open("/dev/null", "w") or nil
  if not nothing then return false end
  local environment = {}
  for _, name in ipairs(PASSED_ON) do
    local value = os.getenv(name)
    if value then environment[#environment + 1] = name .. "=" .. value end
  end
  local pid = core.program.run({ path }, argv, environment, { 0, nothing, 1, nothing, 2, 2 }, "group")
  if not pid then return false end
  local _, status = csock.waitpid(pid)
  return status == 0
end

--- Finds a command for a type.
-- @function findmatch
-- @tparam table caps as `getcaps` gives them
-- @tparam string type as `"text/html"`
-- @tparam[opt="view"] string key which command: `"view"`, `"edit"`, `"compose"`, `"print"` ...
-- @tparam[opt="/dev/null"] string filename
-- @tparam[opt] table params of the type, as for `subst`
-- @treturn ?{string,...} the program and its arguments; nil when there is none. Entries whose test is not passed, or
-- which need a shell, are passed over
-- @treturn ?table the entry
-- @treturn ?boolean whether the file must come as standard input
-- @usage
-- local caps = {["text/plain"] = {{view = "less %s"}}}
-- print(table.concat(mailcap.findmatch(caps, "text/plain", "view", "/tmp/a"), " ")) --> less /tmp/a
function M.findmatch(caps, type, key, filename, params)
  check.argument(check.TABLE, caps, 1, "findmatch")
  check.argument(check.STRING, type, 2, "findmatch")
  key, filename, type = key or "view", filename or "/dev/null", lower(type)
  local entries = {}
  for _, name in ipairs { type, type:match "^[^/]*" .. "/*" } do
    for _, entry in ipairs(caps[name] or {}) do
      if entry[key] then entries[#entries + 1] = { entry, entry.lineno or math.huge, #entries } end
    end
  end
  table.sort(entries, function(a, b) return a[2] < b[2] or a[2] == b[2] and a[3] < b[3] end)
  for _, one in ipairs(entries) do
    local entry = one[1]
    local argv, stdin = M.subst(entry[key], type, filename, params)
    if argv and (not entry.test or entry.test == "" or passes(entry.test, type, filename, params)) then
      return argv, entry, stdin
    end
  end
  return nil
end

return M

--- What there is in a directory.
-- @module csock.ftp
local check = require "csock.check"
local replies = require "csock.ftp.replies"

-- The methods: csock.ftp gives them to its class.
local FTP = {}

local MOST = 1 << 20 -- names

local function argument(value, call)
  if value == nil then return "" end
  return " " .. check.argument(replies.LINE, value, 1, call)
end

-- The lines of a listing, and `before` it a command, if any; nil, err, errno.
local function lines_of(self, line, before)
  local lines = {}
  local reply, err, errno = self:__lines(line, function(text)
    if #lines < MOST then lines[#lines + 1] = text end
  end, before)
  if not reply then return nil, err, errno end
  return lines
end

--- The names in a directory. (A server that has none may say 550: that is an error.)
-- @tparam[opt] string directory (default: the one that it is in)
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:nlst()[1]) --> README
function FTP:nlst(directory) return lines_of(self, "NLST" .. argument(directory, "nlst")) end

--- Lists a directory as the server shows it to people.
-- @tparam[opt] string directory
-- @tparam[opt] function sink `sink(line)` (default: prints it)
-- @treturn[1] string the reply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- ftp:dir("/pub", function(line) print(line) end)
function FTP:dir(directory, sink) return self:retrlines("LIST" .. argument(directory, "dir"), sink) end

-- Facts and name of a line (RFC 3659, section 7.2); nil for none.
local function facts_of(line)
  local text, name = line:match "^([^ ]*) (.+)$"
  if not name then return nil end
  local facts = {}
  for key, value in text:gmatch "([^=;]+)=([^;]*)" do facts[key:lower()] = value end
  return name, facts
end

FTP.__facts_of = facts_of

--- What is in a directory, in a form made for programs (RFC 3659).
-- @tparam[opt] string directory
-- @tparam[opt] {string,...} facts which are wanted: `"type"`, `"size"`, `"modify"` ... (default: what the server gives)
-- @treturn[1] table name -> facts, by their names in lower case, all strings (`type`: "file", "dir", "cdir", "pdir")
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local ftp <close> = assert(ftps.FTP("localhost", {port = 21}))
-- print(ftp:mlsd("/pub").README.size) --> 5
function FTP:mlsd(directory, facts)
  local before
  if facts then
    for _, fact in ipairs(facts) do
      if type(fact) ~= "string" or fact:find "[%c ;]" then check.bad("mlsd", 2, "names of facts expected") end
    end
    before = "OPTS MLST " .. table.concat(facts, ";") .. ";"
  end
  local lines, err, errno = lines_of(self, "MLSD" .. argument(directory, "mlsd"), before)
  if not lines then return nil, err, errno end
  local found = {}
  for _, line in ipairs(lines) do
    local name, has = facts_of(line)
    if name then found[name] = has end
  end
  return found
end

return FTP

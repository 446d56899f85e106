-- command.lua: what a client of SMTP says, from bytes to values (RFC 5321 section 4.1).
local ascii = require "csock.wire.ascii"

local M = {}

local LOCAL, DOMAIN, PATH = 64, 255, 254 -- bytes (RFC 5321 section 4.5.3.1)

-- A line without its end: the verb in capitals, and what stands behind it; nil for what is no command.
function M.parse(line)
  if line:find "[\r\n%z]" then return nil end
  local verb, rest = line:match "^(%a+)[ \t]*$", ""
  if not verb then verb, rest = line:match "^(%a+) (.*)$" end
  if not verb then return nil end
  return verb:upper(), (rest:match "^(.-)[ \t]*$")
end

-- Where a path in angle brackets ends: the byte behind it; nil where it does not.
local function behind_path(text)
  local at = 2
  while true do
    local i, _, c = text:find('([">])', at)
    if not i then return nil end
    if c == ">" then return i + 1 end
    at = i + 1
    repeat -- to the end of what is in quotes
      local j, _, d = text:find('(["\\])', at)
      if not j then return nil end
      at = j + (d == "\\" and 2 or 1)
    until d == '"'
  end
end

local function is_dot_string(text)
  return not text:find '[%z\1-\32"(),:;<>@%[\\%]\127]' and not ("." .. text .. "."):find("..", 1, true)
end

local function is_quoted(text)
  return text:find '^".*"$' and not text:sub(2, -2):gsub("\\[ -~]", ""):find '[%z\1-\31\127"\\]'
end

local function is_domain(text)
  if text:find "^%[.*%]$" then return text:find "^%[[%w:.-]+%]$" ~= nil end
  return text ~= "" and is_dot_string(text) and not text:find "[!#$%&'*+/=?^`{|}~]"
end

-- Whether it is an address: `local@domain`, or `postmaster` alone.
function M.is_mailbox(text)
  if #text > PATH or not utf8.len(text) then return false end
  if ascii.lower(text) == "postmaster" then return true end
  local user, domain = text:match "^(.+)@([^@]*)$"
  if not user or #user > LOCAL or #domain > DOMAIN then return false end
  return (is_dot_string(user) or is_quoted(user)) and is_domain(domain)
end

-- What stands behind `MAIL` or `RCPT`: the address (`""` for `<>`), and a list of parameters, each {name in capitals,
-- value or nil}; nil, and what was expected. `word`: "FROM" or "TO".
function M.path(rest, word)
  local syntax = word .. ":<address>"
  local head, text = rest:match "^(%a+):[ \t]*(.*)$"
  if not head or head:upper() ~= word then return nil, syntax end
  local path, behind
  if text:byte() == 60 then
    local after = behind_path(text)
    if not after then return nil, syntax end
    path, behind = text:sub(2, after - 2), text:sub(after)
  else
    path, behind = text:match "^([^ ]+)(.*)$"
    if not path then return nil, syntax end
  end
  path = path:gsub("^@[^:]*:", "", 1) -- a route, which nobody goes any more
  if not (path == "" and word == "FROM") and not M.is_mailbox(path) then return nil, syntax end
  local list = {}
  if behind ~= "" and not behind:find "^ " then return nil, syntax end
  for parameter in behind:gmatch "[^ ]+" do
    local name, value = parameter:match "^(%w[%w-]*)=([^=]+)$"
    if not name then name = parameter:match "^%w[%w-]*$" end
    if not name or value and value:find "[%z\1-\32\127]" then return nil, "a parameter" end
    list[#list + 1] = { name:upper(), value }
  end
  return path, list
end

return M

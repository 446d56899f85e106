-- netscape.lua: files of cookies as Netscape had them, and curl, wget and Python have: a line for each, with seven
-- fields between tabs. "#HttpOnly_" before the first one is no comment.
local ascii = require "csock.wire.ascii"

local M = {}

M.HEADER = "# Netscape HTTP Cookie File\n# https://curl.se/docs/http-cookies.html\n# This is a generated file! "
  .. "Do not edit.\n\n"

-- A cookie of a line; nil for one that is left out; nil, words for what is none.
local function cookie_of(line)
  local httponly = line:match "^#HttpOnly_(.*)$"
  line = httponly or line
  if line:find "^%s*[#$]" or line:find "^%s*$" then return nil end
  local domain, flag, path, secure, expires, name, value = line:match(
    "^([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t([^\t]*)\t?(.*)$")
  if not domain then return nil, "seven fields expected" end
  local time = expires ~= "" and ascii.integer(expires, 1 << 53) or nil
  if expires ~= "" and not time then return nil, "a time expected" end
  if line:find "[\0-\8\10-\31\127]" then return nil, "a control character" end
  if domain:gsub("^%.", "") == "" or name == "" or (domain .. path .. name .. value):find ";" or name:find "=" then
    return nil -- what RFC 6265 has not, such as a cookie without a name
  end
  return {
    domain = domain, path = path:sub(1, 1) == "/" and path or "/", name = name, value = value,
    expires = time ~= 0 and time or nil, secure = secure == "TRUE" or nil, httponly = httponly and true,
    host_only = not (flag == "TRUE" or domain:find "^%."),
  }
end

-- The cookies of a file's text; nil, words for what is none.
function M.parse(text)
  local list, number = {}, 0
  for line in (text:gsub("\n$", "") .. "\n"):gmatch "([^\n]*)\n" do
    number = number + 1
    if number == 1 then
      if not line:find "^# HTTP Cookie File" and not line:find "^# Netscape HTTP Cookie File" then
        return nil, "it does not look like a file of cookies"
      end
    else
      local cookie, words = cookie_of((line:gsub("\r$", "")))
      if words then return nil, ("line %d: %s"):format(number, words) end
      list[#list + 1] = cookie
    end
  end
  return list
end

-- The line of a cookie; nil for one that has a tab where none can be.
function M.line(cookie)
  if (cookie.domain .. cookie.path .. cookie.name):find "\t" then return nil end
  return table.concat({
    (cookie.httponly and "#HttpOnly_" or "") .. (cookie.host_only and "" or ".") .. cookie.domain,
    cookie.host_only and "FALSE" or "TRUE", cookie.path, cookie.secure and "TRUE" or "FALSE",
    cookie.expires and ("%d"):format(cookie.expires) or "", cookie.name, cookie.value,
  }, "\t") .. "\n"
end

return M

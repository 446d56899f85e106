-- split.lua: where a URL's parts begin and end (RFC 3986, as Python cuts). Any bytes have parts: what no URL may have
-- is refused by others.
local ascii = require "csock.wire.ascii"

local M = {}

local function set_of(names)
  local set = { [""] = true }
  for name in names:gmatch "%S+" do set[name] = true end
  return set
end

M.uses_relative = set_of [[ftp http gopher nntp imap wais file https shttp mms prospero rtsp rtsps rtspu sftp svn
  svn+ssh ws wss]]

M.uses_netloc = set_of [[ftp http gopher nntp telnet imap wais file mms https shttp snews prospero rtsp rtsps rtspu
  rsync svn svn+ssh sftp nfs git git+ssh ws wss]]

M.uses_params = set_of [[ftp hdl prospero http imap https shttp rtsp rtsps rtspu sip sips mms sftp tel]]

local SCHEME = "[A-Za-z][A-Za-z0-9+.-]*"

function M.is_scheme(text) return text == "" or text:find("^" .. SCHEME .. "$") ~= nil end

-- Scheme (`default` where it has none), netloc, path, query, fragment.
function M.split(url, default, allow_fragments)
  local netloc, query, fragment = "", "", ""
  local scheme, path = url:match("^(" .. SCHEME .. "):(.*)$")
  if scheme then
    scheme = ascii.lower(scheme)
  else
    scheme, path = default, url
  end
  if path:sub(1, 2) == "//" then netloc, path = path:match "^//([^/?#]*)(.*)$" end
  if allow_fragments and path:find("#", 1, true) then path, fragment = path:match "^([^#]*)#(.*)$" end
  if path:find("?", 1, true) then path, query = path:match "^([^?]*)%?(.*)$" end
  return scheme, netloc, path, query, fragment
end

-- A path without the parameters of its last segment, and these.
function M.split_params(scheme, path)
  local semicolon = M.uses_params[scheme] and path:find(";", path:match "^.*()/" or 1, true)
  if not semicolon then return path, "" end
  return path:sub(1, semicolon - 1), path:sub(semicolon + 1)
end

function M.with_params(path, params) return params == "" and path or path .. ";" .. params end

function M.with_query(path, query, fragment)
  if query ~= "" then path = path .. "?" .. query end
  if fragment ~= "" then path = path .. "#" .. fragment end
  return path
end

-- The parts as a URL that is cut into the same parts again. So a path never becomes a netloc or a scheme.
function M.unsplit(scheme, netloc, path, query, fragment)
  local rooted = path:sub(1, 1) == "/"
  if netloc ~= "" then
    path = "//" .. netloc .. (path ~= "" and not rooted and "/" or "") .. path
  elseif path:sub(1, 2) == "//" or scheme ~= "" and M.uses_netloc[scheme] and (rooted or path == "") then
    path = "//" .. path
  elseif scheme == "" and path:find("^" .. SCHEME .. ":") then
    path = "./" .. path
  end
  return (scheme ~= "" and scheme .. ":" or "") .. M.with_query(path, query, fragment)
end

return M

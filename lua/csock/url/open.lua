-- open.lua: opening URLs of http, https, file and data. csock.url loads it when it is first asked to.
local base64 = require "csock.wire.base64"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local failure = require "csock.http.failure"
local http = require "csock.http"
local internal = require "csock.loop.internal"
local proxy = require "csock.http.proxy"
local readers = require "csock.http.reader"
local Request = require "csock.url.request"
local secure = require "csock.secure"
local urls = require "csock.url"

local M = {}

local BLOCK = 8192 -- bytes; what a reporthook is told of

local OPTIONS = {
  timeout = { check.TIMEOUT, nil, false }, context = { secure.CLIENT }, proxies = { proxy.KIND, nil, false },
}

local function failed(words, code)
  return csock.make_error { call = "urlopen", errno = code or csock.errno.EIO, strerror = words }
end

-- What is not of HTTP, as an answer.
local function answer(url, fp, length, kind, owner)
  local head = { status = 200, reason = "OK", url = url, length = length }
  local response = class.adopt(http.HTTPResponse, head, fp, owner)
  if kind then response.headers:add("Content-Type", kind) end
  response.headers:add("Content-Length", length)
  return response
end

-- --- each scheme -----------------------------------------------------------------------------------

local LOCAL = { localhost = true, ["127.0.0.1"] = true, ["::1"] = true }

-- The path of a file URL; nil, err, errno.
local function path_of(url)
  local parts, err, errno = urls.urlsplit(url)
  if not parts then return nil, err, errno end
  if parts.hostname and not LOCAL[parts.hostname] then
    return failure("urlopen", "InvalidURL", "a file of another host")
  end
  local path = urls.unquote(parts.path)
  if path:find("\0", 1, true) then return failure("urlopen", "InvalidURL", "a NUL in the path") end
  return path
end

local function open_file(url)
  local path, err, errno = path_of(url)
  if not path then return nil, err, errno end
  local may
  may, err, errno = internal.may_open("urlopen", path)
  if not may then return nil, err, errno end
  local file, words, code = io.open(path, "rb")
  if not file then return failed(words, code) end
  local _
  _, words, code = file:read(0) -- a directory can be opened, and no more
  if words then
    file:close()
    return failed(path .. ": " .. words, code)
  end
  local length = file:seek "end" or 0
  file:seek "set"
  local fp = readers.new(function()
    local piece, why, errnum = file:read(BLOCK)
    if why then return failed(why, errnum) end
    return piece or ""
  end)
  return answer(url, fp, length, nil, { released = function() file:close() end })
end

local function open_data(url)
  local kind, text = url:match "^[^:]*:([^,]*),([^#]*)"
  if not kind then return failure("urlopen", "InvalidURL", "no comma in a data URL") end
  local media = kind:match "^(.-)%s*;%s*[bB][aA][sS][eE]64$"
  local bytes = urls.unquote(text)
  if media then bytes = base64.decode(bytes) end
  if not bytes then return failure("urlopen", "InvalidURL", "malformed base64 in a data URL") end
  media = urls.unquote(media or kind)
  if media:find "%c" then return failure("urlopen", "InvalidURL", "a control character in a media type") end
  if media == "" then media = ";charset=US-ASCII" end
  if media:sub(1, 1) == ";" then media = "text/plain" .. media end
  local fp = readers.of(bytes)
  return answer(url, fp, #bytes, media, { is_over = function() return true end })
end

local function open_http(request, options)
  local session <close> = http.Session { cookies = false }
  local fields = request.headers
  if type(request.data) == "string" and not fields["content-type"] then
    fields:add("Content-Type", "application/x-www-form-urlencoded")
  end
  local response, err, errno = session:request(request:get_method(), request.full_url, {
    stream = true, decode = false, data = request.data, headers = fields, timeout = options.timeout,
    ssl = options.context, proxies = options.proxies,
  })
  if not response then return nil, err, errno end
  if response.status >= 200 and response.status < 300 then return response end
  return failure("urlopen", "HTTPError", ("%d %s"):format(response.status, response.reason),
    { code = response.status, text = response.reason, response = response })
end

local SCHEMES = {
  http = open_http, https = open_http,
  file = function(request) return open_file(request.full_url) end,
  data = function(request) return open_data(request.full_url) end,
}

-- --- public ----------------------------------------------------------------------------------------

local function request_of(url, data, call)
  if not class.isinstance(url, Request) then return Request(check.argument(check.STRING, url, 1, call), data) end
  if data == nil then return url end
  return Request(url.full_url, data, { headers = url.headers, method = url.method })
end

-- See csock.url.urlopen.
function M.urlopen(url, data, options)
  local given = check.options(options, OPTIONS, 3, "urlopen")
  if options and options.timeout == false then given.timeout = false end
  if options and options.proxies == false then given.proxies = false end
  local request = request_of(url, data, "urlopen")
  local open = SCHEMES[request.type]
  if not open then
    return failure("urlopen", "UnknownProtocol", ("neither http, https, file nor data: '%s'"):format(request.type))
  end
  return open(request, given)
end

local temporary = {} -- the names of the files that urlretrieve has made

local function is_local(request)
  return request.type == "file" and request.data == nil
end

-- Copies an answer into a file: true; nil, err, errno.
local function copy(response, file, reporthook)
  local count, total = 0, response.length or -1
  if reporthook then reporthook(0, BLOCK, total) end
  while true do
    local data, err, errno = response:read(BLOCK)
    if not data then return nil, err, errno end
    if data == "" then break end
    local ok, words, code = file:write(data)
    if not ok then return failed(words, code) end
    count = count + 1
    if reporthook then reporthook(count, BLOCK, total) end
  end
  local ok, words, code = file:flush()
  if not ok then return failed(words, code) end
  return true
end

-- See csock.url.urlretrieve.
function M.urlretrieve(url, name, reporthook, data, options)
  if name ~= nil then check.argument(check.STRING, name, 2, "urlretrieve") end
  if reporthook ~= nil then check.argument(check.FUNCTION, reporthook, 3, "urlretrieve") end
  local request = request_of(url, data, "urlretrieve")
  local response <close>, err, errno = M.urlopen(request, nil, options)
  if not response then return nil, err, errno end
  if not name and is_local(request) then return (path_of(request.full_url)), response.headers end
  local own = name == nil
  local may
  may, err, errno = internal.may_open("urlretrieve", name or "")
  if not may then return nil, err, errno end
  if own then name = os.tmpname() end
  local file <close>, words, code = io.open(name, "wb")
  if not file then return failed(words, code) end
  local ok
  ok, err, errno = copy(response, file, reporthook)
  if not ok then
    if own then os.remove(name) end
    return nil, err, errno
  end
  if own then temporary[#temporary + 1] = name end
  return name, response.headers
end

-- See csock.url.urlcleanup.
function M.urlcleanup()
  for _, name in ipairs(temporary) do os.remove(name) end
  temporary = {}
end

M.getproxies = proxy.environment
M.Request = Request

return M

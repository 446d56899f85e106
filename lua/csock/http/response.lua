-- response.lua: what is read: HTTPResponse, and its like for files and data.
local check = require "csock.check"
local class = require "csock.class"
local headers = require "csock.wire.headers"
local json = require "csock.http.json"
local failure = require "csock.http.failure"
local readers = require "csock.http.reader"

local M = {}

--- What a server has answered, and what csock.url.urlopen gives. It is read like a file, or as in Python; in each way a
-- body that was cut, is malformed, or has fewer bytes than were promised gives `nil, err, errno` (`EBADMSG`), and what
-- came before can still be read.
-- Source: Python's `http.client.HTTPResponse`, and `urllib.response.addinfourl`.
-- @type httpresponse

--- The status, such as 200.
-- @field httpresponse:status

--- What stands behind it: `"OK"`; may be empty, and means nothing.
-- @field httpresponse:reason

--- 10 or 11, for HTTP/1.0 and HTTP/1.1.
-- @field httpresponse:version

--- The header block, see @{csock.wire.headers}: `response.headers["content-type"]`.
-- @field httpresponse:headers

--- Where it came from, after redirects.
-- @field httpresponse:url

--- How many bytes the body has; nil where nobody knows before its end.
-- @field httpresponse:length

--- Whether the connection ends with the body.
-- @field httpresponse:will_close
local HTTPResponse = class("HTTPResponse")
M.HTTPResponse = HTTPResponse

-- Made by `class.adopt` of a head as the parser gives it, without its `body`. `fp`: what the body is read from; `owner`
-- (whom it belongs to) has methods, or none of them: `released(response, whole)` is called once: when the body has been
-- read to its end, or with false when it is given up before; `is_over(response)` says whether it has been read;
-- `may_wait()` is called before each wait: true, or nil, err, errno.
function HTTPResponse:__init(fp, owner)
  self.headers = headers.adopt(self.headers or {})
  self.fp, self.owner = fp, owner or {}
end

HTTPResponse.finished, HTTPResponse.will_close = false, false

-- --- the end ---------------------------------------------------------------------------------------

local function finish(self, whole)
  if self.finished then return end
  self.finished = true
  if self.owner.released then self.owner:released(self, whole) end
end

-- To be called after what may have read the last byte.
function HTTPResponse:settle()
  if self.finished or not self.owner.is_over or self.fp:buffered() > 0 then return end
  if self.unpacked and not self.unpacked() or not self.owner:is_over(self) then return end
  if not readers.ended(self.fp) then
    self.fp:close()
    self.fp = readers.of ""
  end
  finish(self, true)
end

-- To be called before what may wait: true; nil, err, errno when there is no time left.
local function before(self)
  if self.finished or not self.owner.may_wait then return true end
  return self.owner:may_wait()
end

local function after(self, ...)
  self:settle()
  return ...
end

--- Whether all of it has been read, or it was closed.
-- Source: Python's `HTTPResponse.isclosed`.
-- @treturn boolean
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response:isclosed()) --> true
function HTTPResponse:isclosed() return self.finished end

--- Gives up what has not been read: the connection is closed then, and used again otherwise. Also at the end of a
-- `<close>` variable's block.
-- @treturn boolean true
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- response:close()
function HTTPResponse:close()
  self:settle()
  self.fp:close()
  finish(self, false)
  return true
end

HTTPResponse.__close = HTTPResponse.close

-- --- headers ---------------------------------------------------------------------------------------

--- The value of a field; of several, their values with `", "` between them.
-- Source: Python's `HTTPResponse.getheader`.
-- @tparam string name
-- @param[opt] default
-- @treturn ?string
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response:getheader "Content-Type") --> text/plain
function HTTPResponse:getheader(name, default) return self.headers:get(name, default) end

--- All fields, in order: a sequence of `{name, value}`.
-- Source: Python's `HTTPResponse.getheaders`.
-- @treturn table
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- for _, field in ipairs(response:getheaders()) do print(field[1], field[2]) end
function HTTPResponse:getheaders()
  local list = {}
  for name, value in self.headers:each() do list[#list + 1] = { name, value } end
  return list
end

--- The headers. Source: Python's `addinfourl.info`.
-- @treturn headers
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response:info()["content-type"]) --> text/plain
function HTTPResponse:info() return self.headers end

--- Where it came from, after redirects. Source: Python's `addinfourl.geturl`.
-- @treturn string
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response:geturl())
function HTTPResponse:geturl() return self.url end

--- The status. Source: Python's `addinfourl.getcode`.
-- @treturn int
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response:getcode()) --> 200
function HTTPResponse:getcode() return self.status end

-- --- reading ---------------------------------------------------------------------------------------

--- Reads all, or at most so many bytes: fewer only at the end, then `""`. With formats it reads as a stream does:
-- `"l"`, `"L"`, `"a"`, or several, with nil at the end.
-- Source: Python's `HTTPResponse.read`; Lua's `file:read`.
-- @tparam[opt] int|string size bytes; nil or negative: all
-- @param[opt] ... further formats
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`: cut or malformed; `EMSGSIZE`; `ETIMEDOUT` ...)
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- print(response:read()) --> hello
function HTTPResponse:read(size, ...)
  local ok, why, code = before(self)
  if not ok then return nil, why, code end
  if select("#", ...) > 0 or type(size) == "string" then return after(self, self.fp:read(size, ...)) end
  if size ~= nil then check.argument(check.INTEGER, size, 1, "read") end
  local data, err, errno = self.fp:read(size and size >= 0 and size or "a")
  self:settle()
  if err then return nil, err, errno end
  return data or ""
end

--- Reads what is there, at most so many bytes, and waits only where there is nothing.
-- Source: Python's `HTTPResponse.read1`.
-- @tparam[opt] int size bytes
-- @treturn[1] string `""` at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- print((response:read1(4096))) --> hello
function HTTPResponse:read1(size)
  if size ~= nil then check.argument(check.INTEGER, size, 1, "read1") end
  local ok, why, code = before(self)
  if not ok then return nil, why, code end
  local fp, data, err, errno = self.fp, nil, nil, nil
  if fp:buffered() == 0 then data, err, errno = fp:peek(1) end
  local there = fp:buffered()
  if there > 0 then data = fp:read(size and size >= 0 and size < there and size or there) end
  self:settle()
  return data, err, errno
end

--- Reads a line with its line end. Source: Python's `io.IOBase.readline`.
-- @tparam[opt] int limit at most so many bytes
-- @treturn[1] string `""` at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- print(response:readline()) --> hello
function HTTPResponse:readline(limit)
  local ok, err, errno = before(self)
  if not ok then return nil, err, errno end
  return after(self, self.fp:readline(limit))
end

--- Reads all lines, each with its line end. Source: Python's `io.IOBase.readlines`.
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- print(#response:readlines()) --> 1
function HTTPResponse:readlines()
  local lines = {}
  while true do
    local line, err, errno = self:readline()
    if not line then return nil, err, errno end
    if line == "" then return lines end
    lines[#lines + 1] = line
  end
end

--- An iterator that reads by a format on each step, as a stream's: a line without its line end by default. It raises
-- the error value of a failure.
-- Source: Lua's `file:lines`.
-- @param[opt="l"] format `"l"`, `"L"`, or a number of bytes
-- @treturn function
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- for line in response:lines() do print(line) end --> hello
function HTTPResponse:lines(format)
  format = format or "l"
  return function()
    local line, err
    local ok, why = before(self)
    if not ok then error(why, 0) end
    line, err = self.fp:read(format)
    self:settle()
    if err then error(err, 0) end
    return line
  end
end

--- Reads into a buffer. Source: Python's `io.RawIOBase.readinto`.
-- @param buffer `csock.buffer`
-- @treturn[1] int bytes; 0 at the end
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local response = assert(http.get("http://localhost:8080/", {stream = true}))
-- print(response:readinto(csock.buffer(4096))) --> 6
function HTTPResponse:readinto(buffer)
  local data, err, errno = self:read1(#buffer)
  if not data then return nil, err, errno end
  if data ~= "" then buffer:set(1, data) end
  return #data
end

--- Decodes the body as JSON: `body`, if it was read already, or what is still to be read.
-- @treturn[1] value
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EBADMSG`)
-- @raise where neither cjson nor dkjson is installed
-- @usage
-- local response = assert(http.get "http://localhost:8080/data.json")
-- local found, data = pcall(response.json, response) -- needs cjson or dkjson
-- if found then print(data.answer) end
function HTTPResponse:json()
  local text, err, errno = self.body, nil, nil
  if not text then text, err, errno = self:read() end
  if not text then return nil, err, errno end
  return json.decode(text)
end

--- Gives itself when the status says success (less than 400), so that it can be put into `assert`.
-- Source: `raise_for_status` of Python's requests.
-- @treturn[1] httpresponse itself
-- @treturn[2] nil
-- @treturn[2] error with `code`, `text` and `response`
-- @treturn[2] int errno (`EPROTO`)
-- @usage
-- local response = assert(http.get "http://localhost:8080/missing")
-- local ok, err = response:raise_for_status()
-- print(err.code) --> 404
function HTTPResponse:raise_for_status()
  if self.status < 400 then return self end
  return failure.of(self, failure("request", "HTTPError", ("%d %s"):format(self.status, self.reason),
    { code = self.status, text = self.reason, response = self }))
end

function HTTPResponse:__tostring() return ("<HTTPResponse %d %s>"):format(self.status, self.reason) end

return M

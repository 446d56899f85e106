-- download.lua: a body into a file, continued where it broke off (RFC 9110, section 14).
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local csock = require "csock"
local failure = require "csock.http.failure"
local internal = require "csock.loop.internal"

local M = {}

local BLOCK = 65536

local function io_failure(words, code)
  return csock.make_error { call = "download", errno = code or csock.errno.EIO, strerror = words }
end

-- The file with what it has, and its size; nil, err, errno. It is opened before anything is asked for, so that one that
-- cannot be written costs nothing, and emptied when there is something to come in its place.
local function open(path)
  local may, err, errno = internal.may_open("download", path)
  if not may then return nil, err, errno end
  local file, words, code = io.open(path, "r+b")
  if not file then file, words, code = io.open(path, "wb") end
  if not file then return io_failure(words, code) end
  return file, file:seek "end" or 0
end

-- What identifies this state of the file: a strong ETag, or else the date of its last change.
local function validator_of(response)
  local etag = response.headers.etag
  if etag and etag:find '^"' then return etag end
  return response.headers["last-modified"]
end

-- First byte and size of all, as Content-Range says; nil for what is none.
local function range_of(response)
  local first, last, size = response:getheader("content-range", ""):match "^bytes (%d+)%-(%d+)/([%d*]+)$"
  first, last = first and ascii.integer(first, math.maxinteger), last and ascii.integer(last, math.maxinteger)
  if not first or not last or last < first then return nil end
  return first, ascii.integer(size, math.maxinteger)
end

local function refused(response, words)
  return failure.of(response, failure("download", "HTTPError",
    words or ("%d %s"):format(response.status, response.reason), { code = response.status, text = response.reason }))
end

-- Writes what comes behind `offset`: where the file then ends; and err, errno of what has cut it, and whether that was
-- the file itself.
local function copy(response, file, offset, total, progress)
  local function broken(words, code)
    local _, err, errno = io_failure(words, code)
    return offset, err, errno, true
  end
  if progress then progress(offset, total) end
  while true do
    local piece, err, errno = response:read1(BLOCK)
    if not piece or piece == "" then
      local ok, words, code = file:flush()
      if not ok then return broken(words, code) end
      return offset, err, errno, false
    end
    local ok, words, code = file:write(piece)
    if not ok then return broken(words, code) end
    offset = offset + #piece
    if progress then progress(offset, total) end
  end
end

-- Where the body of an answer begins in the file, and how long that will be; nil, err, errno.
local function place(response, offset)
  if response.status == 200 then return 0, response.length end
  if response.status ~= 206 then return refused(response) end
  local first, size = range_of(response)
  if first ~= offset then return refused(response, "the server sends another range than was asked for") end
  return offset, size
end

local function is_complete(response, offset)
  if response.status ~= 416 then return false end
  local size = response:getheader("content-range", ""):match "^bytes %*/(%d+)$"
  return size and ascii.integer(size, math.maxinteger) == offset
end

local OWN = { resume = true, attempts = true, stream = true, to = true, decode = true, on_download = true }

-- See csock.http.download.
function M.run(session, url, path, given)
  check.argument(check.STRING, path, 2, "download")
  given = given or {}
  check.argument(check.TABLE, given, 3, "download")
  local timeout = given.timeout
  if timeout == nil then timeout = session.usual.timeout end
  local left = internal.countdown(timeout ~= math.huge and timeout)
  local attempts = given.attempts or 3
  local validator = type(given.resume) == "string" and given.resume or nil
  local file, size, code = open(path)
  if not file then return nil, size, code end
  local holder <close> = internal.holder(file)
  local offset, received = given.resume and size or 0, 0
  while true do
    local options = { stream = true, decode = false, headers = {}, timeout = left() or false }
    for name, value in pairs(given) do
      if not OWN[name] and name ~= "timeout" and name ~= "headers" then options[name] = value end
    end
    for name, value in pairs(given.headers or {}) do options.headers[name] = value end
    if offset > 0 then
      options.headers.Range = ("bytes=%d-"):format(offset)
      options.headers["If-Range"] = validator
    end
    local response <close>, err, errno = session:request("GET", url, options)
    if not response then return nil, err, errno end
    response.received, response.size = received, offset
    if offset > 0 and is_complete(response, offset) then return response end
    local from, total, why = place(response, offset)
    if not from then return nil, total, why end
    if from == 0 and size > 0 then
      local emptied, words, number = io.open(path, "wb")
      if not emptied then return io_failure(words, number) end
      file:close()
      file, holder.held = emptied, emptied
    end
    file:seek("set", from)
    local hopeless
    offset, err, errno, hopeless = copy(response, file, from, total, given.on_download)
    size, received = offset, received + offset - from
    response.received, response.size = received, offset
    validator = validator_of(response)
    if not err then return response end
    attempts = attempts - 1
    if hopeless or attempts < 0 or not validator or errno == csock.errno.ETIMEDOUT then return nil, err, errno end
  end
end

return M

--- Jars that are kept in files.
-- @module csock.cookies
local CookieJar = require "csock.cookies.jar"
local arguments = require "csock.url.arguments"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local internal = require "csock.loop.internal"
local lwp = require "csock.cookies.lwp"
local netscape = require "csock.cookies.netscape"

local E = csock.errno

local M = {}

--- A jar that can be saved to a file, and loaded: `MozillaCookieJar` or `LWPCookieJar`.
-- Source: Python's `http.cookiejar.FileCookieJar`.
-- @type filecookiejar
local FileCookieJar = class("FileCookieJar", CookieJar)

--- Its file's name; nil: each call has to name one.
-- @field filecookiejar:filename

function FileCookieJar:__init(filename, policy)
  if filename ~= nil then check.argument(check.STRING, filename, 1, self.__class.__name) end
  FileCookieJar.super.__init(self, policy)
  self.filename = filename
end

local LIST = {
  { "filename", check.STRING }, { "ignore_discard", arguments.BOOLEAN, false },
  { "ignore_expires", arguments.BOOLEAN, false },
}

local MOST = 1 << 24 -- bytes of a file

local function failed(call, words, code, name)
  return csock.make_error {
    call = call, errno = code or E.EIO, kind = name and "cookies" or nil, name = name, strerror = words,
  }
end

local function reader(call)
  local read = arguments.reader(call, 0, LIST)
  return function(self, ...)
    local options = read(...)
    options.filename = options.filename or self.filename
    if not options.filename then check.fail(call .. ": the name of a file expected: the jar has none") end
    return options
  end
end

local load_options, save_options, revert_options = reader "load", reader "save", reader "revert"

-- The cookies of a file; nil, err, errno.
local function read(self, filename, call)
  local file <close>, words, code = internal.open_file("load", filename, "rb")
  if not file then return failed(call, words, code) end
  local text, why, number = file:read(MOST + 1)
  if why then return failed(call, why, number) end
  if #(text or "") > MOST then return failed(call, filename .. " is too long", E.EMSGSIZE, "LoadError") end
  local list
  list, words = self._format.parse(text or "")
  if not list then return failed(call, ("%s: %s"):format(filename, words), E.EBADMSG, "LoadError") end
  return list
end

local function is_wanted(cookie, options, now)
  if not cookie.expires then return options.ignore_discard end
  return options.ignore_expires or cookie.expires > now
end

local function add(self, list, options)
  local now = os.time()
  for _, cookie in ipairs(list) do
    if is_wanted(cookie, options, now) then self:set_cookie(cookie) end
  end
end

--- Loads the cookies of a file, beside those that are there. (With `ignore_expires` they are read, but a jar keeps none
-- that is over.)
-- Source: Python's `FileCookieJar.load`.
-- @tparam[opt] string filename (default: the jar's)
-- @tparam[opt=false] boolean ignore_discard also what was to end with its session
-- @tparam[opt=false] boolean ignore_expires also what is over. These may also be a table
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error its `name` is `"LoadError"` for what is no such file
-- @treturn[2] int errno (`ENOENT`, `EBADMSG` ...)
-- @usage
-- local jar = cookies.MozillaCookieJar "cookies.txt"
-- local ok, err = jar:load()
-- print(err.errno == csock.errno.ENOENT) --> true
function FileCookieJar:load(...)
  local options = load_options(self, ...)
  local list, err, errno = read(self, options.filename, "load")
  if not list then return nil, err, errno end
  add(self, list, options)
  return true
end

--- Loads the cookies of a file in the place of all that are there; when that fails, they stay.
-- Source: Python's `FileCookieJar.revert`.
-- @tparam[opt] string filename
-- @tparam[opt=false] boolean ignore_discard
-- @tparam[opt=false] boolean ignore_expires
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local jar = cookies.MozillaCookieJar "reverted.txt"
-- assert(jar:save())
-- print(jar:revert()) --> true
function FileCookieJar:revert(...)
  local options = revert_options(self, ...)
  local list, err, errno = read(self, options.filename, "revert")
  if not list then return nil, err, errno end
  self:clear()
  add(self, list, options)
  return true
end

-- Writes a file that nobody but its owner may read, as a whole or not at all.
local function write(filename, text)
  local aside = ("%s.%s"):format(filename, (assert(csock.random(6)):gsub(".", function(c)
    return ("%02x"):format(c:byte())
  end)))
  local file, words, code
  do
    local before, err, errno = csock.umask(63) -- 077
    if not before then return nil, tostring(err), errno end -- by the host's policy
    local _ <close> = internal.guard(function() csock.umask(before) end)
    file, words, code = internal.open_file("save", aside, "wb")
  end
  if not file then return nil, words, code end
  local ok
  ok, words, code = file:write(text)
  local closed, why, number = file:close()
  if ok and not closed then ok, words, code = nil, why, number end
  if ok then ok, words, code = os.rename(aside, filename) end
  if not ok then os.remove(aside) end
  return ok, words, code
end

--- Saves the cookies to a file, which its owner alone may read.
-- Source: Python's `FileCookieJar.save`.
-- @tparam[opt] string filename (default: the jar's)
-- @tparam[opt=false] boolean ignore_discard also what ends with its session
-- @tparam[opt=false] boolean ignore_expires also what is over. These may also be a table
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local jar = cookies.MozillaCookieJar "saved.txt"
-- jar:set("http://example.org/", "id=1; Max-Age=1000")
-- print(jar:save()) --> true
function FileCookieJar:save(...)
  local options, now = save_options(self, ...), os.time()
  local lines = { self._format.HEADER }
  for cookie in self:each() do
    if is_wanted(cookie, options, now) then lines[#lines + 1] = self._format.line(cookie) end
  end
  local ok, words, code = write(options.filename, table.concat(lines))
  if not ok then return failed("save", words, code) end
  return true
end

--- Made by calling the class: a jar whose file is as Netscape's was (`cookies.txt`), which curl, wget and Python read
-- and write, too; also curl's lines with `#HttpOnly_`, and 0 for cookies that end with their session.
-- Source: Python's `http.cookiejar.MozillaCookieJar`.
-- @function csock.cookies.MozillaCookieJar
-- @tparam[opt] string filename
-- @tparam[opt] table policy
-- @treturn filecookiejar
-- @usage
-- local jar = cookies.MozillaCookieJar "jar.txt"
-- jar:set("http://example.org/", "id=1; Max-Age=1000")
-- assert(jar:save())
-- local other = cookies.MozillaCookieJar "jar.txt"
-- assert(other:load())
-- print(other:header "http://example.org/") --> id=1
M.MozillaCookieJar = class("MozillaCookieJar", FileCookieJar)
M.MozillaCookieJar._format = netscape

--- Made by calling the class: a jar whose file is as that of Perl's libwww (`Set-Cookie3`).
-- Source: Python's `http.cookiejar.LWPCookieJar`.
-- @function csock.cookies.LWPCookieJar
-- @tparam[opt] string filename
-- @tparam[opt] table policy
-- @treturn filecookiejar
-- @usage
-- local jar = cookies.LWPCookieJar "jar.lwp"
-- jar:set("http://example.org/", "id=1; Max-Age=1000")
-- print(jar:save()) --> true
M.LWPCookieJar = class("LWPCookieJar", FileCookieJar)
M.LWPCookieJar._format = lwp

M.FileCookieJar = FileCookieJar

return M

--- URLs: taken apart, put together, joined, quoted; query strings and forms.
--
--     local url = require "csock.url"
--
--     local u = assert(url.urlsplit "http://me@example.org:8080/a/b?q=1#top")
--     print(u.hostname, u.port, u.path)                 --> example.org	8080	/a/b
--     print(u:_replace{ query = "", fragment = "" }:geturl())
--     print(url.urljoin("http://a/b/c", "../d"))        --> http://a/d
--     print(url.quote "a b/ü")                          --> a%20b/%C3%BC
--     print(url.parse_qs("q=a+b&q=c").q[2])             --> c
--
-- Names, arguments and results are those of Python's `urllib.parse` (RFC 3986); keywords become a table after
-- the other arguments. What no URL may be is `nil, err, EINVAL`:
--
-- - control characters and blanks, also at the ends, where Python drops some of them;
-- - a port that is not digits, or greater than 65535 (Python raises when the port is asked for);
-- - brackets that are not around an IPv6 address (`[fe80::1%eth0]`, with a zone) or a future one (`[v1.x]`);
-- - a backslash in the host, which others take for a slash; a host that is no UTF-8, or has a character from which
--   IDNA makes a delimiter.
--
-- Strings are bytes: nothing is decoded, and what `unquote` gives may be no UTF-8. Letters are ASCII's: in `hostname`
-- and `scheme` no others become small.
-- @module csock.url
local arguments = require "csock.url.arguments"
local check = require "csock.check"
local query = require "csock.url.query"
local quoting = require "csock.url.quote"
local results = require "csock.url.result"
local split = require "csock.url.split"

local M = {
  quote = quoting.quote, quote_from_bytes = quoting.quote_from_bytes, quote_plus = quoting.quote_plus,
  unquote = quoting.unquote, unquote_to_bytes = quoting.unquote_to_bytes, unquote_plus = quoting.unquote_plus,
  urlencode = query.urlencode, parse_qs = query.parse_qs, parse_qsl = query.parse_qsl,
  SplitResult = results.SplitResult, ParseResult = results.ParseResult, DefragResult = results.DefragResult,

  --- The schemes whose URLs `urljoin` joins, as keys. `url.uses_relative.redis = true` adds one (and the same with
  -- `uses_netloc`, so that its URLs have hosts).
  -- Source: Python's `urllib.parse.uses_relative`.
  -- @field uses_relative
  uses_relative = split.uses_relative,

  --- The schemes whose URLs have a host even where it is empty: `file:///etc`.
  -- Source: Python's `urllib.parse.uses_netloc`.
  -- @field uses_netloc
  uses_netloc = split.uses_netloc,

  --- The schemes whose URLs have `params`, behind a semicolon in the last segment of the path.
  -- Source: Python's `urllib.parse.uses_params`.
  -- @field uses_params
  uses_params = split.uses_params,
}

-- --- taking apart ---------------------------------------------------------------------------------

local PARTS = { { "scheme", check.STRING, "" }, { "allow_fragments", arguments.BOOLEAN, true } }
local urlsplit_options = arguments.reader("urlsplit", 1, PARTS)
local urlparse_options = arguments.reader("urlparse", 1, PARTS)
local urljoin_options = arguments.reader("urljoin", 2, { PARTS[2] })

local function parse(call, url, scheme, allow_fragments)
  local netloc, path, query_string, fragment, params
  scheme, netloc, path, query_string, fragment = split.split(url, scheme, allow_fragments)
  path, params = split.split_params(scheme, path)
  return results.make_parse(call, { scheme, netloc, path, params, query_string, fragment })
end

--- Takes a URL apart. Nothing is unquoted.
-- Source: Python's `urllib.parse.urlsplit`.
-- @tparam string url
-- @tparam[opt=""] string scheme that of a URL without one
-- @tparam[opt=true] boolean allow_fragments false: `#` is a character as any other. These may also be a table:
-- `{ allow_fragments = false }`
-- @treturn[1] splitresult
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage
-- local u = assert(url.urlsplit "http://me@example.org:8080/a?q=1#top")
-- print(u.hostname, u.port, u.path, u.query) --> example.org 8080 /a q=1
function M.urlsplit(url, ...)
  check.argument(check.STRING, url, 1, "urlsplit")
  local options = urlsplit_options(...)
  return results.make_split("urlsplit", { split.split(url, options.scheme, options.allow_fragments) })
end

--- Takes a URL apart, and the parameters from the last segment of its path.
-- Source: Python's `urllib.parse.urlparse`.
-- @tparam string url
-- @tparam[opt=""] string scheme
-- @tparam[opt=true] boolean allow_fragments
-- @treturn[1] parseresult
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage print(assert(url.urlparse "http://example.org/a;b?c").params) --> b
function M.urlparse(url, ...)
  check.argument(check.STRING, url, 1, "urlparse")
  local options = urlparse_options(...)
  return parse("urlparse", url, options.scheme, options.allow_fragments)
end

--- Takes the fragment off a URL.
-- Source: Python's `urllib.parse.urldefrag`.
-- @tparam string url
-- @treturn[1] defragresult
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage print(assert(url.urldefrag "http://a/b#top").url) --> http://a/b
function M.urldefrag(url)
  check.argument(check.STRING, url, 1, "urldefrag")
  local parts, err, errno = parse("urldefrag", url, "", true)
  if not parts then return nil, err, errno end
  if not url:find("#", 1, true) then return results.make_defrag("urldefrag", { url, "" }) end
  local fragment = parts.fragment
  return results.make_defrag("urldefrag", { parts:_replace { fragment = "" }:geturl(), fragment })
end

-- --- putting together -----------------------------------------------------------------------------

local function unparse(call, make, parts, count)
  check.argument(check.TABLE, parts, 1, call)
  if #parts ~= count then check.bad(call, 1, ("%d parts expected, got %d"):format(count, #parts)) end
  for i = 1, count do
    if type(parts[i]) ~= "string" then check.expected(call, 1, ("part %d: string"):format(i), parts[i]) end
  end
  local result, err, errno = make(call, table.move(parts, 1, count, 1, {}))
  if not result then return nil, err, errno end
  return result:geturl()
end

--- Makes a URL of its parts. Empty ones leave no trace. A path never becomes a host or a scheme: `//` or `./` is put in
-- front of one that would be taken for it.
-- Source: Python's `urllib.parse.urlunsplit`.
-- @tparam splitresult|{string,...} parts scheme, netloc, path, query, fragment
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage print(url.urlunsplit {"http", "example.org", "/a", "q=1", ""}) --> http://example.org/a?q=1
function M.urlunsplit(parts) return unparse("urlunsplit", results.make_split, parts, 5) end

--- The same with parameters.
-- Source: Python's `urllib.parse.urlunparse`.
-- @tparam parseresult|{string,...} parts scheme, netloc, path, params, query, fragment
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`)
-- @usage print(url.urlunparse {"http", "example.org", "/a", "b", "q=1", ""}) --> http://example.org/a;b?q=1
function M.urlunparse(parts) return unparse("urlunparse", results.make_parse, parts, 6) end

-- --- joining --------------------------------------------------------------------------------------

local function segments_of(path)
  local list = {}
  for segment in (path .. "/"):gmatch "([^/]*)/" do list[#list + 1] = segment end
  return list
end

-- The segments of a path that is relative to another. Empty ones in between are left out, as in Python.
local function relative_segments(base, path)
  local all, list = segments_of(base), {}
  if all[#all] ~= "" then all[#all] = nil end
  for _, segment in ipairs(segments_of(path)) do all[#all + 1] = segment end
  for i, segment in ipairs(all) do
    if segment ~= "" or i == 1 or i == #all then list[#list + 1] = segment end
  end
  return list
end

-- Goes up at `..`, at most to the root.
local function resolve(base, path)
  local segments = path:sub(1, 1) == "/" and segments_of(path) or relative_segments(base, path)
  local list = {}
  for _, segment in ipairs(segments) do
    if segment == ".." then
      list[#list] = nil
    elseif segment ~= "." then
      list[#list + 1] = segment
    end
  end
  local last = segments[#segments]
  if last == "." or last == ".." then list[#list + 1] = "" end
  local resolved = table.concat(list, "/")
  return resolved == "" and "/" or resolved
end

--- What a URL means that stands in a document with the URL `base`. For schemes that are not in `uses_relative` that is
-- the URL itself.
-- Source: Python's `urllib.parse.urljoin`; RFC 3986, section 5.
-- @tparam string base
-- @tparam string url
-- @tparam[opt=true] boolean allow_fragments
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EINVAL`, for either)
-- @usage print(url.urljoin("http://a/b/c", "../d")) --> http://a/d
function M.urljoin(base, url, ...)
  check.argument(check.STRING, base, 1, "urljoin")
  check.argument(check.STRING, url, 2, "urljoin")
  local allow_fragments = urljoin_options(...).allow_fragments
  local from, err, errno = parse("urljoin", base, "", allow_fragments)
  if not from then return nil, err, errno end
  local to
  to, err, errno = parse("urljoin", url, from.scheme, allow_fragments)
  if not to then return nil, err, errno end
  if base == "" or url == "" then return base .. url end
  if to.scheme ~= from.scheme or not split.uses_relative[to.scheme] then return url end
  local has_netloc = split.uses_netloc[to.scheme]
  if has_netloc and to.netloc ~= "" then return to:geturl() end
  local changes = { netloc = has_netloc and from.netloc or nil }
  if to.path ~= "" or to.params ~= "" then
    changes.path = resolve(from.path, to.path)
  else
    changes.path, changes.params = from.path, from.params
    if to.query == "" then changes.query = from.query end
  end
  return to:_replace(changes):geturl()
end

-- --- opening --------------------------------------------------------------------------------------

-- What needs csock.http, which needs this module: loaded when it is first used.
local function opening(name)
  return function(...) return require "csock.url.open"[name](...) end
end

--- Opens a URL of http, https, file or data, to read what it leads to: an answer of @{csock.http}, which has `read`,
-- `readline`, `readlines`, `lines`, `close`, `info` (the headers), `geturl` and `status` (200 for files and data).
-- Redirects are followed, as by @{csock.http.request}, but without cookies, and nothing is unpacked.
-- Source: Python's `urllib.request.urlopen`.
-- @function urlopen
-- @tparam string|urlrequest url
-- @param[opt] data what is posted: as a form, unless a header says otherwise
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds for all of it, reading included
-- @param[opt] options.context a client's context of `csock.ssl`
-- @tparam[opt] table options.proxies as for @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error for an answer that is no success its name is `HTTPError`, its `code` the status, and its
-- `response` the answer
-- @treturn[2] int errno
-- @usage print(assert(url.urlopen "http://localhost:8080/"):read "a") --> hello
M.urlopen = opening "urlopen"

--- Copies what a URL leads to into a file. What was cut on the way is an error.
-- Source: Python's `urllib.request.urlretrieve`.
-- @function urlretrieve
-- @tparam string|urlrequest url
-- @tparam[opt] string file its name; without one, a temporary file is made, which `urlcleanup` removes (of a file URL:
-- the file itself)
-- @tparam[opt] function reporthook called as `(blocks, size, total)`: how many blocks of `size` bytes have come, and
-- how many bytes there are in all, -1 where nobody knows: at first with 0 blocks
-- @param[opt] data as for `urlopen`
-- @tparam[opt] table options those of @{csock.url.urlopen}
-- @treturn[1] string the name of the file
-- @treturn[1] headers
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local name, headers = assert(url.urlretrieve("http://localhost:8080/", "page.txt"))
-- print(name) --> page.txt
M.urlretrieve = opening "urlretrieve"

--- Removes the temporary files that `urlretrieve` has made.
-- Source: Python's `urllib.request.urlcleanup`.
-- @function urlcleanup
-- @usage
-- assert(url.urlretrieve "http://localhost:8080/")
-- url.urlcleanup()
M.urlcleanup = opening "urlcleanup"

--- The proxies that the environment names: scheme -> URL, and `no`: the hosts without one. HTTP_PROXY does not count in
-- a CGI program (REQUEST_METHOD is set), where it is what a client has sent.
-- Source: Python's `urllib.request.getproxies`.
-- @function getproxies
-- @treturn table
-- @usage print(url.getproxies().http)
M.getproxies = opening "getproxies"

M.Request = require "csock.url.request"

return M

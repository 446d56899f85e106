--- HTTP for those who ask: requests in one line, sessions, connections.
--
--     local http = require "csock.http"
--
--     local page = assert(http.get "https://example.org/")
--     print(page.status, page.headers["content-type"], #page.body)
--
--     local made = assert(http.post("https://example.org/things", { json = { name = "x" } }))
--     print(assert(made:raise_for_status()):json().id)
--
--     local session <close> = http.Session { timeout = 10 }
--     for i = 1, 3 do print(session:get("https://example.org/" .. i).status) end   -- over one connection
--
-- What the world refuses is `nil, err, errno`; an answer with a status such as 404 is an answer. A body that was
-- promised and did not come is an error in each way of reading it. All of it waits like the socket below: outside of
-- tasks and in them, over plain connections and TLS.
--
-- Errors of HTTP itself have the kind `"http"` and Python's or requests' name of them as `name`:
-- `"RemoteDisconnected"`, `"TooManyRedirects"`, `"InsecureRedirect"`, `"ProxyError"` ...; where they are about an
-- answer, `code` and `text` are its status and reason.
--
-- Names, arguments and results of the connections are those of Python's `http.client`.
-- @module csock.http
local auth = require "csock.http.auth"
local connection = require "csock.http.connection"
local download = require "csock.http.download"
local response = require "csock.http.response"
local session = require "csock.http.session"
local status = require "csock.http.status"

local M = {
  HTTPConnection = connection.HTTPConnection, HTTPSConnection = connection.HTTPSConnection,
  HTTPResponse = response.HTTPResponse, Session = session.Session,

  --- What each status means: `responses[404]` is `"Not Found"`.
  -- Source: Python's `http.client.responses`.
  -- @field responses
  responses = status.responses,

  HTTP_PORT = 80, HTTPS_PORT = 443,
}

-- A session for one request. What is still read when it is closed goes on.
local function once(f)
  local own <close> = session.Session()
  return f(own)
end

--- Sends a request, follows redirects, and reads the answer.
--
-- Redirects: at most `redirects`; what was posted becomes a GET after 301, 302 and 303, as in browsers, and 307 and
-- 308 send it again. A redirect from https to http is an error. To another origin (scheme, host, port) go neither
-- `auth`, nor `cookies`, nor the headers Authorization, Cookie and Host, and they do not come back on the way home.
--
-- A request that may be sent twice (GET, HEAD, PUT, DELETE, OPTIONS) is, once, when its kept connection turns out to
-- have been closed before anything was answered.
-- @function request
-- @tparam string method such as `"GET"`
-- @tparam string url with http or https. A login in it (`http://user:password@host/`) is used as `auth`
-- @tparam[opt] table options those with (S) are options of a @{csock.http.Session}, too
-- @tparam[opt] number options.timeout (S) seconds for all of it: looking up, connecting, redirects, and the body, also
-- when that is read later (default: `csock.getdefaulttimeout()`; false: none)
-- @tparam[opt] table|string options.params a query, as for @{csock.url.urlencode}, which is added to the URL's
-- @tparam[opt] table options.headers (S) names and values; they come over csock's own
-- @param[opt] options.data the body: a string, a sequence of strings, a function that gives strings and then nil, a
-- file, a stream
-- @param[opt] options.json a value, also false, that is sent as JSON (by cjson or dkjson, whichever is installed: its
-- `null` is null)
-- @tparam[opt] table options.form fields of a form, as for @{csock.url.urlencode}
-- @tparam[opt] table options.files files of a form: name -> body, as `data`, or `{data = body, filename =, type =,
-- headers =}`; a sequence of `{name, file}` keeps its order
-- @tparam[opt] table options.auth (S) `{user, password}`, or what `HTTPBasicAuth` and `HTTPDigestAuth` give; false:
-- none, whatever the session and the URL have
-- @tparam[opt] table options.cookies names and values, for this request alone
-- @tparam[opt=10] int options.redirects (S) how many are followed; 0 or false: none
-- @tparam[opt] boolean options.insecure_redirects (S) true: from https to http, too
-- @tparam[opt] boolean options.stream true: the body is not read, but left to `read`, `read1`, `lines` ...; close the
-- answer if you do not read all
-- @param[opt] options.to a function or an open file to which the body of a success goes, piece by piece
-- @tparam[opt=67108864] int options.limit (S) the most bytes of a body that are read into memory (false: none)
-- @tparam[opt] table options.limits (S) of the head, see `HTTPConnection`
-- @tparam[opt=true] boolean options.decode (S) false: gzip and deflate are not asked for, and not unpacked. (They are
-- only where lua-zlib is installed.)
-- @tparam[opt] function options.on_upload called as `(sent, total)` after each piece of the body; total is nil where it
-- is not known
-- @tparam[opt] function options.on_download called as `(received, total)` before the body and after each piece
-- @tparam[opt] number options.expect says `Expect: 100-continue`, and waits so many seconds for `100 Continue`, or a
-- refusal, before the body is sent
-- @param[opt] options.ssl (S) a client's context of @{csock.ssl} (default: one that verifies)
-- @tparam[opt] table options.proxies (S) proxies by scheme, as `http://host:port` (`no`: hosts without, `all`: for
-- each); false: none. Default: the environment's `http_proxy`, `https_proxy`, `all_proxy`, `no_proxy` (in capitals as
-- well, but HTTP_PROXY not in a CGI program, where it is a client's). https goes through them by CONNECT
-- @param[opt] options.source_address (S) as for `csock.create_connection`
-- @treturn[1] httpresponse with `body` (a string; not with `stream` or `to`, which has `received`, a number), `url`,
-- `history` (the answers before it), `request` (`method`, `url`, `headers`)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @raise for wrong arguments, such as CR or LF in a header, before a byte is sent
-- @usage
-- local response = assert(http.request("GET", "http://localhost:8080/", {params = {q = "a b"}, timeout = 10}))
-- print(response.status, response.headers["content-type"]) --> 200 text/plain
function M.request(method, url, options)
  return once(function(own) return own:request(method, url, options) end)
end

for _, name in ipairs { "get", "head", "options", "post", "put", "patch", "delete" } do
  local method = name:upper()
  M[name] = function(url, options) return M.request(method, url, options) end
end

--- Gets what is at a URL: `request("GET", url, options)`.
-- @function get
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local response = assert(http.get "http://localhost:8080/")
-- print(response.status, response.body) --> 200 hello

--- As @{csock.http.get}, with the method HEAD: the answer has no body.
-- @function head
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(assert(http.head "http://localhost:8080/").status) --> 200

--- As @{csock.http.get}, with the method OPTIONS: what the server can do.
-- @function options
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(assert(http.options "http://localhost:8080/").status)

--- As @{csock.http.get}, with the method POST: to send something, by `data`, `json`, `form` or `files`.
-- @function post
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local response = assert(http.post("http://localhost:8080/", {form = {name = "x"}}))

--- As @{csock.http.get}, with the method PUT: to put something in the place of what is there.
-- @function put
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local response = assert(http.put("http://localhost:8080/thing", {data = "x"}))

--- As @{csock.http.get}, with the method PATCH: to change a part of what is there.
-- @function patch
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local response = assert(http.patch("http://localhost:8080/thing", {data = "x"}))

--- As @{csock.http.get}, with the method DELETE.
-- @function delete
-- @tparam string url
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage local response = assert(http.delete "http://localhost:8080/thing")

--- Downloads into a file, and goes on where that was interrupted: after a cut at once, and, with `resume`, where an
-- earlier call has ended. Where the server cannot do that, or has another file by now, it begins anew.
-- @function download
-- @tparam string url
-- @tparam string path of the file
-- @tparam[opt] table options those of @{csock.http.request}, and
-- @param[opt] options.resume true, or the validator (ETag or Last-Modified) of what the file has, from the earlier
-- answer's headers, without which a file that has changed meanwhile is not noticed
-- @tparam[opt=3] int options.attempts how often it goes on after a cut
-- @treturn[1] httpresponse with `received` (bytes that came) and `size` (of the file)
-- @treturn[2] nil
-- @treturn[2] error (its `code` is the status of an answer that is no success)
-- @treturn[2] int errno; the file has what came
-- @usage
-- local response = assert(http.download("http://localhost:8080/", "page.txt"))
-- print(response.size) --> 6
function M.download(url, path, options)
  return once(function(own) return own:download(url, path, options) end)
end

--- The same in a session.
-- @function session:download
-- @tparam string url
-- @tparam string path
-- @tparam[opt] table options those of @{csock.http.request}
-- @treturn[1] httpresponse
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local session <close> = http.Session()
-- assert(session:download("http://localhost:8080/", "page.txt"))
session.Session.download = download.run

--- For `auth`: tells the server user and password at once (basic authentication): over http, everybody on the way.
-- @function HTTPBasicAuth
-- @tparam string user
-- @tparam string password
-- @treturn table
-- @usage http.get("http://localhost:8080/", {auth = http.HTTPBasicAuth("user", "secret")})
M.HTTPBasicAuth = auth.basic

--- For `auth`: proves to the server that the password is known (digest authentication, MD5 or SHA-256, `qop=auth`),
-- when it asks for it. Needs the module csock.tls for its digests.
-- @function HTTPDigestAuth
-- @tparam string user
-- @tparam string password
-- @treturn table
-- @usage http.get("http://localhost:8080/", {auth = http.HTTPDigestAuth("user", "secret")})
M.HTTPDigestAuth = auth.digest

return M

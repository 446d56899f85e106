--- Forms and uploads, for CGI programs and for handlers of @{csock.httpserver}.
--
--     local cgi = require "csock.cgi"
--
--     -- in a CGI program
--     local form = assert(cgi.FieldStorage())
--     print "Content-Type: text/html\n"
--     print("<p>Hello, " .. cgi.escape(form:getfirst("name", "you")))
--
--     -- in a server of one's own
--     httpserver.serve({"", 8080}, function(request)
--       local form <close> = assert(cgi.FieldStorage { request = request, limits = { file = 1 << 20 } })
--       local upload = form:get "photo"              -- upload.filename, upload.file, upload.type
--       return 200, nil, "thank you"
--     end, { max_body = 1 << 22 })
--
-- Names, arguments and results are those of Python's `cgi`, which 3.11 has last.
-- @module csock.cgi
local arguments = require "csock.url.arguments"
local check = require "csock.check"
local header = require "csock.cgi.header"
local html = require "csock.httpserver.html"
local storage = require "csock.cgi.storage"

local M = {
  FieldStorage = storage.FieldStorage,

  --- The class of fields: @{csock.cgi.field}. (In Python, of those that are no uploads.)
  -- @field MiniFieldStorage
  MiniFieldStorage = storage.Field,
}

--- Escapes a text for HTML: `&`, `<`, `>` and quotes.
-- Source: Python's `html.escape`.
-- @function escape
-- @tparam string text
-- @treturn string
-- @usage print(cgi.escape "<a href='x'>") --> &lt;a href=&#x27;x&#x27;&gt;
function M.escape(text) return html.escape(check.argument(check.STRING, text, 1, "escape")) end

--- Takes the value of a header apart: `text/html; charset="utf-8"`.
-- Source: Python's `cgi.parse_header`.
-- @function parse_header
-- @tparam string line
-- @treturn string what stands before the first semicolon
-- @treturn table parameters: name in lower case -> value
-- @usage
-- local kind, parameters = cgi.parse_header 'form-data; name="a;b"'
-- print(kind, parameters.name) --> form-data a;b
function M.parse_header(line) return header.parse(check.argument(check.STRING, line, 1, "parse_header")) end

-- The values of all fields: name -> sequence.
local function values_of(form, err, errno)
  if not form then return nil, err, errno end
  local values = {}
  for _, name in ipairs(form:keys()) do values[name] = form:getlist(name) end
  form:close()
  return values
end

local parse_options = arguments.reader("parse", 2, {
  { "keep_blank_values", arguments.BOOLEAN, false }, { "strict_parsing", arguments.BOOLEAN, false },
  { "separator", check.STRING, "&" },
})

--- Reads a form: all of it, uploads too, into memory.
-- Source: Python's `cgi.parse`.
-- @function parse
-- @param[opt] fp where the body stands (default: standard input)
-- @tparam[opt] table environ the variables of CGI (default: the environment's)
-- @tparam[opt=false] boolean keep_blank_values
-- @tparam[opt=false] boolean strict_parsing
-- @tparam[opt="&"] string separator These may also be a table
-- @treturn[1] {[string]={string,...},...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage print(cgi.parse(nil, {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&a=2"}).a[2]) --> 2
function M.parse(fp, environ, ...)
  local options = parse_options(...)
  options.fp, options.environ = fp, environ
  return values_of(storage.FieldStorage(options))
end

--- Reads a `multipart/form-data` body into memory.
-- Source: Python's `cgi.parse_multipart`.
-- @function parse_multipart
-- @param fp
-- @tparam table pdict the parameters of its Content-Type (`boundary`), and `CONTENT-LENGTH`, if that is known
-- @tparam[opt] table options those of @{csock.cgi.FieldStorage}
-- @treturn[1] {[string]={string,...},...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
-- print(cgi.parse_multipart(BytesIO(body), {boundary = "x"}).a[1]) --> 1
function M.parse_multipart(fp, pdict, options)
  check.argument(check.TABLE, pdict, 2, "parse_multipart")
  local settings = {}
  for name, value in pairs(options or {}) do settings[name] = value end
  local boundary = tostring(pdict.boundary or ""):gsub('["\\]', "\\%0")
  settings.headers = {
    ["content-type"] = ('multipart/form-data; boundary="%s"'):format(boundary),
    ["content-length"] = pdict["CONTENT-LENGTH"],
  }
  settings.fp, settings.environ = fp, { REQUEST_METHOD = "POST" }
  return values_of(storage.FieldStorage(settings))
end

-- --- to look at ------------------------------------------------------------------------------------

-- What RFC 3875 names.
local VARIABLES = {
  "AUTH_TYPE", "CONTENT_LENGTH", "CONTENT_TYPE", "GATEWAY_INTERFACE", "HTTP_ACCEPT", "HTTP_COOKIE", "HTTP_HOST",
  "HTTP_REFERER", "HTTP_USER_AGENT", "PATH", "PATH_INFO", "PATH_TRANSLATED", "QUERY_STRING", "REMOTE_ADDR",
  "REMOTE_HOST", "REMOTE_IDENT", "REMOTE_USER", "REQUEST_METHOD", "SCRIPT_NAME", "SERVER_NAME", "SERVER_PORT",
  "SERVER_PROTOCOL", "SERVER_SOFTWARE",
}

local function write_list(file, title, list)
  file:write("\n<h3>", title, "</h3>\n<dl>\n")
  for _, pair in ipairs(list) do file:write("<dt>", M.escape(pair[1]), "</dt><dd>", M.escape(pair[2]), "</dd>\n") end
  file:write "</dl>\n"
end

--- Writes variables as HTML, to see what a program gets. Not for strangers.
-- Source: Python's `cgi.print_environ`.
-- @function print_environ
-- @tparam[opt] table environ (default: those of the environment that CGI names)
-- @param[opt] file (default: standard output)
-- @usage cgi.print_environ({REQUEST_METHOD = "GET"}, BytesIO())
function M.print_environ(environ, file)
  local list, names = {}, {}
  if environ then
    for name in pairs(environ) do names[#names + 1] = name end
    table.sort(names)
  end
  for _, name in ipairs(environ and names or VARIABLES) do
    local value = (environ or { [name] = os.getenv(name) })[name]
    if value then list[#list + 1] = { name, tostring(value) } end
  end
  write_list(file or io.stdout, "Shell Environment:", list)
end

--- Writes a form as HTML.
-- Source: Python's `cgi.print_form`.
-- @function print_form
-- @tparam fieldstorage form
-- @param[opt] file (default: standard output)
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1"}}
-- cgi.print_form(form, BytesIO())
function M.print_form(form, file)
  local list = {}
  for _, field in ipairs(form.list or {}) do
    list[#list + 1] = { tostring(field.name), field.filename and tostring(field) or tostring(field.value) }
  end
  write_list(file or io.stdout, "Form Contents:", list)
end

--- Writes an error as HTML. Not for strangers.
-- Source: Python's `cgi.print_exception`.
-- @function print_exception
-- @param err
-- @tparam[opt] string traceback
-- @param[opt] file (default: standard output)
-- @usage cgi.print_exception("it fails", debug.traceback(), BytesIO())
function M.print_exception(err, traceback, file)
  (file or io.stdout):write("\n<h3>Traceback (most recent call last):</h3>\n<pre>", M.escape(traceback or ""), "\n<b>",
    M.escape(tostring(err)), "</b></pre>\n")
end

return M

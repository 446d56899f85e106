--- Files below a directory.
-- @module csock.httpserver
local check = require "csock.check"
local conditions = require "csock.httpserver.conditions"
local csock = require "csock"
local csock_core = require "csock.core"
local dates = require "csock.wire.dates"
local html = require "csock.httpserver.html"
local mime = require "csock.httpserver.mime"
local url = require "csock.url"

local E = csock.errno
local open = csock_core.http.open

local M = {}

-- --- names -----------------------------------------------------------------------------------------

-- The path of a target, decoded once, as one below the root: "" is the root itself, a directory's may end with a slash.
-- Nil for what cannot name anything below it: ".." or a slash or a zero byte behind a percent sign, and the like. (What
-- opens the file refuses dots once more, and symbolic links.)
function M.relative(path)
  path = path:gsub("/+", "/")
  if path:sub(1, 1) ~= "/" then return nil end
  local names = {}
  for name in (path:sub(2) .. "/"):gmatch "([^/]*)/" do
    local decoded = url.unquote(name)
    if decoded == "." or decoded == ".." or decoded:find "[/\0]" then return nil end
    names[#names + 1] = decoded
  end
  return table.concat(names, "/")
end

-- The type of a file by its name, with a table from ends of names to types.
function M.type_of(name, types)
  local ending = name:match "[^/](%.[^./]+)$"
  return ending and types[ending:lower()] or types[""] or "application/octet-stream"
end

-- --- listings --------------------------------------------------------------------------------------

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<title>Directory listing for %s</title>
</head>
<body>
<h1>Directory listing for %s</h1>
<hr>
<ul>
%s</ul>
<hr>
</body>
</html>
]]

-- The page that shows a directory's names; `path` is the target's.
function M.listing(directory, path)
  local names = assert(directory:names())
  table.sort(names, function(a, b)
    local x, y = a:lower(), b:lower()
    return x < y or x == y and a < b
  end)
  local lines = {}
  for i, name in ipairs(names) do
    lines[i] = ('<li><a href="./%s">%s</a></li>\n'):format(html.escape(url.quote(name)), html.escape(name))
  end
  local title = html.escape(url.unquote(path))
  return PAGE:format(title, title, table.concat(lines))
end

-- --- answers ---------------------------------------------------------------------------------------

local NONE = { [E.ENOENT] = 404, [E.ENOTDIR] = 404, [E.ENAMETOOLONG] = 404, [E.EACCES] = 403, [E.EPERM] = 403 }

-- What a file can be told apart by: a strong tag once it is so old that another change would show in its time.
local function tag_of(file)
  local mtime = file:mtime()
  local tag = ('"%x-%x"'):format(mtime, file:size())
  return os.time() - mtime > 1 and tag or "W/" .. tag
end

-- The answer for a file: as a function of `serve` gives it.
local function show(request, file, name, options)
  local tag, mtime, size = tag_of(file), file:mtime(), file:size()
  local fields = {
    ["Content-Type"] = M.type_of(name, options.types), ["Last-Modified"] = dates.http(mtime), ETag = tag,
    ["Accept-Ranges"] = "bytes",
  }
  local status = conditions.status(request.fields, tag, mtime)
  if status == 304 then
    return 304, { ["Last-Modified"] = fields["Last-Modified"], ETag = tag }, nil, file
  elseif status then
    return status, nil, nil, file
  end
  local first, count
  if request.method == "GET" then first, count = conditions.range(request.fields, tag, mtime, size) end
  if first == false then return 416, { ["Content-Range"] = "bytes */" .. size }, nil, file end
  if first == nil then return 200, fields, { file = file, offset = 0, count = size }, file end
  fields["Content-Range"] = ("bytes %d-%d/%d"):format(first, first + count - 1, size)
  return 206, fields, { file = file, offset = first, count = count }, file
end

local function redirect(request)
  local query = request.query and "?" .. request.query or ""
  return 301, { Location = request.path:gsub("/+", "/") .. "/" .. query }
end

local INDEX = { "index.html", "index.htm" }

local function show_directory(request, directory, relative, options)
  if request.path:sub(-1) ~= "/" then return redirect(request) end
  for _, name in ipairs(options.index) do
    local file = open(options.root, relative .. name, options.links)
    if file and not file:is_directory() then return show(request, file, name, options) end
    if file then file:close() end
  end
  if not options.listing then return 403 end
  return 200, { ["Content-Type"] = "text/html; charset=utf-8" }, M.listing(directory, request.path)
end

-- Answers a GET or HEAD: what a function of `serve` returns. `request`: `method`, `path`, `query`, `relative` (its path
-- below the root; nil: none), and `fields`, by their names in lower case; `options`: `root`, `links`, `index`,
-- `listing`, `types`.
function M.answer(request, options)
  local relative = request.relative
  if not relative then return 404 end
  local file, err, errno = open(options.root, relative, options.links)
  if not file then
    if NONE[errno] then return NONE[errno] end
    error(err, 0)
  end
  if not file:is_directory() then return show(request, file, relative, options) end
  local _ <close> = file
  return show_directory(request, file, relative, options)
end

local OPTIONS = {
  links = { check.ANY }, listing = { check.ANY, true }, index = { check.TABLE, INDEX, {} }, types = { check.TABLE },
}

-- The options of a program, with what is usual.
function M.options(root, given, number, call)
  local options = check.options(given, OPTIONS, number, call)
  options.root = root
  options.types = options.types and setmetatable(options.types, { __index = mime }) or mime
  return options
end

--- Makes a function for @{serve} that shows the files below a directory: with ranges (one at a time), conditional
-- requests (ETag, Last-Modified), index pages and listings. Whatever the client's path looks like, nothing outside of
-- the directory is shown: `..` is no name there, however it is written, and symbolic links are not followed.
--
--     httpserver.serve({"", 8000}, httpserver.files "/srv/www")
--
-- @function files
-- @tparam string root
-- @tparam[opt] table options
-- @tparam[opt=false] boolean options.links symbolic links are followed, wherever they lead
-- @tparam[opt] {string,...} options.index the names of index pages (default: `{"index.html", "index.htm"}`)
-- @tparam[opt=true] boolean options.listing false: directories without one are not listed (403)
-- @tparam[opt] table options.types a table from the ends of names (`".txt"`) to types, besides those that are known
-- @treturn function
-- @usage
-- local server = assert(httpserver.serve({"", 8080}, httpserver.files "."))
-- server:close()
function M.files(root, options)
  check.argument(check.STRING, root, 1, "files")
  options = M.options(root, options, 2, "files")
  return function(request)
    if request.method ~= "GET" and request.method ~= "HEAD" then return 405, { Allow = "GET, HEAD" } end
    return M.answer({
      method = request.method, path = request.path, query = request.query, relative = M.relative(request.path),
      fields = request.headers,
    }, options)
  end
end

return M

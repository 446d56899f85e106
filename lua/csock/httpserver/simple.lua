--- A handler that shows files.
-- @module csock.httpserver
local class = require "csock.class"
local files = require "csock.httpserver.files"
local handlers = require "csock.httpserver.handlers"
local mime = require "csock.httpserver.mime"
local split = require "csock.httpserver.target"

--- A handler that shows the files below a directory to GET and HEAD: with ranges (one at a time), conditional requests,
-- index pages and listings.
--
-- Nothing outside of the directory is shown, whatever the path looks like; symbolic links are not followed, unless
-- `follow_symlinks` is true. (Python follows them.)
-- Source: Python's `http.server.SimpleHTTPRequestHandler`.
-- @type simplehttprequesthandler
local SimpleHTTPRequestHandler = class("SimpleHTTPRequestHandler", handlers.BaseHTTPRequestHandler)

--- The directory: `"."`. (An argument of the constructor in Python; here a subclass or an object has another one.)
-- @field simplehttprequesthandler:directory
SimpleHTTPRequestHandler.directory = "."

--- Whether symbolic links are followed, wherever they lead: false. (csock's own.)
-- @field simplehttprequesthandler:follow_symlinks
SimpleHTTPRequestHandler.follow_symlinks = false

--- The names of index pages: `{"index.html", "index.htm"}`.
-- @field simplehttprequesthandler:index_pages
SimpleHTTPRequestHandler.index_pages = { "index.html", "index.htm" }

--- From the ends of names (`".txt"`) to types; that of `""` is for all others.
-- @field simplehttprequesthandler:extensions_map
SimpleHTTPRequestHandler.extensions_map = setmetatable({ [""] = "application/octet-stream" }, { __index = mime })

--- The target's path as one below the directory: `"a b/c"` for `"/a%20b/c?d"`. It says what is shown; an own one may
-- say otherwise.
-- @function simplehttprequesthandler:translate_path
-- @tparam string path
-- @treturn ?string nil for what can be no such path (`"/../a"`)
-- @usage
-- local Files = httpserver.SimpleHTTPRequestHandler
-- print(Files:translate_path "/a%20b/c?d") --> a b/c
function SimpleHTTPRequestHandler.translate_path(_, path) return files.relative((split(path))) end

--- The type of a file.
-- @tparam string path
-- @treturn string
-- @usage
-- local Files = httpserver.SimpleHTTPRequestHandler
-- print(Files:guess_type "a.html")
function SimpleHTTPRequestHandler:guess_type(path) return files.type_of(path, self.extensions_map) end

--- Sends the head of the answer.
-- @treturn ?string|table what is to be sent behind it: a page; or `file`, `offset` and `count`; nil after an error
-- @treturn ?file to be closed after that
function SimpleHTTPRequestHandler:send_head()
  local path, query = split(self.path)
  local status, fields, body, closing = files.answer(
    {
      method = self.command, path = path, query = query, relative = self:translate_path(self.path),
      fields = self.headers[1],
    },
    {
      root = self.directory, links = self.follow_symlinks, index = self.index_pages, types = self.extensions_map,
      listing = true,
    })
  if status >= 400 and status ~= 416 then
    self:send_error(status, status == 404 and "File not found" or nil)
    return nil, closing
  end
  self:send_response(status)
  for name, value in pairs(fields or {}) do self:send_header(name, value) end
  if status ~= 304 then self:send_header("Content-Length", body and (body.count or #body) or 0) end
  self:end_headers()
  return body, closing
end

--- Sends a file or a page.
-- @usage
-- local server = httpserver.ThreadingHTTPServer({"", 8080}, httpserver.SimpleHTTPRequestHandler)
-- server:server_close()
function SimpleHTTPRequestHandler:do_GET()
  local body, closing = self:send_head()
  local _ <close> = closing
  if type(body) == "string" then
    self.wfile:write(body)
  elseif body and body.count > 0 then
    local sent = self.wfile:flush() and self.connection:sendfile(body.file, body.offset, body.count)
    if sent ~= body.count then self.close_connection = true end -- the client sees that something is missing
  end
end

--- Sends the head alone.
function SimpleHTTPRequestHandler:do_HEAD()
  local _ <close> = select(2, self:send_head())
end

return { SimpleHTTPRequestHandler = SimpleHTTPRequestHandler }

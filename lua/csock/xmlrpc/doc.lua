--- Servers that tell what they can do.
-- @module csock.xmlrpc
local check = require "csock.check"
local class = require "csock.class"
local html = require "csock.httpserver.html"
local own = require "csock.help.own"
local server = require "csock.xmlrpc.server"

local M = {}

-- --- the page --------------------------------------------------------------------------------------

local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>%s</title></head>
<body>
<h1>%s</h1>
<p>%s</p>
<h2>Methods</h2>
<dl>
%s</dl>
</body>
</html>
]]

local function paragraphs(text) return (html.escape(text):gsub("\n", "<br>\n")) end

local function parameters_of(f)
  if not f then return "..." end
  local names = {}
  for i, parameter in ipairs(own.parameters(f)) do names[i] = parameter.name end
  return table.concat(names, ", ")
end

--- A server that shows a page about its functions to those who get `/`, and answers calls as
-- `SimpleXMLRPCServer` does.
-- Source: Python's `xmlrpc.server.DocXMLRPCServer`.
-- @type docxmlrpcserver
local DocXMLRPCServer = class("DocXMLRPCServer", server.SimpleXMLRPCServer)
M.DocXMLRPCServer = DocXMLRPCServer

DocXMLRPCServer.server_title = "XML-RPC Server Documentation"
DocXMLRPCServer.server_name_shown = "XML-RPC Server Documentation"
DocXMLRPCServer.server_documentation = "This server exports the following methods through the XML-RPC protocol."

--- Made by calling the class, as `SimpleXMLRPCServer` is.
-- @function csock.xmlrpc.DocXMLRPCServer
-- @tparam table addr
-- @tparam[opt] class requestHandler a `DocXMLRPCRequestHandler`
-- @tparam[opt] table options
-- @treturn[1] docxmlrpcserver
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(xmlrpc.DocXMLRPCServer {"", 8000})
-- server:set_server_title "Sums"
-- server:register_function(function(a, b) return a + b end, "add", "Adds two numbers.")
-- print(server:generate_html_documentation():find("Adds two numbers.", 1, true) ~= nil) --> true

--- Sets the page's title.
-- @tparam string title
-- @usage
-- local server = assert(xmlrpc.DocXMLRPCServer {"", 8000})
-- server:set_server_title "Sums"
function DocXMLRPCServer:set_server_title(title)
  self.server_title = check.argument(check.STRING, title, 1, "set_server_title")
end

--- Sets the heading.
-- @tparam string name
-- @usage
-- local server = assert(xmlrpc.DocXMLRPCServer {"", 8000})
-- server:set_server_name "Sums, and nothing else"
function DocXMLRPCServer:set_server_name(name)
  self.server_name_shown = check.argument(check.STRING, name, 1, "set_server_name")
end

--- Sets what stands below it.
-- @tparam string documentation
-- @usage
-- local server = assert(xmlrpc.DocXMLRPCServer {"", 8000})
-- server:set_server_documentation "It can add."
function DocXMLRPCServer:set_server_documentation(documentation)
  self.server_documentation = check.argument(check.STRING, documentation, 1, "set_server_documentation")
end

--- The page, in which everything is escaped.
-- @treturn string
-- @usage
-- local server = assert(xmlrpc.DocXMLRPCServer {"", 8000})
-- server:register_function(print, "print")
-- print(server:generate_html_documentation():find("<dt>", 1, true) ~= nil) --> true
function DocXMLRPCServer:generate_html_documentation()
  local methods = {}
  for i, name in ipairs(self:system_listMethods()) do
    local _, f = self:_find(name)
    methods[i] = ("<dt><code><strong>%s</strong>(%s)</code></dt>\n<dd>%s</dd>\n"):format(
      html.escape(name), html.escape(parameters_of(f)), paragraphs(self:system_methodHelp(name)))
  end
  return PAGE:format(html.escape(self.server_title), html.escape(self.server_name_shown),
    paragraphs(self.server_documentation), table.concat(methods))
end

--- Its handler: `do_GET` sends the page.
-- Source: Python's `xmlrpc.server.DocXMLRPCRequestHandler`.
-- @type docxmlrpcrequesthandler
local DocXMLRPCRequestHandler = class("DocXMLRPCRequestHandler", server.SimpleXMLRPCRequestHandler)
M.DocXMLRPCRequestHandler = DocXMLRPCRequestHandler
DocXMLRPCServer.RequestHandler = DocXMLRPCRequestHandler

local function send_head(self)
  if not self:is_rpc_path_valid() then
    self:report_404()
    return nil
  end
  local page = self.server:generate_html_documentation()
  self:send_response(200)
  self:send_header("Content-Type", "text/html; charset=utf-8")
  self:send_header("Content-Length", #page)
  self:send_header("Content-Security-Policy", "default-src 'none'")
  self:send_header("X-Content-Type-Options", "nosniff")
  self:end_headers()
  return page
end

--- Called for GET: sends the page.
function DocXMLRPCRequestHandler:do_GET()
  local page = send_head(self)
  if page then self.wfile:write(page) end
end

--- Called for HEAD: sends the head of that.
function DocXMLRPCRequestHandler:do_HEAD() send_head(self) end

return M

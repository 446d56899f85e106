-- server.lua: the constructor that the servers of remote calls share.
local check = require "csock.check"
local class = require "csock.class"
local httpserver = require "csock.httpserver"

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)
local HANDLER = check.kind("class", class.isclass)

local M = {}

-- Reads (address, options) or (address, Handler, options): the options are a server's own, by `rows`, and those of
-- socketserver.TCPServer.
function M.make(self, rows, address, handler, options)
  local name = self.__class.__name
  if not class.isclass(handler) then handler, options = nil, handler end
  if options ~= nil then check.argument(check.TABLE, options, 2, name) end
  local known = { requestHandler = { HANDLER, handler }, logRequests = { BOOLEAN, true, false } }
  for option, row in pairs(rows) do known[option] = row end
  local given, rest = {}, {}
  for option, value in pairs(options or {}) do (known[option] and given or rest)[option] = value end
  local settings = check.options(given, known, 2, name)
  self:_prepare()
  for option in pairs(known) do
    if option ~= "requestHandler" then self[option] = settings[option] end
  end
  return httpserver.ThreadingHTTPServer.__init(self, address, settings.requestHandler or self.RequestHandler, rest)
end

M.BOOLEAN = BOOLEAN

return M

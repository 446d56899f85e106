--- HTTP servers.
--
-- The short form is a function that gets requests and returns answers:
--
--     local csock = require "csock"
--     local httpserver = require "csock.httpserver"
--
--     httpserver.serve({"", 8080}, function(request)
--       return 200, {["content-type"] = "text/plain"}, "hello, " .. request.client_address.host
--     end)
--     csock.run()
--
-- @module csock.httpserver
local cgi = require "csock.httpserver.cgi"
local events = require "csock.httpserver.events"
local files = require "csock.httpserver.files"
local handlers = require "csock.httpserver.handlers"
local main = require "csock.httpserver.main"
local responses = require "csock.http.status".responses
local serve = require "csock.httpserver.serve"
local servers = require "csock.httpserver.servers"
local simple = require "csock.httpserver.simple"

local M = {
  serve = serve.serve,
  event = events.event,
  files = files.files,
  main = main.main,
  --- What each status means: `responses[404]` is `"Not Found"`.
  -- @field responses
  responses = responses,
  HTTPServer = servers.HTTPServer,
  ThreadingHTTPServer = servers.ThreadingHTTPServer,
  ForkingHTTPServer = servers.ForkingHTTPServer,
  PreforkHTTPServer = servers.PreforkHTTPServer,
  BaseHTTPRequestHandler = handlers.BaseHTTPRequestHandler,
  SimpleHTTPRequestHandler = simple.SimpleHTTPRequestHandler,
  CGIHTTPRequestHandler = cgi.CGIHTTPRequestHandler,
}

return M

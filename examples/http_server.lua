-- http_server.lua: shows the files below a directory to browsers: with ranges, conditional requests,
-- index pages and listings. Nothing outside of the directory is shown; symbolic links are not
-- followed.
--
--   lua5.4 examples/http_server.lua [dir] [port]
--   --cgi: programs in the directory's cgi-bin are run
--   --bind HOST: the host to listen on; "" is every address of the machine
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local class = require "csock.class"
local httpserver = require "csock.httpserver"

example.run(function()
  local cgi = example.option "--cgi"
  local host = example.value("--bind", "HOST") or "localhost"
  local directory, port = example.arguments("dir", ".", "port", 8000)

  local base = cgi and httpserver.CGIHTTPRequestHandler or httpserver.SimpleHTTPRequestHandler
  local Files = class("Files", base)
  Files.directory = directory
  Files.protocol_version = "HTTP/1.1"

  local server <close> = assert(httpserver.ThreadingHTTPServer({ host, port }, Files))
  example.announce(server.socket)
  example.serve(server)
end)

--- The PROXY protocol: what a proxy says of a connection before the first byte of that, versions 1 (text) and 2.
--
-- A server that stands behind proxies names those: of nobody else is a header believed, since everybody could write
-- one.
--
--     csock.serve({"", 8080}, function(conn, addr)
--       conn:sendall("hello, " .. addr.host .. "\n") -- the client's address
--     end, { proxy_protocol = {"127.0.0.1", "10.0.0.0/8"} })
--
-- The option is the same for `csock.serve`, `httpserver.serve` and the servers of `socketserver`; see @{rules}. A proxy
-- itself, or a client, says it by the option `proxy_protocol` of @{csock.create_connection}; see @{header}.
-- Source: HAProxy's proxy-protocol.txt.
-- @module csock.proxyproto
local accept = require "csock.proxyproto.accept"
local header = require "csock.proxyproto.header"
local parse = require "csock.proxyproto.parse"

return {
  parse = parse.parse,
  crc32c = parse.crc32c,
  header = header.header,
  receive = accept.receive,
  rules = accept.rules,
  info = accept.info,
}

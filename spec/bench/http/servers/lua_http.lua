-- The contender lua-http: lua_http.lua MODE DIRECTORY (see ../load.c). Prints the port.
local headers = require "http.headers"
local server = require "http.server"

local BODY = ("x"):rep(1024)

local s = assert(server.listen {
  host = "127.0.0.1", port = 0, tls = false,
  onstream = function(_, stream)
    assert(stream:get_headers())
    local h = headers.new()
    h:append(":status", "200")
    h:append("content-type", "text/plain")
    h:append("content-length", tostring(#BODY))
    assert(stream:write_headers(h, false))
    assert(stream:write_chunk(BODY, true))
  end,
  onerror = function() end,
})
assert(s:listen())
print((select(3, s:localname())))
io.stdout:flush()
assert(s:loop())

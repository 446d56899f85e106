-- answer.lua: the heads of answers (csrc/http/answer.c), as this server makes them.
local csock = require "csock"
local csock_core = require "csock.core"
local headers = require "csock.wire.headers"
local responses = require "csock.http.status".responses

local http = csock_core.http

local M = {}

-- What a server calls itself, in the field Server.
M.SOFTWARE = "csock/" .. (csock._VERSION:match "%d[%d.]*" or "0")

-- What can be the value of a field, as a string; raises for others.
M.value = http.value

-- Whether answers with this status have no body (RFC 9110, 6.4.1).
function M.is_bare(status) return status < 200 or status == 204 or status == 304 end

-- Puts the head of an answer together: see there.
M.compose = http.composer(M.SOFTWARE, responses, getmetatable(headers.new()))

return M

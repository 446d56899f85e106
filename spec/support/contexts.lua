--- Contexts for specs of what takes one: servers, clients.
--
--     local contexts = require "spec.support.contexts"
--     local test = contexts.missing and pending or it
--     local ctx = contexts.server()
local certificates = require "spec.support.certificates"

local found, ssl = pcall(require, "csock.ssl")
if not found and package.searchpath("csock.tls", package.cpath) then error(ssl, 0) end -- it cannot be loaded

local M = { ssl = found and ssl or nil }

--- What is not here: nil, or words for it.
M.missing = not found and "csock.tls is not built" or not certificates.available and "no program openssl" or nil

--- A client's context that trusts the good authority, or the one of this name.
function M.client(authority)
  return assert(ssl.create_default_context(nil, { cafile = certificates[authority or "ca"].cert }))
end

--- A server's context with the good certificate, or the one of this name.
function M.server(name)
  local certificate = certificates[name or "good"]
  local context = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
  assert(context:load_cert_chain(certificate.chain or certificate.cert, certificate.key))
  return context
end

--- Code that makes such a context, for a program of its own, named `ctx`.
M.SERVER = found and certificates.available and ([[
  local ssl = require "csock.ssl"
  local ctx = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
  assert(ctx:load_cert_chain(%q, %q))
]]):format(certificates.good.cert, certificates.good.key) or ""

--- Reads a connection to its end, which may be a reset; what came.
function M.rest(s)
  local text = ""
  while true do
    local data, err = s:recv(1000)
    if not data and err.name ~= "ECONNRESET" then error(err, 2) end
    if not data or data == "" then return text end
    text = text .. data
  end
end

return M

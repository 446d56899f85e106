-- tls.lua: the options of commands that speak TLS, and the contexts that they stand for.
local failure = require "csock.command.failure"

local M = {}

-- For a client.
M.CLIENT = {
  { "--cafile", "FILE", help = "trust the authorities in this file (PEM) instead of the system's" },
  { "--insecure", help = "verify nothing: whoever is in between can read and change everything" },
  { "--name", "NAME", help = "the name to ask for and to verify (the host)" },
}

local function load()
  local ok, ssl = pcall(require, "csock.ssl")
  return ok and ssl or failure.fail("%s", tostring(ssl))
end

-- A client's context.
function M.client(found)
  local ssl = load()
  if found.insecure then return failure.check(ssl.insecure_context()) end
  return failure.check(ssl.create_default_context(nil, { cafile = found.cafile }))
end

-- A server's, with this certificate.
function M.server(cert, key)
  local ssl = load()
  local context = failure.check(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
  failure.check(context:load_cert_chain(cert, key))
  return context
end

return M

-- version.lua: `csock version`.
local csock = require "csock"

local M = {
  name = "version",
  usage = { "" },
  about = "Prints the versions of csock, of Lua and of OpenSSL where there is one, and what the loop runs on.",
}

function M.run()
  print(csock._VERSION)
  print(_VERSION)
  local ok, ssl = pcall(require, "csock.ssl")
  if ok then print(ssl.OPENSSL_VERSION) end
  print("loop: " .. csock.loop.backend())
end

return M

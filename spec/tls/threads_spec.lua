-- Several Lua states that speak TLS in threads of one process, under the thread sanitizer, for which csock is built in
-- a directory of its own.
local certificates = require "spec.support.certificates"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local BUILD = "build/threads"

-- The sanitizer's library; nil, and why it is not to be had here.
local function sanitizer()
  if not package.searchpath("csock.tls", package.cpath) then return nil, "csock.tls is not built" end
  if not certificates.available then return nil, "no program openssl" end
  if os.getenv "LD_PRELOAD" or process.slowness > 1 then return nil, "another sanitizer is at work" end
  local ok, status, library = pcall(process.run, { "gcc", "-print-file-name=libtsan.so" })
  library = ok and status == 0 and library:match "^(/.-)\n"
  if not library then return nil, "gcc has no thread sanitizer" end
  return library
end

-- The good authority in a directory as OpenSSL looks for it.
local function authorities()
  local dir = assert(posix.mkdtemp())
  local status, hash, err = process.run { "openssl", "x509", "-noout", "-hash", "-in", certificates.ca.cert }
  assert(status == 0, err)
  local from <close> = assert(io.open(certificates.ca.cert))
  local to <close> = assert(io.open(dir .. "/" .. hash:sub(1, 8) .. ".0", "w"))
  assert(to:write(from:read "a"))
  return dir
end

describe("states in threads of their own", function()
  local library, why

  setup(function()
    library, why = sanitizer()
    if not library then return end
    local status, out, err = process.run({ "make", "-j2", "-s", "objects", "BUILD=" .. BUILD, "CC=gcc",
      "CFLAGS=-O1 -g -fsanitize=thread" }, { env = { MAKEFLAGS = false, MAKELEVEL = false }, timeout = 120 })
    assert(status == 0, out .. err)
  end)

  it("speak TLS side by side, and one after the other, without a data race", function()
    if not library then return pending(why) end
    local dir = authorities()
    local status, out, err = process.run({ process.interpreter, "spec/tls/threads.lua", certificates.dir }, {
      env = {
        LD_PRELOAD = library, SSL_CERT_DIR = dir, SSL_CERT_FILE = false,
        LUA_CPATH = BUILD .. "/?.so;" .. (os.getenv "LUA_CPATH" or ";"),
        -- OpenSSL is not built for it: what it does by atomic operations of its own is not seen.
        TSAN_OPTIONS = "ignore_noninstrumented_modules=1 exitcode=66",
      },
      timeout = 50,
    })
    os.execute("rm -rf '" .. dir .. "'")
    assert.same({ 0, ("36\n"):rep(6), "" }, { status, out, err })
  end)
end)

-- doc/tls.md: what it tells to type makes certificates, and every program in it runs with them.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local guide = require "spec.support.guide"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness

if contexts.missing then
  pending("doc/tls.md: " .. contexts.missing)
  return
end

local function blocks(language) return guide.blocks("doc/tls.md", language) end

describe("doc/tls.md", function()
  local dir, env

  -- A free port.
  local function free_port()
    local s <close> = assert(csock.create_server { "", 0 })
    return s:getsockname().port
  end

  setup(function()
    env = guide.environment()
    dir = assert(posix.mkdtemp())
    local status, _, err = process.run({ "sh", "-e", "-c", blocks "sh"[1] }, { cwd = dir, timeout = 60 })
    assert(status == 0, err)
  end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)
  after_each(keep.close)

  it("has commands that make certificates, and keys for their owner alone", function()
    local pipe <close> = io.popen("cd '" .. dir .. "' && stat -c '%a %n' *.key")
    assert.equal("600 ca.key\n600 client.key\n600 server.key\n", pipe:read "a")
  end)

  for i, code in ipairs(blocks "lua") do
    if guide.tells(code) then
      it(("has a program %d that prints what the page says"):format(i), function()
        guide.check(code, { env = env, cwd = dir, timeout = LIMIT })
      end)
    end
  end

  it("has a client, and a server, of ten lines, which understand each other", function()
    local client, server = table.unpack(blocks "lua")
    for _, code in ipairs { client, server } do
      assert.is_true(select(2, code:gsub("\n", "")) <= 12)
    end
    local port = free_port()
    server = server:gsub("8443", tostring(port))
    local program = keep(process.lua({ "-e", server }, { env = env, cwd = dir }))
    client = client:gsub('"example.org", 443', ('"localhost", %d'):format(port))
    local deadline = csock.now() + LIMIT
    repeat
      local s <close> = csock.create_connection { "localhost", port }
    until s or csock.now() > deadline
    local status, out, err = process.run({ process.interpreter, "-e", client },
      { cwd = dir, env = { LUA_PATH = env.LUA_PATH, LUA_CPATH = env.LUA_CPATH, SSL_CERT_FILE = "ca.pem" } })
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("TLSv1.3\tlocalhost\nHEAD / HTTP/1.0\n", out:match "^[^\n]*\n[^\n]*\n")
    status, out, err = process.run({ process.interpreter, "-e", client }, { cwd = dir, env = env })
    assert.not_equal(0, status)
    assert.equal("", out)
    assert.is_truthy(err:find "CERTIFICATE_VERIFY_FAILED" or err:find "ENOENT", err) -- no authorities at all
    assert.is_true(program:running())
  end)
end)

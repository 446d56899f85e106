-- What a connection over TLS takes of memory, and of the kernel's calls.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

if contexts.missing then
  pending("connections over TLS: " .. contexts.missing)
  return
end

local LIMIT = 10 * process.slowness

after_each(keep.close)

-- A client and a server over TLS, connected.
local function pair()
  local a, b = csock.socketpair()
  keep(a, b)
  a:settimeout(LIMIT)
  b:settimeout(LIMIT)
  csock.run(function()
    local greeting = csock.spawn(function()
      return contexts.server():wrap_socket(b, { server_side = true })
    end)
    assert(contexts.client():wrap_socket(a, { server_hostname = "localhost" }))
    assert(greeting:join())
  end)
  return a, b
end

-- Bytes of this process that no other shares.
local function memory()
  local file <close> = assert(io.open "/proc/self/smaps_rollup")
  return tonumber(file:read "a":match "Private_Dirty:%s*(%d+)") * 1024
end

describe("a connection over TLS", function()
  it("gives in one recv what has come together, as a plain socket does", function()
    local client, server = pair()
    for _, size in ipairs { 10, 16384 } do
      local records = { ("a"):rep(size), ("b"):rep(size), ("c"):rep(size) }
      for _, record in ipairs(records) do assert(client:sendall(record)) end
      local text = table.concat(records)
      if size > 4096 then assert.equal(records[1], server:recv(size, csock.MSG_WAITALL)) end -- it is to expect more
      local rest = size > 4096 and text:sub(size + 1) or text
      assert.equal(rest, server:recv(#rest + 1))
    end
  end)

  it("carries what is longer than the kernel takes at once, whatever the lengths", function()
    local client, server = pair()
    local parts = {}
    for i = 1, 60 do parts[i] = string.pack("<I4", i):rep(4000 * i % 17393 + 1) end
    local text, got, sent = table.concat(parts):rep(4), {}, nil
    csock.run(function()
      csock.spawn(function()
        for from = 1, #text, 300007 do
          sent = client:sendall(text:sub(from, from + 300006))
          if not sent then break end
        end
        client:shutdown(csock.SHUT_WR)
      end)
      repeat
        got[#got + 1] = assert(server:recv(#got % 9 == 0 and 100000 or 777 * (#got % 50 + 1)))
      until got[#got] == ""
    end)
    assert.is_truthy(sent)
    assert.is_true(table.concat(got) == text)
  end)

  it("gives what has come before the end, then the end", function()
    local client, server = pair()
    assert(client:sendall "one")
    assert(client:sendall "two")
    client:close()
    assert.equal("onetwo", server:recv(100))
    assert.equal("", server:recv(100))
  end)

  it("takes few bytes while a client that has connected says nothing", function()
    if not io.open "/proc/self/smaps_rollup" then return pending "no /proc/self/smaps_rollup" end
    local COUNT, context = 300, contexts.server()
    local quiet = {}
    local function connect()
      local a, b = csock.socketpair()
      b:settimeout(0)
      assert(context:wrap_socket(b, { server_side = true }))
      assert.equal("EAGAIN", select(2, b:do_handshake()).name)
      quiet[#quiet + 1] = a
      quiet[#quiet + 1] = b
    end
    connect() -- what is made once
    local before = memory()
    for _ = 1, COUNT do connect() end
    local each = (memory() - before) / COUNT
    for _, s in ipairs(quiet) do s:close() end
    assert.is_true(each < 25000, each)
  end)
end)

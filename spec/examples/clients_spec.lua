-- What every client does alike: it notices that the server is gone, prints nothing raw, and keeps no
-- more than a little of what a server says without an end.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness -- seconds

after_each(function()
  keep.close()
  example.stop_all()
end)

local function host_of(client) return client:find "6$" and "::1" or "127.0.0.1" end

local function it_can(client) return client:find "6$" and not example.has_ipv6 and pending or it end

-- A client of a server that the spec itself plays.
local function start(client, ...)
  local listener = keep(assert(csock.create_server { host_of(client), 0 }))
  listener:settimeout(LIMIT)
  return example.start(client, host_of(client), listener:getsockname().port, ...), listener
end

local function accept(listener)
  local conn = keep(assert(listener:accept()))
  conn:settimeout(LIMIT)
  return conn
end

-- Sends 20 MB without a line end, or as much as is taken.
local function flood(conn)
  local block = ("x"):rep(100000)
  for _ = 1, 200 do
    if not conn:sendall(block) then return end
  end
end

-- What it types first, where it is asked, and what its server then says to it: `%s` is what it says.
local clients = {
  tsTclnt = { "hi", "[Sat Jun 17 17:27:21 2006] %s" },
  tsTclnt6 = { "hi", "[Sat Jun 17 17:27:21 2006] %s" },
  tsTclnt_safe = { "hi", "[Sat Jun 17 17:27:21 2006] %s" },
  tsTclntSS = { "hi", "[Sat Jun 17 17:27:21 2006] %s\r\n" },
  tsTclntSS_persist = { "hi", "[Sat Jun 17 17:27:21 2006] %s\r\n" },
  tsTclntTW = { "hi", "[Sat Jun 17 17:27:21 2006] %s" },
  echo_stream_client = { "hi", "%s\n" },
  command_client = { "date", "%s\r\n\n" },
  sleep_client = { "1", "%s\n" },
  name_client = { "list", "%s\n\n" },
  thanks_client = { nil, "%s" },
  select_two = { nil, "%s" },
  web_client = { nil, "HTTP/1.1 404 %s\r\n\r\n", "/dev/null" },
}

for client, row in pairs(clients) do
  local typed, answer, file = row[1], row[2], row[3]

  it_can(client)("examples/" .. client .. " prints without control characters what its server says", function()
    local program, listener = start(client, file)
    if typed then program:type(typed) end
    local conn = accept(listener)
    if typed or file then assert(conn:recv(1024) ~= "") end
    assert(conn:sendall(answer:format "\27[2J\7bell \194\1552J \226\128\174x"))
    conn:close()
    program:expect "%?%[2J%?bell %?2J %?x"
    listener:close()
    program:finish_input()
    program:wait()
    assert.is_nil((program.out .. program.err):gsub("\n", ""):find "[%c\128-\255]")
  end)
end

for client, row in pairs(clients) do
  local typed = row[1]
  if typed and client ~= "tsTclntSS" then -- which has no connection while it asks
    it_can(client)("examples/" .. client .. " says at its prompt that the server is gone, at once", function()
      local program, listener = start(client)
      local conn = accept(listener)
      program:expect "^> "
      conn:close()
      assert.equal(client .. ".lua: the server has closed the connection\n", program:ends(1))
    end)
  end
end

it("examples/tsTclnt says in the middle of a line that the server is gone, or was reset", function()
  for _, linger in ipairs { string.pack("ii", 0, 0), string.pack("ii", 1, 0) } do
    local program, listener = start "tsTclnt"
    local conn = accept(listener)
    program:write "half a li"
    program:expect "^> "
    assert(conn:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, linger))
    conn:close()
    assert.matches("^tsTclnt%.lua: [^\n]+\n$", program:ends(1))
  end
end)

it("examples/tsTclnt does not mind a server that speaks first", function()
  local program, listener = start "tsTclnt"
  local conn = accept(listener)
  assert(conn:sendall "hello")
  program:expect "^> "
  program:type "hi"
  assert.equal("hi", conn:recv(1024))
  program:expect "^hello\n> "
end)

for _, client in ipairs { "echo_stream_client", "command_client", "sleep_client", "name_client", "tsTclntSS_persist",
  "web_client" } do
  it("examples/" .. client .. " ends at a line that does not", function()
    local program, listener = start(client, clients[client][3])
    local conn = accept(listener)
    if clients[client][1] then program:type "1" end
    assert(conn:recv(1024))
    flood(conn)
    assert.equal(client .. ".lua: the server says a line of over 65536 bytes\n", program:ends(1))
  end)
end

it("examples/tsTclntSS and safe_send keep no more than a reply has", function()
  for client, typed in pairs { tsTclntSS = "hi", safe_send = false } do
    local program, listener = start(client, not typed and 10 or nil)
    if typed then program:type(typed) end
    local conn = accept(listener)
    assert(conn:recv(1024))
    flood(conn)
    program:expect(typed and "^> x+\n" or "the receiver counted x+\n")
    assert.is_true(#program.out < 3000)
  end
end)

-- UDP: each answers one datagram.
for client, typed in pairs { tsUclnt = "hi", echo_dgram_client = "hi", connected_dgram = false } do
  it("examples/" .. client .. " prints without control characters what its server says", function()
    local server = keep(assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM)))
    assert(server:bind("127.0.0.1", 0))
    server:settimeout(LIMIT)
    local program = example.start(client, "127.0.0.1", server:getsockname().port)
    if typed then program:type(typed) end
    local _, address = assert(server:recvfrom(1024))
    assert(server:sendto("\27[2J\7bell", address))
    program:expect "%?%[2J%?bell"
  end)
end

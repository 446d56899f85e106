-- The servers that many use at once: with many clients, and with such that never say a word, leave in the
-- middle of a line, do not read, or send without an end.
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local process = require "spec.support.process"

local MANY = 50
local LIMIT = 10 * process.slowness -- seconds

after_each(function()
  keep.close()
  example.stop_all()
end)

local function connect(server)
  return keep(assert(csock.create_connection({ "127.0.0.1", server.port }, { timeout = LIMIT })))
end

-- An address as Lua's patterns want it.
local function pattern(text)
  return (tostring(text):gsub("%p", "%%%0"))
end

-- Reads until the text matches. The server must not wait for us to read what it prints.
local function receive(server, socket, wanted)
  local text, deadline = "", csock.now() + LIMIT
  while not text:find(wanted) do
    assert(csock.now() < deadline, "only came: " .. text)
    if csock.select({ socket }, {}, {}, 0.01)[1] then
      local data = assert(socket:recv(65536))
      assert(data ~= "", "the connection ended after: " .. text)
      text = text .. data
    end
    server:skip()
  end
end

-- How one sees that a client is served: it gets an answer,
local function answers(request, wanted)
  return function(server, client)
    assert(client:sendall(request))
    receive(server, client, wanted)
  end
end

-- or the server prints what it sends.
local function prints(before)
  local count = 0
  return function(server, client)
    count = count + 1
    local address = client:getsockname()
    assert(client:sendall(("line %d\r\n"):format(count)))
    local shown = before:gsub("ADDRESS", tostring(address)):gsub("NAME", ("%s:%d"):format(address[1], address[2]))
    server:skip_to(("%sline %d\n"):format(pattern(shown), count))
  end
end

local STAMPED = "^%[%a%a%a %a%a%a [^%]]+%] hi\r\n$"

-- `once`: a connection is for one request. `mute`: the server says nothing to its clients, or only what others say.
-- `in_turn`: it serves one client after the other.
local servers = {
  { "chat_server", served = prints "[NAME] ", mute = true },
  { "chat_rooms", "--rate", "1000000", served = answers("/who\r\n", "%* In lobby:[^\n]*\n"), mute = true },
  { "select_server", served = prints "ADDRESS: ", mute = true },
  { "poll_server", served = prints "ADDRESS: ", mute = true },
  { "logger_tw", served = prints "ADDRESS: ", mute = true },
  { "line_logger_tw", served = prints "ADDRESS: ", mute = true },
  { "sleep_server", served = answers("0\r\n", "^slept for 0%.%d%d%d s\n$") },
  { "name_server", served = answers("ping\r\n", "^pong\n\n$") },
  { "tsTservTW", served = answers("hi\r\n", STAMPED) },
  { "tsTservSS_persist", served = answers("hi\r\n", STAMPED) },
  { "tsTservSS_async", served = answers("hi\r\n", STAMPED), once = true },
  { "tsTservSS_async", "--fork", served = answers("hi\r\n", STAMPED), once = true },
  { "tsTservSS", served = answers("hi\r\n", STAMPED), once = true, in_turn = true },
  { "echo_threading", served = answers("hi\r\n", "^hi\r\n$") },
  { "async_echo", served = answers("hi\r\n", "^hi\r\n$") },
  { "async_chat", served = answers("hi\r\n", "%d: hi\r\n$") },
  { "thanks_ss", served = answers("", "^Thank you for connecting$"), once = true },
  { "thanks_threading", served = answers("", "^Thank you for connecting$"), once = true },
  { "thanks_forking", served = answers("", "^Thank you for connecting$"), once = true },
  { "hello_ss", served = answers("", "^Hello World!\r\n$"), once = true },
}

-- Sends so many bytes, or as many as the server takes. Reads what comes back, if told so.
local function pour(server, client, text, bytes, reads)
  client:settimeout(0)
  local sent = 0
  while sent < bytes do
    server:skip()
    local n, err = client:send(text)
    if not n and err.errno ~= csock.errno.EAGAIN then return end -- it has hung up
    if reads and client:recv(1 << 20) == "" then return end
    sent = sent + (n or 0)
    if not n and not reads then
      -- Enough is enough when a second has passed in which it took nothing.
      local deadline = csock.now() + 1
      repeat
        server:skip()
        local _, writable = assert(csock.select({}, { client }, {}, 0.01))
      until writable[1] or csock.now() > deadline
      if csock.now() > deadline then return end
    end
  end
end

for _, row in ipairs(servers) do
  local name = table.concat(row, " ")

  describe("examples/" .. name, function()
    local server, old
    before_each(function()
      server = example.server(table.unpack(row))
      old = not row.once and connect(server)
    end)

    -- A client that comes now, and one that is there from the beginning, are served.
    local function all_is_well()
      row.served(server, connect(server))
      if old then row.served(server, old) end
    end

    it("serves many clients at once", function()
      local clients = {}
      for i = 1, MANY do clients[i] = connect(server) end
      for i = 1, MANY do row.served(server, clients[row.in_turn and i or MANY + 1 - i]) end
      if not row.once then
        for i = 1, MANY do row.served(server, clients[i]) end
      end
      server:interrupt()
      assert.equal("", server:ends(0))
    end)

    it("does not mind who never says a word, or leaves in the middle of a line", function()
      for _ = 1, row.in_turn and 0 or 10 do connect(server) end
      for i = 1, 10 do
        local client = connect(server)
        client:sendall "half a li"
        if i > 5 then -- with a reset
          client:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, string.pack("ii", 1, 0))
        end
        client:close()
      end
      all_is_well()
      server:interrupt()
      assert.equal("", server:ends(0))
    end)

    it("outlives more connections than it has descriptors for, and serves who waited", function()
      local few = example.start_with_descriptors(14, name, "127.0.0.1", "0")
      few.port = math.tointeger(few:expect "listening on port (%d+)\n")
      local clients = {}
      for i = 1, 40 do clients[i] = connect(few) end
      for i = 1, 39 do clients[i]:close() end
      row.served(few, clients[40])
      row.served(few, connect(few))
      few:interrupt()
      assert.equal("", few:ends(0))
    end)

    it("does not mind 10 MB without a newline", function()
      local flood = connect(server)
      pour(server, flood, ("x"):rep(65536), 10000000, true)
      all_is_well()
      pour(server, flood, "\n", 1, true)
      all_is_well()
      server:interrupt()
      assert.equal("", server:ends(0))
    end)

    if not row.mute and not row.in_turn then
      it("does not mind who does not read", function()
        local deaf = connect(server)
        pour(server, deaf, ("hi\r\n"):rep(1000), 10000000, false)
        all_is_well()
        server:interrupt()
        assert.equal("", server:ends(0))
      end)
    end
  end)
end

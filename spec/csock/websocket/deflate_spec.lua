-- permessage-deflate: what is agreed on, and what a deflated message may do.
local csock = require "csock"
local deflate = require "csock.websocket.deflate"
local f = require "spec.websocket.frames"
local keep = require "spec.support.keep"
local streams = require "spec.support.streams"
local websocket = require "csock.websocket"
local ws = require "spec.support.websockets"

local found, zlib = pcall(require, "zlib")
if not found or not zlib.deflate then
  pending "permessage-deflate: no lua-zlib"
  return
end

local LIMIT = ws.LIMIT
local NAME = "permessage-deflate"

local function options(given) return deflate.options(given or true, 1, "spec") end

describe("what a server says to an offer of permessage-deflate", function()
  for offer, answer in pairs {
    [NAME] = NAME,
    [NAME .. "; client_max_window_bits"] = NAME,
    [NAME .. "; client_max_window_bits=10"] = NAME,
    [NAME .. ' ;server_max_window_bits="10" '] = NAME .. "; server_max_window_bits=10",
    [NAME .. "; server_no_context_takeover"] = NAME .. "; server_no_context_takeover",
    [NAME .. "; client_no_context_takeover"] = NAME .. "; client_no_context_takeover",
    [NAME .. "; server_max_window_bits=8"] = false, -- zlib cannot
    [NAME .. "; server_max_window_bits=16"] = false,
    [NAME .. "; server_max_window_bits=010"] = false,
    [NAME .. "; server_max_window_bits"] = false,
    [NAME .. "; server_no_context_takeover=1"] = false,
    [NAME .. "; client_max_window_bits=9; client_max_window_bits=10"] = false,
    [NAME .. "; colour=9"] = false,
    ["x-webkit-deflate-frame"] = false,
    [""] = false,
  } do
    it(("%q"):format(offer), function()
      local _, said = deflate.accept({ offer }, options())
      assert.equal(answer or nil, said)
    end)
  end

  it("is about the first that can be had", function()
    local _, said = deflate.accept({ "x", NAME .. "; server_max_window_bits=8", NAME .. "; server_max_window_bits=12" },
      options())
    assert.equal(NAME .. "; server_max_window_bits=12", said)
  end)

  it("keeps contexts out where the program wants no such memory", function()
    local agreed, said = deflate.accept({ NAME }, options { context_takeover = false })
    assert.equal(NAME .. "; server_no_context_takeover; client_no_context_takeover", said)
    assert.same({ false, false }, { agreed.out_takeover, agreed.in_takeover })
  end)
end)

describe("what a client takes for an answer", function()
  it("is what it has offered", function()
    local agreed = assert(deflate.agree(NAME .. "; client_max_window_bits=9; server_no_context_takeover", options()))
    assert.same({ 9, true, false }, { agreed.out_bits, agreed.out_takeover, agreed.in_takeover })
    assert(deflate.agree(NAME .. "; server_max_window_bits=8", options()))
    for _, answer in ipairs {
      NAME .. "; client_max_window_bits=8", NAME .. "; client_max_window_bits", NAME .. "; x", "x",
    } do
      assert.is_nil(deflate.agree(answer, options()), answer)
    end
  end)
end)

-- Deflated with another hand, without what RFC 7692 leaves out.
local function packed(text) return (zlib.deflate(9, -15)(text, "sync"):sub(1, -5)) end

local OFFER = { ["Sec-WebSocket-Extensions"] = NAME }

describe("deflated messages", function()
  local server
  setup(function()
    server = ws.start [[
      serve(function(request)
        return websocket.upgrade(request, echo, {
          max_message = 100000, deflate = request.path ~= "/plain" and {
            context_takeover = request.path ~= "/none", threshold = 0,
          },
        })
      end)
      csock.run()
    ]]
  end)
  teardown(keep.close)

  for path, how in pairs { [""] = "with contexts", none = "without contexts", plain = "where the server has none" } do
    for way, run in pairs(streams.ways) do
      it(("come back %s %s"):format(how, way), function()
        run(function()
          local c = keep(assert(websocket.connect(server.url .. path, {
            timeout = LIMIT, proxies = false, deflate = { threshold = 10 }, max_message = 100000,
          })))
          for i = 1, 5 do
            for _, text in ipairs { "", "short", ("some text "):rep(i * 1000), ("\u{DF}"):rep(100) } do
              c:send(text)
              assert.same({ text, "text" }, { c:recv(LIMIT) })
            end
            local bytes = csock.random(50000)
            c:send_binary(bytes)
            assert.same({ bytes, "binary" }, { c:recv(LIMIT) })
            c:send(function() return nil end)
            assert.equal("", c:recv(LIMIT))
          end
          assert.is_true(c:close())
        end)
      end)
    end
  end

  it("are shorter, and refer to those before", function()
    local socket, stream = ws.dial(server, OFFER)
    local text = "The same text, which is not short: " .. ("abcdefghij"):rep(3)
    local sizes = {}
    for i = 1, 2 do
      socket:sendall(f.masked(0xc1, packed(text)))
      local first, payload = ws.read(stream)
      assert.equal(0xc1, first)
      sizes[i] = #payload
    end
    assert.is_true(sizes[1] < #text and sizes[2] < sizes[1] // 2)
  end)

  it("may come in fragments, and beside others that are not deflated", function()
    local socket, stream = ws.dial(server, OFFER)
    local bytes = packed "in two fragments"
    socket:sendall(f.masked(0x41, bytes:sub(1, 3)) .. f.masked(0x89) .. f.masked(0x80, bytes:sub(4)))
    assert.equal(0x8a, (ws.read(stream)))
    local inflate = zlib.inflate(-15)
    local function next_text()
      local _, payload = ws.read(stream)
      return (inflate(payload .. "\0\0\xff\xff"))
    end
    assert.equal("in two fragments", next_text())
    socket:sendall(f.masked(0x81, "plain"))
    assert.equal("plain", next_text())
    socket:sendall(f.masked(0xc1, (zlib.deflate(9, -15)("a last block", "finish"))))
    assert.equal("a last block", next_text())
  end)

  it("are refused when they are none, or no text, or too long once they are inflated", function()
    assert.equal(1007, (ws.end_code(server, f.masked(0xc1, "\xff\xff\xff\xff\xff"), OFFER)))
    assert.equal(1007, (ws.end_code(server, f.masked(0xc1, packed "\xff\xfe"), OFFER)))
    assert.equal(1009, (ws.end_code(server, f.masked(0xc2, packed(("a"):rep(100001))), OFFER)))
    assert.equal(1002, (ws.end_code(server, f.masked(0xc1, packed "unasked"))))
  end)

  it("take no more memory than the limit and a little, however much is in them", function()
    local unpack = deflate.unpacker({ in_takeover = true }, 100000)
    local bomb = packed(("\0"):rep(1 << 26))
    collectgarbage()
    collectgarbage "stop"
    local before = collectgarbage "count"
    local message, err, errno = unpack(bomb)
    local taken = collectgarbage "count" - before
    collectgarbage "restart"
    assert.same({ nil, 1009, csock.errno.EBADMSG }, { message, math.tointeger(err.code), errno })
    assert.is_true(taken < 1000, taken)
  end)

  it("of several tasks are sent in the order in which they were packed", function()
    local slow = ws.start [[
      serve_ws(function(ws)
        local group = csock.loop.group()
        for i = 1, 10 do
          group:spawn(function()
            for k = 1, 20 do assert(ws:send(("%d %d "):format(i, k):rep(2000))) end
          end)
        end
        group:join()
      end, { deflate = { level = 1 }, max_pending = 1 })
      csock.run()
    ]]
    local c = keep(assert(websocket.connect(slow.url, { timeout = LIMIT, proxies = false, deflate = true })))
    local count = 0
    for message in c:messages() do
      count = count + 1
      assert.is_true(message == message:match "^%d+ %d+ ":rep(2000))
    end
    assert.same({ 200, 1000 }, { count, c.close_code })
  end)
end)

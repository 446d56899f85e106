-- Other people's WebSockets: node's ws and Python's websockets, as clients and as servers, with and without deflate;
-- and csock's own over TLS and through a proxy.
local contexts = require "spec.support.contexts"
local csock = require "csock"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local websocket = require "csock.websocket"
local ws = require "spec.support.websockets"

local LIMIT = ws.LIMIT

local NODE_SERVER = [[
const { WebSocketServer } = require("ws");
const server = new WebSocketServer({ port: 0, host: "127.0.0.1", perMessageDeflate: process.argv[1] === "deflate" },
  () => console.log("port " + server.address().port));
server.on("connection", (ws) => {
  ws.on("message", (data, binary) => ws.send(data, { binary }));
  ws.on("close", (code, reason) => console.log("closed " + code + " " + reason));
});
]]

local NODE_CLIENT = [[
const WebSocket = require("ws");
const ws = new WebSocket(process.argv[2], { perMessageDeflate: process.argv[1] === "deflate" });
const sent = ["hello", "", "ä".repeat(40000), Buffer.alloc(70000, 255)];
let got = 0, pongs = 0;
ws.on("open", () => { sent.forEach((m) => ws.send(m)); ws.ping("x"); ws.send("la", { fin: false }); ws.send("st"); });
ws.on("pong", () => { pongs++; });
ws.on("message", (data, binary) => {
  const wanted = got < sent.length ? Buffer.from(sent[got]) : Buffer.from("last");
  if (!wanted.equals(data) || binary !== (got === 3)) { console.log("wrong " + got); process.exit(1); }
  if (++got === sent.length + 1) ws.close(4000, "fine");
});
ws.on("close", (code) => console.log("fine", code, pongs, ws.extensions));
]]

local PYTHON_SERVER = [[
import asyncio, sys, websockets
async def echo(ws, *_):
    try:
        async for message in ws: await ws.send(message)
    except websockets.exceptions.ConnectionClosed: pass
    print("closed", ws.close_code, ws.close_reason, flush=True)
async def main():
    compression = "deflate" if sys.argv[1] == "deflate" else None
    async with websockets.serve(echo, "127.0.0.1", 0, compression=compression) as server:
        print("port", server.sockets[0].getsockname()[1], flush=True)
        await asyncio.Future()
asyncio.run(main())
]]

local PYTHON_CLIENT = [[
import asyncio, sys, websockets
async def main():
    compression = "deflate" if sys.argv[1] == "deflate" else None
    async with websockets.connect(sys.argv[2], compression=compression) as ws:
        for message in ["hello", "", "ä" * 40000, b"\xff" * 70000]:
            await ws.send(message)
            assert await ws.recv() == message
        await ws.send(["la", "", "st"])
        assert await ws.recv() == "last"
        await (await ws.ping())
        await ws.close(4000, "fine")
        print("fine", ws.close_code, 1, "permessage-deflate" if ws.extensions else "")
asyncio.run(main())
]]

local environment = { NODE_PATH = "/usr/share/nodejs" } -- where Debian has ws
local PYTHON = "/usr/bin/python3"                      -- and websockets

local function runs(...)
  local ok, status = pcall(process.run, { ... }, { env = environment })
  return ok and status == 0
end

local peers = {
  { name = "node's ws", there = runs("node", "-e", "require('ws')"), command = { "node", "-e" },
    server = NODE_SERVER, client = NODE_CLIENT },
  { name = "Python's websockets", there = runs(PYTHON, "-c", "import websockets"), command = { PYTHON, "-c" },
    server = PYTHON_SERVER, client = PYTHON_CLIENT },
}

local function program(peer, code, ...)
  return { peer.command[1], peer.command[2], code, ... }
end

local has_zlib = pcall(require, "zlib")

describe("csock's WebSocket", function()
  after_each(keep.close)

  for _, peer in ipairs(peers) do
    for how, deflate in pairs { plain = false, deflate = true } do
      local missing = not peer.there and "no " .. peer.name or deflate and not has_zlib and "no lua-zlib"

      it(("serves %s, %s"):format(peer.name, how), function()
        if missing then return pending(missing) end
        local server = ws.start(([[
          serve_ws(function(ws)
            echo(ws)
            print("closed", ws.close_code, ws.close_reason)
          end, { deflate = %s })
          csock.run()
        ]]):format(deflate))
        local status, out, err = process.run(program(peer, peer.client, how, server.url), { env = environment })
        assert.same({ 0, "" }, { status, err })
        assert.equal(("fine 4000 1 %s\n"):format(deflate and "permessage-deflate" or ""), out)
        server:expect("closed\t4000\tfine\n", LIMIT)
      end)

      for way, run in pairs(streams.ways) do
        it(("is served by %s, %s, %s"):format(peer.name, how, way), function()
          if missing then return pending(missing) end
          local server = keep(process.start(program(peer, peer.server, how), { env = environment }))
          local url = "ws://127.0.0.1:" .. server:expect("port (%d+)", LIMIT) .. "/"
          run(function()
            local c = keep(assert(websocket.connect(url, { timeout = LIMIT, proxies = false, deflate = deflate })))
            assert.equal(deflate, c.pack ~= nil)
            for _, text in ipairs { "hello", "", ("\u{E4}"):rep(40000) } do
              c:send(text)
              assert.same({ text, "text" }, { c:recv(LIMIT) })
            end
            local bytes = ("\xff"):rep(70000)
            c:send_binary(bytes)
            assert.same({ bytes, "binary" }, { c:recv(LIMIT) })
            local pieces = { "la", "st" }
            c:send(function() return table.remove(pieces, 1) end)
            assert.equal("last", c:recv(LIMIT))
            assert(c:ping())
            assert.is_true(c:close(4000, "fine"))
          end)
          server:expect("closed 4000 fine\n", LIMIT)
        end)
      end
    end
  end

  if contexts.missing then
    pending("over TLS: " .. contexts.missing)
    return
  end

  for way, run in pairs(streams.ways) do
    it("goes over TLS, also through a proxy, " .. way, function()
      local server = ws.start(contexts.SERVER .. "serve_ws(echo, nil, { ssl = ctx }) csock.run()")
      local proxy = keep(http_server.start(function(conn)
        conn:request()
        local far = assert(csock.create_connection { "127.0.0.1", server.port })
        conn:send "HTTP/1.1 200 Connection established\r\n\r\n"
        local function pump(from, to)
          repeat local data = from:recv(65536) until not data or data == "" or not to:sendall(data)
          to:shutdown(csock.SHUT_WR)
        end
        local other = csock.spawn(pump, far, conn.sock)
        pump(conn.sock, far)
        other:join()
        far:close()
      end))
      local url = ("wss://localhost:%d/"):format(server.port)
      run(function()
        for _, proxies in ipairs { {}, { https = ("http://127.0.0.1:%d"):format(proxy.port) } } do
          local c = keep(assert(websocket.connect(url, {
            timeout = LIMIT, ssl = contexts.client(), proxies = proxies,
          })))
          for _, size in ipairs { 5, 70000, 1 << 20 } do
            c:send(("x"):rep(size))
            assert.equal(size, #c:recv(LIMIT))
          end
          assert(c:ping())
          assert.is_true(c:close())
        end
        assert.matches("^CONNECT localhost:%d+ HTTP/1.1\r\n", proxy:request())
        local c, err = websocket.connect(url, { timeout = LIMIT, proxies = false, ssl = contexts.client "unknown_ca" })
        assert.same({ nil, "CERTIFICATE_VERIFY_FAILED" }, { c, err.name })
      end)
    end)
  end
end)

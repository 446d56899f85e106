--- What a server makes of frames, by the sections of the Autobahn suite: name -> { frames, events }. A frame is
-- { first byte, payload, width of the length }; an event is "kind:payload", "close:code:reason", or "refused:code".
local f = require "spec.websocket.frames"

local FIN, TEXT, BINARY, NEXT = f.FIN, f.TEXT, f.BINARY, f.NEXT
local PING, PONG, CLOSE = FIN | f.PING, FIN | f.PONG, FIN | f.CLOSE
local WHOLE = FIN | TEXT

local function text(payload) return { WHOLE, payload } end
local function close(code, reason) return { CLOSE, (">I2"):pack(code) .. (reason or "") } end

local GOOD = "Hello-\u{B5}@\u{DF}\u{F6}\u{E4}\u{FC}\u{E0}\u{E1}-UTF-8!!"
local cases = {}

local function case(name, frames, ...) cases[name] = { frames, { ... } } end

-- 1: messages
for _, size in ipairs { 0, 125, 126, 127, 128, 65535, 65536 } do
  local payload = ("*"):rep(size)
  case("1.1: a text of " .. size, { text(payload) }, "text:" .. payload)
  payload = ("\xfe"):rep(size)
  case("1.2: binary of " .. size, { { FIN | BINARY, payload } }, "binary:" .. payload)
end

-- 2: pings and pongs
case("2.1: a ping without a payload", { { PING } }, "ping:")
case("2.2: a ping with one", { { PING, "Hello" } }, "ping:Hello")
case("2.3: binary in a ping", { { PING, "\0\xff\xfe\xfd\xfc\xfb\0\xff" } }, "ping:\0\xff\xfe\xfd\xfc\xfb\0\xff")
case("2.4: a ping of 125 bytes", { { PING, ("\xfe"):rep(125) } }, "ping:" .. ("\xfe"):rep(125))
case("2.5: a ping of 126", { { PING, ("\xfe"):rep(126) } }, "refused:1002")
case("2.7: a pong that nobody wants", { { PONG } }, "pong:")
case("2.9: a pong, then a ping", { { PONG, "x" }, { PING, "y" } }, "pong:x", "ping:y")

-- 3: reserved bits
for name, bits in pairs { RSV3 = f.RSV3, RSV2 = f.RSV2, RSV1 = f.RSV1, all = 0x70 } do
  case("3: " .. name .. " in a text", { text "a", { WHOLE | bits, "b" } }, "text:a", "refused:1002")
  case("3: " .. name .. " in a ping", { { PING | bits, "b" } }, "refused:1002")
  case("3: " .. name .. " in a close", { { CLOSE | bits, "" } }, "refused:1002")
end

-- 4: reserved opcodes
for _, opcode in ipairs { 3, 4, 5, 6, 7, 11, 12, 13, 14, 15 } do
  case("4: opcode " .. opcode, { text "a", { FIN | opcode, "" } }, "text:a", "refused:1002")
end

-- 5: fragments
case("5.1: a ping in fragments", { { f.PING, "a" }, { FIN, "b" } }, "refused:1002")
case("5.2: a pong in fragments", { { f.PONG, "a" }, { FIN, "b" } }, "refused:1002")
case("5.3: a text of two", { { TEXT, "frag" }, { FIN, "ment" } }, "text:fragment")
case("5.4: a ping between them", { { TEXT, "frag" }, { PING, "x" }, { FIN, "ment" } }, "ping:x", "text:fragment")
case("5.9: a continuation of nothing", { { FIN, "a" }, text "b" }, "refused:1002")
case("5.12: the same without FIN", { { NEXT, "a" }, text "b" }, "refused:1002")
case("5.15: the same after a message", { { TEXT, "a" }, { FIN, "b" }, { NEXT, "c" } }, "text:ab", "refused:1002")
case("5.18: a text in a text", { { TEXT, "a" }, { TEXT, "b" } }, "refused:1002")
case("5.19: five of one, pings between", {
  { TEXT, "1" }, { NEXT, "2" }, { PING, "a" }, { NEXT, "3" }, { NEXT, "4" }, { PING, "b" }, { FIN, "5" },
}, "ping:a", "ping:b", "text:12345")
case("5: binary in a text", { { TEXT, "a" }, { FIN | BINARY, "b" } }, "refused:1002")
case("5: empty fragments", { { BINARY }, { NEXT }, { FIN } }, "binary:")
case("5: long ones", { { BINARY, ("a"):rep(300) }, { NEXT, ("b"):rep(70000) }, { FIN, "c" } },
  "binary:" .. ("a"):rep(300) .. ("b"):rep(70000) .. "c")

-- 6: UTF-8
case("6.1: nothing, in three fragments", { { TEXT }, { NEXT }, { FIN } }, "text:")
case("6.1: something among nothing", { { TEXT }, { NEXT, "middle" }, { FIN } }, "text:middle")
case("6.2: a text", { text(GOOD) }, "text:" .. GOOD)
case("6.2: in two fragments", { { TEXT, GOOD:sub(1, 8) }, { FIN, GOOD:sub(9) } }, "text:" .. GOOD)
do
  local frames = { { TEXT, GOOD:sub(1, 1) } }
  for i = 2, #GOOD do frames[i] = { NEXT, GOOD:sub(i, i) } end
  frames[#GOOD + 1] = { FIN }
  case("6.2: each byte a fragment", frames, "text:" .. GOOD)
end
case("6.3: a surrogate", { text "\xce\xba\xe1\xbd\xb9\xcf\x83\xce\xbc\xce\xb5\xed\xa0\x80edited" }, "refused:1007")
case("6.4: fails at once: the rest never comes", { { TEXT, "\xce\xba\xf4\x90\x80\x80" } }, "refused:1007")
case("6.4: a character that ends with another fragment", { { TEXT, "\xf4" }, { FIN, "\x8f\xbf\xbf" } },
  "text:\xf4\x8f\xbf\xbf")
case("6.4: one that cannot end so", { { TEXT, "\xf4" }, { NEXT, "\x90" } }, "refused:1007")
for name, bytes in pairs {
  ["6.6: U+10FFFF"] = "\u{10FFFF}", ["6.6: kosme"] = "\u{3BA}\u{1F79}\u{3C3}\u{3BC}\u{3B5}", ["6.7: zero"] = "\0",
  ["6.7: U+0080"] = "\u{80}", ["6.7: U+0800"] = "\u{800}", ["6.7: U+10000"] = "\u{10000}",
  ["6.9: U+07FF"] = "\u{7FF}", ["6.9: U+FFFF"] = "\u{FFFF}", ["6.11: U+D7FF"] = "\u{D7FF}",
  ["6.11: U+E000"] = "\u{E000}", ["6.11: U+FFFD"] = "\u{FFFD}", ["6.22: U+FFFE"] = "\u{FFFE}",
} do
  case(name, { text(bytes) }, "text:" .. bytes)
end
for name, bytes in pairs {
  ["6.8: five bytes"] = "\xf8\x88\x80\x80\x80", ["6.8: six"] = "\xfc\x84\x80\x80\x80\x80",
  ["6.11: beyond U+10FFFF"] = "\xf4\x90\x80\x80", ["6.12: 80 alone"] = "\x80", ["6.12: BF alone"] = "a\xbf",
  ["6.13: C3 and a blank"] = "\xc3 ", ["6.14: cut after one"] = "\xc3", ["6.14: cut after two"] = "\xe0\xa0",
  ["6.14: cut after three"] = "\xf0\x90\x80", ["6.16: FE"] = "\xfe", ["6.16: FF"] = "\xff",
  ["6.17: overlong, two"] = "\xc0\xaf", ["6.17: overlong, three"] = "\xe0\x80\xaf",
  ["6.17: overlong, four"] = "\xf0\x80\x80\xaf", ["6.18: the highest overlong"] = "\xe0\x9f\xbf",
  ["6.18: C1"] = "\xc1\xbf", ["6.20: U+D800"] = "\xed\xa0\x80", ["6.20: U+DFFF"] = "\xed\xbf\xbf",
  ["6.21: a pair of surrogates"] = "\xed\xa0\x80\xed\xb0\x80", ["6: F5"] = "\xf5\x80\x80\x80",
} do
  case(name, { text(bytes) }, "refused:1007")
  case(name .. ", far behind ASCII", { text(("x"):rep(37) .. bytes) }, "refused:1007")
end
case("6: bytes that are no UTF-8 are binary", { { FIN | BINARY, "\xff\xfe" } }, "binary:\xff\xfe")

-- 7: closing
case("7.1: after a text", { text "Hello", close(1000), text "lost" }, "text:Hello", "close:1000:")
case("7.3.1: without a code", { { CLOSE } }, "close:1005:")
case("7.3.2: of one byte", { { CLOSE, "a" } }, "refused:1002")
case("7.3.3: with a code", { close(1000) }, "close:1000:")
case("7.3.4: with a reason", { close(1000, "Hello World!") }, "close:1000:Hello World!")
case("7.3.5: a reason of 123 bytes", { close(1000, ("*"):rep(123)) }, "close:1000:" .. ("*"):rep(123))
case("7.3.6: of 124", { close(1000, ("*"):rep(124)) }, "refused:1002")
case("7.5.1: a reason that is no UTF-8", { close(1000, "\xce\xba\xe1\xed\xa0\x80") }, "refused:1007")
for _, code in ipairs {
  1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 1012, 1013, 1014, 3000, 3999, 4000, 4999,
} do
  case("7.7: " .. code, { close(code) }, ("close:%d:"):format(code))
end
for _, code in ipairs { 0, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65535 } do
  case("7.9: " .. code, { close(code) }, "refused:1002")
end

-- 9: limits; those of these specs are 100,000 bytes and 40 fragments
case("9: a message of the longest size", { { FIN | BINARY, ("a"):rep(100000) } }, "binary:" .. ("a"):rep(100000))
case("9: one more", { { FIN | BINARY, ("a"):rep(100001) } }, "refused:1009")
case("9: one more, in fragments", { { BINARY, ("a"):rep(100000) }, { FIN, "b" } }, "refused:1009")
case("9: an empty one behind the longest", { { BINARY, ("a"):rep(100000) }, { FIN } }, "binary:" .. ("a"):rep(100000))
do
  local frames = { { TEXT, "a" } }
  for i = 2, 40 do frames[i] = { NEXT, "b" } end
  frames[41] = { FIN, "c" }
  case("9: 41 fragments", frames, "refused:1009")
end

-- lengths
case("a length in two bytes that needs none", { { WHOLE, "abc", 2 } }, "refused:1002")
case("a length in eight bytes that needs two", { { WHOLE, ("a"):rep(200), 8 } }, "refused:1002")

return cases

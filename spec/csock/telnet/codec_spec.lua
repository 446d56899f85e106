-- The bytes of telnet, in pieces of any size.
local codec = require "csock.telnet.codec"

-- What a decoder makes of bytes that come in pieces of `size`: the data, and what was called.
local function decode(bytes, size, options)
  local events = {}
  local function note(name)
    return function(...) events[#events + 1] = table.concat({ name, ... }, " ") end
  end
  local decoder = codec.decoder {
    sub_limit = options and options.sub_limit or 100,
    on_command = note "command", on_option = note "option", on_sub = note "sub",
  }
  decoder.binary = options and options.binary or false
  local data = {}
  for i = 1, #bytes, size do data[#data + 1] = decoder:feed(bytes:sub(i, i + size - 1)) end
  return table.concat(data), events
end

-- The same in pieces of every size.
local function check(bytes, data, events, options)
  for size = 1, #bytes do
    local got, heard = decode(bytes, size, options)
    assert.equal(data, got, "in pieces of " .. size)
    assert.same(events or {}, heard, "in pieces of " .. size)
  end
end

describe("telnet's decoder", function()
  it("gives data as they are", function() check("hello\nworld\t\1\0x", "hello\nworld\t\1\0x") end)

  it("takes IAC IAC for the byte 255", function() check("a\255\255b\255\255", "a\255b\255") end)

  it("takes CR NUL for CR, and leaves CR LF", function() check("a\r\0b\r\nc\r\r\0\0", "a\rb\r\nc\r\r\0") end)

  it("leaves CR NUL where data are binary", function() check("a\r\0b", "a\r\0b", nil, { binary = true }) end)

  it("tells commands and options apart from data", function()
    check("a\255\246b\255\253\1c\255\251\3\255\254\0d", "abcd", { "command 246", "option 253 1", "option 251 3",
      "option 254 0" })
  end)

  it("tells what is said of an option, in which 255 is doubled", function()
    check("a\255\250\24\0vt\255\255100\255\240b", "ab", { "sub 24 \0vt\255100" })
  end)

  it("passes over what is said at too great length, of no option, or not to its end", function()
    check("a\255\250\24" .. ("x"):rep(100) .. "\255\240b", "ab", {})
    check("a\255\250\255\240b", "ab", {})
    check("a\255\250\24xx\255\246b", "ab", { "command 246" })
    check("a\255\250\24xx", "a", {})
  end)

  it("gives back what was written", function()
    local all = {}
    for byte = 0, 255 do all[byte + 1] = string.char(byte) end
    local bytes = table.concat(all)
    check(codec.escape(bytes), bytes, nil, { binary = true })
    check(codec.text "a\rb\nc\r\nd\255", "a\rb\r\nc\r\nd\255")
    check(codec.sub(31, "\255\0\255\240"), "", { "sub 31 \255\0\255\240" })
  end)

  it("takes any bytes", function()
    math.randomseed(1)
    for _ = 1, 300 do
      local bytes = {}
      for i = 1, math.random(60) do
        bytes[i] = string.char(math.random(2) == 1 and math.random(236, 255) or math.random(0, 255))
      end
      local text = table.concat(bytes)
      local data, events = decode(text, #text)
      check(text, data, events)
    end
  end)
end)

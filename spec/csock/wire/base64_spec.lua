-- Base64.
local base64 = require "csock.wire.base64"

describe("base64", function()
  it("encodes as RFC 4648 has it", function()
    for bytes, text in pairs {
      [""] = "", f = "Zg==", fo = "Zm8=", foo = "Zm9v", foob = "Zm9vYg==", fooba = "Zm9vYmE=", foobar = "Zm9vYmFy",
      ["\0\255\254"] = "AP/+",
    } do
      assert.equal(text, base64.encode(bytes))
      assert.equal(bytes, base64.decode(text))
      assert.equal(bytes, base64.decode((text:gsub("=", ""))))
    end
  end)

  it("gives bytes of any length back", function()
    local bytes = ""
    for i = 0, 300 do
      assert.equal(bytes, base64.decode(base64.encode(bytes)))
      bytes = bytes .. string.char(i * 7 % 256)
    end
  end)

  it("passes over blanks and line ends, and refuses what is none", function()
    assert.equal("foobar", base64.decode " Zm9v\r\n\tYmFy ")
    for _, text in ipairs { "Z", "Zg=", "Zg===", "Z===", "Zm9v=", "Zm9v!", "=Zg=", "Zg==Zg==", "Zm-_" } do
      assert.is_nil(base64.decode(text), text)
    end
  end)
end)

-- Bytes for people.
local hex = require "csock.repl.hex"

describe("csock.repl.hex", function()
  it("shows bytes as digits, and as text where they are any", function()
    assert.equal("head 18 bytes\n"
      .. "  000000  61 62 63 20 20 20 20 20 20 20 20 20 20 20 20 0a  abc            .\n"
      .. "  000010  00 ff" .. (" "):rep(44) .. "..", hex.dump("head", "abc" .. (" "):rep(12) .. "\n\0\255"))
    assert.equal("head 0 bytes", hex.dump("head", ""))
  end)

  it("shows no more than a number of bytes, and says how many are left out", function()
    assert.equal("head 20 bytes\n  000000  " .. ("78 "):rep(16) .. " " .. ("x"):rep(16) .. "\n  … 4 more",
      hex.dump("head", ("x"):rep(20), 16))
  end)

  it("says how many bytes there were that nobody has", function()
    assert.equal("head 7 bytes that were not kept", hex.dump("head", 7))
  end)
end)

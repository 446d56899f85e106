-- Digests, for protocols.
local found, tls = pcall(require, "csock.tls")

describe("csock.tls's digest", function()
  if not found then return it("needs csock.tls", function() pending "csock.tls is not built" end) end

  local function hex(bytes) return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end)) end

  it("is that of its name", function()
    assert.equal("900150983cd24fb0d6963f7d28e17f72", hex(tls.digest("MD5", "abc")))
    assert.equal("a9993e364706816aba3e25717850c26c9cd0d89d", hex(tls.digest("SHA1", "abc")))
    assert.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad", hex(tls.digest("SHA256", "abc")))
    assert.equal("e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855", hex(tls.digest("SHA256", "")))
  end)

  it("is an error where there is none of that name", function()
    local value, err = tls.digest("none", "abc")
    assert.is_nil(value)
    assert.same({ "digest", "ssl" }, { err.call, err.kind })
  end)
end)

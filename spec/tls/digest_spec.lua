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

  it("makes HMACs (RFC 2202, RFC 4231)", function()
    assert.equal("750c783e6ab0b503eaa86e310a5db738", hex(tls.hmac("MD5", "Jefe", "what do ya want for nothing?")))
    assert.equal("5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
      hex(tls.hmac("SHA256", "Jefe", "what do ya want for nothing?")))
    assert.equal("60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
      hex(tls.hmac("SHA256", ("\xaa"):rep(131), "Test Using Larger Than Block-Size Key - Hash Key First")))
    assert.equal("b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad", hex(tls.hmac("SHA256", "", "")))
  end)

  it("makes keys of passwords (RFC 7914 section 11)", function()
    assert.equal("55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc",
      hex(tls.pbkdf2("SHA256", "passwd", "salt", 1)))
    assert.equal("4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56",
      hex(tls.pbkdf2("SHA256", "Password", "NaCl", 80000)))
    assert.error_matches(function() tls.pbkdf2("SHA256", "", "", 0) end, "out of range")
  end)

  it("is an error where there is none of that name", function()
    for call, arguments in pairs { digest = { "abc" }, hmac = { "", "" }, pbkdf2 = { "", "", 1 } } do
      local value, err = tls[call]("none", table.unpack(arguments))
      assert.is_nil(value)
      assert.same({ call, "ssl" }, { err.call, err.kind })
    end
  end)
end)

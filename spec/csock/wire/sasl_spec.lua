-- How clients and servers find out who somebody is: the vectors of the RFCs, and each side against the other.
local base64 = require "csock.wire.base64"
local process = require "spec.support.process"
local sasl = require "csock.wire.sasl"

local found = pcall(require, "csock.tls")
local digest = found and it or function(name) it(name, function() pending "csock.tls is not built" end) end

local JANE = { user = "jane", password = "secret" }

local function passwords(user) return ({ jane = "secret", ["a=b,c"] = "x" })[user] end

-- A client and a server talk: the server's end of it, when it is over; nil, err.
local function converse(mechanism, fields, callbacks)
  local client, server = assert(sasl.start(mechanism, fields)), assert(sasl.server(mechanism, callbacks))
  local message = client:first()
  for _ = 1, 5 do
    local challenge, err = server:step(message)
    if challenge == true then
      assert(client:finish())
      return server
    end
    if not challenge then return nil, err end
    message, err = client:step(challenge)
    if not message then return nil, err end
  end
  error "no end"
end

local function assert_refused(name, value, err, errno)
  assert.is_nil(value)
  assert.equal(name, err.name, tostring(err))
  assert.equal("sasl", err.kind)
  assert.is_true(errno == nil or errno == err.errno)
end

describe("the client's side of", function()
  it("PLAIN is RFC 4616's", function()
    local s = assert(sasl.start("PLAIN", { user = "tim", password = "tanstaaftanstaaf" }))
    assert.equal("\0tim\0tanstaaftanstaaf", s:first())
    assert.is_true(s:finish())
    s = assert(sasl.start("plain", { user = "Kurt", password = "xipj3plmq", authzid = "Ursel" }))
    assert.equal("Ursel\0Kurt\0xipj3plmq", s:first())
    assert_refused("SASLError", s:step "")
  end)

  it("LOGIN answers two questions, whatever their words", function()
    local s = assert(sasl.start("LOGIN", JANE))
    assert.is_nil(s:first())
    assert.equal("jane", s:step "User Name\0")
    assert_refused("SASLError", s:finish())
    assert.equal("secret", s:step "")
    assert.is_true(s:finish())
    assert_refused("SASLError", s:step "And your mother's name:")
  end)

  digest("CRAM-MD5 is RFC 2195's", function()
    local s = assert(sasl.start("CRAM-MD5", { user = "tim", password = "tanstaaftanstaaf" }))
    assert.is_nil(s:first())
    assert.equal("tim b913a602c7eda7a495b4e6e7334d3890", s:step "<1896.697170952@postoffice.reston.mci.net>")
    assert.is_true(s:finish())
  end)

  -- RFC 7677 section 3.
  local NONCE = "rOprNGfwEbeRWgbNEkqO"
  local FIRST = "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096"
  local FINAL = "c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,"
    .. "p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="
  local PROOF = "v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4="

  local function pencil()
    local s = assert(sasl.start("SCRAM-SHA-256", { user = "user", password = "pencil", nonce = NONCE }))
    assert.equal("n,,n=user,r=" .. NONCE, s:first())
    return s
  end

  digest("SCRAM-SHA-256 is RFC 7677's", function()
    local s = pencil()
    assert.equal(FINAL, s:step(FIRST))
    assert_refused("SASLError", s:finish())
    assert.equal("", s:step(PROOF))
    assert.is_true(s:finish())
    assert_refused("SASLError", s:step(""))
  end)

  digest("SCRAM-SHA-256 passes over extensions that are not mandatory", function()
    local s = pencil()
    assert.is_string(s:step(FIRST .. ",x=y"))
  end)

  digest("SCRAM-SHA-256 believes no server that does not know the password", function()
    for _, message in ipairs { "v=" .. base64.encode(("x"):rep(32)), "v=", "v", "", "v=!", "v=AAAA" } do
      local s = pencil()
      s:step(FIRST)
      assert_refused("SASLError", s:step(message))
      assert_refused("SASLError", s:finish())
    end
    local s = pencil()
    s:step(FIRST)
    assert_refused("SASLRefused", s:step "e=invalid-proof")
  end)

  digest("SCRAM-SHA-256 refuses challenges that are malformed, too cheap or too dear", function()
    local nonce = NONCE .. "more"
    for _, challenge in ipairs {
      "", "x", "m=ext," .. FIRST, ("r=%s,s=QUJD"):format(nonce), ("r=%s,s=QUJD,i=4096"):format(NONCE),
      "r=another,s=QUJD,i=4096", ("r=%s,s=!,i=4096"):format(nonce), ("r=%s,s=QUJD,i=4095"):format(nonce),
      ("r=%s,s=QUJD,i=1048577"):format(nonce), ("r=%s,s=QUJD,i=99999999999999999999"):format(nonce),
      ("r=%s,s=QUJD,i=0x1000"):format(nonce), ("r=%s,s=QUJD,i=-1"):format(nonce),
    } do
      assert_refused("SASLError", pencil():step(challenge))
    end
  end)

  digest("SCRAM-SHA-256 has a new nonce each time", function()
    assert.not_equal(sasl.start("SCRAM-SHA-256", JANE):first(), sasl.start("SCRAM-SHA-256", JANE):first())
  end)

  it("XOAUTH2 is Google's", function()
    local s = assert(sasl.start("XOAUTH2", { user = "jane@example.org", token = "ya29.a" }))
    assert.equal("user=jane@example.org\1auth=Bearer ya29.a\1\1", s:first())
    assert.equal("", s:step '{"status":"400"}')
    assert_refused("SASLError", s:step "")
  end)

  it("EXTERNAL says as whom to act", function()
    assert.equal("", sasl.start("EXTERNAL", {}):first())
    local s = assert(sasl.start("EXTERNAL", { authzid = "jane" }))
    assert.equal("jane", s:step "")
    assert_refused("SASLError", s:step "")
  end)

  it("others is not to be had", function()
    assert_refused("SASLUnavailable", sasl.start("GSSAPI", {}))
    assert_refused("SASLUnavailable", sasl.server("GSSAPI", {}))
  end)

  it("any raises for what lacks, and for what would end a field", function()
    assert.error_matches(function() sasl.start("PLAIN", { user = "a" }) end, "PLAIN needs 'password'")
    for _, field in ipairs { "user", "password", "authzid" } do
      for _, value in ipairs { "a\0b", "a\r", "a\n", 7 } do
        local fields = { user = "a", password = "b" }
        fields[field] = value
        assert.error_matches(function() sasl.start("PLAIN", fields) end, field .. ": a string without NUL, CR and LF")
      end
    end
  end)
end)

describe("choosing among the mechanisms", function()
  local ALL = "GSSAPI LOGIN PLAIN XOAUTH2 CRAM-MD5 EXTERNAL SCRAM-SHA-256"

  digest("takes the best ones for which there are the fields", function()
    assert.same({ "SCRAM-SHA-256", "CRAM-MD5", "PLAIN", "LOGIN" }, sasl.choose(ALL, JANE, { secure = true }))
    assert.same({ "SCRAM-SHA-256", "CRAM-MD5" }, sasl.choose({ "cram-md5", "plain", "scram-sha-256" }, JANE, {}))
    assert.same({ "XOAUTH2" }, sasl.choose(ALL, { user = "a", token = "b" }, { secure = true }))
  end)

  it("shows the password to nobody, unless told in a loud word", function()
    assert_refused("SASLInsecure", sasl.choose("PLAIN LOGIN", JANE, {}))
    assert.same({ "PLAIN", "LOGIN" }, sasl.choose("PLAIN LOGIN", JANE, { insecure = true }))
    assert_refused("SASLUnavailable", sasl.choose("GSSAPI", JANE, { insecure = true }))
    assert_refused("SASLUnavailable", sasl.choose({}, JANE, { insecure = true }))
  end)

  it("knows no part of a name", function()
    assert_refused("SASLUnavailable", sasl.choose("XPLAIN PLAIN-2", JANE, { secure = true }))
  end)
end)

describe("the server's side", function()
  it("lets in who knows the password, by PLAIN and LOGIN", function()
    for _, mechanism in ipairs { "PLAIN", "LOGIN" } do
      assert.equal("jane", assert(converse(mechanism, JANE, { password = passwords })).user)
      assert_refused("SASLRefused", converse(mechanism, { user = "jane", password = "no" }, { password = passwords }))
      assert_refused("SASLRefused", converse(mechanism, { user = "joe", password = "" }, { password = passwords }))
      local function check(user, password) return user == "joe" and password == "x" end
      assert.equal("joe", assert(converse(mechanism, { user = "joe", password = "x" }, { check = check })).user)
      assert_refused("SASLRefused", converse(mechanism, JANE, { check = check }))
    end
    assert.equal("jim", converse("PLAIN", { user = "jane", password = "secret", authzid = "jim" },
      { password = passwords }).authzid)
  end)

  digest("lets in who knows the password, by CRAM-MD5 and SCRAM-SHA-256", function()
    for _, mechanism in ipairs { "CRAM-MD5", "SCRAM-SHA-256" } do
      assert.equal("jane", assert(converse(mechanism, JANE, { password = passwords })).user)
      assert_refused("SASLRefused", converse(mechanism, { user = "jane", password = "no" }, { password = passwords }))
      assert_refused("SASLRefused", converse(mechanism, { user = "joe", password = "x" }, { password = passwords }))
    end
    local s = assert(converse("SCRAM-SHA-256", { user = "a=b,c", password = "x", authzid = "=," }, {
      password = passwords,
    }))
    assert.same({ "a=b,c", "=," }, { s.user, s.authzid })
  end)

  digest("needs no password where it has a verifier", function()
    local verifier = sasl.verifier "secret"
    local callbacks = { password = function(user) return user == "jane" and verifier or nil end }
    assert.is_nil(verifier.password)
    for _, mechanism in ipairs { "PLAIN", "SCRAM-SHA-256" } do
      assert.equal("jane", assert(converse(mechanism, JANE, callbacks)).user)
      assert_refused("SASLRefused", converse(mechanism, { user = "jane", password = "no" }, callbacks))
    end
    assert_refused("SASLRefused", converse("CRAM-MD5", JANE, callbacks))
  end)

  digest("answers as RFC 7677's", function()
    local verifier = sasl.verifier("pencil", base64.decode "W22ZaJ0SNY7soEsUEjb6gQ==", 4096)
    local s = assert(sasl.server("SCRAM-SHA-256", {
      password = function() return verifier end, nonce = "%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0",
    }))
    assert.equal("", s:step())
    assert.equal("r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096",
      s:step "n,,n=user,r=rOprNGfwEbeRWgbNEkqO")
    assert.equal("v=6rriTRBi23WpRR/wtup+mMhUZUn/dB5nLTJRsjl95G4=", s:step("c=biws,"
      .. "r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,p=dHzbZapWIk4jUhN+Ute9ytag9zjfMHgsqmmiz7AndVQ="))
    assert.is_false(s.done)
    assert.is_true(s:step "")
    assert.equal("user", s.user)
  end)

  digest("does not tell whether there is such a user", function()
    local function salt_of(user)
      local s = assert(sasl.server("SCRAM-SHA-256", { password = function() end, nonce = "b" }))
      return assert(s:step(("n,,n=%s,r=a"):format(user)))
    end
    assert.matches("^r=ab,s=[%w+/=]+,i=4096$", salt_of "joe")
    assert.equal(salt_of "joe", salt_of "joe")
    assert.not_equal(salt_of "joe", salt_of "jim")
  end)

  it("asks for tokens, and believes what the connection has proved", function()
    local callbacks = { token = function(user, token) return user == "jane" and token == "t" end, external = "cert" }
    assert.equal("jane", assert(converse("XOAUTH2", { user = "jane", token = "t" }, callbacks)).user)
    assert_refused("SASLRefused", converse("XOAUTH2", { user = "jane", token = "u" }, callbacks))
    local s = assert(converse("EXTERNAL", { authzid = "jim" }, callbacks))
    assert.same({ "cert", "jim" }, { s.user, s.authzid })
  end)

  digest("offers what its callbacks suffice for, and shows no password in the clear", function()
    local function names(...) return table.concat(sasl.offered(...), " ") end
    assert.equal("SCRAM-SHA-256 CRAM-MD5 PLAIN LOGIN", names({ password = passwords }, true))
    assert.equal("SCRAM-SHA-256 CRAM-MD5", names({ password = passwords }, false))
    assert.equal("PLAIN LOGIN", names({ check = passwords }, true))
    assert.equal("", names({ check = passwords }, false))
    assert.equal("XOAUTH2 EXTERNAL", names({ token = passwords, external = "x" }, true))
    assert.equal("PLAIN", names({ password = passwords, mechanisms = { "plain" } }, true))
    assert_refused("SASLUnavailable", sasl.server("LOGIN", { password = passwords, mechanisms = { "PLAIN" } }))
    assert_refused("SASLUnavailable", sasl.server("XOAUTH2", { password = passwords }))
  end)

  digest("refuses what is malformed", function()
    for mechanism, list in pairs {
      PLAIN = { "", "a", "a\0b", "\0\0b", "a\0b\0c\0d" }, ["CRAM-MD5"] = { "", "jane", "jane xyz" },
      ["SCRAM-SHA-256"] = {
        "x", "n,,", "n,,n=,r=a", "n,,n=a,r=", "p=tls-unique,,n=a,r=b", "n,b,n=a,r=b", "n,a=x=,n=a,r=b", "n,,n=a=,r=b",
        "n,,m=x,n=a,r=b", "n,,n=a,r=b,c=d",
      },
      XOAUTH2 = { "", "user=a", "user=a\1auth=Bearer \1\1", "user=a\1auth=Basic x\1\1" },
    } do
      for _, message in ipairs(list) do
        local s = assert(sasl.server(mechanism, { password = passwords, token = passwords }))
        if mechanism == "CRAM-MD5" then s:step() end
        assert_refused("SASLError", s:step(message))
      end
    end
  end)
end)

describe("without csock.tls", function()
  it("digests say what is missing, and the rest works", function()
    local status, out, err = process.run { process.interpreter, "-e", [[
      package.preload["csock.tls"] = function() error("module 'csock.tls' not found", 0) end
      local sasl = require "csock.wire.sasl"
      local fields = { user = "a", password = "b" }
      print((select(2, sasl.start("SCRAM-SHA-256", fields))))
      print(table.concat(sasl.choose("CRAM-MD5 PLAIN", fields, { secure = true }), " "))
      print(#sasl.start("PLAIN", fields):first())
    ]] }
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("sasl: digests need the module csock.tls (`luarocks install csock-ssl`) [SASLUnavailable]\n"
      .. "PLAIN\n4\n", out)
  end)
end)

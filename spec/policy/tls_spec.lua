-- TLS under a policy: what verifies less has to be allowed, and so has each file.
local hosts = require "spec.policy.hosts"
local keep = require "spec.support.keep"

after_each(keep.close)

-- What a script does to `context`, a client's, or by `ssl`. `set(name, value)`: what setting a property has raised.
local WAYS = {
  { "insecure_context", "insecure SSLContext", [[ return refused(ssl.insecure_context()) ]] },
  { "an insecure context of the module beneath", "insecure SSLContext",
    [[ return refused(require "csock.tls".context(false, true)) ]] },
  { "check_hostname", "insecure check_hostname", [[ return set("check_hostname", false) ]] },
  { "verify_flags", "insecure verify_flags", [[ return set("verify_flags", 0x200000) ]] },
  { "options that loosen", "insecure options",
    [[ return set("options", context.options | ssl.OP_LEGACY_SERVER_CONNECT) ]] },
  { "options that are taken away", "insecure options",
    [[ return set("options", context.options & ~ssl.OP_NO_RENEGOTIATION) ]] },
  { "old versions", "insecure minimum_version", [[ return set("minimum_version", 0x301) ]] },
  { "the lowest version there is", "insecure minimum_version", [[ return set("minimum_version", -2) ]] },
  { "ciphers without certificates", "insecure set_ciphers",
    [[ return refused(context:set_ciphers "aNULL:@SECLEVEL=0") ]] },
  { "a lower level of security", "insecure set_ciphers",
    [[ return refused(context:set_ciphers "DEFAULT:@SECLEVEL=0") ]] },
  { "a file of secrets", "file /nowhere/keys keylog_filename", [[ return set("keylog_filename", "/nowhere/keys") ]] },
  { "the same by the module beneath", "file /nowhere/keys keylog",
    [[ return refused(require "csock.tls".keylog(context, "/nowhere/keys", "x")) ]] },
  { "a file of authorities", "file /nowhere/ca load_verify",
    [[ return refused(context:load_verify_locations "/nowhere/ca") ]] },
  { "a directory of authorities", "file /nowhere load_verify",
    [[ return refused(context:load_verify_locations(nil, "/nowhere")) ]] },
  { "a certificate's file", "file /nowhere/cert load_cert_chain",
    [[ return refused(context:load_cert_chain "/nowhere/cert") ]] },
}

local BEFORE = ([[
  package.cpath = %q
  local ssl = require "csock.ssl"
  local context = assert(ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
  local function set(name, value)
    local before = context[name]
    local ok, err = pcall(function() context[name] = value end)
    assert(before == context[name] or ok)
    return ok and "ALLOWED" or refused(nil, err, err.errno)
  end
]]):format(package.cpath)

for _, kind in ipairs(hosts.kinds) do
  describe("a policy " .. kind.name, function()
    if not package.searchpath("csock.tls", package.cpath) then return pending "csock.tls is not built" end

    for _, way in ipairs(WAYS) do
      it("is asked for " .. way[1], function()
        assert.equal(hosts.REFUSED, kind.new(way[2]):script(BEFORE .. way[3]))
      end)
    end

    it("is not asked for what verifies as much", function()
      local host = kind.new "insecure"
      assert.equal("true", host:script(BEFORE .. [[
        context.check_hostname = true
        context.minimum_version = ssl.TLSVersion.TLSv1_3
        context.options = context.options | ssl.OP_NO_TICKET
        assert(context:set_ciphers "ECDHE+AESGCM")
        assert(ssl.create_default_context())
        return tostring(true)
      ]]))
    end)
  end)
end

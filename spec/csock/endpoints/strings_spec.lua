-- Descriptions of endpoints: each is read as Twisted reads it, and what is wrong with one is said in its words.
local certificates = require "spec.support.certificates"
local class = require "csock.class"
local csock = require "csock"
local endpoints = require "csock.endpoints"
local posix = require "spec.support.posix"
local proto_helpers = require "csock.proto_helpers"
local tls = require "spec.support.tls"
local twisted = require "spec.support.twisted"

-- Of Twisted's documents and docstrings, and what stands between them.
local SERVERS = {
  "tcp:80", "tcp:port=80", "tcp:80:interface=127.0.0.1", "tcp:port=80:interface=127.0.0.1", "tcp:8080:127.0.0.1:10",
  "tcp:8080:interface=127.0.0.1:backlog=10", "tcp:80:backlog=6", "tcp6:port=80", "tcp6:80:7:\\:\\:1",
  "tcp6:port=80:interface=2001\\:0DB8\\:f00e\\:eb00\\:\\:1", "TCP6:80", "tcp6:8080:backlog=12:interface=\\:\\:1",
  "unix:/var/run/finger", "unix:/var/run/finger:mode=660", "unix:/var/run/finger:lockfile=0:backlog=3",
  "unix:address=/var/run/web.sock:lockfile=0", "unix:C\\:\\\\web.sock", "unix:address=/a=b=c", "unix:a\\=b",
  "unix:address=a\\=b\\:c\\\\d", "unix:", "unix:address=", "unix:/a:600:5:1", "unix:\\/\\a", "tcp:+80", "tcp:0",
  "tcp", "tcp:", "tcp:eighty", "tcp:80:backlog=many", "tcp:80:unknown=1", "tcp:80:port=90", "tcp:interface=::1",
  "unix", "unix:/a:mode=999", "unix:/a:lockfile=yes", "tcp6:port", "", ":80", "nothing:80", "Nothing:80", "udp:53",
  "tcp6", "tcp6:80:interface=\\:\\:1:interface=\\:\\:2", "tcp:1.5", "tcp:0x50", "tcp:80:=5",
}

local CLIENTS = {
  "tcp:host=www.example.com:port=80", "tcp:www.example.com:80", "tcp:host=www.example.com:80",
  "tcp:www.example.com:port=80", "tcp:www.example.com:80:bindAddress=192.0.2.100",
  "tcp:host=twistedmatrix.com:port=80:timeout=15", "tcp:10.0.0.1:1234:timeout=7:bindAddress=127.0.0.1",
  "TCP:example.com:80", "tcp:\\:\\:1:80", "tcp:host=\\:\\:1:port=80", "unix:path=/var/foo/bar:lockfile=1:timeout=9",
  "unix:/var/foo/bar", "unix:/var/foo/bar:lockfile=1:timeout=9", "unix:path=/var/run/web.sock", "UNIX:/a:lockfile=0",
  "tls:example.com:443", "tls:host=example.com:port=443:timeout=10:bindAddress=127.0.0.1", "tls:example.com:443:5",
  "tls:example.com:443:endpoint=tcp\\:localhost\\:8443\\:timeout\\=3", "tls:localhost:443:endpoint=unix\\:/a\\\\\\:b",
  "tcp", "tcp:host", "tcp:80:host=h", "tcp:port=80", "tcp:h:http", "tcp:h:80:timeout=soon", "tcp:h:80:unknown=1",
  "unix", "unix:lockfile=1", "unix:/a:timeout=x", "nothing:x", "", "unix:/a:unknown=1",
}

local FIELDS = {
  "address", "addressFamily", "backlog", "bindAddress", "checkPID", "fileno", "host", "interface", "mode", "path",
  "port", "timeout", "wantPID",
}

local function word(value)
  return type(value) == "table" and "{" .. table.concat(value, ", ") .. "}" or tostring(value)
end

local function describe_endpoint(endpoint)
  local name = endpoint.__class.__name
  if endpoint.wrapped then return name .. " of " .. describe_endpoint(endpoint.wrapped) end
  local words = { name }
  for _, field in ipairs(FIELDS) do
    if endpoint[field] ~= nil then words[#words + 1] = field .. "=" .. word(endpoint[field]) end
  end
  return table.concat(words, " ")
end

-- What csock makes of a description, in a line.
local function read(side, text)
  local ok, endpoint, err = pcall(endpoints[side .. "FromString"], proto_helpers.MemoryReactor(), text)
  if ok and endpoint then return describe_endpoint(endpoint) end
  return (tostring(err or endpoint):gsub("^[^ ]*: ", "", 1):gsub("^%w+: ", "PREFIX: "))
end

local function texts_of(side, list)
  local lines = {}
  for i, text in ipairs(list) do lines[i] = text .. "\n  " .. read(side, text) end
  return table.concat(lines, "\n")
end

local function twisted_of(side, list)
  local arguments, lines = {}, {}
  for _, text in ipairs(list) do
    arguments[#arguments + 1] = side
    arguments[#arguments + 1] = text
  end
  for line in twisted.run("spec/support/twisted/descriptions.py", table.unpack(arguments)):gmatch "([^\n]*)\n" do
    lines[#lines + 1] = list[#lines + 1] .. "\n  " .. line
  end
  return table.concat(lines, "\n")
end

describe("a description of an endpoint", function()
  it("of a server is read as by Twisted", function()
    if not twisted.there then return pending "Twisted is not installed" end
    assert.equal(twisted_of("server", SERVERS), texts_of("server", SERVERS))
  end)

  it("of a client is read as by Twisted", function()
    if not twisted.there then return pending "Twisted is not installed" end
    if tls.missing then return pending(tls.missing) end
    assert.equal(twisted_of("client", CLIENTS), texts_of("client", CLIENTS))
  end)

  it("with files of TLS is read as by Twisted", function()
    if not twisted.there then return pending "Twisted is not installed" end
    if tls.missing then return pending(tls.missing) end
    local dir = assert(posix.mkdtemp())
    os.execute(("cp '%s' '%s/ca.pem'; cat '%s' '%s' > '%s/both.pem'"):format(certificates.ca.cert, dir,
      certificates.good.cert, certificates.good.key, dir))
    local fields = { KEY = certificates.good.key, CERT = certificates.good.cert, DIR = dir }
    local function fill(list)
      local filled = {}
      for i, text in ipairs(list) do filled[i] = text:gsub("[A-Z]+", fields) end
      return filled
    end
    local servers = fill {
      "ssl:443:privateKey=KEY:certKey=CERT", "ssl:port=443:DIR/both.pem", "ssl:443:privateKey=DIR/both.pem:backlog=6",
      "ssl:443:KEY:CERT:interface=127.0.0.1", "ssl:443:privateKey=KEY:certKey=CERT:extraCertChain=DIR/ca.pem",
    }
    local clients = fill {
      "ssl:web.example.com:443:privateKey=KEY:certKey=CERT", "ssl:host=web.example.com:port=443:caCertsDir=DIR",
      "ssl:web.example.com:443:hostname=example.com:timeout=3:bindAddress=192.0.2.1", "ssl:host=h:443",
      "tls:example.com:443:trustRoots=DIR:certificate=CERT:privateKey=KEY", "ssl:h:443:unknown=1", "ssl:h",
    }
    local wanted = twisted_of("server", servers) .. twisted_of("client", clients)
    local got = texts_of("server", servers) .. texts_of("client", clients)
    os.execute(("rm -r '%s'"):format(dir))
    assert.equal(wanted, got)
  end)

  it("may be in capital letters on either side", function()
    assert.equal("TCP4ServerEndpoint backlog=50 interface= port=80", read("server", "TCP:80"))
  end)

  it("has to say which type it is", function()
    assert.equal("the description does not say which type of endpoint it is", read("server", "port=80"))
  end)

  it("does not end in a backslash", function()
    assert.equal("the description ends in a backslash, which is to quote something", read("server", "tcp:80\\"))
  end)

  it("has no number that an integer cannot hold", function()
    assert.equal("a number of 20 digits", read("server", "tcp:99999999999999999999"))
    assert.equal("TCP4ServerEndpoint backlog=50 interface= port=80", read("server", "tcp:" .. ("0"):rep(30) .. "80"))
  end)

  it("is read in a time in proportion to its length", function()
    local zeros, start = ("0"):rep(500000), os.clock()
    assert.equal("TCP4ServerEndpoint backlog=50 interface= port=80", read("server", "tcp:" .. zeros .. "80"))
    for _, text in ipairs { "tcp:" .. zeros .. "x", "unix:a:mode=" .. zeros .. "8" } do
      assert.is_false((pcall(endpoints.serverFromString, proto_helpers.MemoryReactor(), text)))
    end
    assert.is_true(os.clock() - start < 5)
  end)

  it("has no more arguments than there are places for", function()
    assert.equal("PREFIX: takes at most 3 positional arguments but 4 were given", read("server", "tcp:80:a:5:x"))
  end)

  it("is wrong where the program gives it", function()
    local ok, err = pcall(function() endpoints.serverFromString(proto_helpers.MemoryReactor(), "nothing:80") end)
    assert.is_false(ok)
    assert.match("^[^ ]*strings_spec%.lua:%d+: Unknown endpoint type: 'nothing'$", err)
    ok, err = pcall(function() endpoints.serverFromString "tcp:80" end)
    assert.is_false(ok)
    assert.match("strings_spec%.lua:%d+: bad argument #1 to 'serverFromString' %(reactor expected, got string%)", err)
  end)

  it("of files that are not there is nil and an error", function()
    if tls.missing then return pending(tls.missing) end
    local reactor = proto_helpers.MemoryReactor()
    for _, text in ipairs { "ssl:443:privateKey=/nonexistent/key.pem", "ssl:443" } do
      local endpoint, err, errno = endpoints.serverFromString(reactor, text)
      assert.is_nil(endpoint)
      assert.equal(csock.errno.ENOENT, errno)
      assert.match("%.pem", tostring(err))
    end
    for _, text in ipairs { "ssl:h:1:certKey=/none", "ssl:h:1:caCertsDir=/none", "tls:h:1:certificate=/none" } do
      local endpoint, _, errno = endpoints.clientFromString(reactor, text)
      assert.is_nil(endpoint)
      assert.equal(csock.errno.ENOENT, errno)
    end
  end)

  it("names methods of TLS that there are", function()
    if tls.missing then return pending(tls.missing) end
    local good = certificates.good
    local text = ("ssl:443:privateKey=%s:certKey=%s:sslmethod="):format(good.key, good.cert)
    local reactor = proto_helpers.MemoryReactor()
    local endpoint = assert(endpoints.serverFromString(reactor, text .. "TLSv1_2_METHOD"))
    assert.equal(tls.ssl.TLSVersion.TLSv1_2, endpoint.contextFactory.maximum_version)
    assert.error_matches(function()
      endpoints.serverFromString(reactor, text .. "SSLv3_METHOD")
    end, "ssl: no sslmethod 'SSLv3_METHOD'")
  end)

  it("may be of a type that the program has added", function()
    local Mine = class "Mine"
    function Mine:__init(...) self.given = { ... } end
    for side, parsers in pairs { server = endpoints.serverParsers, client = endpoints.clientParsers } do
      function parsers.mine(...) return Mine(...) end
      local reactor = proto_helpers.MemoryReactor()
      local made = endpoints[side .. "FromString"](reactor, "Mine:a:b=c:d")
      parsers.mine = nil
      assert.same({ reactor, { "a", "d" }, { b = "c" } }, made.given)
    end
  end)

  it("takes what is quoted as it is", function()
    for _, path in ipairs { "C:\\key.pem", "a=b", "\\", ":", "::\\\\==" } do
      local text = "unix:address=" .. endpoints.quoteStringArgument(path)
      assert.equal(path, endpoints.serverFromString(proto_helpers.MemoryReactor(), text).address)
    end
    assert.equal("C\\:\\\\key.pem", endpoints.quoteStringArgument "C:\\key.pem")
  end)
end)

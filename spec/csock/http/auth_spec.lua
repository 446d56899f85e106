-- Who asks: basic and digest authentication.
local http = require "csock.http"
local http_server = require "spec.support.http_server"
local keep = require "spec.support.keep"
local tls = require "spec.support.tls"

after_each(keep.close)

-- A server that challenges each request without Authorization, and takes all others.
local function challenging(challenge)
  return keep(http_server.start(function(conn)
    while true do
      local text = conn:request()
      if not text then return end
      if text:find "\r\nAuthorization: " then
        conn:answer "in"
      else
        conn:answer("out", challenge, "401 Unauthorized")
      end
    end
  end))
end

describe("basic authentication", function()
  it("is sent at once: as an option, or of the URL", function()
    local server = challenging ""
    for _, way in ipairs {
      { "", { "Aladdin", "open sesame" } }, { "", http.HTTPBasicAuth("Aladdin", "open sesame") },
      { "Aladdin:open%20sesame@" },
    } do
      local response = assert(http.get(("http://%s127.0.0.1:%d/"):format(way[1], server.port), {
        auth = way[2], timeout = tls.LIMIT,
      }))
      assert.equal("in", response.body)
      assert.not_matches("@", response.url)
      assert.matches("\r\nAuthorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n", (server:request()))
    end
  end)

  it("is left out by `auth = false`, whoever would have it", function()
    local server = challenging ""
    local session <close> = http.Session { auth = { "a", "b" }, timeout = tls.LIMIT, proxies = false }
    for _, login in ipairs { "", "a:b@" } do
      local url = ("http://%s127.0.0.1:%d/"):format(login, server.port)
      assert.equal("in", assert(session:get(url)).body)
      assert.equal("out", assert(session:get(url, { auth = false })).body)
    end
  end)

  it("takes no login that it could not say", function()
    for _, login in ipairs { { "a:b", "c" }, { "a\r\n", "b" }, { "a", "b\0" } } do
      assert.has_error(function() http.HTTPBasicAuth(login[1], login[2]) end)
    end
    assert.has_error(function() http.get("http://localhost:1/", { auth = "name" }) end)
  end)
end)

describe("digest authentication", function()
  if tls.missing then return it("needs csock.tls", function() pending(tls.missing) end) end
  local digest = require "csock.tls".digest

  local function h(name, text)
    return (assert(digest(name, text)):gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end

  for header, algorithm in pairs {
    ['Digest realm="r \\"x", nonce="n1", qop="auth,auth-int", opaque="o"'] = "MD5",
    ['Digest realm="r", nonce="n1", qop="auth", algorithm=MD5'] = "MD5",
    ['Digest realm="r", nonce="n1", qop="auth", algorithm=SHA-256'] = "SHA256",
    ['Digest realm="r", nonce="n1", qop="auth", algorithm=MD5, Digest realm="r", nonce="n2", qop=auth, '
      .. 'algorithm=SHA-256, Basic realm="x"'] = "SHA256",
    ['Digest realm="r", nonce="n1"'] = "MD5",
    ['Basic realm="x"'] = "none",
    ['Digest realm="r", nonce="n1", qop="auth-int"'] = "none",
    ['Digest realm="r", nonce="n1", algorithm=SHA-1'] = "none",
  } do
    local realm = header:find('\\"', 1, true) and 'r "x' or "r"
    it("answers " .. header, function()
      local server = challenging("WWW-Authenticate: " .. header .. "\r\n")
      local response = assert(http.post(server.url .. "/a?b", {
        data = "body", auth = http.HTTPDigestAuth("user", "pass"), timeout = tls.LIMIT,
      }))
      assert.equal(algorithm == "none" and 401 or 200, response.status)
      server:request()
      if algorithm == "none" then return end
      local said = server:request()
      assert.matches("\r\n\r\nbody$", said)
      local function field(name) return said:match('[ ,]' .. name .. '="?([^",\r]*)') end
      local ha1, ha2 = h(algorithm, "user:" .. realm .. ":pass"), h(algorithm, "POST:/a?b")
      local middle = field "nonce"
      if field "qop" then middle = ("%s:%s:%s:auth"):format(middle, field "nc", field "cnonce") end
      assert.equal(h(algorithm, ha1 .. ":" .. middle .. ":" .. ha2), field "response")
      assert.same({ "user", "/a?b" }, { field "username", field "uri" })
    end)
  end

  it("gives up when it is refused, and goes on when the nonce was too old", function()
    local count = 0
    local function challenge(more)
      return 'WWW-Authenticate: Digest realm="r", nonce="n", qop="auth"' .. more .. "\r\n"
    end
    local server = keep(http_server.start(function(conn)
      while conn:request() do
        count = count + 1
        if count == 2 then
          conn:answer("old", challenge ", stale=true", "401 X")
        elseif count == 3 then
          conn:answer "in"
        else
          conn:answer("no", challenge "", "401 X")
        end
      end
    end))
    local options = { auth = http.HTTPDigestAuth("u", "p"), timeout = tls.LIMIT }
    assert.equal("in", assert(http.get(server.url, options)).body)
    options.auth = http.HTTPDigestAuth("u", "p")
    assert.equal(401, assert(http.get(server.url, options)).status)
  end)

  it("has digests as RFC 7616 has them", function()
    -- The example of section 3.9.1.
    assert.equal("8ca523f5e9506fed4657c9700eebdbec", h("MD5", h("MD5", "Mufasa:http-auth@example.org:Circle of Life")
      .. ":7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v:00000001:f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ:auth:"
      .. h("MD5", "GET:/dir/index.html")))
  end)
end)

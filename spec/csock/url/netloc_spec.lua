-- Who and where a URL means: user, password, host and port, and what is refused there.
local csock = require "csock"
local url = require "csock.url"

describe("a URL's netloc", function()
  local cases = {
    ["h"] = { hostname = "h" },
    ["H:80"] = { hostname = "h", port = 80 },
    ["h:"] = { hostname = "h" },
    ["h:0"] = { hostname = "h", port = 0 },
    ["h:00080"] = { hostname = "h", port = 80 },
    ["h:65535"] = { hostname = "h", port = 65535 },
    [":80"] = { port = 80 },
    ["u@h"] = { username = "u", hostname = "h" },
    ["u:@h"] = { username = "u", password = "", hostname = "h" },
    [":p@h"] = { username = "", password = "p", hostname = "h" },
    ["@h"] = { username = "", hostname = "h" },
    ["u:p:q@h"] = { username = "u", password = "p:q", hostname = "h" },
    ["u@v@h"] = { username = "u@v", hostname = "h" },
    ["U%40:P%3a@h"] = { username = "U%40", password = "P%3a", hostname = "h" },
    ["[::1]"] = { hostname = "::1" },
    ["u:p@[FE80::1]:8080"] = { username = "u", password = "p", hostname = "fe80::1", port = 8080 },
    ["[fe80::A%Eth0]:1"] = { hostname = "fe80::a%Eth0", port = 1 },
    ["[fe80::1%25eth0]"] = { hostname = "fe80::1%25eth0" },
    ["[::ffff:1.2.3.4]"] = { hostname = "::ffff:1.2.3.4" },
    ["[v1.x:Y]"] = { hostname = "v1.x:y" },
    ["münchen.example"] = { hostname = "münchen.example" },
    ["M%C3%BCnchen.example"] = { hostname = "m%C3%BCnchen.example" },
  }
  for netloc, expected in pairs(cases) do
    it("is understood: " .. netloc, function()
      local u = assert(url.urlsplit("http://" .. netloc .. "/"))
      assert.same(expected, { username = u.username, password = u.password, hostname = u.hostname, port = u.port })
      assert.equal("http://" .. netloc .. "/", u:geturl())
    end)
  end

  local refused = {
    "h:65536", "h:99999999999999999999", "h:-1", "h:+80", "h:0x50", "h:8e1", "h:80:80", "h:８０", "::1", "u:p@h:x",
    "[::1", "::1]", "[::1]x", "x[::1]", "[::1][::1]", "[[::1]]", "[]", "[h]", "[1.2.3.4]", "[::1]80", "[u]@h", "u[@h",
    "[::g]", "[1:2:3]", "[::1%]", "[::1%a%b]", "[::01.2.3.4]", "[v.x]", "[v1.]", "[vx.x]", "[V1.x]",
    "good.example\\@h", "h\\x", "h\u{2100}x", "h\u{FF0F}x", "h\u{FF1A}80", "u\u{FF20}h", "h\u{2048}", "h\u{FE5F}",
    "h\xFF", "h\xC0\xAF", "h\xED\xA0\x80",
  }
  for _, netloc in ipairs(refused) do
    it(("is refused: %q"):format(netloc), function()
      local u, err, errno = url.urlsplit("http://" .. netloc .. "/")
      assert.is_nil(u)
      assert.equal(csock.errno.EINVAL, errno)
      assert.matches("^urlsplit: .+ %[EINVAL%]$", tostring(err))
    end)
  end

  it("may have any bytes behind it", function()
    assert.equal("/\xFF\u{2100}\\[", assert(url.urlsplit "http://h/\xFF\u{2100}\\[").path)
  end)
end)

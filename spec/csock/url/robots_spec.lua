-- csock.url.robots: what robots.txt allows.
local csock = require "csock"
local robots = require "csock.url.robots"

local function rules_of(lines)
  local rules = assert(robots.RobotFileParser())
  rules:parse(lines)
  return rules
end

describe("robots.txt", function()
  it("allows nothing before it was read, and everything when it says nothing", function()
    local rules = assert(robots.RobotFileParser "http://h/robots.txt")
    assert.is_false(rules:can_fetch("x", "/"))
    assert.equal(0, rules:mtime())
    rules:parse ""
    assert.is_true(rules:can_fetch("x", "/"))
    assert.is_true(os.time() - rules:mtime() < 60)
  end)

  it("has rules for some robots, and for all others", function()
    local rules = rules_of [[
      # who
      User-agent: Figtree/1.0   # not by version
      User-agent: other
      Disallow: /tmp
      Allow: /tmp/never
      Crawl-delay: 3
      Request-rate: 9/30

      User-agent: *
      Disallow: /all
      Crawl-delay: nonsense
    ]]
    assert.is_false(rules:can_fetch("other/2.0 (+http://x)", "http://h/tmp/a"))
    assert.is_false(rules:can_fetch("some OTHER", "http://h/tmp/never")) -- the first rule counts
    assert.is_true(rules:can_fetch("other", "http://h/all"))
    assert.is_true(rules:can_fetch("figtree", "http://h/tmp")) -- "figtree/1.0" is no part of "figtree"
    assert.is_false(rules:can_fetch("figtree", "http://h/all/x"))
    assert.is_true(rules:can_fetch("figtree", "http://h"))
    assert.same({ 3, { requests = 9, seconds = 30 } }, { rules:crawl_delay "other", rules:request_rate "other" })
    assert.is_nil(rules:crawl_delay "figtree")
    assert.is_nil(rules:request_rate "figtree")
  end)

  it("is read from a text, from lines, and from an iterator, with any line ends", function()
    local lines = { "User-agent: a", "Disallow: /a", "", "User-agent: b", "Disallow: /b" }
    local text = table.concat(lines, "\n")
    for _, source in ipairs {
      lines, text, text:gsub("\n", "\r\n") .. "\r\n", text:gsub("\n", "\r") .. "\r", text:gmatch "[^\n]*",
    } do
      local rules = rules_of(source)
      assert.same({ false, true, true, false }, {
        rules:can_fetch("a", "/a"), rules:can_fetch("a", "/b"), rules:can_fetch("b", "/a"), rules:can_fetch("b", "/b"),
      })
    end
    assert.error_matches(function() rules_of { "a", 1 } end, "line 2: string expected, got 1")
    assert.error_matches(function() rules_of(nil) end, "bad argument #1 to 'parse'")
  end)

  it("may begin with a byte order mark", function()
    assert.is_false(rules_of("\u{FEFF}User-agent: *\nDisallow: /"):can_fetch("x", "/a"))
  end)

  it("compares paths however they are quoted", function()
    local rules = rules_of "User-agent: *\nDisallow: /a%3Cb\nDisallow: /%7Ejoe/\nDisallow: /ü\nDisallow: /c%0Ad"
    for _, path in ipairs { "/a<b", "/a%3cb", "/~joe/index.html", "/%7ejoe/", "/%C3%BC", "/c%0ad" } do
      assert.is_false(rules:can_fetch("x", "http://h" .. path), path)
    end
    for _, path in ipairs { "/a", "/~joe", "/%C3", "/cd" } do assert.is_true(rules:can_fetch("x", path), path) end
  end)

  it("compares queries too, and no hosts", function()
    local rules = rules_of "User-agent: *\nDisallow: /a?b\nDisallow: //x"
    assert.is_false(rules:can_fetch("x", "https://other:1/a?bc#d"))
    assert.is_true(rules:can_fetch("x", "/a"))
    assert.is_false(rules:can_fetch("x", "http://h//x/y"))
    assert.is_true(rules:can_fetch("x", "http://x/y"))
  end)

  it("disallows nothing by an empty rule", function()
    assert.is_true(rules_of("User-agent: *\nDisallow:"):can_fetch("x", "/a"))
  end)

  it("may be refused or missing as a whole", function()
    local rules = rules_of "User-agent: *\nDisallow: /a"
    rules.allow_all = true
    assert.is_true(rules:can_fetch("x", "/a"))
    rules.disallow_all = true
    assert.is_false(rules:can_fetch("x", "/b"))
  end)

  it("says where site maps are, wherever that stands", function()
    assert.is_nil(rules_of("User-agent: *"):site_maps())
    assert.same({ "http://h/a.xml", "http://h/b.xml" },
      rules_of("Sitemap: http://h/a.xml\nUser-agent: *\nDisallow: /\nsitemap:http://h/b.xml"):site_maps())
  end)

  it("takes numbers of digits alone, if they are integers", function()
    local function delay(text) return rules_of("User-agent: *\nCrawl-delay: " .. text):crawl_delay "x" end
    assert.equal(math.maxinteger, delay "9223372036854775807")
    for _, text in ipairs { "9223372036854775808", "1e3", "0x10", "-1", "+1", "1.5", "²", "" } do
      assert.is_nil(delay(text), text)
    end
  end)

  it("is shown as it was understood", function()
    assert.equal("User-agent: a\nDisallow: /x\n\nUser-agent: *\nCrawl-delay: 1\nRequest-rate: 2/3\nAllow: /",
      tostring(rules_of "User-agent: *\nCrawl-delay:1\nRequest-rate: 2/3\nAllow: /\n\nuser-agent: a\ndisallow: /x"))
  end)

  it("has a place, which is a URL", function()
    local rules = assert(robots.RobotFileParser "http://h:1/robots.txt")
    assert.same({ "http://h:1/robots.txt", "h:1", "/robots.txt" }, { rules.url, rules.host, rules.path })
    assert.equal(csock.errno.EINVAL, select(3, rules:set_url "http://h/\n"))
    assert.equal(csock.errno.EINVAL, select(3, robots.RobotFileParser "http://h:x"))
  end)

  it("is read in time that is proportional to it", function()
    local blanks = (" "):rep(200000)
    rules_of { blanks, "a" .. blanks .. "b", blanks .. ":" .. blanks, "User-agent:" .. blanks .. "x" .. blanks .. "y" }
  end)
end)

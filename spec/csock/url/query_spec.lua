-- Query strings and forms.
local csock = require "csock"
local url = require "csock.url"

describe("urlencode", function()
  it("keeps the order of pairs, and sorts a map", function()
    assert.equal("b=1&a=2&b=3", url.urlencode { { "b", 1 }, { "a", 2 }, { "b", 3 } })
    assert.equal("a=2&b=1&c+d=x%26y", url.urlencode { b = 1, a = 2, ["c d"] = "x&y" })
    assert.equal("", url.urlencode {})
  end)

  it("takes numbers and booleans", function()
    assert.equal("1=1.5&true=false", url.urlencode { { 1, 1.5 }, { true, false } })
  end)

  it("makes of a sequence a pair for each value, when told so", function()
    local query = { { "a", { 1, "x y" } }, { "b", {} }, { "c", "z" } }
    assert.equal("a=1&a=x+y&c=z", url.urlencode(query, true))
    assert.equal("a=1&a=x+y&c=z", url.urlencode(query, { doseq = true }))
    local _, err = pcall(function() url.urlencode(query) end)
    assert.matches("^spec/csock/url/query_spec.lua:%d+: bad argument #1 to 'urlencode' %(the value of a: string", err)
    assert.error_matches(function() url.urlencode({ a = { {} } }, true) end, "the value of a: string")
  end)

  it("quotes by another function, and leaves what is safe", function()
    assert.equal("a=b%20c/", url.urlencode({ a = "b c/" }, { safe = "/", quote_via = url.quote }))
    assert.equal("a=b+c/", url.urlencode({ a = "b c/" }, false, "/"))
  end)

  it("raises for what is no pair and no name", function()
    assert.error_matches(function() url.urlencode "a" end, "table expected")
    assert.error_matches(function() url.urlencode { "a" } end, "%[1%]: pair expected, got string")
    assert.error_matches(function() url.urlencode { { nil, "a" } } end, "the name of pair 1: string")
    assert.error_matches(function() url.urlencode { [7] = 1 } end, "names that are strings")
    assert.error_matches(function() url.urlencode({}, 1) end, "argument #2 to 'urlencode' %(boolean expected, got 1")
  end)
end)

describe("parse_qsl", function()
  it("gives the fields in their order, unquoted", function()
    assert.same({ { "a", "1" }, { "b c", "&=ü" }, { "a", "\xFF\0" } },
      url.parse_qsl "a=1&b+c=%26%3D%C3%BC&a=%FF%00")
  end)

  it("leaves blank values out unless told otherwise", function()
    assert.same({ { "d", "=" } }, url.parse_qsl "a&b=&=&d==&&")
    assert.same({ { "a", "" }, { "b", "" }, { "", "" }, { "d", "=" } }, url.parse_qsl("a&b=&=&d==&&", true))
    assert.same({}, url.parse_qsl "")
  end)

  it("refuses fields without a sign when it is strict", function()
    for _, query in ipairs { "a", "a=1&b", "a=1&", "&" } do
      local list, _, errno = url.parse_qsl(query, { strict_parsing = true })
      assert.same({ nil, csock.errno.EINVAL }, { list, errno })
    end
    assert.same({ { "a", "1" } }, url.parse_qsl("a=1&b=", false, true))
  end)

  it("refuses more fields than allowed", function()
    assert.equal(2, #url.parse_qsl("a=1&b=2", { max_num_fields = 2 }))
    assert.same({}, url.parse_qsl("", { max_num_fields = 0 }))
    local list, err, errno = url.parse_qsl("a=1&b=2&", { max_num_fields = 2 })
    assert.same({ nil, csock.errno.EMSGSIZE }, { list, errno })
    assert.matches("more than 2 fields", tostring(err))
  end)

  it("takes another separator, of any length", function()
    assert.same({ { "a", "1&b=2" }, { "c", "3" } }, url.parse_qsl("a=1&b=2;c=3", { separator = ";" }))
    assert.same({ { "a", "." }, { "b", "%" } }, url.parse_qsl("a=.%.b=%", { separator = "%." }))
    assert.error_matches(function() url.parse_qsl("a", { separator = "" }) end, "separator: string that is not empty")
  end)
end)

describe("parse_qs", function()
  it("gathers the values of a name", function()
    assert.same({ a = { "1", "3" }, b = { "2" } }, url.parse_qs "a=1&b=2&a=3")
    assert.same({ a = { "" } }, url.parse_qs("a", true))
    assert.equal("parse_qs", select(2, url.parse_qs("a", false, true)).call)
  end)

  it("is undone by urlencode", function()
    assert.equal("a=1&a=3&b=x+y", url.urlencode(url.parse_qs "a=1&b=x+y&a=3", true))
  end)
end)

local dates = require "csock.wire.dates"

local SAMPLE = 784111777 -- RFC 9110 section 5.6.7

describe("dates", function()
  it("of HTTP are written and read in each form", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 GMT", dates.http(SAMPLE))
    assert.equal(SAMPLE, dates.parse_http "Sun, 06 Nov 1994 08:49:37 GMT")
    assert.equal(SAMPLE, dates.parse_http "Sunday, 06-Nov-94 08:49:37 GMT")
    assert.equal(SAMPLE, dates.parse_http "Sun Nov  6 08:49:37 1994")
  end)

  it("go there and back", function()
    for time = 0, 4102444800, 86399 * 97 do assert.equal(time, dates.parse_http(dates.http(time))) end
  end)

  it("of mail are written and read, with zones, comments and old forms", function()
    assert.equal("Sun, 06 Nov 1994 08:49:37 +0000", dates.mail(SAMPLE))
    assert.same({ SAMPLE, 0 }, { dates.parse_mail "Sun, 06 Nov 1994 08:49:37 +0000" })
    assert.same({ SAMPLE, -90 }, { dates.parse_mail "6 Nov 1994 07:19:37 -0130 (comment)" })
    assert.same({ SAMPLE, -300 }, { dates.parse_mail "Sun,  6 Nov 94 03:49:37 EST" })
    assert.same({ SAMPLE - 37, 0 }, { dates.parse_mail "6 Nov 1994 08:49 GMT" })
  end)

  it("that are none are nil", function()
    for _, text in ipairs { "", "x", "Sun, 06 Foo 1994 08:49:37 GMT", "Sun, 06 Nov 1994 28:49:37 GMT",
      "Sun, 06 Nov 1994 08:49:37 +0000", "Sun, 06 Nov 1994 08:49:37 GMT " } do
      assert.is_nil(dates.parse_http(text), text)
    end
    for _, text in ipairs { "", "x", "6 Foo 1994 08:49", "32 Nov 1994 08:49 GMT" } do
      assert.is_nil(dates.parse_mail(text), text)
    end
  end)
end)

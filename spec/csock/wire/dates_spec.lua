local dates = require "csock.wire.dates"
local process = require "spec.support.process"
local python = require "spec.support.python"
local trials = require "spec.support.random"

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

  it("of mail are read in each form that there was", function()
    for text, expected in pairs {
      ["Fri, 21 Nov 1997 09(comment):   55  :  06 -0600"] = { 880127706, -360 }, -- RFC 5322, appendix A.6.3
      ["Thu,\r\n      13\r\n        Feb\r\n          1969\r\n      23:32\r\n               -0330 (Newfoundland Time)"] =
        { -27723480, -210 }, -- A.5
      ["21 Nov 97 09:55:06 GMT"] = { 880106106, 0 }, ["21 Nov 097 09:55:06 GMT"] = { 880106106, 0 },
      ["Sun Nov  6 08:49:37 1994"] = { SAMPLE, 0 }, ["Sunday, 06-Nov-94 08:49:37 GMT"] = { SAMPLE, 0 },
      ["6 Nov 1994 08:49:37 -0000"] = { SAMPLE, 0 }, ["6 Nov 1994 08:49:37 K"] = { SAMPLE, 0 },
      ["6 November 1994 08.49.37"] = { SAMPLE, 0 }, ["6 Nov 1994 08:49:37+0100"] = { SAMPLE - 3600, 60 },
      ["Nov 6, 1994 (a (b) \\) c) 8:49:37"] = { SAMPLE, 0 }, ["sun,6 nov 1994 08:49:37"] = { SAMPLE, 0 },
    } do
      assert.same(expected, { dates.parse_mail(text) }, text)
    end
    assert.equal(60, dates.read_mail("6 Nov 1994 08:49:37 +0100").zone)
    assert.is_nil(dates.read_mail("6 Nov 1994 08:49:37 -0000").zone)
    for _, text in ipairs { "6 Nov 94", "Nov 94 08:49", "6 Nov 12345 08:49", "6 Nov 1994 08", "Sun", ",", "(", ")" } do
      assert.is_nil(dates.parse_mail(text), text)
    end
  end)

  it("of mail are what Python takes them for", function()
    if not python.name then return pending "no Python 3.11" end
    local random = trials.generator(5)
    local one_of = trials.choices(random)
    local questions = {}
    for i = 1, 3000 do
      local year = one_of { "1994", "2024", "94", "07", "2038" }
      local time = one_of { "08:49:37", "8:49", "23:59:59", "00:00:00", "08.49.37" }
      local day, month = one_of { "6", "06", "28" }, one_of { "Nov", "jan", "February", "MAR" }
      local zone = one_of { "", " +0100", " -0330", " GMT", " EST", " PDT", " Z", " -0000", " XYZ", " UT" }
      local name = one_of { "", "Sun, ", "Sun,", "sun " }
      questions[i] = { "date", one_of {
        name .. day .. " " .. month .. " " .. year .. " " .. time .. zone,
        name .. month .. " " .. day .. ", " .. year .. " " .. time .. zone,
        name .. month .. " " .. day .. " " .. time .. " 1994",
        name .. day .. "-" .. month .. "-" .. year .. " " .. time .. zone,
      } }
    end
    for i, answer in ipairs(python.ask("spec/coding/python.py", questions)) do
      local time, zone = dates.parse_mail(questions[i][2])
      if answer[1] == "ok" then -- it takes "6-Nov-94 08:49" with a zone only
        assert.same(answer, { "ok", tostring(time), tostring(zone) }, questions[i][2])
      end
    end
  end)

  it("of mail are written in any zone, also in the local one", function()
    assert.equal("Sun, 06 Nov 1994 09:49:37 +0100", dates.mail(SAMPLE, 60))
    assert.equal("Sun, 06 Nov 1994 05:19:37 -0330", dates.mail(SAMPLE, -210))
    local code = "local d = require 'csock.wire.dates' "
      .. "print(d.mail(784111777, 'local'), d.zone(784111777), d.zone(772000000))"
    local _, out = process.run({ process.interpreter, "-e", code }, { env = { TZ = "EST5EDT" } })
    assert.equal("Sun, 06 Nov 1994 03:49:37 -0500\t-300\t-240\n", out)
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

-- URLs of any bytes, the same in every run; with FUZZ_SECONDS in the environment, new ones follow for so long. None
-- raises, and what was taken apart and put together again stays as it is.
local csock = require "csock"
local trials = require "spec.support.random"
local robots = require "csock.url.robots"
local url = require "csock.url"

local PIECES = {
  "http:", "HTTP:", "file:", "x:", "//", "///", "/",
  "?", "#", ";", ":", "@", "[", "]", "[::1]", "%", "%4", "%41", "%00",
  "a", "..", "/..", "/.", ".", "=", "&", "+", "80", "99999", "\\", " ", "\n", "\0", "ü", "\u{FF0F}", "\u{2100}", "\xFF",
  "User-agent:", "*", "\nDisallow:", "\nCrawl-delay:", "\n\n", "\r",
}

local function text_of(random)
  local list = {}
  for i = 1, random(12) do
    list[i] = random(8) == 1 and string.char(random(256) - 1) or PIECES[random(#PIECES)]
  end
  return table.concat(list)
end

-- A result, or a refusal that says why.
local function checked(result, err, errno)
  if result == nil then
    assert(csock.is_error(err) and errno == csock.errno.EINVAL, "refused without a reason")
  end
  return result
end

local function stays(split, unsplit, text)
  local parts = checked(split(text))
  if not parts then return end
  local again = assert(unsplit(parts))
  assert(split(again) == parts, again)
  assert(again == parts:geturl())
  assert(not again:find "[\0- \x7F]", again)
  assert(parts.port == nil or math.type(parts.port) == "integer" and parts.port <= 65535)
end

local function check(random)
  local text, other = text_of(random), text_of(random)
  stays(url.urlsplit, url.urlunsplit, text)
  stays(url.urlparse, url.urlunparse, text)
  local joined = checked(url.urljoin(text, other))
  if joined then
    local parts = assert(url.urlsplit(joined))
    assert(url.urlsplit(url.urlunsplit(parts)) == parts)
  end
  local defragged = checked(url.urldefrag(text))
  if defragged then assert(url.urlsplit(defragged.url).fragment == "") end
  checked(url.urlunsplit { text_of(random), text_of(random), text, other, text_of(random) })
  assert(url.unquote(url.quote(text)) == text)
  assert(url.unquote_plus(url.quote_plus(text)) == text)
  url.unquote(text)
  local fields = assert(url.parse_qsl(text, true))
  local encoded = url.urlencode(fields)
  assert(url.urlencode(url.parse_qsl(encoded, true)) == encoded)
  local rules = assert(robots.RobotFileParser())
  rules:parse(text)
  assert(type(rules:can_fetch(other, text)) == "boolean")
  return tostring(rules)
end

describe("URLs of any bytes", function()
  it("raise nothing, and stay what they are", function()
    trials.fuzz({ seed = 1, count = 20000, more = 1000 }, check,
      function(numbers) return ("%q, %q"):format(text_of(numbers), text_of(numbers)) end)
  end)
end)

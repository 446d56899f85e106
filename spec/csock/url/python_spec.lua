-- csock.url beside Python's urllib: the same questions to both, thousands of them, and the same answers, but for the
-- differences that stand here in tables.
local python = require "spec.support.python"
local robots = require "csock.url.robots"
local trials = require "spec.support.random"
local url = require "csock.url"

local random = trials.generator(11)
local one_of, repeated, maybe = trials.choices(random)

local SCHEMES = {
  "", "", "http:", "HTTP:", "https:", "file:", "ftp:", "mailto:", "x-y.z+1:", "redis:", "ws:", "1a:", ":",
}
local LOGINS = { "", "", "", "", "u@", "u:p@", ":@", "u:p:q@", "@", "u@v@", "%40:%3A@", "ü@", "u[@", "[::1]@" }
local HOSTS = {
  "h", "Example.ORG", "", "127.0.0.1", "[::1]", "[FE80::1%Eth0]", "[::ffff:1.2.3.4]", "[v1.aB]", "[1:2:3:4:5:6:7:8]",
  "münchen", "ÜBER", "h%2F", "\u{2100}", "h\u{FF0F}", "h\u{FF1A}8", "h\\x", "[::g]", "[1::2::3]", "[::1", "::1]", "::1",
  "[12345::]", "[1:2:3:4:5:6:7::]", "[::1:2:3:4:5:6:7]", "[1.2.3.4]", "[]", "[::1]x", "x[::1]", "[::1%]", "[::1%a%b]",
  "[::01.2.3.4]", "[::1.2.3]", "[:1::]", "[::%]", "[vG.x]", "[v1.]", "a\xFF",
}
local PORTS = {
  "", "", "", "", ":", ":80", ":0", ":65535", ":65536", ":080", ":8x", ":-1", ":+1", ":٣", ":80:80", ":0x1",
}
local SEGMENTS = {
  "a", "b", "c", ".", "..", "", "...", "a;b", ";", ";x=1", "a:b", "%7E", "ü", "a@b", "[x]", "a,b", "..a", "a=b&c", "~",
  "%2e%2e", "\\", "*", "+",
}
local QUERIES = { "", "", "", "?", "?q", "?a=b&c=d", "?/../x", "?a?b", "?ü", "?a;b" }
local FRAGMENTS = { "", "", "", "#", "#f", "#a#b", "#?x", "#/../y" }
local STRAY = {
  " ", "\t", "\n", "\r", "\0", "\x7F", "\x1F", "/", "//", ":", "?", "#", "@", "[", "]", ";", "%", "\\", "\xC3",
  "\u{3000}",
}

local function path()
  local rooted = maybe(2, "/")
  return rooted .. one_of(SEGMENTS) .. repeated(5, function() return "/" .. one_of(SEGMENTS) end)
end

local function netloc() return one_of(LOGINS) .. one_of(HOSTS) .. one_of(PORTS) end

-- Sometimes with a piece of something anywhere.
local function strayed(text)
  if random(8) > 1 then return text end
  local at = random(#text + 1)
  return text:sub(1, at - 1) .. one_of(STRAY) .. text:sub(at + maybe(2, "x"):len())
end

local function any_url()
  local host = random(2) == 1 and "//" .. netloc() or ""
  return strayed(one_of(SCHEMES) .. host .. maybe(4, "/") .. maybe(1, path()) .. one_of(QUERIES) .. one_of(FRAGMENTS))
end

local function any_bytes(most)
  return repeated(most, function()
    local kind = random(6)
    if kind == 1 then return string.char(random(256) - 1) end
    if kind == 2 then return ("%%%02x"):format(random(256) - 1) end
    if kind == 3 then return ("%%%02X"):format(random(256) - 1) end
    return one_of { "a", "Z", "0", "-", "_", ".", "~", "/", " ", "+", "&", "=", ";", "%", "%4", "%g1", "ü", "&", "=" }
  end)
end

local function bit() return random(4) == 1 and "0" or "1" end

-- --- the differences ------------------------------------------------------------------------------

local function is_unclean(text) return text:find "[\0- \x7F]" end

local function netloc_of(text)
  return text:gsub("^[A-Za-z][A-Za-z0-9+.-]*:", ""):match "^//([^/?#]*)" or ""
end

-- What csock refuses though Python takes it: words, and whether a netloc is such a one.
local REFUSED = {
  ["a port that Python finds wrong when it is asked for"] = function(text)
    local rest = text:gsub("^.*@", ""):gsub("^%[.-%]", ""):match ":(.*)$" or ""
    return not rest:find "^0*%d?%d?%d?%d?%d?$" or #rest:gsub("^0*", "") == 5 and rest:gsub("^0*", "") > "65535"
  end,
  ["a backslash"] = function(text) return text:find("\\", 1, true) end,
  ["brackets elsewhere than around the host"] = function(text)
    local rest = text:gsub("^[^%[%]]*@", "")
    local behind = rest:match "^%[[^%[%]]*%](.*)$" or rest
    return behind:find "[%[%]@]" or behind ~= rest and behind:find "^[^:]"
  end,
  ["no UTF-8"] = function(text) return not utf8.len(text) end,
}

local seen -- which differences there were

local function note(name)
  seen[name] = true
  return true
end

local function is_refused(...)
  for _, text in ipairs { ... } do
    if is_unclean(text) then return note "control characters and blanks" end
    for name, fits in pairs(REFUSED) do
      if fits(netloc_of(text)) then return note(name) end
    end
  end
  return false
end

-- What Python 3.11 makes of parts without a host is another URL than they were; later versions do as csock does.
local function is_restored(ours, theirs)
  local scheme, rest = theirs:match "^([a-z][a-z0-9+.-]*:)(.*)$"
  scheme, rest = scheme or "", rest or theirs
  if ours == scheme .. "//" .. rest and rest:find "^//" then return note "slashes at the front of a path stay there" end
  if ours == scheme .. rest:sub(4) and rest:find "^///[^/]" then return note "a relative path stays one" end
  if ours == "./" .. theirs then return note "a path does not become a scheme" end
  return false
end

-- --- comparing ------------------------------------------------------------------------------------

-- Whether two answers are alike; `except(i, ours, theirs)` may excuse a field.
local function is_same(ours, theirs, except)
  if #ours ~= #theirs then return false end
  for i = 1, #ours do
    if ours[i] ~= theirs[i] and not (except and except(i, ours[i], theirs[i])) then return false end
  end
  return true
end

-- Asks both. `answer` is csock's, a list as Python's; `excuse(question, ours, theirs)` knows the differences, all of
-- which must be met: `expected` names them.
local function compare(questions, answer, excuse, expected)
  seen = {}
  local wrong, answers = {}, python.ask("spec/csock/url/python.py", questions)
  assert.equal(#questions, #answers)
  for i, question in ipairs(questions) do
    local ours, theirs = answer(table.unpack(question)), answers[i]
    if not is_same(ours, theirs) and not (excuse and excuse(question, ours, theirs)) then
      wrong[#wrong + 1] = ("%q\n    csock  %q\n    Python %q"):format(table.concat(question, " | "),
        table.concat(ours, " | "), table.concat(theirs, " | "))
    end
  end
  assert.equal("", table.concat(wrong, "\n", 1, math.min(#wrong, 10)), #wrong .. " differences")
  for _, name in ipairs(expected or {}) do assert.is_true(seen[name], "never met: " .. name) end
end

local function ok(value, ...)
  if value == nil then return { "refused" } end
  return { "ok", value, ... }
end

local function list_of(n, make)
  local list = {}
  for i = 1, n do list[i] = make(i) end
  return list
end

local it_agrees = python.name and it or function(name) pending(name .. " (there is no Python 3.11 here)") end

describe("csock.url gives what Python gives", function()
  local REFUSALS = { "control characters and blanks" }
  for name in pairs(REFUSED) do REFUSALS[#REFUSALS + 1] = name end

  for _, call in ipairs { "urlsplit", "urlparse" } do
    it_agrees("from " .. call, function()
      local questions = list_of(10000, function()
        return { call, any_url(), one_of { "", "", "http", "x" }, bit() }
      end)
      compare(questions, function(_, text, scheme, fragments)
        local u = url[call](text, scheme, fragments == "1")
        if not u then return { "refused" } end
        local answer = { "ok", table.unpack(u) }
        answer[#answer + 1] = u:geturl()
        for _, name in ipairs { "username", "password", "hostname" } do
          answer[#answer + 1] = u[name] and "=" .. u[name] or "none"
        end
        answer[#answer + 1] = tostring(u.port or "")
        return answer
      end, function(question, ours, theirs)
        if ours[1] == "refused" then return is_refused(question[2]) end
        local geturl = #ours - 4
        return is_same(ours, theirs, function(i, mine, other)
          if i == geturl then return is_restored(mine, other) end
          return i == #ours - 1 and mine:find "Ü" and note "letters beyond ASCII stay as they are"
        end)
      end, { "letters beyond ASCII stay as they are", "a relative path stays one", table.unpack(REFUSALS) })
    end)
  end

  it_agrees("from urlunsplit and urlunparse", function()
    local questions = list_of(10000, function()
      local scheme = strayed(one_of { "", "", "http", "file", "x", "mailto", "1" })
      local host = random(2) == 1 and strayed(netloc()) or ""
      local target = strayed(maybe(6, "//") .. maybe(2, path()) .. "")
      local query, fragment = strayed(one_of(QUERIES):sub(2)), strayed(one_of(FRAGMENTS):sub(2))
      if random(2) == 1 then return { "urlunsplit", scheme, host, target, query, fragment } end
      return { "urlunparse", scheme, host, target, strayed(maybe(2, "p")), query, fragment }
    end)
    compare(questions, function(call, ...) return ok((url[call] { ... })) end, function(question, ours, theirs)
      if ours[1] == "refused" then
        local scheme, host = question[2], question[3]
        for i = 2, #question do
          if is_unclean(question[i]) then return note "control characters and blanks" end
        end
        if not (scheme == "" or scheme:find "^%a[%w+.-]*$") then return note "no scheme" end
        -- Python looks at none of this here.
        return not url.urlsplit("//" .. host) or netloc_of("//" .. host) ~= host
      end
      return question[3] == "" and is_restored(ours[2], theirs[2])
    end, {
      "control characters and blanks", "no scheme", "slashes at the front of a path stay there",
      "a relative path stays one", "a path does not become a scheme",
    })
  end)

  it_agrees("from urljoin", function()
    local questions = list_of(10000, function()
      local base = random(3) == 1 and "http://a/b/c/d;p?q" or any_url()
      return { "urljoin", base, random(3) == 1 and path() or any_url(), bit() }
    end)
    compare(questions, function(_, base, text, fragments) return ok((url.urljoin(base, text, fragments == "1"))) end,
      function(question, ours, theirs)
        local base, text = question[2], question[3]
        if ours[1] == "refused" then -- Python may not have looked at both
          return is_refused(base, text) or not (url.urlsplit(base) and url.urlsplit(text))
        end
        return netloc_of(base) == "" and netloc_of(text) == "" and is_restored(ours[2], theirs[2])
      end, { "a relative path stays one", "slashes at the front of a path stay there", table.unpack(REFUSALS) })
  end)

  it_agrees("from urldefrag", function()
    local questions = list_of(3000, function() return { "urldefrag", any_url() } end)
    compare(questions, function(_, text)
      local result = url.urldefrag(text)
      return result and ok(result.url, result.fragment) or { "refused" }
    end, function(question, ours, theirs)
      if ours[1] == "refused" then -- Python does not look where there is no fragment
        return is_refused(question[2]) or not url.urlsplit(question[2])
      end
      return is_same(ours, theirs, function(i, mine, other) return i == 2 and is_restored(mine, other) end)
    end, REFUSALS)
  end)

  it_agrees("from quoting and unquoting", function()
    local questions = list_of(10000, function()
      local call = one_of { "quote", "quote_plus", "unquote", "unquote_plus" }
      if call:find "^u" then return { call, any_bytes(20) } end
      return { call, any_bytes(20), any_bytes(3):gsub("[\x80-\xFF]", "") .. one_of { "", "/", "^]-" } }
    end)
    compare(questions, function(call, ...) return ok(url[call](...)) end)
  end)

  it_agrees("from urlencode", function()
    local questions = list_of(3000, function()
      local question = { "urlencode", bit(), one_of { "", "/", "+" }, one_of { "quote", "quote_plus" } }
      for _ = 1, random(4) - 1 do
        question[#question + 1] = any_bytes(6)
        local n = question[2] == "1" and random(3) == 1 and random(4) - 1
        question[#question + 1] = n and tostring(n) or ""
        for _ = 1, n or 1 do question[#question + 1] = any_bytes(6) end
      end
      return question
    end)
    compare(questions, function(_, doseq, safe, quote_via, ...)
      local fields, pairs_of, i = { ... }, {}, 1
      while fields[i] do
        local count = math.tointeger(fields[i + 1])
        local n = count or 1
        local values = table.move(fields, i + 2, i + 1 + n, 1, {})
        pairs_of[#pairs_of + 1] = { fields[i], count and values or values[1] }
        i = i + 2 + n
      end
      return ok(url.urlencode(pairs_of, doseq == "1", safe, url[quote_via]))
    end)
  end)

  it_agrees("from parse_qsl", function()
    local questions = list_of(10000, function()
      local most, separator = one_of { "", "", "3", "0" }, one_of { "&", "&", ";", "=&", "%" }
      return { "parse_qsl", any_bytes(20), bit(), bit(), most, separator }
    end)
    compare(questions, function(_, query, blank, strict, most, separator)
      local list = url.parse_qsl(query, blank == "1", strict == "1", math.tointeger(most), separator)
      if not list then return { "refused" } end
      local answer = { "ok" }
      for _, pair in ipairs(list) do table.move(pair, 1, 2, #answer + 1, answer) end
      return answer
    end)
  end)
end)

describe("csock.url.robots gives what Python gives", function()
  local AGENTS = { "*", "a", "Bot", "bot/1.0", "other bot", "A", "", "%62ot" }
  local NAMES = {
    "User-agent", "user-agent", "Disallow", "Disallow", "Allow", "Crawl-delay", "Request-rate", "Sitemap", "X",
  }
  local NUMBERS = { "1", "30", "1.5", "-1", "", "x", "1/2", "10/ 5", "1/2/3", "007", "/" }
  local PATHS = {
    "/", "", "/a", "/a/", "/a b", "*", "/*", "/a%2Fb", "/%7ejoe", "/ü", "//x/a", "///a", "/a?b", "/a;", "a",
    "http://h/a", "/%2a", "//", "/?", "/a#b",
  }
  local ODD = { "//[", "//h\u{FF0F}/a", "/%0Aa", "%20/a", "/a%09" } -- where Python differs

  local function target() return one_of(random(40) == 1 and ODD or PATHS) end

  local function line()
    if random(6) == 1 then return one_of { "", "", " ", "# x", "nonsense", ":" } end
    local name = one_of(NAMES)
    local value = name:find "gent" and one_of(AGENTS) or name:find "%-" and one_of(NUMBERS) or target()
    return maybe(5, "\t") .. name .. maybe(5, " ") .. ":" .. maybe(2, " ") .. value .. maybe(8, " ") .. maybe(8, "# x")
  end

  local function is_stripped(text) return text:find "%%0[9A]" or text:find "%%20/" end

  it_agrees("to any question", function()
    local questions = list_of(3000, function()
      local question = { "robots", repeated(12, function() return line() .. "\n" end) .. line() }
      for _ = 1, 4 do
        question[#question + 1] = one_of(AGENTS) .. maybe(3, "/2")
        question[#question + 1] = maybe(3, "http://h") .. target() .. maybe(3, path())
      end
      return question
    end)
    compare(questions, function(_, text, ...)
      local rules, lines = assert(robots.RobotFileParser()), {}
      for one in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = one end
      rules:parse(lines)
      local answer = { "ok", tostring(rules), table.concat(rules:site_maps() or {}, "\n") }
      local asked = { ... }
      for i = 1, #asked, 2 do
        local agent, rate = asked[i], rules:request_rate(asked[i])
        answer[#answer + 1] = rules:can_fetch(agent, asked[i + 1]) and "True" or "False"
        answer[#answer + 1] = tostring(rules:crawl_delay(agent) or "None")
        answer[#answer + 1] = rate and rate.requests .. "/" .. rate.seconds or "None"
      end
      return answer
    end, function(question, _, theirs)
      if theirs[1] == "refused" then
        return table.concat(question, " "):find "//%S*[%[\xEF]" and note "a path that is no URL is a path"
      end
      for i = 2, #question do
        if is_stripped(question[i]) then return note "blanks and control characters that were quoted stay" end
      end
      return false
    end, { "a path that is no URL is a path", "blanks and control characters that were quoted stay" })
  end)
end)

-- csock.cookies beside Python's http.cookies and http.cookiejar: thousands of headers and files for both, and the same
-- answers, but for the differences that stand here.
local cookies = require "csock.cookies"
local posix = require "spec.support.posix"
local python = require "spec.support.python"
local trials = require "spec.support.random"

if not python.name then
  pending "csock.cookies beside Python: no Python 3.11"
  return
end

local random = trials.generator(13)
local one_of, repeated = trials.choices(random)

local ORDER = { "comment", "domain", "expires", "httponly", "max-age", "path", "samesite", "secure", "version" }

local function described(cookie)
  local fields = { "ok" }
  for _, morsel in ipairs(cookie:values()) do
    table.move({ morsel.key, morsel.value, morsel.coded_value }, 1, 3, #fields + 1, fields)
    for _, name in ipairs(ORDER) do
      local value = morsel[name]
      fields[#fields + 1] = value == true and "True" or tostring(value)
    end
  end
  return fields
end

local function is_same(a, b)
  if #a ~= #b then return false end
  for i, field in ipairs(a) do
    if field ~= b[i] then return false end
  end
  return true
end

local NAMES = { "a", "b", "fig", "a.b", "x-y", "a:b", "__Host-id", "Path2", "get", "load", "1", "~", "$a" }
local VALUES = {
  "", "1", "newton", "a=b", "==", '"a b"', '"a;b"', '"\\"q\\""', '"\\054\\377"', '"\\1"', '"\\\\"', '""', '"', "a,b",
  "[x]", "Wed, 09-Jun-2021 10:18:14 GMT", "ü", "(c)", "a:b", "/p/q", "{}", "<>", "a\\b", "'x'", '"\\400"', '"ü"',
}
local ATTRIBUTES = {
  "Path=/", "path=/x/y", "Secure", "secure", "HttpOnly", "Max-Age=5", "max-age=-1", "Domain=.example.org",
  "expires=Wed, 09 Jun 2021 10:18:14 GMT", "SameSite=Lax", "Version=1", 'Comment="a;b"', "$Path=/x", "Path",
  "secure=no", 'Path="/\\057"',
}
local SEPARATORS = { "; ", "; ", "; ", ";", " ; ", ";;", " ", "\t", ", " }

local function pair() return one_of(NAMES) .. one_of { "=", "=", "=", " = ", "= " } .. one_of(VALUES) end

local function any_header()
  local text = { pair() }
  for i = 2, random(6) do
    text[i] = one_of(SEPARATORS) .. (random(3) == 1 and one_of(ATTRIBUTES) or pair())
  end
  if random(20) == 1 then table.insert(text, 1, one_of { "$Version=1; ", "Path=/; ", "garbage; ", "=x; " }) end
  return table.concat(text) .. one_of { "", "", "", ";", " ", "; " }
end

describe("csock.cookies gives what Python gives", function()
  it("from headers, and goes on behind what is no cookie", function()
    local questions, same, further = {}, 0, 0
    for i = 1, 10000 do questions[i] = { "load", any_header() } end
    for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
      local cookie = cookies.SimpleCookie(questions[i][2])
      if is_same(described(cookie), theirs) then
        same = same + 1
      else
        further = further + 1
        -- Python has raised, or stopped: of what it has, csock has all; the same name may come once more.
        for k = 2, theirs[1] == "ok" and #theirs or 0, 3 + #ORDER do
          assert(cookie:get(theirs[k]), questions[i][2])
        end
        if theirs[1] == "ok" then assert(#cookie * (3 + #ORDER) >= #theirs - 1, questions[i][2]) end
      end
    end
    assert(same > 5000 and further > 100, same)
  end)

  it("from headers that are well-formed, in each detail", function()
    local questions = {}
    for i = 1, 5000 do
      local text = {}
      for k = 1, random(6) do
        local attribute = k > 1 and random(3) == 1
        text[k] = attribute and one_of {
          "Path=/", "Secure", "HttpOnly", "Max-Age=5", "Domain=.example.org", "secure=no", 'Comment="a;b"',
          "expires=Wed, 09 Jun 2021 10:18:14 GMT", "SameSite=Lax", "Version=1",
        } or ("%s=%s"):format(one_of { "a", "b", "fig", "a.b", "x-y", "get" }, one_of {
          "", "1", "a=b", '"a b"', '"a;b"', '"\\"q\\""', '"\\054\\377"', '"\\\\"', '""', "a,b", "[x]", "/p/q",
          "Wed, 09-Jun-2021 10:18:14 GMT",
        })
      end
      questions[i] = { "load", table.concat(text, one_of { "; ", ";", " ;" }) }
    end
    for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
      assert.same(theirs, described(cookies.SimpleCookie(questions[i][2])), questions[i][2])
    end
  end)

  it("for any values", function()
    local questions = {}
    local function any_value()
      return repeated(12, function()
        if random(4) == 1 then return string.char(random(256) - 1) end
        return one_of { "a", "1", " ", ";", '"', "\\", ",", "=", "ü" }
      end)
    end
    for i = 1, 5000 do
      questions[i] = { "output" }
      for k = 1, random(3) do
        questions[i][2 * k], questions[i][2 * k + 1] = one_of { "a", "b", "x-y", "a:b" }, any_value()
      end
    end
    for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
      local cookie = cookies.SimpleCookie()
      for k = 2, #questions[i], 2 do cookie[questions[i][k]] = questions[i][k + 1] end
      local ours = described(cookie)
      table.insert(ours, 2, cookie:output())
      assert.same(theirs, ours)
      for _, morsel in ipairs(cookie:values()) do -- and it comes back
        assert.equal(morsel.value, cookies.SimpleCookie(morsel.key .. "=" .. morsel.coded_value):get(morsel.key).value)
      end
    end
  end)

  it("for attributes", function()
    local questions = {}
    for i = 1, 2000 do
      questions[i] = { "attributes", "a", one_of { "1", "a b", "" } }
      for _ = 1, random(5) do
        local key = one_of(ORDER)
        local value = one_of { "/", "x", "" }
        if key == "max-age" or key == "version" then value = tostring(random(1000)) end
        if key == "secure" or key == "httponly" then value = one_of { "True", "" } end
        if key == "expires" then value = "Wed, 09 Jun 2021 10:18:14 GMT" end
        if key == "comment" then value = one_of { "a;b", "x", 'q"' } end
        table.move({ random(2) == 1 and key or key:upper(), value }, 1, 2, #questions[i] + 1, questions[i])
      end
    end
    for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
      local morsel = cookies.SimpleCookie { a = questions[i][3] }.a
      for k = 4, #questions[i], 2 do
        local value = questions[i][k + 1]
        if value == "True" then value = true end
        morsel[questions[i][k]] = math.tointeger(value) or value
      end
      assert.same(theirs, { "ok", morsel:OutputString() })
    end
  end)
end)

describe("a file of cookies", function()
  local dir
  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  local KINDS = { netscape = "MozillaCookieJar", lwp = "LWPCookieJar" }

  local function write(text)
    local file <close> = assert(io.open(dir .. "/jar", "wb"))
    assert(file:write(text))
  end

  local function contents(jar)
    local list = {}
    for c in jar:each() do
      list[#list + 1] = table.concat({
        (c.host_only and "" or ".") .. c.domain, c.path, c.name, c.value, tostring(c.expires),
        tostring(c.secure == true), tostring(c.httponly == true),
      }, "|")
    end
    table.sort(list)
    return list
  end

  local function theirs_of(fields)
    local list = {}
    for i = 2, #fields, 7 do
      local one = table.move(fields, i, i + 6, 1, {})
      for k = 5, 7 do one[k] = ({ None = "nil", True = "true", False = "false" })[one[k]] or one[k] end
      list[#list + 1] = table.concat(one, "|")
    end
    table.sort(list)
    return list
  end

  local FAR = 4102444800

  -- A jar with cookies as servers set them.
  local function any_jar(kind)
    local jar = cookies[KINDS[kind]](dir .. "/jar")
    for _ = 1, random(8) - 1 do
      local host = one_of { "example.org", "www.example.org", "a.b.example.org", "127.0.0.1", "localhost" }
      jar:set_cookie {
        domain = host, host_only = host:find "^[%dl]" ~= nil or random(2) == 1, path = one_of { "/", "/x", "/x/y z" },
        name = one_of { "a", "b", "id", "x-y" }, value = one_of { "1", "", "a b", 'q"', "\\", "a=b", "a,b", "'", "ü" },
        expires = random(3) > 1 and FAR + random(1000) or nil, secure = random(3) == 1, httponly = random(3) == 1,
      }
    end
    return jar
  end

  for kind, name in pairs(KINDS) do
    it("that a " .. name .. " writes is read by Python's, and by itself", function()
      local questions, wanted = {}, {}
      for i = 1, 500 do
        local jar = any_jar(kind)
        assert(jar:save { ignore_discard = true })
        local file <close> = assert(io.open(dir .. "/jar", "rb"))
        questions[i], wanted[i] = { "jar", kind, file:read "a", "1" }, contents(jar)
        local again = cookies[name](dir .. "/jar")
        assert(again:load { ignore_discard = true })
        assert.same(wanted[i], contents(again))
      end
      for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
        assert.equal("ok", theirs[1], questions[i][3])
        assert.same(wanted[i], theirs_of(theirs))
      end
    end)

    it("that Python writes is read by a " .. name, function()
      local questions, wanted = {}, {}
      for i = 1, 500 do
        local jar = any_jar(kind)
        local question = { "saved", kind }
        for c in jar:each() do
          table.move({
            (c.host_only and "" or ".") .. c.domain, c.path, c.name, c.value,
            c.expires and tostring(c.expires) or "None", c.secure and "True" or "False",
            c.httponly and "True" or "False",
          }, 1, 7, #question + 1, question)
        end
        questions[i], wanted[i] = question, contents(jar)
      end
      for i, theirs in ipairs(python.ask("spec/csock/cookies/python.py", questions)) do
        assert.equal("ok", theirs[1])
        write(theirs[2])
        local jar = cookies[name](dir .. "/jar")
        assert(jar:load { ignore_discard = true })
        assert.same(wanted[i], contents(jar))
      end
    end)
  end
end)

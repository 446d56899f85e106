-- csock.cgi beside Python's cgi: thousands of forms and headers for both, and the same answers.
local BytesIO = require "csock.bytesio"
local cgi = require "csock.cgi"
local python = require "spec.support.python"
local trials = require "spec.support.random"

if not python.name then
  pending "csock.cgi beside Python: no Python 3.11"
  return
end

local random = trials.generator(17)
local one_of, repeated = trials.choices(random)

local function shown(fields, field)
  local function add(...) table.move({ ... }, 1, select("#", ...), #fields + 1, fields) end
  add(field.name and "=" .. field.name or "None", field.filename and "=" .. field.filename or "None")
  if field.list then
    add(field.type, tostring(#field.list))
    for _, inner in ipairs(field.list) do shown(fields, inner) end
  else
    add(field.type or "None", field.value)
  end
end

local function shown_form(form)
  if not form then return { "refused" } end
  local fields = { "ok" }
  for _, field in ipairs(form.list) do shown(fields, field) end
  form:close()
  return fields
end

-- Pieces of contents, of which some look like a boundary, but are none.
local function content(boundary)
  local text = repeated(8, function()
    if random(4) == 1 then return string.char(random(256) - 1) end
    return one_of {
      "a", "text", "\r\n", "\n", "\r", "\r\n\r\n", "--", "-", "\r\n--", "\n-", "\r\n--" .. boundary .. "x",
      "--" .. boundary .. "y", "ü", ("x"):rep(1500), "\0",
    }
  end)
  local escaped = boundary:gsub("%p", "%%%0")
  return ("\n" .. text .. "\r\n"):find("\n%-%-" .. escaped .. "%-*[ \t]*\r?\n") and "" or text
end

local NAMES = { "a", "b", "a b", "ü", "x;y", 'q\\"q', "", "a=b", "file[]" }

local function head(of)
  local name = random(12) > 1 and ('; name="%s"'):format(one_of(NAMES)) or ""
  local file = one_of { "a.txt", "", "C:\\\\x\\\\y", "ü;.png", "../x" }
  local filename = random(3) == 1 and ('; filename="%s"'):format(file)
  local lines = { ("Content-Disposition: %s%s%s"):format(of or "form-data", name, filename or "") }
  if random(3) == 1 then
    lines[#lines + 1] = "Content-Type: " .. one_of { "text/plain", "image/png", "text/plain; charset=x" }
  end
  if random(6) == 1 then lines[#lines + 1] = one_of { "X-A: b", "x-folded: a\r\n b", "Content-Length: 3" } end
  return table.concat(lines, "\r\n") .. "\r\n\r\n"
end

local function nested(boundary)
  local parts = {}
  for i = 1, random(3) do
    parts[i] = "--" .. boundary .. "\r\n" .. head "file" .. one_of { "x", "a\r\nb", "" } .. "\r\n"
  end
  return ('Content-Disposition: form-data; name="files"\r\nContent-Type: multipart/mixed; boundary=%s\r\n\r\n%s--%s--')
    :format(boundary, table.concat(parts), boundary)
end

local function any_multipart()
  local boundary = one_of { "x", "----WebKitFormBoundary7MA4", "a b'()+_,-./:=?c", ("y"):rep(70) }
  local parts = { one_of { "", "", "preamble\r\n", "\r\n", "--other\r\n" } }
  local count = random(5)
  for i = 1, count do -- (behind parts in a part, Python finds no more)
    parts[#parts + 1] = "--" .. boundary .. one_of { "\r\n", "\r\n", "  \r\n" }
      .. (i == count and random(4) == 1 and nested "inner" or head() .. content(boundary)) .. "\r\n"
  end
  local last = "--" .. boundary .. "--"
  parts[#parts + 1] = last .. one_of { "\r\n", "", "\r\nepilogue", "\r\n" .. last .. "\r\n" }
  return ('multipart/form-data; boundary="%s"'):format(boundary), table.concat(parts)
end

local function query()
  return repeated(6, function()
    return one_of { "a=1", "b=%20x", "a=", "c", "&", "&", "&", "ü=%C3%BC", "x=+", "=y", "a=b=c", "%41=1", ";d=2" }
  end)
end

describe("csock.cgi gives what Python gives", function()
  -- Our answers to bodies that come in pieces of any size.
  local function read(kind, body, text, blank)
    local at, fp = 1, {}
    function fp.read(_, n)
      if at > #body then return nil end
      local piece = body:sub(at, at + math.min(n, random(3) == 1 and random(9) or 100000) - 1)
      at = at + #piece
      return piece
    end
    return cgi.FieldStorage {
      fp = fp, keep_blank_values = blank == "1",
      environ = {
        REQUEST_METHOD = "POST", CONTENT_TYPE = kind, CONTENT_LENGTH = tostring(#body), QUERY_STRING = text,
      },
    }
  end

  it("from forms of several parts", function()
    local questions = {}
    for i = 1, 4000 do
      local kind, body = any_multipart()
      questions[i] = { "storage", kind, body, random(4) == 1 and query() or "", one_of { "0", "1" } }
    end
    for i, theirs in ipairs(python.ask("spec/csock/cgi/python.py", questions)) do
      local question = questions[i]
      local form, err = read(table.unpack(question, 2))
      assert.is_truthy(form, tostring(err) .. question[3])
      assert.same(theirs, shown_form(form), question[3])
    end
  end)

  it("from forms like queries, and from queries", function()
    local questions = {}
    for i = 1, 4000 do
      questions[i] = random(2) == 1 and { "get", query(), one_of { "0", "1" } }
        or { "storage", "application/x-www-form-urlencoded", query(), query(), one_of { "0", "1" } }
    end
    for i, theirs in ipairs(python.ask("spec/csock/cgi/python.py", questions)) do
      local kind, first, second, third, fourth = table.unpack(questions[i])
      local ours
      if kind == "get" then
        ours = shown_form(cgi.FieldStorage {
          environ = { REQUEST_METHOD = "GET", QUERY_STRING = first }, keep_blank_values = second == "1",
        })
      else
        ours = shown_form(read(first, second, third, fourth))
      end
      assert.same(theirs, ours, first .. (third or ""))
    end
  end)

  it("from headers, and for HTML", function()
    local questions = {}
    for i = 1, 5000 do
      local text = repeated(10, function()
        return one_of { "a", "B", ";", "; ", "=", '"', '"a;b"', '\\"', " ", "name=", "x/y", "," }
      end)
      questions[i] = { one_of { "parse_header", "escape" }, text }
    end
    for i, theirs in ipairs(python.ask("spec/csock/cgi/python.py", questions)) do
      local kind, text = table.unpack(questions[i])
      local ours
      if kind == "escape" then
        ours = { "ok", cgi.escape(text) }
      else
        local key, parameters = cgi.parse_header(text)
        local names = {}
        ours = { "ok", key }
        for name in pairs(parameters) do names[#names + 1] = name end
        table.sort(names)
        for _, name in ipairs(names) do table.move({ name, parameters[name] }, 1, 2, #ours + 1, ours) end
      end
      assert.same(theirs, ours, text)
    end
  end)

  it("by parse and parse_multipart", function()
    local body = '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x\r\n'
      .. 'Content-Disposition: form-data; name="a"; filename="f"\r\n\r\n2\r\n--x--\r\n'
    assert.same({ a = { "1", "2" } }, cgi.parse_multipart(BytesIO(body), { boundary = "x" }))
    assert.same({ a = { "1", "2" } }, cgi.parse_multipart(BytesIO(body .. "more"), {
      boundary = "x", ["CONTENT-LENGTH"] = tostring(#body),
    }))
    assert.same({ a = { "1" }, b = { "" } }, cgi.parse(nil, { REQUEST_METHOD = "GET", QUERY_STRING = "a=1&b=" }, true))
    assert.same({ a = { "1", "2" }, b = { "3" } }, cgi.parse(BytesIO "a=1&b=3", {
      REQUEST_METHOD = "POST", CONTENT_TYPE = "application/x-www-form-urlencoded", CONTENT_LENGTH = "7",
      QUERY_STRING = "a=2",
    }))
    assert.is_nil((cgi.parse(nil, { REQUEST_METHOD = "GET", QUERY_STRING = "a" }, { strict_parsing = true })))
  end)
end)

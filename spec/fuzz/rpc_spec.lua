-- What strangers send to csock.xmlrpc, csock.jsonrpc, csock.cgi and csock.cookies: any bytes, the same in every run;
-- with FUZZ_SECONDS in the environment, new ones follow for so long. Nothing raises, what is refused is refused with a
-- reason, and what is taken comes back when it is written and read again, however it is cut.
local cgi = require "csock.cgi"
local cookies = require "csock.cookies"
local csock = require "csock"
local jsonrpc = require "csock.jsonrpc"
local lwp = require "csock.cookies.lwp"
local netscape = require "csock.cookies.netscape"
local trials = require "spec.support.random"
local xmlrpc = require "csock.xmlrpc"

local has_xml = pcall(require, "lxp")
local has_json = pcall(require, "cjson") or pcall(require, "dkjson")

local PIECES = {
  xml = {
    "<params>", "</params>", "<param>", "</param>", "<value>", "</value>", "<array><data>", "</data></array>",
    "<struct>", "</struct>", "<member>", "</member>", "<name>", "</name>", "<int>", "</int>", "<i8>", "</i8>",
    "<double>", "</double>", "<boolean>", "</boolean>", "<base64>", "</base64>", "<nil/>", "<ex:nil/>", "<string/>",
    "<value>1</value>",
    "<methodCall>", "</methodCall>", "<methodName>f</methodName>", "<methodResponse>", "</methodResponse>", "<fault>",
    "</fault>", "<dateTime.iso8601>", "</dateTime.iso8601>", "<?xml version='1.0'?>", "<!DOCTYPE a [", "]>",
    "<!ENTITY b", "&b;", "&lt;", "<![CDATA[", "]]>", "1", "-", "x", " ", "e", ".", "\xff", "ü", "<!--", "-->",
    "<params><param><value>", "</value></param></params>", "<member><name>a</name><value>", "</value></member>",
  },
  json = {
    "{", "}", "[", "]", ",", ":", '"jsonrpc":"2.0"', '"method":"f"', '"params":', '"id":1', '"id":null', "null", "true",
    "1", "-1.5e3", '"', '"x"', "\\u0000", "\\ud800", " ", '{"jsonrpc":"2.0","method":"f","id":1}', "\xff",
    '{"jsonrpc":"2.0","method":"f","params":[', "]}", "NaN",
  },
  cookie = {
    "a", "b", "=", "=", ";", "; ", '"', "\\", "\\054", "$Path", "path", "Secure", "expires", " ", "\t", ",", "\n", "\0",
    "Wed, 09-Jun-2021 10:18:14 GMT", "\xff", "a=1; ", "load=1", "__index=1",
  },
  file = {
    "# Netscape HTTP Cookie File\n", "#LWP-Cookies-2.0\n", "#HttpOnly_", ".h", "h", "\t", "\t", "TRUE\t", "FALSE\t",
    "/\t", "0\t", "4102444800\t", "a\t", "1", "\n", "\n", "\r\n", "\0", ";", "Set-Cookie3: ", "a=b", "; ", "path=/",
    'domain="h"', '"', "\\",
    'expires="2100-01-01 00:00:00Z"', "h\tFALSE\t/\tFALSE\t0\ta\t1\n",
  },
  form = {
    "--x", "--x\r\n", "--x--", "\r\n", "\n", "\r", "-", "x", "Content-Disposition: form-data; name=", '"a"',
    '; filename="f"', "\r\n\r\n", "Content-Type: multipart/mixed; boundary=y\r\n", "--y\r\n", "--y--", ":", "\0",
    "\xff", "text", " ",
    '--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n',
  },
}

local function text_of(random, kind, most)
  local pieces, list = PIECES[kind], {}
  for i = 1, random(most) do
    list[i] = random(10) == 1 and string.char(random(256) - 1) or pieces[random(#pieces)]
  end
  return table.concat(list)
end

-- A result, or a refusal that says why.
local function checked(result, err)
  if result == nil then assert(csock.is_error(err), "refused without a reason") end
  return result
end

local CHECKS = {}

if has_xml then
  local server = xmlrpc.SimpleXMLRPCDispatcher()
  server.allow_none = true
  server:register_function(function(...) return ... end, "f")
  server:register_multicall_functions()

  function CHECKS.xml(random)
    local text = text_of(random, "xml", 14)
    if random(2) == 1 then text = "<params><param><value>" .. text .. "</value></param></params>" end
    local params = checked(xmlrpc.loads(text))
    if params then
      local again = xmlrpc.dumps(params, { allow_none = true })
      assert(#assert(xmlrpc.loads(again)) == #params)
    end
    local answer, err = xmlrpc.loads(server:_marshaled_dispatch(text))
    assert(answer or err.name == "Fault")
    return text
  end
end

if has_json then
  local server = jsonrpc.SimpleJSONRPCDispatcher()
  server:register_function(function(...) return ... end, "f")

  function CHECKS.json(random)
    local text = text_of(random, "json", 14)
    local answer = server:_marshaled_dispatch(text)
    assert(answer == nil or answer:find '^%[?{"jsonrpc":"2.0"')
    return text
  end
end

function CHECKS.cookie(random)
  local text = text_of(random, "cookie", 12)
  local cookie = cookies.SimpleCookie(text)
  local output = cookie:output()
  assert(not output:gsub("\r\n", ""):find "[\0-\8\10-\31\127]", "a control character")
  assert(select(2, ("\r\n" .. output):gsub("\r\nSet%-Cookie: ", "")) == math.max(#cookie, 0), "a line of its own")
  for _, morsel in ipairs(cookie:values()) do
    local said = assert(cookies.parse_set_cookie(morsel:OutputString())) -- as a browser reads it, and sends it back
    local again = cookies.SimpleCookie(said.name .. "=" .. said.value):get(morsel.key)
    assert(again and again.value == morsel.value, ("%q"):format(text))
  end
  cookies.parse(text)
  local jar = cookies.CookieJar()
  jar:set("http://h.org/", text)
  cgi.parse_header(text)
  return text
end

function CHECKS.file(random)
  local format = random(2) == 1 and netscape or lwp
  local text = (random(4) > 1 and format.HEADER or "") .. text_of(random, "file", 14)
  local list, words = format.parse(text)
  assert(list or type(words) == "string")
  local jar, lines = cookies.CookieJar(), { format.HEADER }
  for _, cookie in ipairs(list or {}) do jar:set_cookie(cookie) end
  for cookie in jar:each() do lines[#lines + 1] = format.line(cookie) end
  local again = assert(format.parse(table.concat(lines)))
  assert(#again == #lines - 1)
  return text
end

function CHECKS.form(random)
  local text = text_of(random, "form", 14)
  local function read(most)
    local at, fp = 1, {}
    function fp.read()
      local piece = text:sub(at, at + random(most) - 1)
      at = at + #piece
      return piece ~= "" and piece or nil
    end
    local form = checked(cgi.FieldStorage {
      fp = fp, environ = { REQUEST_METHOD = "POST", CONTENT_TYPE = "multipart/form-data; boundary=x" },
    })
    if not form then return "refused" end
    local fields = {}
    local function add(list)
      for _, field in ipairs(list) do
        fields[#fields + 1] = tostring(field)
        if field.list then add(field.list) else fields[#fields + 1] = field.value end
      end
    end
    add(form.list)
    form:close()
    return table.concat(fields, "|")
  end
  local whole = read(1000)
  assert(whole == read(1) and whole == read(7), "another form when it is cut otherwise")
  return text
end

describe("bytes of strangers, by kind:", function()
  for kind, check in pairs(CHECKS) do
    it(kind .. " raises nothing, and stays what it is", function()
      trials.fuzz({ seed = 1, count = 10000, more = 1000 }, check)
    end)
  end

  if not has_xml then pending "XML-RPC: no lua-expat" end
  if not has_json then pending "JSON-RPC: neither cjson nor dkjson" end
end)

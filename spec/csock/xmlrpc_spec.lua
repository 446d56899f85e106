-- XML-RPC's values and messages: what is written, what is read, what is refused.
local csock = require "csock"
local xmlrpc = require "csock.xmlrpc"

local E = csock.errno

if not pcall(require, "lxp") then
  pending "csock.xmlrpc: no lua-expat"
  return
end

-- The value after a way there and back.
local function returned(value, options)
  local params, method = assert(xmlrpc.loads(xmlrpc.dumps({ value, n = 1 }, { methodname = "f", allow_none = true }),
    options))
  assert(method == "f" and #params == 1)
  return params[1]
end

local function value_of(xml) return xmlrpc.loads("<params><param>" .. xml .. "</param></params>") end

describe("a value", function()
  it("comes back as it was", function()
    for _, value in ipairs {
      1, -1, 0, 0x7fffffff, -0x80000000, 1 << 31, math.maxinteger, math.mininteger, 1.0, 0.1, -2.5e-300, 1e300, 1 / 3,
      math.huge, -math.huge, true, false, "", "a", "<&>\"'", "ü€😀", " a\nb\tc ", "a\r\nb\r", "]]>",
    } do
      local got = returned(value)
      assert.equal(value, got)
      assert.equal(math.type(value), math.type(got))
    end
    local nan = returned(0 / 0)
    assert.is_true(nan ~= nan)
  end)

  it("of a table is an array or a struct, also an empty one", function()
    local value = returned { 1, { a = { 2, 3 }, b = xmlrpc.struct {} }, {}, xmlrpc.null, "x" }
    assert.same({ 1, { a = { 2, 3 }, b = {} }, {}, xmlrpc.null, "x" }, value)
    assert.matches("<array>", xmlrpc.dumps { {} })
    assert.matches("<struct>", xmlrpc.dumps { xmlrpc.struct {} })
    assert.matches("<struct>", xmlrpc.dumps { returned(xmlrpc.struct {}) })
    assert.matches("<array>", xmlrpc.dumps { returned(xmlrpc.array {}) })
  end)

  it("of bytes is a Binary, or a string where that is asked for", function()
    local bytes = {}
    for i = 0, 255 do bytes[i + 1] = string.char(i) end
    bytes = table.concat(bytes):rep(3)
    assert.equal(bytes, returned(xmlrpc.Binary(bytes)).data)
    assert.equal(bytes, tostring(returned(xmlrpc.Binary(bytes))))
    assert.is_true(xmlrpc.Binary "a" == xmlrpc.Binary "a")
    assert.equal(bytes, returned(xmlrpc.Binary(bytes), { use_builtin_types = true }))
  end)

  it("of a time is a DateTime, or a table where that is asked for", function()
    local time = xmlrpc.DateTime { year = 1998, month = 7, day = 17, hour = 14, min = 8, sec = 55 }
    assert.equal("19980717T14:08:55", time.value)
    assert.is_true(returned(time) == time)
    assert.is_true(time < xmlrpc.DateTime "19980717T14:08:56")
    assert.is_true(time <= xmlrpc.DateTime "19980717T14:08:55")
    local expected = { year = 1998, month = 7, day = 17, hour = 14, min = 8, sec = 55, wday = 6, yday = 198,
      isdst = false }
    assert.same(expected, time:timetuple())
    assert.same(expected, returned(time, true))
    assert.equal(os.date "%Y%m%d", xmlrpc.DateTime().value:sub(1, 8))
    assert.equal(os.date("%Y%m%dT%H:%M:%S", 1e9), xmlrpc.DateTime(1e9).value)
    assert.is_nil(xmlrpc.DateTime("19980231T00:00:00"):timetuple())
    assert.is_nil(xmlrpc.DateTime("yesterday"):timetuple())
    assert.has_error(function() xmlrpc.DateTime "<a>" end)
    assert.has_error(function() xmlrpc.DateTime {} end)
  end)

  it("that cannot be sent raises, in the caller's place", function()
    local loop = {}
    loop[1] = loop
    local deep = {}
    for _ = 1, 200 do deep = { deep } end
    for _, value in ipairs {
      "\0", "a\27b", "\xff", "\xed\xa0\x80", "\xef\xbf\xbe", { [2] = 1 }, { 1, a = 2 }, { [1.5] = 1 },
      xmlrpc.struct { 1 }, xmlrpc.array { a = 1 }, print, loop, deep, io.stdout, xmlrpc.null,
    } do
      local ok, err = pcall(xmlrpc.dumps, { value })
      assert.is_false(ok)
      assert.matches("dumps: ", err)
    end
    assert.has_error(function() xmlrpc.dumps({ nil, n = 1 }) end)
    assert.has_error(function() xmlrpc.dumps({ {} }, { encoding = "latin-1" }) end)
  end)

  it("is read in each form that others write", function()
    for xml, expected in pairs {
      ["<value>a</value>"] = "a", ["<value></value>"] = "", ["<value> <i4> 5 </i4> </value>"] = 5,
      ["<value><int>+7</int></value>"] = 7, ["<value><i8>-9223372036854775808</i8></value>"] = math.mininteger,
      ["<value><i1>1</i1></value>"] = 1, ["<value><biginteger>2</biginteger></value>"] = 2,
      ["<value><double>.5</double></value>"] = 0.5, ["<value><double>5</double></value>"] = 5.0,
      ["<value><double>1e3</double></value>"] = 1000.0, ["<value><float>1.</float></value>"] = 1.0,
      ["<value><string/></value>"] = "", ["<value><![CDATA[<a>]]></value>"] = "<a>",
      ["<value><base64>YQ==</base64></value>"] = xmlrpc.Binary "a", ["<value>&#228;&amp;</value>"] = "ä&",
      ["<value><ex:nil xmlns:ex='http://ws.apache.org/xmlrpc/namespaces/extensions'/></value>"] = xmlrpc.null,
      ["<value>a<!-- b -->c<?d e?></value>"] = "ac",
    } do
      local params = assert(value_of(xml))
      assert.is_true(params[1] == expected, xml)
      assert.equal(math.type(expected), math.type(params[1]))
    end
    local latin = "<?xml version='1.0' encoding='iso-8859-1'?>"
    assert.same({ "ü" }, xmlrpc.loads(latin .. "<params><param><value>\xfc</value></param></params>"))
  end)

  it("that is none is refused", function()
    for _, xml in ipairs {
      "<value><int>1.5</int></value>", "<value><int>0x10</int></value>", "<value><int></int></value>",
      "<value><int>9223372036854775808</int></value>", "<value><int>1_0</int></value>", "<value><int>1 2</int></value>",
      "<value><double>0x1p4</double></value>", "<value><double>.</double></value>",
      "<value><double>1e</double></value>", "<value><boolean>2</boolean></value>",
      "<value><boolean>true</boolean></value>", "<value><base64>*</base64></value>", "<value><nil>1</nil></value>",
      "<value><array></array></value>", "<value><array><data/><data/></array></value>",
      "<value><struct><member><name>a</name></member></struct></value>",
      "<value><struct><member><value/></member></struct></value>", "<value><struct><value/></struct></value>",
      "<value><int>1</int><int>2</int></value>", "<value><value/></value>", "<value><what/></value>",
      "<value/><value/>", "", "<value><string><int>1</int></string></value>",
      ("<value><dateTime.iso8601>%s</dateTime.iso8601></value>"):format(("1"):rep(65)),
    } do
      local params, err, errno = value_of(xml)
      assert.is_nil(params, xml)
      assert.same({ "ResponseError", "xmlrpc", E.EBADMSG }, { err.name, err.kind, errno }, xml)
    end
  end)
end)

describe("a message", function()
  it("is a call, an answer or a fault", function()
    local params, method = assert(xmlrpc.loads(xmlrpc.dumps({ 1, "two" }, "a.b")))
    assert.same({ { 1, "two" }, "a.b" }, { params, method })
    params, method = assert(xmlrpc.loads(xmlrpc.dumps({ 1 }, { methodresponse = true })))
    assert.same({ { 1 } }, { params, method })
    assert.same({ {}, "f" }, { xmlrpc.loads "<methodCall><methodName> f </methodName></methodCall>" })
    local fault = xmlrpc.Fault(4, "too many <parameters>")
    assert.same({ "Fault", 4, "too many <parameters>" }, { fault.name, fault.code, fault.text })
    local nothing, err, errno = xmlrpc.loads(xmlrpc.dumps(fault))
    assert.is_nil(nothing)
    assert.same({ "Fault", 4, "too many <parameters>", E.EPROTO }, { err.name, err.code, err.text, errno })
  end)

  it("that is none is refused", function()
    for _, text in ipairs {
      "", "nonsense", "<a/>", "<methodCall/>", "<methodCall><params/></methodCall>", "<methodResponse/>",
      "<params></params><params></params>", "<params>", "<params/>x", "<methodResponse><fault/></methodResponse>",
      "<fault><value><int>1</int></value></fault>", "<params><param/></params>",
      "<fault><value><struct><member><name>faultCode</name><value>1</value></member></struct></value></fault>",
      "<?xml version='1.0' encoding='nonsense'?><params/>", "<params>\xff</params>", "\0", "<params>&a;</params>",
      "<methodCall><methodName>a</methodName><methodName>b</methodName></methodCall>",
    } do
      local params, err, errno = xmlrpc.loads(text)
      assert.is_nil(params, text)
      assert.same({ "ResponseError", E.EBADMSG }, { err.name, errno }, text)
    end
  end)

  it("with a document type is refused before an entity is made", function()
    local bomb = { '<?xml version="1.0"?><!DOCTYPE lolz [<!ENTITY a0 "lol">' }
    for i = 1, 12 do bomb[#bomb + 1] = ('<!ENTITY a%d "%s">'):format(i, ("&a%d;"):format(i - 1):rep(10)) end
    bomb[#bomb + 1] = "]><params><param><value>&a12;</value></param></params>"
    for _, text in ipairs {
      table.concat(bomb), "<!DOCTYPE params><params/>", '<!DOCTYPE p SYSTEM "file:///etc/passwd"><params/>',
      '<!DOCTYPE p [<!ENTITY x SYSTEM "file:///etc/passwd">]><params><param><value>&x;</value></param></params>',
      '<!DOCTYPE p [<!ENTITY % x SYSTEM "http://127.0.0.1:1/">%x;]><params/>',
    } do
      local params, err = xmlrpc.loads(text)
      assert.is_nil(params)
      assert.matches("document type", tostring(err))
    end
  end)

  it("may be 100 values deep, and a million long", function()
    local function nested(n)
      return "<params><param>" .. ("<value><array><data>"):rep(n - 1) .. "<value>x</value>"
        .. ("</data></array></value>"):rep(n - 1) .. "</param></params>"
    end
    assert.is_table(xmlrpc.loads(nested(100)))
    local params, err, errno = xmlrpc.loads(nested(101))
    assert.same({ nil, "TooLarge", E.EMSGSIZE }, { params, err.name, errno })
    params, err = xmlrpc.loads(("<params><param><value><array><data>%s</data></array></value></param></params>"):format(
      ("<value/>"):rep(1 << 20)))
    assert.same({ nil, "TooLarge" }, { params, err.name })
    params, err = xmlrpc.loads(("<a>"):rep(100000))
    assert.same({ nil, "ResponseError" }, { params, err.name })
  end)

  it("needs lua-expat, and says so", function()
    local process = require "spec.support.process"
    local status, out = process.run { process.interpreter, "-e", [[
      package.preload.lxp = function() error "absent" end
      local xmlrpc = require "csock.xmlrpc"
      print(#xmlrpc.dumps { 1 } > 0, pcall(xmlrpc.loads, "<params/>"))
    ]] }
    assert.equal(0, status)
    assert.matches("^true\tfalse\tcsock.xmlrpc: lua%-expat is not installed", out)
  end)
end)

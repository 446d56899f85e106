-- Parameters of header fields: quoted strings, RFC 2231.
local corpus = require "spec.csock.email.corpus"
local email = require "csock.email"
local params = require "csock.email.params"
local python = require "spec.support.python"

local function param(value,
  name) return email.message_from_string("Content-Type: " .. value .. "\n\n"):get_param(name) end

describe("parameters", function()
  it("are read as Python reads them", function()
    if not python.name then return pending "no Python 3.11" end
    local PLAIN = { "a=b", 'a="b c"', 'a="b;c"', 'a="b\\"c"', "b=1", "A=x", "a = b", "c", 'b=""', "b=x=y", "c=;" }
    local SPLIT = {
      "d*=utf-8''caf%C3%A9", "d*0=x; d*1=y", "d*0*=us-ascii'en'x%20; d*1=%20", "d*1=q; d*0=p",
        "d*0*=utf-8''%C3; d*1*=%A9",
    }
    local questions = {}
    for i = 1, 1000 do
      local list = { "text/plain", corpus.one_of(SPLIT) }
      for _ = 1, corpus.random(3) do table.insert(list, corpus.random(#list) + 1, corpus.one_of(PLAIN)) end
      local value = table.concat(list, corpus.one_of { ";", "; ", " ;\t" })
      questions[i] = { "parameter", value, corpus.one_of { "a", "b", "c", "d" } }
    end
    for i, answer in ipairs(python.ask("spec/csock/email/python.py", questions)) do
      local _, value, name = table.unpack(questions[i])
      assert.equal(answer[2], param(value, name) or "None", value)
    end
  end)

  it("with other characters come as RFC 2231 has it, in pieces, also of several charsets", function()
    assert.equal("café", param("a/b; x*=iso-8859-1''caf%E9", "x"))
    assert.equal("café ole", param("a/b; x*1*=%20ole; x*0*=utf-8'fr'caf%C3%A9", "X"))
    assert.equal("caf%C3 ole", param("a/b; x*0=\"caf%C3\"; x*1=\" ole\"", "x"))
    assert.equal("café", param("a/b; x=\"=?utf-8?q?caf=C3=A9?=\"", "x"))
    assert.equal("\xc1", param("a/b; x*=koi8-r''%C1", "x"))
  end)

  it("are written so that they can be read, and folded", function()
    for _, value in ipairs {
      "a", "a b", 'a"b\\c', "", "caf\u{e9}", ("\u{e9}"):rep(300), "\xe9", "a;b", ("x"):rep(600), "%41", "a'b",
    } do
      local written = params.join("a/b", { { "x", value } })
      local expected = utf8.len(value) and value or "\u{e9}"
      assert.equal(expected, params.get(written, "x"))
      local msg = email.EmailMessage()
      msg:add_header("Content-Type", written)
      for line in msg:as_bytes():gmatch "[^\n]+" do assert.is_true(#line <= 998) end
      assert.equal(expected, email.message_from_bytes(msg:as_bytes()):get_param "x")
    end
  end)

  it("are set and taken away, and others stay", function()
    local msg = email.message_from_string "Content-Type: text/plain; a=1; b=2; a=3\n\n"
    msg:set_param("a", "x y")
    assert.equal('text/plain; b="2"; a="x y"', msg["content-type"])
    msg:del_param "b"
    assert.equal('text/plain; a="x y"', msg["content-type"])
    msg:set_param("filename", "f", "Content-Disposition")
    assert.equal('text/plain; filename="f"', msg["content-disposition"])
  end)
end)

-- Messages that are built and changed: what Python reads in them.
local email = require "csock.email"
local python = require "spec.support.python"

local SCRIPT = "spec/csock/email/python.py"

local function parsed(text) return assert(email.message_from_string(text)) end

describe("the fields of a message", function()
  it("are found by their names in any case, in order", function()
    local msg = parsed "Subject: a\nReceived: 1\nreceived: 2\nX-Long: one\n\ttwo\nX-Empty:\n\n"
    assert.same({ "Subject", "Received", "received", "X-Long", "X-Empty" }, msg:keys())
    assert.same({ "a", "1", "2", "one\ttwo", "" }, msg:values())
    assert.equal("a", msg.subject)
    assert.equal("1", msg["Received"])
    assert.same({ "1", "2" }, msg:get_all "RECEIVED")
    assert.same({ nil, "x", nil, "y" }, { msg:get "none", msg:get("none", "x"), msg:get_all "none",
      msg:get_all("none", "y") })
    assert.equal(5, #msg)
    local list = {}
    for name, value in msg:items() do list[#list + 1] = name .. value end
    for name, value in msg:raw_items() do list[#list + 1] = name .. value end
    assert.equal("SubjectaReceived1received2X-Longone\ttwoX-EmptySubjectaReceived1received2X-Longone\n\ttwoX-Empty",
      table.concat(list))
  end)

  it("are assigned, added, replaced and taken away", function()
    local msg = email.EmailMessage()
    msg.subject, msg["x-y"] = "one", 2
    msg.subject = "two"
    msg:add_header("X-Y", "3")
    assert.same({ "two", "2", "3" }, { msg.subject, table.unpack(msg:get_all "x-y") })
    msg:replace_header("x-y", "4")
    assert.same({ "4", "3" }, msg:get_all "x-y")
    msg["X-Y"] = "5"
    assert.same({ "5" }, msg:get_all "x-y")
    msg["x-y"] = nil
    assert.equal("Subject: two\n\n", msg:as_string())
    assert.has_error(function() msg:replace_header("none", "1") end)
    msg.message_id = nil
    msg["message-id"], msg["mime-version"] = "<1@a>", "1.0"
    assert.same({ "MIME-Version", "Message-ID", "Subject" }, (function(t) table.sort(t) return t end)(msg:keys()))
    msg:clear()
    assert.equal(0, #msg)
  end)

  it("cannot be made to be more than one", function()
    local msg = email.EmailMessage()
    for _, value in ipairs { "a\nBcc: x@y", "a\r\n\r\nbody", "a\rb", "a\0" } do
      assert.has_error(function() msg.subject = value end)
      assert.has_error(function() msg:add_header("X", value) end)
      assert.has_error(function() msg:add_header("X", "a", { b = value:gsub("%z", "\n") }) msg:add_header(value,
        "a") end)
    end
    for _, name in ipairs { "", "a b", "a:", "\n" } do assert.has_error(function() msg:add_header(name, "x") end) end
    -- What a stranger has encoded may have line ends; whoever hands it on sends them encoded, or not at all.
    local evil = parsed "Subject: =?utf-8?q?a=0D=0ABcc:_x@y?=\n\n"
    assert.has_error(function() msg.subject = evil.subject end)
  end)

  it("are encoded words where they are no ASCII, but addresses never", function()
    local msg = email.EmailMessage()
    msg.subject = "a caf\u{e9} " .. ("word "):rep(40) .. "\u{20ac}"
    msg.to = { { "Doe, J\u{fc}rgen", "j@x" }, "bob@y", { "Ann", "ann@z" } }
    msg.from = "\"M\u{fc}ller, Hans\" <h@x>, J\u{fc}rg Sch\u{f6}n <s@x>"
    local text = msg:as_string()
    assert.is_nil(text:find "[\x80-\xff]")
    for line in text:gmatch "[^\n]+" do assert.is_true(#line <= 78) end
    local read = parsed(text)
    assert.equal(msg.subject, read.subject)
    assert.same({ { "Doe, J\u{fc}rgen", "j@x" }, { "", "bob@y" }, { "Ann", "ann@z" } },
      email.getaddresses(read:get_all "to"))
    assert.same({ { "M\u{fc}ller, Hans", "h@x" }, { "J\u{fc}rg Sch\u{f6}n", "s@x" } },
      email.getaddresses(read:get_all "from"))
  end)

  it("with addresses are not made more by what is encoded in a name", function()
    local msg = parsed "From: =?utf-8?q?a=2C_evil=40x=2C?= <good@example.org>\n\z
      To: \"=?utf-8?q?x=22=2C_e=40f?=\" <b@c>\n\n"
    assert.same({ { "a, evil@x,", "good@example.org" } }, email.getaddresses(msg:get_all "from"))
    assert.same({ { 'x", e@f', "b@c" } }, email.getaddresses(msg:get_all "to"))
  end)

  it("say what the content is", function()
    local msg = parsed("Content-Type: TEXT/Html; charset=\"UTF-8\"\n\z
      Content-Disposition: ATTACHMENT; filename=\"a/b.txt\"\n\n")
    assert.same({ "text/html", "text", "html", "utf-8", "attachment", true, "a/b.txt", false }, {
      msg:get_content_type(), msg:get_content_maintype(), msg:get_content_subtype(), msg:get_content_charset(),
      msg:get_content_disposition(), msg:is_attachment(), msg:get_filename(), msg:is_multipart(),
    })
    msg = email.EmailMessage()
    assert.same({ "text/plain", "x", "y", "z" }, {
      msg:get_content_type(), msg:get_content_charset "x", msg:get_filename "y", msg:get_boundary "z",
    })
    assert.is_nil(msg:get_content_disposition())
    assert.is_nil(msg:get_unixfrom())
  end)
end)

describe("a message that is built", function()
  local TEXTS = {
    "hello", "caf\u{e9}\n", ("\u{20ac}"):rep(100) .. "\n", ("long "):rep(100), "", "trailing \nFrom x\n.\n\n",
      "a = b\r\nc",
    ("x"):rep(2000) .. "\n", "\0\1\2",
  }
  local BYTES = { "", "GIF89a\0\255", ("\r\n\n\r\0"):rep(100), ("x"):rep(1000) }

  it("is read by Python as what it was", function()
    if not python.name then return pending "no Python 3.11" end
    local questions, wanted = {}, {}
    for i, text in ipairs(TEXTS) do
      for j, bytes in ipairs(BYTES) do
        local msg = email.EmailMessage()
        msg.subject = "caf\u{e9} " .. i
        msg.from = "Ann <a@x>"
        msg.to = { { "J\u{fc}rgen, X", "j@x" } }
        if j == 4 then msg.linesep = "\r\n" end
        msg:set_content(text)
        if j > 1 then msg:add_alternative("<b>" .. text .. "</b>", { subtype = "html", charset = "utf-8" }) end
        if j > 2 then
          msg:add_attachment(bytes, { maintype = "image", subtype = "png", filename = "b\u{fc}d.png" })
          msg:add_attachment(text, { filename = "a b.txt", cte = "base64" })
        end
        local function lines(t)
          t = t:gsub("\r\n", "\n")
          return (t == "" or t:sub(-1) == "\n") and t or t .. "\n"
        end
        local body = lines(j > 1 and "<b>" .. text .. "</b>" or text)
        local list = { "caf\u{e9} " .. i, "Ann <a@x>", '"J\u{fc}rgen, X" <j@x>', "J\u{fc}rgen, X|j@x", body }
        if j > 2 then
          list[#list + 1] = "b\u{fc}d.png image/png " .. bytes:gsub(".",
            function(c) return ("%02x"):format(c:byte()) end)
          list[#list + 1] = "a b.txt text/plain " .. lines(text)
        end
        wanted[#wanted + 1] = table.concat(list, "\n")
        questions[#questions + 1] = { "contents", msg:as_bytes() }
        local again = assert(email.message_from_bytes(msg:as_bytes()))
        assert.equal(body, (again:get_body():get_content():gsub("\r\n", "\n")))
        if j > 2 then assert.equal(bytes, again:iter_attachments()():get_content()) end
        assert.equal(msg:as_bytes(), again:as_bytes())
      end
    end
    for i, answer in ipairs(python.ask(SCRIPT, questions)) do
      assert.equal(wanted[i], (answer[2]:gsub("\r\n", "\n")), questions[i][2])
    end
  end)

  it("goes through each server: ASCII, in lines of 998 characters at most", function()
    for _, text in ipairs(TEXTS) do
      local msg = email.EmailMessage()
      msg.subject = text:gsub("[%c]", "")
      msg:set_content(text)
      local bytes = msg:as_bytes { linesep = "\r\n" }
      assert.is_nil(bytes:find "[\x80-\xff]")
      assert.is_nil(bytes:gsub("\r\n", ""):find "[\r\n]")
      for line in bytes:gmatch "[^\r]+" do assert.is_true(#line <= 999) end
    end
  end)

  it("has the transfer encoding, the charset, the disposition that are asked for", function()
    local msg = email.EmailMessage():set_content("caf\u{e9}", {
      charset = "iso-8859-1", cte = "8bit", disposition = "inline", cid = "<c@d>", params = { format = "flowed" },
      headers = { ["X-A"] = "b" },
    })
    assert.equal("caf\xe9\n", msg:get_payload())
    assert.same({ "caf\u{e9}\n", "iso-8859-1", "inline", "<c@d>", "flowed", "b", "8bit", "1.0" }, {
      msg:get_content(), msg:get_content_charset(), msg:get_content_disposition(), msg["content-id"],
      msg:get_param "format", msg["x-a"], msg["content-transfer-encoding"], msg["mime-version"],
    })
    msg:set_content("x", { maintype = "application", cte = "quoted-printable" })
    assert.equal("application/octet-stream", msg:get_content_type())
    for _, bad in ipairs {
      { "\u{e9}", { cte = "7bit" } }, { "a", { subtype = "b c" } }, { 1 }, { "a", { nonsense = 1 } }, { "\u{20ac}",
        { charset = "iso-8859-1" } }, { "a", { charset = "koi8-r" } }, { "a", { cte = "x" } },
    } do
      assert.has_error(function() email.EmailMessage():set_content(table.unpack(bad)) end)
    end
  end)

  it("becomes alternative, related and mixed, and never goes back", function()
    local msg = email.EmailMessage():set_content "text"
    msg.subject = "s"
    msg:add_alternative("<img src='cid:a'>", { subtype = "html" })
    msg:get_payload(2):add_related("GIF", { maintype = "image", subtype = "gif", cid = "<a>" })
    msg:add_attachment "more"
    local kinds = {}
    for part in msg:walk() do kinds[#kinds + 1] = part:get_content_type() end
    assert.same({
      "multipart/mixed", "multipart/alternative", "text/plain", "multipart/related", "text/html", "image/gif",
        "text/plain",
    }, kinds)
    assert.equal("text/html", msg:get_body { "html" }:get_content_type())
    assert.equal("multipart/related", msg:get_body():get_content_type())
    assert.equal("text\n", msg:get_body { "plain" }:get_content())
    local attached = {}
    for part in msg:iter_attachments() do attached[#attached + 1] = part:get_content() end
    assert.same({ "more\n" }, attached)
    for part in msg:get_body():iter_attachments() do assert.equal("GIF", part:get_content()) end
    assert.equal("s", msg.subject)
    assert.has_error(function() msg:make_related() end)
    assert.has_error(function() msg:add_alternative "x" end)
    assert.has_error(function() msg:set_content "x" end)
    assert.has_error(function() msg:get_content() end)
    assert.equal(msg:as_string(), msg:as_string())
  end)

  it("takes another message in", function()
    local inner = parsed "Subject: inner\n\nbody\n"
    local msg = email.EmailMessage():set_content "see below"
    msg:add_attachment(inner)
    local again = parsed(msg:as_string())
    assert.equal("inner", again:get_payload(2):get_content().subject)
    assert.equal("message/rfc822", again:get_payload(2):get_content_type())
    assert.has_error(function() email.EmailMessage():set_content(inner, { cte = "base64" }) end)
  end)

  it("has a boundary that is in none of its parts, or the one that is set", function()
    local msg = email.EmailMessage():make_mixed()
    msg:attach(email.EmailMessage():set_payload "--b\n")
    msg:set_boundary "c d"
    assert.equal('Content-Type: multipart/mixed; boundary="c d"\n\n--c d\n\n--b\n\n--c d--\n', msg:as_string())
    for _, bad in ipairs { "", "a\n", "x ", ("x"):rep(71),
      '"' } do assert.has_error(function() msg:set_boundary(bad) end) end
    assert.has_error(function() email.EmailMessage():set_boundary "b" end)
  end)

  it("is written with its envelope line when that is asked for", function()
    local msg = parsed "A: 1\n\nb"
    assert.matches("^From nobody %a%a%a %a%a%a %d%d [%d:]+ %d%d%d%d\nA: 1\n\nb$", msg:as_string { unixfrom = true })
    assert.equal("From x\nA: 1\n\nb", parsed("From x\nA: 1\n\nb"):as_string())
    assert.equal("A: 1\r\n\r\nb\r\n", parsed("A: 1\n\nb\r\n"):as_bytes { linesep = "\r\n" })
    assert.equal(tostring(msg), msg:as_bytes())
  end)

  it("keeps its payload from arguments that are none", function()
    local msg = email.EmailMessage()
    assert.has_error(function() msg:set_payload(1) end)
    assert.has_error(function() msg:set_payload { "x" } end)
    assert.has_error(function() msg:attach "x" end)
    assert.has_error(function() msg:get_payload(1) end)
    msg:set_payload "x"
    assert.has_error(function() msg:attach(email.EmailMessage()) end)
    assert.is_false(email.is_message {})
    assert.is_true(email.is_message(msg))
  end)
end)

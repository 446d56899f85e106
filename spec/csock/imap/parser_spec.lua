-- What IMAP's servers say, as values; names of mailboxes; dates.
local csock = require "csock"
local imap = require "csock.imap"
local trials = require "spec.support.random"

local E = csock.errno

describe("csock.imap's parser", function()
  it("reads atoms, strings, literals, numbers, lists and NIL", function()
    assert.same({ "a", "b c", 'd"\\', "\r\n)", 7, { { false }, {} }, "\\Seen", "a]" },
      imap.parse 'a "b c" "d\\"\\\\" {3}\r\n\r\n) 7 ((NIL) ()) \\Seen a]')
    assert.same({ { "x", "y\0", "z" }, 1 }, imap.parse { "(x ~{2}", "y\0", " {1}", "z", ") 1" })
    assert.same({ "BODY[HEADER.FIELDS (To \"a]b\")]<0>", "body[]", "BODY[1.2]", "X[1", "2]", "BODYSTRUCTURE" },
      imap.parse 'BODY[HEADER.FIELDS (To "a]b")]<0> body[] BODY[1.2] X[1 2] BODYSTRUCTURE')
    assert.same({ "99999999999999999999", "-1", "0x10", math.maxinteger }, imap.parse(
      "99999999999999999999 -1 0x10 " .. math.maxinteger)) -- what is no number here stays a word
  end)

  it("takes nothing that is cut off, lies, or is over a limit", function()
    local text = '1 (BODY[HEADER.FIELDS (A "b")] {3}\r\nabc ENVELOPE ("x" NIL))'
    for n = 3, #text - 1 do
      local none, err, errno = imap.parse(text:sub(1, n))
      assert.same({ nil, E.EBADMSG, "protocol" }, { none, errno, err.kind })
    end
    for _, bad in ipairs {
      ")", '"a\r\nb"', '"\\', "{3}\r\nab", "{3} abc", "{99999999999999999999}\r\n", "\0", "BODY[", { "{3}", "ab", "" },
      { "x", "y", "z" }, { "{1}", "a" }, { "(", "a", ")" },
    } do
      local value = imap.parse(bad)
      if type(bad) == "table" and bad[1] == "{1}" then
        assert.same({ "a" }, value)
      else
        assert.is_nil(value)
      end
    end
    assert.is_table(imap.parse(("("):rep(100) .. (")"):rep(100)))
    assert.is_nil(imap.parse(("("):rep(101) .. (")"):rep(101)))
    assert.is_nil(imap.parse(("("):rep(1000000)))
    assert.is_nil(imap.parse("((()))", { depth = 2 }))
    assert.is_nil(imap.parse("1 2 3", { values = 2 }))
    assert.error_matches(function() imap.parse(7) end, "bad argument #1 to 'parse'")
    assert.error_matches(function() imap.parse("", { depth = 151 }) end, "depth")
  end)

  it("makes messages of what FETCH gives", function()
    local list = assert(imap.parse_fetch {
      { '12 (FLAGS (\\Seen $x) INTERNALDATE " 7-Jul-1996 02:44:25 -0700" RFC822.SIZE 4286 ENVELOPE ("Wed" {7}',
        'a "b" c' },
      ' (("Terry Gray" NIL "gray" "cac.edu")) NIL NIL ((NIL NIL "team" NIL)(NIL NIL "joe" "x.org")(NIL NIL NIL NIL)'
        .. '(NIL NIL "ann" "x.org")) NIL NIL NIL "<B2@x.edu>") BODY[HEADER.FIELDS (Subject)] NIL)',
      "13 (uid 9)",
    })
    assert.equal(2, #list)
    local one = list[1]
    assert.same({ 12, 4286, 836732665, { "\\Seen", "$x" }, false },
      { one.number, one["RFC822.SIZE"], one.date, one.FLAGS, one["BODY[HEADER.FIELDS (Subject)]"] })
    assert.same({
      date = "Wed", subject = 'a "b" c', sender = {}, reply_to = {}, cc = {}, bcc = {}, message_id = "<B2@x.edu>",
      from = { { name = "Terry Gray", mailbox = "gray", host = "cac.edu", address = "gray@cac.edu" } },
      to = { { mailbox = "joe", host = "x.org", address = "joe@x.org", group = "team" },
        { mailbox = "ann", host = "x.org", address = "ann@x.org" } },
    }, one.ENVELOPE)
    assert.same({ number = 13, UID = 9 }, list[2])
  end)

  it("knows how a message is made", function()
    local text = '("TEXT" "PLAIN" ("CHARSET" "UTF-8") NIL NIL "7BIT" 9 1 NIL ("INLINE" NIL) "en" NIL)'
    local envelope = "(NIL NIL NIL NIL NIL NIL NIL NIL NIL NIL)"
    local message = ('("MESSAGE" "RFC822" NIL NIL NIL "8BIT" 99 %s ((%s%s "ALTERNATIVE")%s "MIXED") 7)'):format(
      envelope, text, text, text)
    local body = imap.parse_fetch { ('1 (BODYSTRUCTURE (%s%s("APPLICATION" "PDF" ("NAME" "a") "<i>" "d" "BASE64" 5 '
      .. '"md5" ("ATTACHMENT" ("FILENAME" "a.pdf"))) "MIXED" ("BOUNDARY" "b")))'):format(text, message) }
    body = body[1].BODYSTRUCTURE
    assert.same({ "multipart", "mixed", "b", "" }, { body.type, body.subtype, body.params.boundary, body.part })
    assert.same({
      type = "text", subtype = "plain", params = { charset = "UTF-8" }, encoding = "7bit", size = 9, lines = 1,
      part = "1", disposition = { type = "inline", params = {} }, language = { "en" },
    }, body.parts[1])
    local inner = body.parts[2]
    assert.same({ "rfc822", 7, "2" }, { inner.subtype, inner.lines, inner.part })
    assert.same({ "2.1", "2.1.2", "2.2" },
      { inner.body.parts[1].part, inner.body.parts[1].parts[2].part, inner.body.parts[2].part })
    local pdf = body.parts[3]
    assert.same({ "3", "<i>", "d", "md5", "a.pdf" },
      { pdf.part, pdf.id, pdf.description, pdf.md5, pdf.disposition.params.filename })
    assert.equal("1", imap.parse_fetch({ "1 (BODY " .. text .. ")" })[1].BODY.part)
  end)

  it("takes no answer that is another one", function()
    for _, bad in ipairs {
      "1", "x (UID 1)", "1 (UID)", "1 UID", "1 (UID x)", "1 (FLAGS x)", "1 (ENVELOPE (NIL))", "1 (BODY (1))",
      '1 (INTERNALDATE "x")', "1 ((a) b)",
    } do
      local none, err, errno = imap.parse_fetch { bad }
      assert.same({ nil, E.EBADMSG, "protocol" }, { none, errno, err and err.kind })
    end
    assert.is_nil(imap.parse_fetch { { "1 (X {1}", "a" } })
    assert.is_nil(imap.parse_search { "1 x" })
    assert.is_nil(imap.parse_list { "() NIL" })
    assert.same({}, imap.parse_search {})
    assert.same({ 1, 2 }, imap.parse_search { "1 2 (MODSEQ 917162500)", "" })
    assert.same({ { name = "é", raw = "&AOk-", MESSAGES = 3 } }, imap.parse_status { '"&AOk-" (MESSAGES 3)' })
    assert.same("&broken", imap.parse_list({ '() "/" &broken' })[1].name)
  end)

  it("survives whatever comes", function()
    local seeds = {
      '1 (FLAGS (\\Seen) BODY[HEADER.FIELDS (A "b")]<0> {3}\r\nabc ENVELOPE ("x" {1}\r\ny ((NIL NIL "a" "b")) '
        .. 'NIL NIL NIL NIL NIL NIL NIL) BODYSTRUCTURE (("TEXT" "PLAIN" NIL NIL NIL "7BIT" 1 1) "MIXED") UID 7)',
      '(\\HasNoChildren) "/" "a &AOk- b"', "INBOX (MESSAGES 3 UNSEEN 1)", "1 2 3 (MODSEQ 4)",
    }
    local random = trials.generator(13)
    local letters = '(){}"\\[]<>1&,-~ \r\n\0N\xFF'
    for _ = 1, 4000 do
      local text = seeds[random(#seeds)]
      for _ = 1, random(4) do
        local at, letter = random(#text), random(#letters)
        text = text:sub(1, at - 1) .. letters:sub(letter, letter + random(3) - 2) .. text:sub(at + random(3) - 1)
        if text == "" then text = "x" end
      end
      for _, parse in ipairs { imap.parse, imap.parse_fetch, imap.parse_list, imap.parse_status, imap.parse_search } do
        local value, err, errno = parse(parse == imap.parse and text or { text })
        assert(value or errno == E.EBADMSG and tostring(err))
      end
    end
  end)
end)

describe("names of mailboxes", function()
  it("are UTF-7", function()
    for name, sent in pairs {
      ["~peter/mail/台北/日本語"] = "~peter/mail/&U,BTFw-/&ZeVnLIqe-", ["R&D"] = "R&-D", [""] = "", ["😀"] = "&2D3eAA-",
      ["a\tb"] = "a&AAk-b", ["&&"] = "&-&-", ["é&è"] = "&AOk-&-&AOg-",
    } do
      assert.equal(sent, imap.encode_mailbox(name))
      assert.equal(name, imap.decode_mailbox(sent))
    end
    assert.error_matches(function() imap.encode_mailbox "\xFF" end, "bad argument #1")
  end)

  it("are not what only looks like it", function()
    for _, bad in ipairs {
      "&", "a&b", "&AOk", "&A-", "&AO-", "&AOkA-", "&AOl-", "&2D0-", "&3gA-", "&AO/k-", "&A=-", "\xFF",
      "& -" } do
      local none, err, errno = imap.decode_mailbox(bad)
      assert.same({ nil, E.EBADMSG, true }, { none, errno, tostring(err):find "UTF%-7" ~= nil })
    end
  end)

  it("come back as they were, whatever they are", function()
    local random = trials.generator(7)
    for _ = 1, 2000 do
      local list = {}
      for i = 1, random(8) do
        local c = random(4) == 1 and random(0x10FFFF) or random(0x2FF)
        list[i] = utf8.char((c >= 0xD800 and c <= 0xDFFF) and 38 or c)
      end
      local name = table.concat(list)
      local sent = imap.encode_mailbox(name)
      assert(not sent:find "[^ -~]")
      assert.equal(name, imap.decode_mailbox(sent))
    end
  end)
end)

describe("imaplib's functions", function()
  it("write and read times", function()
    local text = imap.Time2Internaldate(837596665)
    assert.matches('^"%d%d%-Jul%-1996 %d%d:%d%d:%d%d [+-]%d%d%d%d"$', text)
    local tuple, seconds = imap.Internaldate2tuple("1 (INTERNALDATE " .. text .. ")")
    assert.same({ 837596665, 837596665 }, { seconds, os.time(tuple) })
    assert.equal(text, imap.Time2Internaldate(os.date("*t", 837596665)))
    assert.equal('"x"', imap.Time2Internaldate '"x"')
    for _, bad in ipairs { "x", '"a\r\n"', 0 / 0, math.huge, true } do
      assert.error_matches(function() imap.Time2Internaldate(bad) end, "bad argument #1")
    end
    assert.is_nil(imap.Internaldate2tuple "x")
    assert.is_nil(imap.Internaldate2tuple '1 (INTERNALDATE "77-Jul-1996 02:44:25 -0700")')
  end)

  it("read flags, write numbers and strings", function()
    assert.same({ "\\Seen", "x" }, imap.ParseFlags "1 (FLAGS (\\Seen x))")
    assert.same({}, imap.ParseFlags "1 (UID 1)")
    assert.same({ "", "B", "P", "BA", "BCGH" },
      { imap.Int2AP(0), imap.Int2AP(1), imap.Int2AP(-15), imap.Int2AP(16), imap.Int2AP(4711) })
    assert.equal('"a \\"b\\" \\\\"', imap.quote 'a "b" \\')
    assert.error_matches(function() imap.quote "\n" end, "bad argument #1")
  end)
end)

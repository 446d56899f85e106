-- Messages of any bytes, the same in every run; with FUZZ_SECONDS in the environment, new ones follow for so long. None
-- raises, each is written as it was, and what is read in it is what it should be.
local email = require "csock.email"
local trials = require "spec.support.random"

local PIECES = {
  "\n", "\n", "\r\n", "\r", " ", "\t", ":", ";", "=", "\"", "\\", "(", ")", "<", ">", "@", ",", "--b", "--b\n",
    "--b--\n", "--",
  "\n\n", "From ", "Subject:", "To: a@b", "=?utf-8?q?", "=?utf-8?b?w6k=?=", "?=", "=?a?q?=2C?=", "\0", "\xff",
    "caf\u{e9}",
  "Content-Type: multipart/mixed; boundary=b\n", "Content-Type: message/rfc822\n", "multipart/digest",
  "Content-Type: message/delivery-status\n", "boundary=", "b", "name*0*=utf-8''%C3", "name*1*=%A9", "filename=",
  "Content-Disposition: attachment; ", "Content-Transfer-Encoding: base64\n",
    "Content-Transfer-Encoding: quoted-printable\n",
  "aGVsbG8=", "=C3", "[1.2", "]", "a:b;",
}

local function text_of(random)
  local list = {}
  for i = 1, random(40) do
    list[i] = random(10) == 1 and string.char(random(256) - 1) or PIECES[random(#PIECES)]
  end
  return table.concat(list)
end

local function check(text)
  local msg = assert(email.message_from_bytes(text))
  assert(msg:as_bytes() == text, "not as it was")
  for part in msg:walk() do
    for name, value in part:items() do
      assert(type(name) == "string" and not value:find "\r?\n" or value:find "[\r\n]")
      for _, pair in ipairs(email.getaddresses { value }) do assert(type(pair[1] .. pair[2]) == "string") end
      email.parsedate_tz(value)
    end
    assert(part:get_content_type():find "^[^/]*/[^/]*$")
    part:get_filename()
    part:get_boundary()
    part:get_content_charset()
    if part:is_multipart() then
      part:get_body()
      for one in part:iter_attachments() do assert(email.is_message(one)) end
    else
      assert(type(part:get_content()) == "string")
    end
  end
  -- What is changed is still one message.
  msg.subject = "changed"
  if msg:get_content_maintype() == "multipart" and msg:is_multipart() then
    msg:attach(email.EmailMessage():set_content "more")
  end
  local again = assert(email.message_from_bytes(msg:as_bytes()))
  assert(again:as_bytes() == msg:as_bytes())
  assert(again.subject == "changed")
end

describe("messages of any bytes", function()
  it("are read, written as they were, and changed", function()
    trials.fuzz({ seed = 17, count = 5000, more = 1000 }, function(numbers) check(text_of(numbers)) end,
      function(numbers) return ("%q"):format(text_of(numbers)) end)
  end)
end)

-- corpus.lua: messages, made and damaged by chance: the same in every run.
local trials = require "spec.support.random"

local M = {}

local random = trials.generator(29)
M.random = random

local one_of = trials.choices(random)
M.one_of = one_of

local HEADERS = {
  "Subject: hello", "Subject: =?utf-8?q?caf=C3=A9?= and\n more", "From: Ann <ann@example.org>",
    "To: bob@example.org,\n\tcy",
  "Received: by a\n  with b; Sun, 06 Nov 1994 08:49:37 +0000", "X-Empty:", "X-Blanks:   \t a  ", "Message-ID: <1@a>",
  "MIME-Version: 1.0", "X-Eight: caf\xc3\xa9",
}

local BODIES = {
  "", "text", "two\nlines\n", "\n\nempty lines\n\n", "-- \nsignature", ">From here\n", ".\n..\n", "--nothing--\n",
    "a\n--\nb\n",
}

local BOUNDARIES = { "b", "bb", "=_x.1", "a b", "bc" }

local function leaf()
  local list = {}
  if random(2) == 1 then
    list[#list + 1] = "Content-Type: " .. one_of {
      "text/plain", "text/html; charset=utf-8", 'TEXT/Plain; charset="ISO-8859-1"; format=flowed',
        "image/png; name=a.png",
      "application/octet-stream;\n name=\"b c.bin\"", "bad", "text/plain; x=\"a;b\"; charset=us-ascii", "a/b/c",
    }
  end
  if random(3) == 1 then
    list[#list + 1] = "Content-Disposition: " .. one_of { "attachment; filename=x.txt", "inline",
      'attachment; filename="a b"' }
  end
  local how = random(4)
  if how == 1 then
    list[#list + 1] = "Content-Transfer-Encoding: base64"
    return list, one_of { "aGVsbG8=", "aGVs\nbG8=\n", "aGVsbG8", "a!GVsbG8=", "" }
  elseif how == 2 then
    list[#list + 1] = "Content-Transfer-Encoding: quoted-printable"
    return list, one_of { "caf=C3=A9\n", "soft=\nbreak", "a=3Db=zz", "=" }
  end
  return list, one_of(BODIES)
end

local entity

local function multipart(depth)
  local boundary = one_of(BOUNDARIES)
  local subtype = one_of { "mixed", "alternative", "related", "digest" }
  local head = { ("Content-Type: multipart/%s; boundary=\"%s\""):format(subtype, boundary) }
  local list = {}
  if random(3) == 1 then list[#list + 1] = one_of { "preamble\n", "\n", "--\n", "two\nlines\n" } end
  for _ = 1, random(3) do
    list[#list + 1] = "--" .. boundary .. one_of { "\n", "\n", "\n", " \n" } .. entity(depth + 1) .. "\n"
  end
  if random(12) > 1 then list[#list + 1] = "--" .. boundary .. "--" .. one_of { "\n", "\n", "", "\nepilogue\n",
    "\n\n" } end
  return head, table.concat(list)
end

function entity(depth)
  local head, body
  local kind = random(8)
  if depth < 4 and kind <= 3 then
    head, body = multipart(depth)
  elseif depth < 4 and kind == 4 then
    head, body = { "Content-Type: message/rfc822" }, entity(depth + 1)
  elseif kind == 5 and random(4) == 1 then
    head = { "Content-Type: message/delivery-status" }
    body = "Reporting-MTA: dns; a\n\nFinal-Recipient: b\nAction: failed\n"
  else
    head, body = leaf()
  end
  for _ = 1, random(3) - 1 do table.insert(head, random(#head + 1), one_of(HEADERS)) end
  if #head == 0 then return "\n" .. body end
  return table.concat(head, "\n") .. "\n\n" .. body
end

function M.message()
  local text = entity(1)
  for _ = 1, random(3) do text = one_of(HEADERS) .. "\n" .. text end
  if random(10) == 1 then text = "From ann Sun Nov  6 08:49:37 1994\n" .. text end
  return text
end

-- Where Python takes it as it is meant.
local MILD = { "--b\n", "x", "\"", "--", " ", "Content-Type: text/plain\n", ":", "\n\n" }

local WILD = {
  "\n", "--b\n", "--b--\n", " ", ":", "no header\n", "--bb", "\"", ";", "From x\n", "\xe9", "--", "\t\n", "\r",
    "Content-Type: text/plain\n",
}

-- The same with some bytes changed, taken away or put in.
function M.damaged(text, mild)
  local list = mild and MILD or WILD
  for _ = 1, random(4) do
    local at = random(#text + 1)
    local gone = random(3) == 1 and random(20) or 0
    text = text:sub(1, at - 1) .. (random(3) > 1 and one_of(list) or "") .. text:sub(at + gone)
  end
  return text
end

return M

-- address.lua: what of a caller's words stands in SMTP's commands: addresses, and the parameters behind them. Whatever
-- would end an address, a parameter or a line raises before a byte is sent.
local ascii = require "csock.wire.ascii"
local check = require "csock.check"

local M = {}

-- Whether each byte is one of ASCII's: a count is much quicker than a search.
function M.is_ascii(text) return utf8.len(text) == #text end

-- Whether it can stand between angle brackets: no blank or bracket outside of quotes, nothing that cannot be seen.
local function is_mailbox(text)
  if text:find "[%c]" or not utf8.len(text) then return false end
  local bare = text:gsub('"[^"\\]*"', "q"):gsub('"[^"]*"', "q")
  return not bare:find '[ <>"]'
end

-- The mailbox of an address as people write it: `jane@example.org`, `<jane@example.org>`, `Jane <jane@example.org>`.
function M.mailbox(address, number, call)
  check.argument(check.STRING, address, number, call)
  local text = address:match "<([^<>]*)>%s*$" or address:match "^%s*(.-)%s*$"
  if not is_mailbox(text) or address:find "[\r\n%z]" then
    check.bad(call, number, ("an address expected, got %q"):format(address))
  end
  return text
end

-- The same with brackets; Python's `smtplib.quoteaddr`.
function M.quote(address, number, call) return "<" .. M.mailbox(address, number, call) .. ">" end

-- RFC 3461 section 4: what may stand in a parameter's value.
local function xtext(text)
  return (text:gsub("[^!-*,-<>-~]", function(c) return ("+%02X"):format(c:byte()) end))
end

local RET = check.one_of("'FULL' or 'HDRS'", "FULL", "HDRS")
local MAIL = {
  ret = { RET }, envid = { check.STRING }, smtputf8 = { check.ANY }, size = { check.integer(0) },
  body = { check.one_of("'7BIT' or '8BITMIME'", "7BIT", "8BITMIME") },
}

-- The words of a list (Python's options), and what stands under names beside them.
local function split(given, rows, number, call)
  if given ~= nil then check.argument(check.TABLE, given, number, call) end
  local words, named = {}, {}
  for key, value in pairs(given or {}) do
    if math.type(key) == "integer" then words[key] = value else named[key] = value end
  end
  for _, word in ipairs(words) do
    if type(word) ~= "string" or not word:find "^[!-~]+$" then
      check.bad(call, number, "a parameter without blanks expected")
    end
  end
  return words, check.options(named, rows, number, call)
end

-- The parameters of MAIL: a sequence of words.
function M.mail_words(given, number, call)
  local words, options = split(given, MAIL, number, call)
  if options.size then words[#words + 1] = ("SIZE=%d"):format(options.size) end
  if options.body then words[#words + 1] = "BODY=" .. options.body end
  if options.smtputf8 then words[#words + 1] = "SMTPUTF8" end
  if options.ret then words[#words + 1] = "RET=" .. options.ret end
  if options.envid then words[#words + 1] = "ENVID=" .. xtext(options.envid) end
  return words
end

local EVENTS = { NEVER = true, SUCCESS = true, FAILURE = true, DELAY = true }

local NOTIFY = check.kind("'NEVER', or a list of 'SUCCESS', 'FAILURE' and 'DELAY'", function(value)
  if type(value) == "string" then value = { value } end
  if type(value) ~= "table" or #value == 0 then return false end
  for _, event in ipairs(value) do
    if not EVENTS[event] or event == "NEVER" and #value > 1 then return false end
  end
  return true
end)

local ORCPT = check.kind("true or string", function(value) return value == true or type(value) == "string" end)
local RCPT = { notify = { NOTIFY }, orcpt = { ORCPT } }

-- The same of RCPT, for this mailbox.
function M.rcpt_words(given, number, call, mailbox)
  local words, options = split(given, RCPT, number, call)
  local events, original = options.notify, options.orcpt
  if events then words[#words + 1] = "NOTIFY=" .. (type(events) == "table" and table.concat(events, ",") or events) end
  if original then
    if original == true then original = mailbox end
    local kind, text = original:match "^([%w-]+);(.*)$"
    words[#words + 1] = ("ORCPT=%s;%s"):format(kind or "rfc822", xtext(text or original))
  end
  return words
end

-- Which extensions a server must have for some words: the first that it lacks, or nil.
local NEEDS = {
  SIZE = "size", BODY = "8bitmime", SMTPUTF8 = "smtputf8", RET = "dsn", ENVID = "dsn", NOTIFY = "dsn", ORCPT = "dsn",
}

function M.lacking(words, features)
  for _, word in ipairs(words) do
    local needed = NEEDS[word:match "^[^=]*":upper()]
    if needed and not features[needed] then return needed end
  end
end

-- What a server says in its answer to EHLO: name of an extension in lower case -> its parameters, and the names of the
-- mechanisms for AUTH, also of the old form AUTH=..., in one string. `lines`: those of the reply.
function M.features(lines)
  local features = {}
  for i = 2, #lines do
    local name, mark, rest = lines[i]:match "^(%w[%w-]*)([ =]?)[ \t]*(.-)[ \t]*$"
    if name and (mark ~= "" or rest == "") and (mark ~= "=" or name:upper() == "AUTH") then
      name = ascii.lower(name)
      if name == "auth" then
        local known = features.auth
        rest = (known and known ~= "" and known .. " " or "") .. rest:gsub("[ \t=]+", " ")
      end
      features[name] = rest
    end
  end
  return features
end

return M

-- What strangers say in mail, of any bytes, the same in every run; with FUZZ_SECONDS in the environment, new ones
-- follow for so long. No parser raises; what a server takes for an address is one that a client would send; a dialog
-- that has met nonsense is broken and says so; a message ends where it ends, however it is cut.
local csock = require "csock"
local address = require "csock.smtp.address"
local command = require "csock.smtpd.command"
local dialog = require "csock.wire.dialog"
local dots = require "csock.wire.dots"
local message = require "csock.smtp.message"
local trials = require "spec.support.random"
local receive = require "csock.smtpd.receive"
local sasl = require "csock.wire.sasl"

local PIECES = {
  "250", "250-", "250 ", "354", "421 ", "5", "\r\n", "\n", "\r", "\0", "\r\n.\r\n", ".", "..", " ", "\t",
  "MAIL ", "RCPT ", "FROM:", "TO:", "<", ">", "<>", "@", "a", "a@b", '"', "\\", ":", ";", ",", "(", ")", "SIZE=",
  "BODY=8BITMIME", "=", "AUTH ", "EHLO ", "DATA", "STARTTLS", "ü", "\xff", "[127.0.0.1]", "Bcc: ", "To: ", "From: ",
  "Resent-Date: ", "n,,n=a,r=b", "r=", ",s=QUJD", ",i=4096", ",p=", "c=biws", "v=", "99999999999999999999",
}

local function text_of(random, most)
  local list = {}
  for i = 1, random(most or 14) do
    list[i] = random(8) == 1 and string.char(random(256) - 1) or PIECES[random(#PIECES)]
  end
  return table.concat(list)
end

-- Bytes that come in pieces of a size of their own, and then end: a socket to read them from.
local function socket_of(bytes, size)
  local a, b = assert(csock.socketpair(csock.AF_UNIX, csock.SOCK_SEQPACKET))
  a:settimeout(5)
  for i = 1, #bytes, size do assert(b:send(bytes:sub(i, i + size - 1))) end
  b:close()
  return a
end

-- Reads replies until the end: what they were, in one string; the dialog says the same error again and again.
local function replies(bytes, size, call)
  local d <close> = assert(dialog.connect(nil, nil, {
    socket = socket_of(bytes, size), goodbye = 421, limit = 60, replies = 5, block_limit = 100,
  }))
  local list = {}
  while true do
    local value, text, more = d:run(d[call], d)
    if value == nil then
      assert(csock.is_error(text) and text == d.err and more == d.errno, "broken without a reason")
      assert(select(2, d:reply()) == text and select(2, d:text()) == text)
      list[#list + 1] = text.name .. tostring(text.code)
      return table.concat(list, "|")
    end
    if call == "reply" then assert(value >= 100 and value <= 699 and not text:find("\r\n", 1, true)) end
    list[#list + 1] = type(value) == "table" and table.concat(value, "&") or tostring(value) .. tostring(text)
  end
end

local function received(bytes, size)
  local socket <close> = socket_of(bytes, size)
  local stream <close> = assert(socket:makefile "r")
  local data, why = receive.message(stream, 40, 5)
  if data == nil then
    assert(csock.is_error(why))
    return "nil"
  end
  return tostring(data) .. "|" .. tostring(data and "" or why) .. "|" .. stream:read "a"
end

local function check_parsers(text)
  local verb, rest = command.parse(text)
  if verb then assert(verb:find "^%u+$" and not rest:find "[\r\n%z]") end
  for _, word in ipairs { "FROM", "TO" } do
    local path, list = command.path(text, word)
    if path and path ~= "" and path:lower() ~= "postmaster" then
      assert(address.quote(path, 1, "fuzz") == "<" .. path .. ">", path)
    end
    assert(type(list) == (path and "table" or "string"))
  end
  local ok, quoted = pcall(address.quote, text, 1, "fuzz") -- it raises, or gives what can stand in a line
  if ok then assert(not quoted:find "[%c]" and select(2, quoted:gsub('"[^"]*"', ""):gsub(">", "")) == 1, quoted) end
  local lines = {}
  for line in (text .. "\n"):gmatch "([^\n]*)\n" do lines[#lines + 1] = line end
  for name, value in pairs(address.features(lines)) do assert(name:find "^%w[%w-]*$" and type(value) == "string") end
  local read, err = pcall(message.read, text, "fuzz")
  assert(read or tostring(err):find "more than once", err)
end

local FIELDS = { user = "a", password = "b" }
local function password(user) return user == "a" and "b" or nil end

local function check_sasl(random)
  for _, name in ipairs(sasl.offered({ password = password, token = function() end, external = "x" }, true)) do
    local server = assert(sasl.server(name, { password = password, token = function() end, external = "x" }))
    for _ = 1, 3 do
      local answer, err = server:step(random(4) > 1 and text_of(random, 6) or nil)
      if answer == nil then
        assert(csock.is_error(err))
        break
      end
      if answer == true then break end
    end
    if name ~= "XOAUTH2" and name ~= "EXTERNAL" then
      local client = assert(sasl.start(name, FIELDS))
      client:first()
      for _ = 1, 3 do
        local answer, err = client:step(text_of(random, 6))
        if not answer then
          assert(csock.is_error(err))
          break
        end
      end
      if name == "SCRAM-SHA-256" then assert(not client:finish(), "it believes anybody") end
    end
  end
end

local function check(random)
  local text = text_of(random)
  check_parsers(text)
  local size = random(#text + 1)
  for _, call in ipairs { "reply", "line", "block", "text" } do
    local whole, cut = replies(text, math.max(#text, 1), call), replies(text, size, call)
    assert(whole == cut, ("%s: %q and %q"):format(call, whole, cut))
  end
  assert(received(text, math.max(#text, 1)) == received(text, size), "a message ends elsewhere")
  local stuffed = message.stuff(text, 1, "fuzz")
  assert(stuffed == dots.stuff(text) and not stuffed:sub(1, -2):find("\n.\r\n", 1, true), "an end in the middle")
  if random(20) == 1 then check_sasl(random) end
end

describe("mail of any bytes", function()
  it("raises nothing, and is taken in the same way however it is cut", function()
    trials.fuzz({ seed = 1, count = 2000, more = 500 }, check,
      function(numbers) return ("%q"):format(text_of(numbers)) end)
  end)
end)

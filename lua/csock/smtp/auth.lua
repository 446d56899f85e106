-- auth.lua: SMTP's AUTH (RFC 4954): who the client is, in base64 and as few steps as the mechanism has.
local base64 = require "csock.wire.base64"
local connection = require "csock.smtp.connection"
local csock = require "csock"
local sasl = require "csock.wire.sasl"

local M = {}

local MOST_CHALLENGES = 8 -- which no mechanism needs; a server that asks for ever is not answered
local LINE = 510 -- bytes of a command, as every server takes them

local SUCCESS = { [235] = true, [503] = true } -- 503: it is somebody already

local function refused(self, code, text)
  return self.dialog:refusal(code, text, { name = "SMTPAuthenticationError" })
end

-- Takes back what was begun: nil, err, errno.
local function cancel(self, err, errno)
  local code, why, broken = connection.ask(self, "*")
  if not code then return nil, why, broken end
  return nil, err, errno
end

-- What a conversation says to a challenge: text in base64; nil, err, errno.
local function answer(self, conversation, text)
  local challenge = base64.decode(text)
  if not challenge then return refused(self, 334, "a challenge that is no base64") end
  local response, err, errno = conversation:step(challenge)
  if response then return base64.encode(response) end
  return nil, err, errno
end

-- Has a conversation (of sasl.start, or like one): code, text; nil, err, errno. `at_once`: what the client says first
-- may stand in the command.
function M.converse(self, mechanism, conversation, at_once)
  local first = conversation:first()
  local line = "AUTH " .. mechanism
  local code, text, errno
  if first and at_once and #line + 1 + (#first + 2) // 3 * 4 <= LINE then
    local encoded = first == "" and "=" or base64.encode(first)
    code, text, errno = connection.ask(self, line .. " " .. encoded, line .. " ...")
    first = nil
  else
    code, text, errno = connection.ask(self, line)
  end
  for _ = 1, MOST_CHALLENGES do
    if code ~= 334 then break end
    local response, err, broken
    if first then
      response, first = base64.encode(first), nil
    else
      response, err, broken = answer(self, conversation, text)
      if not response then return cancel(self, err, broken) end
    end
    code, text, errno = connection.ask(self, response, "...")
  end
  if not code then return nil, text, errno end
  if not SUCCESS[code] then return refused(self, code, text) end
  if code == 235 then
    local ok, err, broken = conversation:finish()
    if not ok then return self.dialog:fail(err, broken) end -- whoever that is
  end
  return code, text
end

-- Logs in by the best mechanism that both sides have, and the next ones if that is refused: code, text; nil, err,
-- errno.
function M.login(self, fields, options)
  if not self.esmtp_features.auth then return connection.unsupported(self, "the server has no AUTH") end
  local names, err, errno = sasl.choose(self.esmtp_features.auth, fields, {
    secure = self.dialog.secure, insecure = options.insecure,
  })
  if not names then return nil, err, errno end
  local code, text, broken
  for _, name in ipairs(names) do
    local conversation = assert(sasl.start(name, fields))
    code, text, broken = M.converse(self, name, conversation, options.initial_response_ok ~= false)
    if code or self.dialog.err then break end
  end
  return code, text, broken
end

-- A function as Python has them, for `auth`: called with a challenge, or nil for what is said first (`at_once`).
function M.by_function(f, at_once)
  return {
    first = function() return at_once and f(nil) or nil end,
    step = function(_, challenge)
      local response = f(challenge)
      if response then return response end
      return csock.make_error {
        call = "auth", kind = "sasl", name = "SASLError", errno = csock.errno.ECANCELED, strerror = "nothing to say",
      }
    end,
    finish = function() return true end,
  }
end

return M

-- mail_subjects: what it says to servers, and what it prints.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local scripted = require "spec.support.scripted"

local tls = contexts.missing and pending or it

after_each(function()
  keep.close()
  example.stop_all()
end)

local HEADERS = {
  "From: Ann <ann@example.org>\r\nSubject: =?utf-8?q?caf=C3=A9?=\r\n =?utf-8?q?_au_lait?=\r\n\r\n.",
  "from: bob\27[2J\r\nX-Subject: no\r\n\r\n.",
}

local MAILBOX = {
  "+OK ready", { expect = "^USER jane$" }, "+OK", { expect = "^PASS a secret$" }, "+OK in",
  { expect = "^STAT$" }, "+OK 2 320", { expect = "^TOP 1 0$" }, { send = "+OK\r\n" .. HEADERS[1] .. "\r\n" },
  { expect = "^TOP 2 0$" }, { send = "+OK\r\n" .. HEADERS[2] .. "\r\n" },
  { expect = "^QUIT$" }, "+OK bye", { close = true },
}

describe("examples/mail_subjects", function()
  local function shows(program)
    program:expect "^%+OK ready\npassword of jane: $"
    program:type "a secret"
    program:expect("^2 messages, 320 bytes\n   1  Ann <ann@example.org>           café au lait\n"
      .. "   2  bob%?%[2J                         \n$")
    assert.equal("", program:ends(0))
  end

  it("prints from whom the messages are, and their subjects", function()
    local server = keep(scripted.start(MAILBOX))
    shows(example.start("mail_subjects", "127.0.0.1", server.port, "jane"))
    assert.equal("QUIT", server:heard()[6])
  end)

  tls("does so over TLS, with whom it trusts", function()
    local server = keep(scripted.start_tls(MAILBOX))
    local program = example.start("mail_subjects", "--tls", "--cafile", certificates.ca.cert, "localhost", server.port,
      "jane")
    shows(program)
    assert.matches("^mail_subjects%.lua: [^\n]*CERTIFICATE_VERIFY_FAILED[^\n]*\n$",
      example.start("mail_subjects", "--tls", "localhost", server.port):ends(1))
  end)

  it("says in one line that the password is wrong", function()
    local server = keep(scripted.start { "+OK", { expect = "^USER" }, "+OK", { expect = "^PASS" }, "-ERR no" })
    local program = example.start("mail_subjects", "127.0.0.1", server.port, "jane")
    program:expect "password"
    program:type "x"
    assert.matches("^mail_subjects%.lua: [^\n]*%-ERR no[^\n]*\n$", program:ends(1))
  end)

  it("does not show the password at a terminal, and gives the terminal back", function()
    local server = keep(scripted.start(MAILBOX))
    local program = example.start_at_terminal("mail_subjects", "127.0.0.1", server.port, "jane")
    program:expect "password of jane: $"
    program:type "a secret"
    program:expect "2 messages"
    program:ends(0)
    assert.is_nil(program.out:find("secret", 1, true))
  end)

  it("ends on Ctrl-D at the question for the password, and on Ctrl-C", function()
    for _, key in ipairs { "\4", "\3" } do
      local server = keep(scripted.start { "+OK ready" })
      local program = example.start_at_terminal("mail_subjects", "127.0.0.1", server.port)
      program:expect "password of [^:]*: $"
      program:write(key)
      program:ends(0)
    end
  end)
end)

-- doc/mail.md: every program in it runs, and prints what it says.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local guide = require "spec.support.guide"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local scripted = require "spec.support.scripted"

local PAGE = "doc/mail.md"

describe(PAGE, function()
  local programs = guide.blocks(PAGE, "lua")
  after_each(keep.close)

  for i, code in ipairs(programs) do
    if guide.tells(code) then
      it(("has a program %d that prints what the page says"):format(i), function()
        local dir = assert(posix.mkdtemp())
        local env = guide.environment()
        env.TMPDIR = dir
        guide.check(code, { env = env })
        os.execute("rm -rf '" .. dir .. "'")
      end)
    end
  end

  it("has programs", function() assert.equal(5, #programs) end)

  -- Runs the program with these words in it, with this server instead of its own, and our authority among the system's.
  local function run(words, server, port)
    for _, code in ipairs(programs) do
      if code:find(words, 1, true) then
        local env = guide.environment()
        env.SSL_CERT_FILE = certificates.ca.cert
        code = code:gsub('"mail%.example%.org", %w+', ('"localhost", %d'):format(port or server.port))
        return process.run({ process.interpreter, "-W", "-e", code }, { env = env })
      end
    end
    error("no program has: " .. words)
  end

  local tls = contexts.missing and pending or it

  tls("has a client that sends a mail over TLS, and hears who was refused", function()
    local server = keep(scripted.start {
      "220 mail.example.org", { expect = "^EHLO " }, "250-mail.example.org\r\n250 STARTTLS", { expect = "^STARTTLS$" },
      "220 go on", { starttls = true }, { expect = "^EHLO " }, "250-mail.example.org\r\n250 AUTH PLAIN",
      { expect = "^AUTH PLAIN " }, "235 in", { expect = "^MAIL FROM:<jane@example.org>" }, "250 ok",
      { expect = "^RCPT TO:<joe@example.org>$" }, "250 ok", { expect = "^RCPT TO:<jim@example.com>$" }, "550 no",
      { expect = "^DATA$" }, "354 go on", { upto = "." }, "250 taken", { expect = "^QUIT$" }, "221 bye",
    })
    assert.same({ 0, "refused:\tjim@example.com\t550\tno\n", "" }, { run("send_message", server) })
    assert.is_truthy(table.concat(server:heard(), "\n"):find("Subject: Lunch\n", 1, true))
  end)

  tls("has a client that fetches mails over TLS", function()
    local server = keep(scripted.start_tls {
      "+OK", { expect = "^USER jane$" }, "+OK", { expect = "^PASS secret$" }, "+OK", { expect = "^STAT$" }, "+OK 1 40",
      { expect = "^STAT$" }, "+OK 1 40", { expect = "^CAPA$" }, "-ERR what?", { expect = "^RETR 1$" },
      "+OK\r\nFrom: ann@example.org\r\nSubject: hello\r\n\r\nx\r\n.", { expect = "^QUIT$" }, "+OK",
    })
    assert.same({ 0, "1 messages, 40 bytes\n1\tann@example.org\thello\n", "" }, { run("POP3_SSL", server) })
  end)
end)

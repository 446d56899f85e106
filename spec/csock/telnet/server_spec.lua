-- Servers of telnet, of which people take lines for granted.
local csock = require "csock"
local keep = require "spec.support.keep"
local process = require "spec.support.process"
local streams = require "spec.support.streams"
local telnet = require "csock.telnet"

local E = csock.errno
local LIMIT = 10 * process.slowness

-- Runs `client(socket)` against a server whose handler is `handler(session)`; raises what one of them raises.
local function converse(handler, client, options)
  local failure
  streams.in_task(function()
    local server = keep(telnet.serve({ "127.0.0.1", 0 }, function(session)
      local ok, err = xpcall(handler, debug.traceback, session)
      if not ok then failure = err end
    end, options))
    local sock = keep(csock.create_connection(server:getsockname()))
    sock:settimeout(LIMIT)
    client(sock)
    sock:close()
    server:close { drain = LIMIT }
  end)
  if failure then error(failure, 0) end
end

-- Receives up to a text.
local function receive(sock, text)
  local got = ""
  while not got:find(text, 1, true) do
    local bytes = assert(sock:recv(4096))
    if bytes == "" then error(("it ended with %q"):format(got)) end
    got = got .. bytes
  end
  return got
end

local QUIET = { ask_size = false, ask_terminal = false }
local CHARACTERS = { ask_size = false, ask_terminal = false, character = true }

-- What `read_line` gives for bytes that come in pieces of one, then the end; what the client was sent.
local function lines_of(bytes, options)
  local lines, sent = {}, nil
  converse(function(session)
    while true do
      local line, err, errno = session:read_line()
      if not line and errno ~= E.EINTR then break end
      lines[#lines + 1] = line or err.name
    end
    session:write "."
  end, function(sock)
    for i = 1, #bytes do sock:sendall(bytes:sub(i, i)) end
    sock:shutdown(csock.SHUT_WR)
    sent = receive(sock, ".")
  end, options or QUIET)
  return lines, sent:sub(1, -2)
end

describe("a server of telnet", function()
  after_each(keep.close)

  it("reads lines, whatever ends them", function()
    assert.same({ "a", "b", "c", "", "d", "e" }, (lines_of "a\r\nb\r\0c\n\nd\re"))
  end)

  it("lets a line be edited", function()
    assert.same({ "ac", "two four", "x", "ü", "a b" },
      (lines_of "ab\8c\r\ntwo three\23four\r\nab c\21x\r\n\127\127\195\164\195\188\8\8\195\188\r\na\tb\1\r\n"))
    assert.same({ "ac", "x" }, (lines_of "ab\255\247c\r\nabc\255\248x\r\n"))
  end)

  it("tells of interrupts, and ends with Ctrl-D in an empty line", function()
    assert.same({ "EINTR", "b", "EINTR", "EINTR", "d" }, (lines_of "a\3b\r\n\255\244c\255\243d\4\r\n\4e\r\n"))
  end)

  it("shows what is typed where it takes characters", function()
    local lines, sent = lines_of("ab\8c\r\nx\3\255\255\r\n", CHARACTERS)
    assert.same({ "ac", "EINTR", "\255" }, lines)
    assert.equal("\255\251\1\255\251\3" .. "ab\8 \8c\r\nx^C\r\n\255\255\r\n", sent)
  end)

  it("hides what is typed as a password", function()
    for _, options in ipairs { QUIET, CHARACTERS } do
      local name, secret, answer
      converse(function(session)
        name, secret = session:ask "login: ", session:ask_secret "Password: "
        session:write "in.\n"
        session:read_line()
      end, function(sock)
        receive(sock, "login: ")
        sock:sendall "me\r\n"
        receive(sock, "Password: ")
        sock:sendall(options == QUIET and "\255\253\1hidden\r\n" or "hidden\r\n")
        answer = receive(sock, "in.\r\n")
        sock:sendall "bye\r\n"
      end, options)
      assert.same({ "me", "hidden" }, { name, secret })
      assert.is_nil(answer:find "hidden")
      assert.equal(options == CHARACTERS and "\r\nin.\r\n" or "\255\252\1\r\nin.\r\n", answer)
    end
  end)

  it("hears of the window, of the terminal and of changes", function()
    local sizes = {}
    converse(function(session)
      session.on_resize = function(self) sizes[#sizes + 1] = ("%s x %s"):format(self.width, self.height) end
      session:read_line()
      assert.equal("xterm-256color", session.terminal)
      session:write "."
    end, function(sock)
      assert.equal("\255\253\31\255\253\24", receive(sock, "\255\253\24"))
      sock:sendall "\255\251\31\255\250\31\0\80\0\24\255\240\255\251\24"
      receive(sock, "\255\250\24\1\255\240")
      sock:sendall "\255\250\24\0XTERM-256COLOR\255\240\255\250\31\0\255\255\0\0\255\240\r\n"
      receive(sock, ".")
    end)
    assert.same({ "80 x 24", "255 x nil" }, sizes)
  end)

  it("believes no more than was agreed upon", function()
    converse(function(session)
      session:read_line()
      assert.is_nil(session.width)
      assert.is_nil(session.terminal)
      session:write "."
    end, function(sock)
      sock:sendall "\255\250\31\0\80\0\24\255\240\255\250\24\0vt100\255\240\r\n"
      receive(sock, ".")
    end, QUIET)
  end)

  it("answers who asks whether it is there", function()
    converse(function(session) session:read_line() end, function(sock)
      sock:sendall "\255\246"
      receive(sock, "[yes]")
      sock:sendall "\r\n"
    end, QUIET)
  end)

  it("writes text with the line ends of the network", function()
    converse(function(session) session:write("a\nb\r\nc", 1, "\255.") end, function(sock)
      assert.equal("a\r\nb\r\nc1\255\255.", receive(sock, "."))
    end, QUIET)
  end)

  it("takes no line longer than its limit", function()
    for _, input in ipairs { ("x"):rep(20), ("x"):rep(20) .. "\r\n" } do
      local errno
      converse(function(session)
        errno = select(3, session:read_line())
        session:write "."
      end, function(sock)
        sock:sendall(input)
        receive(sock, ".")
      end, { limit = 10, ask_size = false, ask_terminal = false })
      assert.equal(E.EMSGSIZE, errno)
    end
  end)

  it("keeps what was typed when the time is up", function()
    local line
    converse(function(session)
      assert.equal(E.ETIMEDOUT, select(3, session:read_line { timeout = 0.05 }))
      session:write "."
      line = session:read_line()
    end, function(sock)
      sock:sendall "half"
      receive(sock, ".")
      sock:sendall " a line\r\n"
    end, QUIET)
    assert.equal("half a line", line)
  end)
end)

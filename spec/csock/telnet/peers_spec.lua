-- Telnet with others: telnetd, the programs telnet, and Python's telnetlib.
local csock = require "csock"
local keep = require "spec.support.keep"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local telnet = require "csock.telnet"

local LIMIT = 10 * process.slowness

-- A super-server as inetd is one: runs a program for one connection, which is its standard input and output.
local INETD = [[
import socket, subprocess, sys
listener = socket.create_server(("127.0.0.1", 0))
print(listener.getsockname()[1], flush=True)
conn, _ = listener.accept()
sys.exit(subprocess.call(sys.argv[1:], stdin=conn, stdout=conn))
]]

-- What telnetd runs in the place of login.
local LOGIN = [[#!/bin/sh
printf 'login: '; read name
stty -echo; printf 'Password: '; read secret; stty echo; echo
echo "$name/$secret on $TERM: $(stty size)"
while printf '$ '; read line; do
  case $line in exit) exit;; *) echo "you said $line";; esac
done
]]

local TELNETD = "/usr/sbin/telnetd"

local function has(path)
  local file = io.open(path)
  if file then file:close() end
  return file ~= nil
end

-- A board that people log in to, in a process of its own: says its port.
local BOARD = [[
  local csock, telnet = require "csock", require "csock.telnet"
  local server = assert(telnet.serve({ "127.0.0.1", 0 }, function(session)
    local name = session:ask "login: "
    local secret = session:ask_secret "Password: "
    session:write(("%s/%s\n"):format(name, secret))
    for line in session:lines() do
      if line == "exit" then break end
      session:write(("you said %s\n"):format(line))
    end
    session:write "bye\n"
  end, { character = arg[1] == "character" }))
  print(server:getsockname().port)
  io.stdout:flush()
  csock.run()
]]

local function start_board(way)
  local code = BOARD:gsub("arg%[1%]", ("%q"):format(way))
  local server = keep(process.lua { "-e", code })
  return server:expect "(%d+)\n"
end

describe("telnet", function()
  local dir
  before_each(function() dir = assert(posix.mkdtemp()) end)
  after_each(function()
    keep.close()
    os.remove(dir .. "/login")
    os.remove(dir)
  end)

  it("logs in where telnetd asks", function()
    if not has(TELNETD) or not has "/usr/bin/python3" then
      return pending "no telnetd (inetutils-telnetd), or no Python"
    end
    local login = dir .. "/login"
    local file = assert(io.open(login, "w"))
    file:write(LOGIN)
    file:close()
    os.execute(("chmod +x '%s'"):format(login))
    local server = keep(process.start({ "python3", "-c", INETD, TELNETD, "-h", "-E", login }, { group = true }))
    local port = server:expect "(%d+)\n"
    csock.run(function()
      local tn = keep(telnet.Telnet("127.0.0.1", tonumber(port),
        { timeout = LIMIT, terminal = "vt100", size = { 100, 30 } }))
      assert.is_true(select(2, tn:read_until "login: "))
      tn:write "me\r"
      local index, _, text = tn:expect { "Login incorrect", "Password: " }
      assert.equal(2, index, text)
      tn:write "secret\r"
      assert.equal("me/secret on vt100: 30 100", (select(2, tn:expect { "me/[^\r]*" })[1]))
      tn:read_until "$ "
      tn:write "hello\r"
      assert.is_true(select(2, tn:read_until "you said hello"))
      tn:write "exit\r"
      assert(tn:read_all())
    end)
    assert.equal(0, server:wait())
  end)

  for _, way in ipairs { "lines", "character" } do
    it("is what the program telnet speaks with a server that takes " .. way, function()
      local port = start_board(way)
      local client = keep(process.start({ "telnet", "127.0.0.1", port }, { pty = true }))
      client:expect "login: "
      client:write "me\r"
      client:expect "Password: "
      client:write "secret\r"
      local shown = client:expect "(.-)me/secret\r\n"
      assert.is_nil(shown:find "secret")
      client:write "hallo\127\127\127llo\r"
      client:expect "you said hallo\r\n"
      client:write "exit\r"
      client:expect "bye\r\n"
      client:wait()
    end)
  end

  it("is what Python's telnetlib speaks with a server", function()
    local port = start_board "lines"
    local peer = keep(process.start { "python3", "-W", "ignore", "-c", [[
import sys, telnetlib
tn = telnetlib.Telnet("127.0.0.1", int(sys.argv[1]), 10)
tn.read_until(b"login: ")
tn.write(b"me\n")
tn.read_until(b"Password: ")
tn.write(b"se\xffcret\n")
print(tn.expect([b"incorrect", b"me/(.*)\r\n"], 10)[1].group(1))
tn.write(b"exit\n")
print(tn.read_all())
]], port })
    assert.equal(0, peer:wait())
    assert.matches("^b'se\\xffcret'\nb'.*bye\\r\\n'\n$", peer.out)
  end)
end)

--- An object of each type that the manual has, by the type's name; and a function that closes those that are open.
local csock = require "csock"
local has_ssl, ssl = pcall(require, "csock.ssl")
if not has_ssl then ssl = nil end

return function()
  local loop = csock.loop
  local list = {
    socket = assert(csock.socket()), poll = csock.poll(), epoll = csock.epoll and assert(csock.epoll()),
    kqueue = csock.kqueue and assert(csock.kqueue()),
    buffer = csock.buffer(1), error = select(2, csock.if_nametoindex ""),
    task = csock.spawn(function() end), group = loop.group(), queue = loop.queue(), event = loop.event(),
  }
  list.client = require("csock.redis").client("redis://127.0.0.1:1")
  list.subscription = assert(list.client:subscribe("none", { wait = false }))
  list.bytesio = require "csock.bytesio"
  local url = require "csock.url"
  list.splitresult, list.parseresult = url.urlsplit "http://u:p@h:1", url.urlparse "http://h"
  list.defragresult = url.urldefrag "http://h"
  list.urlrequest = url.Request "http://h"
  list.robotfileparser = require("csock.url.robots").RobotFileParser
  for name, value in pairs(require "csock.socketserver") do
    if type(value) == "table" then list[name:lower()] = value end
  end
  for _, name in ipairs {
    "protocol", "reactor.transport", "reactor.port", "reactor.datagram_port", "reactor.multicast",
    "reactor.unix_datagram", "reactor.connector", "reactor.process", "reactor.calls", "asyncore", "asynchat", "defer",
    "endpoints", "proto_helpers", "task",
  } do
    for class_name, value in pairs(require("csock." .. name)) do
      if type(value) == "table" then list[class_name:lower()] = value end
    end
  end
  for class_name, value in pairs(require "csock.policies") do list[class_name:lower()] = value end
  list.memoryreactor = list.memoryreactor()
  list.pop3 = require("csock.pop3").POP3
  list.ftp, list.ftp_tls = require("csock.ftp").FTP(), require("csock.ftp").FTP_TLS()
  list.nntp = require("csock.nntp").NNTP
  list.imap4 = require("csock.imap").IMAP4
  list.telnet = require("csock.telnet").Telnet()
  list.telnetsession = setmetatable({}, require("csock.telnet.server").Session)
  list.gopherreply = setmetatable({}, require("csock.gopher.reply").Reply)
  list.address = assert(csock.address(csock.AF_INET, "127.0.0.1", 1))
  list.transport = list.connection
  list.stringreceiver = list.netstringreceiver
  list.reason = require("csock.reactor.reason").Reason
  list.stream = assert(list.socket:makefile "rw")
  list.tap = assert(csock.tap(list.socket))
  local testing = require "csock.testing"
  list.clock, list.network = testing.clock(), testing.network()
  list.clock:close()
  list.server = assert(csock.serve({ "127.0.0.1", 0 }, print))
  list.headers = require("csock.wire.headers").new()
  list.emailmessage = require("csock.email").EmailMessage()
  local mailbox, all = require "csock.mailbox", {}
  for _, kind in ipairs { "mbox", "maildir", "mh" } do
    local dir = os.tmpname()
    os.remove(dir)
    local box = assert(require("csock.mailbox." .. kind)(dir, { create = true }))
    for name, method in pairs(getmetatable(box).__index) do all[name] = method end
    box:close()
    os.execute("rm -rf '" .. dir .. "'")
  end
  list.mailbox = setmetatable({}, { __index = all, __name = "csock.mailbox" })
  list.maildirmessage, list.mboxmessage = mailbox.MaildirMessage(), mailbox.mboxMessage()
  list.mhmessage = mailbox.MHMessage()
  list.coder = require("csock.wire.base64").encoder()
  list.pidfile = assert(require("csock.service").pidfile(os.tmpname()))
  for _, module in ipairs { "csock.httpserver", "csock.smtp", "csock.smtpd" } do
    for name, value in pairs(require(module)) do
      if type(value) == "table" then list[name:lower()] = value end
    end
  end
  list.httpd = assert(require("csock.httpserver").serve({ "127.0.0.1", 0 }, print))
  local client, asked = assert(csock.socketpair())
  assert(client:sendall "GET /?a HTTP/1.1\r\nHost: a\r\n\r\n")
  list.request = assert(require("csock.httpserver.request").read(assert(asked:makefile()), nil, nil, {
    conn = list.socket, stream = list.stream, address = true, server = { settings = {} },
  }))
  client:close()
  asked:close()
  local http, cookies = require "csock.http", require "csock.cookies"
  list.httpconnection, list.session = http.HTTPConnection "localhost", http.Session()
  for _, module in ipairs { cookies, require "csock.cgi", require "csock.xmlrpc", (require "csock.jsonrpc") } do
    for name, value in pairs(module) do
      if type(value) == "table" then list[name:lower()] = value end
    end
  end
  list.field = list.minifieldstorage
  list.results = require("csock.rpc.results").new {}
  list.httpresponse = require("csock.class").adopt(http.HTTPResponse,
    { status = 200, reason = "OK", version = 11, url = "http://localhost/" })
  local of_websocket = require "csock.websocket.connection"
  list.websocket = of_websocket.new("client", list.stream, list.socket, {}, { max_pending = 1 })
  if ssl then
    list.SSLSocket = list.socket
    list.SSLContext = assert(ssl.create_default_context(ssl.Purpose.CLIENT_AUTH))
    list.MemoryBIO = ssl.MemoryBIO()
    list.SSLObject = assert(list.SSLContext:wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO()))
  end
  return list, function()
    list.server:close()
    list.httpd:close()
    list.client:close()
    csock.run()
    for _, name in ipairs { "stream", "socket", "poll", "epoll", "kqueue", "buffer", "pidfile" } do
      if list[name] then list[name]:close() end
    end
  end
end

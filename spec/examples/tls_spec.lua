-- The timestamp pair over TLS, and https_head.
local certificates = require "spec.support.certificates"
local contexts = require "spec.support.contexts"
local csock = require "csock"
local example = require "spec.support.example"
local keep = require "spec.support.keep"
local peers = require "spec.support.tls_peers"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local LIMIT = 10 * process.slowness
local STAMP = "%[%a%a%a %a%a%a [ %d]%d %d%d:%d%d:%d%d %d%d%d%d%] "

if contexts.missing then
  pending("the examples over TLS: " .. contexts.missing)
  return
end

local dir
before_each(function() dir = assert(posix.mkdtemp()) end)
after_each(function()
  keep.close()
  example.stop_all()
  os.execute("rm -rf '" .. dir .. "'")
end)

local function server(certificate)
  return example.server("tls_tserv", "--certificate", certificate.cert, "--key", certificate.key)
end

local function client(port, ca, host)
  return example.start("tls_tclnt", "--cafile", ca, host or "localhost", port)
end

local function dial(port)
  return keep(csock.create_connection({ "localhost", port }, { ssl = contexts.client(), timeout = LIMIT }))
end

local function copy(from, to) assert(os.execute(("cp '%s' '%s'"):format(from, to))) end

local function output(command)
  local pipe <close> = io.popen(command)
  return pipe:read "a"
end

describe("examples/tls_tserv", function()
  it("makes a key for itself alone, and a certificate that its client can trust", function()
    local cert, key = dir .. "/it's.pem", dir .. "/it's.key"
    local arguments = { "--make-certificate", "--certificate", cert, "--key", key }
    local program = example.server("tls_tserv", table.unpack(arguments))
    program:expect("made " .. cert:gsub("%p", "%%%0") .. ": start the client with %-%-cafile ")
    assert.equal("600\n644\n", output(([[stat -c %%a "%s" "%s"]]):format(key, cert)))
    for _, host in ipairs { "localhost", "127.0.0.1" } do
      local c = client(program.port, cert, host)
      c:expect "^connected: TLSv1.3, TLS_%S+\n> "
      c:type "hi"
      c:expect("^" .. STAMP .. "hi\n> ")
      c:type ""
      assert.equal("", c:ends(0))
    end
    local names = output(([[openssl x509 -in "%s" -noout -ext subjectAltName,basicConstraints]]):format(cert))
    assert.matches("CA:FALSE", names)
    assert.matches("DNS:localhost, IP Address:127.0.0.1, IP Address:0:0:0:0:0:0:0:1", names)

    local before = output(([[cat "%s" "%s"]]):format(cert, key))
    program:interrupt()
    program:ends(0)
    program = example.server("tls_tserv", table.unpack(arguments))
    program:expect "^waiting for connections%.%.%.\n"
    assert.equal(before, output(([[cat "%s" "%s"]]):format(cert, key))) -- what is there stays
  end)

  it("says in one line what is missing", function()
    local program = example.start("tls_tserv", "--certificate", dir .. "/none.pem", "127.0.0.1", 0)
    assert.matches("^tls_tserv.lua: there is no .*/none.pem: %-%-make%-certificate makes one[^\n]*\n$", program:ends(1))
    program = example.start("tls_tserv", "--make-certificate", "--certificate", dir .. "/none/x.pem", "--key",
      dir .. "/none/x.key", "127.0.0.1", 0)
    assert.matches("^tls_tserv.lua: the program openssl has not made [^\n]*\n$", program:ends(1))
    program = example.start("tls_tserv", "--make-certificate", "--certificate", dir .. "/none.pem", "--key",
      certificates.good.key, "127.0.0.1", 0)
    assert.matches("^tls_tserv.lua: there is a [^\n]*, but no [^\n]*/none.pem for it: [^\n]*\n$", program:ends(1))
    program = example.start("tls_tserv", "--certificate", certificates.good.cert, "--key", certificates.rsa.key,
      "127.0.0.1", 0)
    assert.matches("^tls_tserv.lua: load_cert_chain: [^\n]+\n$", program:ends(1))
  end)

  it("says who connected with what, serves many at once, and tells a cut from an end", function()
    local program = server(certificates.good)
    local all = {}
    for i = 1, 3 do
      all[i] = dial(program.port)
      program:expect(("...connected from: %s (%s, %s)\n"):format(all[i]:getsockname(), all[i]:version(),
        (all[i]:cipher())):gsub("%p", "%%%0"))
    end
    for i = 3, 1, -1 do
      assert(all[i]:sendall(("line %d"):format(i)))
      local data = ""
      repeat data = data .. assert(all[i]:recv(1024)) until data:find("line " .. i, 1, true)
      assert.matches("^" .. STAMP .. "line", data)
    end
    assert(all[1]:unwrap())
    keep(csock.socket { fileno = all[2]:detach() }):close() -- without a goodbye
    program:expect "%.%.%.lost: [^\n]*UNEXPECTED_EOF_WHILE_READING"
    assert.is_nil(program.out:match "lost.*lost")
  end)

  it("outlives those that speak no TLS, or trust nobody, and says so", function()
    local program = server(certificates.good)
    keep(csock.create_connection { "127.0.0.1", program.port }) -- says nothing, and holds up nobody
    local plain = keep(csock.create_connection { "127.0.0.1", program.port })
    assert(plain:sendall "GET / HTTP/1.0\r\n\r\n")
    program:expect "%.%.%.not connected: %S+ %d+%): do_handshake: [^\n]*HTTP_REQUEST"
    local wary = client(program.port, certificates.unknown_ca.cert)
    assert.matches("^tls_tclnt.lua: do_handshake: certificate verify failed[^\n]*\n$", wary:ends(1))
    program:expect "%.%.%.not connected: [^\n]*TLSV1_ALERT_UNKNOWN_CA"
    client(program.port, certificates.ca.cert):expect "connected: "
  end)

  it("reads its certificate again on SIGHUP, and goes on with the old one when that fails", function()
    local here = { cert = dir .. "/a.pem", key = dir .. "/a.key" }
    local function put(certificate)
      copy(certificate.cert, here.cert)
      copy(certificate.key, here.key)
    end
    put(certificates.good)
    local program = server(here)
    local first = client(program.port, certificates.ca.cert)
    first:expect "connected: "
    put(certificates.unknown)
    program:signal "SIGHUP"
    program:expect "%.%.%.the certificate is read again\n"
    client(program.port, certificates.unknown_ca.cert):expect "connected: "
    copy(certificates.rsa.key, here.key)
    program:signal "SIGHUP"
    program:expect "%.%.%.the old certificate stays: [^\n]+\n"
    client(program.port, certificates.unknown_ca.cert):expect "connected: "
    first:type "hi"
    first:expect(STAMP .. "hi\n")
  end)
end)

describe("examples/tls_tclnt", function()
  it("does not speak to a server whose certificate is for somebody else", function()
    local program = server(certificates.wrong_host)
    assert.matches("^tls_tclnt.lua: do_handshake: [^\n]*elsewhere.test'[^\n]*, not for 'localhost'[^\n]*\n$",
      client(program.port, certificates.ca.cert):ends(1))
  end)

  it("sends lines that are longer than a record, and prints all of the answer", function()
    local c = client(server(certificates.good).port, certificates.ca.cert)
    c:expect "> "
    c:type(("x"):rep(40000))
    for _ = 1, 39 do c:expect("^" .. STAMP .. ("x"):rep(1024) .. "\n") end
    c:expect("^" .. STAMP .. ("x"):rep(40000 - 39 * 1024) .. "\n> ")
  end)

  local with_python = peers.has.python and it or pending

  it("takes the server's tickets for nothing that was said, and says at its prompt that it is gone", function()
    local program = server(certificates.good)
    local c = client(program.port, certificates.ca.cert)
    c:expect "> "
    program:expect "connected from"
    c:type "hi"
    c:expect(STAMP .. "hi\n> ")
    program:interrupt()
    assert.equal("tls_tclnt.lua: the server has closed the connection\n", c:ends(1))
  end)

  with_python("says at its prompt that the connection was cut", function()
    local peer = keep(peers.python())
    local listener = peer:listen { role = "ragged", cert = certificates.good }
    local c = client(listener.port, certificates.ca.cert)
    c:expect "> "
    c:type "hi"
    local complaint = c:ends(1) -- a reset, where what was typed met the end
    assert.is_truthy(complaint:find "^tls_tclnt.lua: [^\n]*UNEXPECTED_EOF_WHILE_READING[^\n]*\n$"
      or complaint:find "^tls_tclnt.lua: [^\n]*ECONNRESET[^\n]*\n$" or complaint:find "EPIPE[^\n]*\n$", complaint)
  end)
end)

describe("examples/https_head", function()
  local SERVER = contexts.SERVER .. [[
    local csock = require "csock"
    local server = assert(csock.serve({ "127.0.0.1", 0 }, function(conn)
      local stream = assert(conn:makefile("rw", 0))
      repeat
        local line = stream:read()
        print(line)
      until not line or line == ""
      stream:write(answer)
      stream:close()
    end, { ssl = ctx }))
    print(server:getsockname().port)
    io.stdout:setvbuf "line"
    csock.run()
  ]]

  local function web_server(answer)
    local p = keep(process.lua { "-e", ("local answer = %q\n"):format(answer) .. SERVER })
    p.port = tonumber(p:read_line(LIMIT))
    return p
  end

  it("prints the head, and what was agreed on with whom", function()
    local web = web_server "HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nServer: \27mine\r\n\r\n"
    local program = example.start("https_head", "--cafile", certificates.ca.cert, "localhost", web.port)
    program:expect("^HTTP/1.1 200 OK\nServer: %?mine\n\nTLSv1.3, TLS_%S+ %(%d+ bits%)\n"
      .. "certificate for: localhost, 127.0.0.1, [0:]+1\nissued by: Good CA\nvalid until: Dec 31 [%d:]+ 2049 GMT\n$")
    assert.equal("", program:ends(0))
    web:expect("HEAD / HTTP/1.1\nHost: localhost:" .. web.port .. "\nConnection: close\n")
  end)

  it("says in one line what is no web server, and whose certificate is refused", function()
    local web = web_server "220 mail here\r\n"
    assert.matches("^https_head.lua: [^\n]+\n$",
      example.start("https_head", "--cafile", certificates.ca.cert, "localhost", web.port):ends(1))
    assert.matches("^https_head.lua: do_handshake: certificate verify failed[^\n]+\n$",
      example.start("https_head", "--cafile", certificates.unknown_ca.cert, "localhost", web.port):ends(1))
  end)

  local with_nginx = peers.has.nginx and it or pending

  with_nginx("asks nginx", function()
    local web = keep(peers.nginx(certificates.chained))
    local program = example.start("https_head", "--cafile", certificates.ca.cert, "localhost", web.port)
    program:expect "^HTTP/1.1 200 OK\nServer: nginx[^\n]*\n"
    program:expect "issued by: Intermediate CA\n"
    assert.equal("", program:ends(0))
  end)
end)

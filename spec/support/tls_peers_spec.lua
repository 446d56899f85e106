-- The peers for the specs of TLS, against each other: what they say is what those go by.
local certificates = require "spec.support.certificates"
local csock = require "csock"
local keep = require "spec.support.keep"
local peers = require "spec.support.tls_peers"

local ca = certificates.ca and certificates.ca.cert

describe("the peers for TLS:", function()
  if not (certificates.available and peers.has.python) then
    return it("all", function() pending "no openssl, or no Python" end)
  end

  local peer
  setup(function() peer = peers.python() end)
  teardown(function() peer:kill() end)
  after_each(keep.close)

  it("a Python server and a Python client say what they have agreed on", function()
    for _, version in ipairs { "1.2", "1.3" } do
      local server = peer:listen { role = "lines", cert = certificates.good, version = version, alpn = "a,b" }
      local client = peer:connect { role = "ask", port = server.port, ca = ca, alpn = "b" }
      assert.equal(("TLSv%s alpn=b name=None reused=False peer=localhost answer=HELLO"):format(version),
        client:result())
      assert.equal("closed", server:result())
    end
  end)

  it("a Python client refuses each bad certificate, and takes each good one", function()
    for name, how in pairs {
      good = "answer=HELLO", rsa = "answer=HELLO", chained = "answer=HELLO", expired = "CERTIFICATE_VERIFY_FAILED",
      not_yet_valid = "CERTIFICATE_VERIFY_FAILED", self_signed = "CERTIFICATE_VERIFY_FAILED",
      unknown = "CERTIFICATE_VERIFY_FAILED", wildcard = "CERTIFICATE_VERIFY_FAILED",
      wrong_host = "CERTIFICATE_VERIFY_FAILED",
    } do
      local server = peer:listen { role = "lines", cert = certificates[name] }
      local client = peer:connect { role = "ask", port = server.port, ca = ca }
      assert.matches(how, client:result(), 1, true, name)
    end
  end)

  it("a Python server asks for a certificate, and a client resumes its session", function()
    local server = peer:listen { role = "info", cert = certificates.good, client_ca = ca, version = "1.2" }
    local none = peer:connect { role = "ask", port = server.port, ca = ca }
    assert.matches("SSLError", none:result())
    assert.equal("SSLError PEER_DID_NOT_RETURN_A_CERTIFICATE", server:result())
    for i, reused in ipairs { "False", "True" } do
      local client = peer:connect { role = "ask", port = server.port, ca = ca, cert = certificates.client,
        keep = "first", session = i == 2 and "first" or nil }
      assert.matches("reused=" .. reused .. ".* answer=TLSv1.2 .*peer=a client", client:result())
    end
  end)

  it("s_client and s_server speak lines", function()
    local server = peer:listen { role = "lines", cert = certificates.chained }
    local client = keep(peers.s_client(server.port, { "-quiet" }))
    client:write "hello\n"
    client:expect "HELLO"
    client:write "bye\n"
    assert.equal("bye", server:result())
    server = keep(peers.s_server(certificates.good))
    local asked = peer:connect { role = "ask", port = server.port, ca = ca }
    server:expect "hello\r?\n"
    server:write "K\n" -- new keys
    server:write "an answer\n"
    assert.matches("answer=an answer$", asked:result())
  end)

  it("nginx answers curl", function()
    if not (peers.has.nginx and peers.has.curl) then return pending "no nginx, or no curl" end
    local server = keep(peers.nginx(certificates.chained))
    local url = ("https://localhost:%d/"):format(server.port)
    local status, out, err = peers.curl { url }
    assert.equal("", err)
    assert.equal(0, status)
    assert.equal("nginx over TLSv1.3\n", out)
  end)

  it("what is no handshake comes as it shall", function()
    local function dial(options)
      local server = peer:listen(options)
      local s = keep((csock.create_connection({ "127.0.0.1", server.port }, { timeout = peers.LIMIT })))
      s:settimeout(peers.LIMIT)
      return s, server
    end
    local s = dial { role = "speak", bytes = "HTTP/1.0 200 OK\r\n" }
    assert.equal("HTTP/1.0 200 OK\r\n", s:recv(100))
    s = dial { role = "hang_up_hard" }
    assert(s:send "xy")
    assert.equal(csock.errno.ECONNRESET, select(3, s:recv(100)))

    local taking = keep(csock.create_server { "127.0.0.1", 0 })
    taking:settimeout(peers.LIMIT)
    peer:connect { role = "ask", port = taking:getsockname().port }
    local hello = assert(keep((taking:accept())):recv(4096))
    local server
    s, server = dial { role = "part", cert = certificates.good, size = 100 }
    assert(s:sendall(hello))
    assert.equal(100, #assert(s:recv(100, csock.MSG_WAITALL)))
    s:close()
    assert.equal("ended", server:result())
  end)
end)

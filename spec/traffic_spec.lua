-- Real traffic over each family that this kernel offers; a family that it has not is skipped, and
-- the run says so.
local csock = require "csock"
local example = require "spec.support.example"

local LIMIT = 20 -- seconds for one call; none comes near it unless something is broken

local function open(family, type, proto)
  local s = assert(csock.socket(family, type, proto or 0))
  s:settimeout(LIMIT)
  return s
end

-- A socket of a family that the kernel may lack, or nil and the reason.
local function try(name, type, proto)
  local family = csock[name]
  if not family then return nil, name .. " is unknown here" end
  local s, err = csock.socket(family, csock[type], proto or 0)
  if not s then return nil, ("%s: %s"):format(name, err) end
  s:settimeout(LIMIT)
  return s
end

local function skip(sentence, why)
  it(sentence, function() pending(tostring(why)) end)
end

-- A path for a Unix socket, where no file is.
local function new_path()
  local path = os.tmpname()
  os.remove(path)
  return path
end

-- A connected pair through a listener at `address`: the client, the accepted socket, its address.
local function connected(family, type, address)
  local listener <close> = open(family, type)
  assert(listener:bind(address))
  assert(listener:listen(1))
  local client = open(family, type)
  assert(client:connect(listener:getsockname()))
  local accepted, peer = assert(listener:accept())
  accepted:settimeout(LIMIT)
  return client, accepted, peer
end

-- Everything until the end of the stream.
local function drain(s)
  local pieces = {}
  repeat
    pieces[#pieces + 1] = assert(s:recv(4096))
  until pieces[#pieces] == ""
  return table.concat(pieces)
end

local any = { [csock.AF_INET] = { "127.0.0.1", 0 }, [csock.AF_INET6] = { "::1", 0 } }

for _, name in ipairs { "AF_INET", "AF_INET6" } do
  local family = csock[name]
  local host, parts = any[family][1], name == "AF_INET" and 2 or 4
  local it = name == "AF_INET6" and not example.has_ipv6 and pending or it

  describe("traffic over " .. name, function()
    it("shows each end of a stream the same two addresses", function()
      local client <close>, accepted, peer = connected(family, csock.SOCK_STREAM, any[family])
      local _ <close> = accepted
      assert.are.equal(peer, client:getsockname())
      assert.are.equal(peer, accepted:getpeername())
      assert.are.equal(accepted:getsockname(), client:getpeername())
      assert.are.equal(host, peer.host)
      assert.are.equal(family, peer.family)
      assert.are.equal(parts, #peer)
      assert.is_true(peer.port > 0)
    end)

    it("carries a stream both ways and tells its end", function()
      local client <close>, accepted = connected(family, csock.SOCK_STREAM, any[family])
      local _ <close> = accepted
      local question, answer = ("q\0\n"):rep(1000), ("a\r\255"):rep(1000)
      assert(client:sendall(question))
      assert(client:shutdown(csock.SHUT_WR))
      assert.are.equal(question, drain(accepted))
      assert(accepted:sendall(answer))
      accepted:close()
      assert.are.equal(answer, drain(client))
    end)

    it("answers a datagram to where it came from", function()
      local server <close> = open(family, csock.SOCK_DGRAM)
      local client <close> = open(family, csock.SOCK_DGRAM)
      assert(server:bind(any[family]))
      assert(client:bind(any[family]))
      assert.are.equal(4, client:sendto("ping", server:getsockname()))
      local data, from = assert(server:recvfrom(100))
      assert.are.equal("ping", data)
      assert.are.equal(client:getsockname(), from)
      assert.are.equal(4, server:sendto("pong", from))
      data, from = assert(client:recvfrom(100))
      assert.are.equal("pong", data)
      assert.are.equal(server:getsockname(), from)
    end)

    it("keeps a datagram's sender as a key, whatever the datagram", function()
      local server <close> = open(family, csock.SOCK_DGRAM)
      assert(server:bind(any[family]))
      local a <close> = open(family, csock.SOCK_DGRAM)
      local b <close> = open(family, csock.SOCK_DGRAM)
      assert(a:connect(server:getsockname()))
      assert(b:connect(server:getsockname()))
      local counts = {}
      for _, s in ipairs { a, b, a, a } do
        assert(s:send("x"))
        local _, from = assert(server:recvfrom(1))
        counts[from] = (counts[from] or 0) + 1
      end
      assert.are.equal(3, counts[a:getsockname()])
      assert.are.equal(1, counts[b:getsockname()])
    end)

    it("delivers a datagram of no bytes", function()
      local server <close> = open(family, csock.SOCK_DGRAM)
      local client <close> = open(family, csock.SOCK_DGRAM)
      assert(server:bind(any[family]))
      assert(client:bind(any[family]))
      assert.are.equal(0, client:sendto("", server:getsockname()))
      local data, from = assert(server:recvfrom(100))
      assert.are.equal("", data)
      assert.are.equal(client:getsockname(), from)
    end)

    it("cuts a datagram to the size asked for, and reports it", function()
      local server <close> = open(family, csock.SOCK_DGRAM)
      local client <close> = open(family, csock.SOCK_DGRAM)
      assert(server:bind(any[family]))
      for _ = 1, 3 do assert(client:sendto("0123456789", server:getsockname())) end
      assert(client:sendto("next", server:getsockname()))
      local data, _, whole = assert(server:recvfrom(4))
      assert.are.same({ "0123", 10 }, { data, whole })
      data, whole = assert(server:recv(4))
      assert.are.same({ "0123", 10 }, { data, whole })
      local cut, _, flags = assert(server:recvmsg(4))
      assert.are.equal("0123", cut)
      assert.is_true(flags & csock.MSG_TRUNC ~= 0)
      data, _, whole = assert(server:recvfrom(4))
      assert.are.same({ "next" }, { data, whole })
    end)

    it("refuses an address of another family", function()
      local other = family == csock.AF_INET and csock.AF_INET6 or csock.AF_INET
      local addr = csock.address(other, any[other][1], 9)
      local s <close> = open(family, csock.SOCK_DGRAM)
      for _, call in ipairs { "bind", "connect" } do
        local ok, err, errno = s[call](s, addr)
        assert.is_nil(ok)
        assert.are.equal("EAFNOSUPPORT", err.name)
        assert.are.equal(csock.errno.EAFNOSUPPORT, errno)
      end
      local sent, err = s:sendto("x", addr)
      assert.is_nil(sent)
      assert.are.equal("EAFNOSUPPORT", err.name)
    end)
  end)
end

describe("a connected datagram socket", function()
  it("is set free by connecting it to an address of no family", function()
    local s <close> = open(csock.AF_INET, csock.SOCK_DGRAM)
    local to <close> = open(csock.AF_INET, csock.SOCK_DGRAM)
    assert(to:bind("127.0.0.1", 0))
    assert(s:connect(to:getsockname()))
    assert(s:connect(csock.address { raw = ("\0"):rep(16) }))
    local peer, err = s:getpeername()
    assert.is_nil(peer)
    assert.are.equal("ENOTCONN", err.name)
  end)
end)

describe("traffic over AF_UNIX", function()
  for _, kind in ipairs { "SOCK_STREAM", "SOCK_SEQPACKET" } do
    it(("goes through a path (%s)"):format(kind), function()
      local path = new_path()
      local client <close>, accepted, peer = connected(csock.AF_UNIX, csock[kind], path)
      local _ <close> = accepted
      os.remove(path)
      assert.are.equal("", peer)
      assert.are.equal("", client:getsockname())
      assert.are.equal(path, client:getpeername())
      assert.are.equal(path, accepted:getsockname())
      assert(client:sendall("hello"))
      assert.are.equal("hello", (assert(accepted:recv(100))))
      client:close()
      assert.are.equal("", (assert(accepted:recv(100))))
    end)
  end

  it("keeps the pieces of a seqpacket apart, and cuts them", function()
    local a <close>, b = assert(csock.socketpair(csock.AF_UNIX, csock.SOCK_SEQPACKET))
    local _ <close> = b
    b:settimeout(LIMIT)
    assert(a:send("one"))
    assert(a:send("two!"))
    assert(a:send("three"))
    assert.are.equal("one", (assert(b:recv(100))))
    assert.are.equal("tw", (assert(b:recv(2))))
    local data, _, flags = assert(b:recvmsg(100))
    assert.are.equal("three", data)
    assert.are.equal(0, flags & csock.MSG_TRUNC)
  end)

  it("tells a datagram's sender by its path", function()
    local paths = { new_path(), new_path() }
    local server <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
    local client <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
    assert(server:bind(paths[1]))
    assert(client:bind { path = paths[2] })
    assert.are.equal(4, client:sendto("ping", paths[1]))
    local data, from = assert(server:recvfrom(100))
    assert.are.same({ "ping", paths[2] }, { data, from })
    assert.are.equal(0, server:sendto("", from))
    data, from = assert(client:recvfrom(100))
    assert.are.same({ "", paths[1] }, { data, from })
    for _, path in ipairs(paths) do os.remove(path) end
  end)

  it("takes the longest path there is, and refuses one byte more", function()
    local dir = new_path()
    local path = dir .. ("p"):rep(107 - #dir)
    local s <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
    local ok, err = s:bind(path .. "p")
    assert.is_nil(ok)
    assert.are.equal("ENAMETOOLONG", err.name)
    assert(s:bind(path))
    assert.are.equal(path, s:getsockname())
    os.remove(path)
  end)

  if csock.AF_NETLINK then -- Linux
    it("goes through abstract names, which leave no file", function()
      local name = "\0csock-spec\0" .. new_path() .. "\255"
      local client <close>, accepted = connected(csock.AF_UNIX, csock.SOCK_STREAM, name)
      local _ <close> = accepted
      assert.are.equal(name, client:getpeername())
      assert(client:sendall("hello"))
      assert.are.equal("hello", (assert(accepted:recv(100))))
    end)

    it("gets a name from the kernel when bound to none", function()
      local server <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
      local client <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
      assert(server:bind "")
      assert(client:bind "")
      assert.matches("^%z%x+$", client:getsockname())
      assert(client:sendto("ping", server:getsockname()))
      local data, from = assert(server:recvfrom(100))
      assert.are.same({ "ping", client:getsockname() }, { data, from })
    end)

    it("takes an abstract name of 108 bytes, which has no terminating zero", function()
      local name = ("\0" .. new_path()):sub(1, 108)
      name = name .. ("n"):rep(108 - #name)
      local s <close> = open(csock.AF_UNIX, csock.SOCK_DGRAM)
      assert(s:bind(name))
      assert.are.equal(name, s:getsockname())
    end)
  end
end)

describe("traffic over AF_NETLINK", function()
  local netlink, why = try("AF_NETLINK", "SOCK_RAW", csock.NETLINK_ROUTE)
  if not netlink then return skip("asks the kernel for its links", why) end
  netlink:close()

  -- rtnetlink(7)
  local RTM_NEWLINK, RTM_GETLINK, IFLA_IFNAME = 16, 18, 3
  local HEADER, IFINFO, ATTRIBUTE = "=I4I2I2I4I4", "=BBI2i4I4I4", "=I2I2"
  local REQUEST_DUMP = 0x301

  -- The netlink messages in a datagram: type, sequence number and body, one after the other.
  local function messages(datagram)
    local at = 1
    return function()
      if at > #datagram then return nil end
      local len, kind, _, seq, _, body = string.unpack(HEADER, datagram, at)
      local first = at
      at = at + (len + 3) // 4 * 4
      return kind, seq, datagram:sub(body, first + len - 1)
    end
  end

  local function attribute(body, wanted)
    local _, _, _, _, _, _, at = string.unpack(IFINFO, body)
    while at + 3 <= #body do
      local len, kind = string.unpack(ATTRIBUTE, body, at)
      if kind == wanted then return body:sub(at + 4, at + len - 1) end
      at = at + (len + 3) // 4 * 4
    end
  end

  local function links(s, ...) -- then the flags and the address, as sendto takes them
    local seq, found, done = 4711, {}, false
    local body = string.pack(IFINFO, 0, 0, 0, 0, 0, 0)
    local request = string.pack(HEADER, 16 + #body, RTM_GETLINK, REQUEST_DUMP, seq, 0) .. body
    assert(s:sendto(request, ...))
    while not done do
      local datagram, from = assert(s:recvfrom(65536))
      assert.are.equal(csock.address(csock.AF_NETLINK, 0, 0), from) -- the kernel
      for kind, its, content in messages(datagram) do
        assert.are.equal(seq, its)
        if kind == RTM_NEWLINK then
          local _, _, _, index = string.unpack(IFINFO, content)
          found[index] = string.unpack("z", attribute(content, IFLA_IFNAME))
        else
          done = true
        end
      end
    end
    return found
  end

  it("asks the kernel for its links and reads the answer", function()
    local s <close> = open(csock.AF_NETLINK, csock.SOCK_RAW, csock.NETLINK_ROUTE)
    assert(s:bind(0, 0))
    local found = links(s, { 0, 0 })
    local has_lo = false
    for index, name in pairs(found) do
      assert.are.equal(name, csock.address(csock.AF_PACKET, index, 0).ifname)
      has_lo = has_lo or name == "lo"
    end
    assert.is_true(has_lo)
  end)

  it("tells the parts of an address from flags before one", function()
    local s <close> = open(csock.AF_NETLINK, csock.SOCK_RAW, csock.NETLINK_ROUTE)
    assert(s:bind(0, 0))
    local found, kernel = links(s, 0, 0), csock.address(csock.AF_NETLINK, 0, 0)
    for _, address in ipairs { { nil, 0, 0 }, { 0, 0, 0 }, { 0, { 0, 0 } }, { kernel }, { 0, kernel } } do
      assert.same(found, links(s, table.unpack(address, 1, 3)))
    end
    assert.has_error(function() s:sendto("x", 0) end)
  end)

  it("gives each socket a pid of its own", function()
    local a <close> = open(csock.AF_NETLINK, csock.SOCK_RAW, csock.NETLINK_ROUTE)
    local b <close> = open(csock.AF_NETLINK, csock.SOCK_RAW, csock.NETLINK_ROUTE)
    assert(a:bind { pid = 0, groups = 0 })
    assert(b:bind(csock.address(csock.AF_NETLINK, 0, 0)))
    assert.are_not.equal(a:getsockname(), b:getsockname())
    assert.are_not.equal(a:getsockname().pid, b:getsockname().pid)
    assert.are.equal(0, a:getsockname().groups)
  end)
end)

describe("traffic over AF_PACKET", function()
  local probe, why = try("AF_PACKET", "SOCK_RAW", 0)
  if not probe then return skip("sees what passes an interface", why) end
  probe:close()

  it("sees what passes an interface, and tells of each packet where it was going", function()
    local ETH_P_IP, LOOPBACK = 0x0800, 772
    local sniffer <close> = open(csock.AF_PACKET, csock.SOCK_DGRAM, 0)
    assert(sniffer:bind("lo", ETH_P_IP))
    local own = assert(sniffer:getsockname())
    assert.are.same({ "lo", ETH_P_IP, 0, LOOPBACK, ("\0"):rep(6) }, { table.unpack(own) })
    local sender <close> = open(csock.AF_INET, csock.SOCK_DGRAM)
    assert(sender:bind("127.0.0.1", 0))
    local marker = "csock " .. sender:getsockname()
    assert(sender:sendto(marker, sender:getsockname()))
    local packet, from
    repeat
      packet, from = assert(sniffer:recvfrom(65536))
    until packet:sub(-#marker) == marker
    assert.are.equal("lo", from.ifname)
    assert.are.equal(ETH_P_IP, from.proto)
    assert.are.equal(LOOPBACK, from.hatype)
    assert.are.equal(("\0"):rep(6), from.addr)
    assert.are.equal("\127\0\0\1", packet:sub(13, 16))
    assert(sender:sendto(marker, sender:getsockname()))
    local message, _, flags, of = assert(sniffer:recvmsg(10))
    assert.are.equal(10, #message)
    assert.is_true(flags & csock.MSG_TRUNC ~= 0)
    assert.are.equal("lo", of.ifname)
  end)
end)

describe("traffic over AF_VSOCK", function()
  local listener, why = try("AF_VSOCK", "SOCK_STREAM")
  local client = listener and try("AF_VSOCK", "SOCK_STREAM")
  local connects, accepted, peer
  if listener then
    assert(listener:bind(csock.VMADDR_CID_ANY, csock.VMADDR_PORT_ANY))
    assert(listener:listen(1))
    client:settimeout(0.5) -- without the loopback transport, nothing answers
    connects, why = client:connect(1, listener:getsockname().port)
    if connects then accepted, peer = assert(listener:accept()) end
  end

  if listener then
    it("binds a socket to any port", function()
      local addr = listener:getsockname()
      assert.are.equal(csock.VMADDR_CID_ANY, addr.cid)
      assert.are_not.equal(csock.VMADDR_PORT_ANY, addr.port)
      listener:close()
    end)
  else
    skip("binds a socket to any port", why)
  end

  if not connects then return skip("carries a stream on one machine", why) end
  it("carries a stream on one machine", function()
    assert.are.equal(client:getsockname().port, peer.port)
    assert(client:sendall("hello"))
    assert.are.equal("hello", (assert(accepted:recv(100))))
    client:close()
    assert.are.equal("", (assert(accepted:recv(100))))
    accepted:close()
  end)
end)

describe("traffic over AF_TIPC", function()
  local server, why = try("AF_TIPC", "SOCK_RDM")
  if not server then return skip("sends a datagram to a service", why) end

  it("sends a datagram to a service", function()
    local client <close> = try("AF_TIPC", "SOCK_RDM")
    local service = 18888
    assert(server:bind(csock.TIPC_ADDR_NAMESEQ, service, 17, 19, csock.TIPC_NODE_SCOPE))
    assert(client:sendto("ping", { csock.TIPC_ADDR_NAME, service, 18, 0 }))
    local data, from = assert(server:recvfrom(100))
    assert.are.equal("ping", data)
    assert.are.equal(csock.TIPC_ADDR_ID, from.addr_type)
    assert(server:sendto("pong", from))
    assert.are.equal("pong", (assert(client:recv(100))))
    server:close()
  end)
end)

describe("traffic over AF_CAN", function()
  local a, why = try("AF_CAN", "SOCK_RAW", csock.CAN_RAW)
  if not a then return skip("sends a frame from one socket to another", why) end
  if not csock.address(csock.AF_CAN, "vcan0") then
    a:close()
    return skip("sends a frame from one socket to another", "there is no vcan0")
  end

  it("sends a frame from one socket to another", function()
    local b <close> = try("AF_CAN", "SOCK_RAW", csock.CAN_RAW)
    assert(a:bind "vcan0")
    assert(b:bind { interface = "vcan0" })
    local frame = string.pack("=I4BI2xc8", 0x123, 3, 0, "abc\0\0\0\0\0")
    assert.are.equal(#frame, a:send(frame))
    local data, from = assert(b:recvfrom(100))
    assert.are.equal(frame, data)
    assert.are.equal("('vcan0',)", tostring(from))
    a:close()
  end)
end)

describe("traffic over AF_ALG", function()
  local function hex(bytes)
    return (bytes:gsub(".", function(c) return ("%02x"):format(c:byte()) end))
  end

  -- Asked for one, the kernel refuses every accept with ECONNABORTED. The socket is AF_ALG in name
  -- only, so that this can be seen on any kernel.
  if csock.AF_ALG then
    it("accepts without asking for a peer's address", function()
      local listener = open(csock.AF_INET, csock.SOCK_STREAM)
      assert(listener:bind("127.0.0.1", 0))
      assert(listener:listen(1))
      local client <close> = open(csock.AF_INET, csock.SOCK_STREAM)
      assert(client:connect(listener:getsockname()))
      local s <close> =
        assert(csock.socket(csock.AF_ALG, csock.SOCK_SEQPACKET, 0, { fileno = listener:detach() }))
      local conn <close>, peer = assert(s:accept())
      assert.is_nil(peer)
      assert.is_true(conn:fileno() >= 0)
    end)
  end

  local algorithm, why = try("AF_ALG", "SOCK_SEQPACKET")
  local sentences = {
    "computes a hash", "computes a hash of pieces", "encrypts and decrypts",
    "refuses an algorithm that is not there",
  }
  if not algorithm then
    for _, sentence in ipairs(sentences) do skip(sentence, why) end
    return
  end
  algorithm:close()

  it(sentences[1], function()
    local s <close> = try("AF_ALG", "SOCK_SEQPACKET")
    assert(s:bind("hash", "sha256"))
    local op <close> = assert(s:accept())
    assert(op:sendall "abc")
    assert.are.equal("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
      hex(assert(op:recv(512))))
  end)

  it(sentences[2], function()
    local s <close> = try("AF_ALG", "SOCK_SEQPACKET")
    assert(s:bind { type = "hash", name = "sha1" })
    local op <close> = assert(s:accept())
    assert(op:send("a", csock.MSG_MORE))
    assert(op:send("b", csock.MSG_MORE))
    assert(op:send "c")
    assert.are.equal("a9993e364706816aba3e25717850c26c9cd0d89d", hex(assert(op:recv(512))))
  end)

  it(sentences[3], function()
    local s <close> = try("AF_ALG", "SOCK_SEQPACKET")
    assert(s:bind("skcipher", "cbc(aes)"))
    assert(s:setsockopt(csock.SOL_ALG, csock.ALG_SET_KEY, ("k"):rep(16)))
    local op <close> = assert(s:accept())
    local iv, text = ("i"):rep(16), "a block of bytes"
    local function run(what, data)
      assert(op:sendmsg_afalg({ data }, { op = what, iv = iv }))
      return assert(op:recv(#data))
    end
    local cipher = run(csock.ALG_OP_ENCRYPT, text)
    assert.are_not.equal(text, cipher)
    assert.are.equal(text, run(csock.ALG_OP_DECRYPT, cipher))
  end)

  it(sentences[4], function()
    local s <close> = try("AF_ALG", "SOCK_SEQPACKET")
    local ok, err = s:bind("hash", "nosuch")
    assert.is_nil(ok)
    assert.are.equal("ENOENT", err.name)
  end)
end)

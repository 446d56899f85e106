-- The numbers: against a list of Python's, and against this system's own headers.
local csock = require "csock"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local families = {
  "AF_", "PF_", "SOCK_", "SO_", "SOL_", "TCP_", "UDP_", "IP_", "IPV6_", "IPPROTO_", "MSG_", "INADDR_",
  "IPPORT_", "IFF_", "SIOC%u", "FIO%u", "SHUT_", "NI_", "AI_", "EAI_", "EPOLL[%u_]", "POLL%u", "PACKET_",
  "NETLINK_", "SCM_", "VMADDR_", "MCAST_", "NLM_F_", "RTMGRP_", "J1939_", "ALG_", "CAN_ISOTP_", "CAN_ERR_",
}

-- Macros whose names look like constants' and which are none, here or anywhere.
local no_constant = {
  SCM_SRCRT = "names another macro that is not there",
  CAN_ISOTP_DEFAULT_FLAGS = "what a program need not say",
  NETLINK_CONNECTED = "a state inside the kernel", NETLINK_UNCONNECTED = "the same",
  TCP_QUEUES_NR = "a count",
}

-- What is each libc's own: the headers judge them.
local of_libc = { NI_MAXHOST = true, SOMAXCONN = true }

local headers = {
  "sys/socket.h", "sys/un.h", "sys/ioctl.h", "sys/epoll.h", "poll.h", "netdb.h", "net/if.h", "netinet/in.h",
  "netinet/tcp.h", "netinet/udp.h", "netinet/ip.h", "errno.h", "linux/errqueue.h", "linux/net_tstamp.h",
  "linux/sockios.h", "linux/netlink.h", "linux/rtnetlink.h", "linux/if_packet.h", "linux/if_ether.h",
  "linux/if_alg.h", "linux/can.h", "linux/can/raw.h", "linux/can/error.h", "linux/can/isotp.h",
  "linux/can/j1939.h", "linux/tipc.h", "linux/vm_sockets.h", "linux/qrtr.h", "linux/mptcp.h", "linux/rds.h",
  "linux/if_xdp.h",
}

local function cc(flags, text)
  local argv = { os.getenv "CC" or "cc", "-w", table.unpack(flags) }
  local status, out, err = process.run(argv, { input = text, timeout = 60 })
  assert(status == 0, err)
  return out
end

local includes = { "#define _GNU_SOURCE 1\n#include <sys/types.h>\n#include <stdio.h>\n" }
for _, name in ipairs(headers) do
  includes[#includes + 1] = ("#if __has_include(<%s>)\n#include <%s>\n#endif\n"):format(name, name)
end
includes = table.concat(includes)

local function in_a_family(name)
  for _, family in ipairs(families) do
    if name:find("^" .. family) then return true end
  end
end

-- The values of all names that the headers define, as macros or enumerators, and that csock has or
-- should have.
local function header_values()
  local names = {}
  local function add(name)
    if not no_constant[name] and (math.type(csock[name]) == "integer" or in_a_family(name)) then
      names[name] = true
    end
  end
  for name in cc({ "-E", "-dM", "-x", "c", "-" }, includes):gmatch "#define ([%w_]+) %S" do add(name) end
  for body in cc({ "-E", "-P", "-x", "c", "-" }, includes):gmatch "enum[%s%w_]*(%b{})" do
    for name in body:gmatch "[%a_][%w_]*" do add(name) end
  end
  local program = { includes, "int main(void) {\n" }
  for name in pairs(names) do
    program[#program + 1] = ('  printf("%s %%lld\\n", (long long)(%s));\n'):format(name, name)
  end
  program[#program + 1] = "  return 0;\n}\n"
  local file = os.tmpname()
  cc({ "-x", "c", "-o", file, "-" }, table.concat(program))
  local _, out = process.run { file }
  os.remove(file)
  local values = {}
  for name, value in out:gmatch "(%S+) (%-?%d+)\n" do values[name] = math.tointeger(value) end
  return values
end

describe("constants", function()
  it("has every constant of Python's socket and select, with its value", function()
    local wrong, count = {}, 0
    for module, name, value in tree.read "spec/data/python_constants.tsv":gmatch "(%l+)\t([%w_]+)\t(%-?%d+)\n" do
      count = count + 1
      if not of_libc[name] and csock[name] ~= math.tointeger(value) then
        wrong[#wrong + 1] = ("%s.%s: %s, not %s"):format(module, name, csock[name], value)
      end
    end
    assert.same({}, wrong)
    assert.equal(371, count)
  end)

  it("has what this system's headers have beyond that, with the headers' values", function()
    local wrong, count = {}, 0
    for name, value in pairs(header_values()) do
      count = count + 1
      if csock[name] ~= value then wrong[#wrong + 1] = ("%s: %s, not %d"):format(name, csock[name], value) end
    end
    table.sort(wrong)
    assert.same({}, wrong)
    assert.is_true(count > 800, count)
  end)

  it("has IPv6", function()
    assert.is_true(csock.has_ipv6)
  end)
end)

describe("errno", function()
  it("gives the number of a name", function()
    assert.equal(2, csock.errno.ENOENT)
    assert.equal(select(3, io.open "/no/such/file"), csock.errno.ENOENT)
  end)

  it("gives the name of a number", function()
    assert.equal("ENOENT", csock.errno[2])
    assert.equal("ECONNREFUSED", csock.errno[csock.errno.ECONNREFUSED])
  end)

  it("gives the usual name where two share a number, and the number of both", function()
    assert.equal("EAGAIN", csock.errno[csock.errno.EWOULDBLOCK])
    assert.equal("EOPNOTSUPP", csock.errno[csock.errno.EOPNOTSUPP])
    assert.is_truthy(csock.errno.ENOTSUP)
    assert.is_truthy(csock.errno[csock.errno.ENOTSUP])
  end)

  it("leads from every name to a number and back to a name of that number", function()
    local count = 0
    for name, number in pairs(csock.errno) do
      if type(name) == "string" then
        count = count + 1
        assert.equal(number, csock.errno[csock.errno[number]], name)
      end
    end
    assert.is_true(count > 70)
  end)

  it("has every name that this system's headers have", function()
    local missing = {}
    for name in cc({ "-E", "-dM", "-x", "c", "-" }, "#include <errno.h>\n"):gmatch "#define (E[%u%d]+) %d" do
      if not csock.errno[name] then missing[#missing + 1] = name end
    end
    assert.same({}, missing)
  end)

  it("has no name for a number that is none", function()
    for _, number in ipairs { 0, -1, 99999, 2 ^ 40, 1 << 40, 2.5, 0 / 0, math.huge } do
      assert.is_nil(csock.errno[number])
    end
  end)

  it("has no number for what names no error", function()
    for _, name in ipairs { "ENONE", "", "EAGAIN\0", "AF_INET", true, print } do
      assert.is_nil(csock.errno[name])
    end
  end)

  it("takes a float for a number, as a table does, asked for before or not", function()
    assert.equal("EPERM", csock.errno[1.0])
    assert.equal("EPERM", csock.errno[1])
    assert.equal("EPERM", csock.errno[1.0])
  end)

  it("shows by pairs each name and each number", function()
    local shown = {}
    for key, value in pairs(csock.errno) do shown[key] = value end
    for name, number in pairs(shown) do
      if type(name) == "string" then assert.equal(csock.errno[number], shown[number]) end
    end
    assert.equal(csock.errno.EAGAIN, shown.EAGAIN)
    assert.equal(csock.errno.EWOULDBLOCK, shown.EWOULDBLOCK)
    assert.equal("EAGAIN", shown[csock.errno.EAGAIN])
  end)
end)

describe("strerror", function()
  it("gives the system's text", function()
    local _, text = io.open "/no/such/file"
    assert.equal(text:match ": (.*)", csock.strerror(csock.errno.ENOENT))
  end)

  it("has a text for every number", function()
    assert.is_string(csock.strerror(99999))
    assert.is_string(csock.strerror(-1))
    assert.is_string(csock.strerror(0))
  end)

  it("raises when the argument is no int", function()
    assert.has_error(function() csock.strerror(2 ^ 40) end)
    assert.has_error(function() csock.strerror "ENOENT" end)
  end)
end)

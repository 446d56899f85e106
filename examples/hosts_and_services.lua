-- hosts_and_services.lua: what the system knows about hosts, services and protocols, and the
-- conversions between a number's and an address's forms.
--
--   lua5.4 examples/hosts_and_services.lua [host]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

-- Prints one row: the call and its results, or why it failed (a machine may lack /etc/services).
local function row(call, ...)
  local results = table.pack(...)
  if results.n > 1 and not results[1] then
    results = { tostring(results[2]), n = 1 }
  end
  for i = 1, results.n do
    local value = results[i]
    results[i] = example.clean(type(value) == "table" and "{" .. table.concat(value, ", ") .. "}"
      or tostring(value))
  end
  print(("%-36s %s"):format(call, table.concat(results, "  ")))
end

-- The bytes of a string as they would be written in a program: "\x7f\x00\x00\x01".
local function bytes(data, err)
  if not data then return nil, err end
  return '"' .. data:gsub(".", function(c) return ("\\x%02x"):format(c:byte()) end) .. '"'
end

example.run(function()
  local host = example.arguments("host", "localhost")
  local called = ("(%q)"):format(host)

  row("gethostname()", csock.gethostname())
  row("getfqdn()", csock.getfqdn())
  row("gethostbyname" .. called, csock.gethostbyname(host))
  row("gethostbyname_ex" .. called, csock.gethostbyname_ex(host))
  row('gethostbyaddr("127.0.0.1")', csock.gethostbyaddr("127.0.0.1"))
  for _, info in ipairs(csock.getaddrinfo(host, 80, 0, csock.SOCK_STREAM) or {}) do
    row("getaddrinfo" .. called, info.addr)
  end

  row('getservbyname("http", "tcp")', csock.getservbyname("http", "tcp"))
  row('getservbyname("daytime", "udp")', csock.getservbyname("daytime", "udp"))
  row("getservbyport(80)", csock.getservbyport(80))
  row('getprotobyname("tcp")', csock.getprotobyname("tcp"))
  row('getprotobyname("udp")', csock.getprotobyname("udp"))

  row('inet_aton("222.76.216.16")', bytes(csock.inet_aton("222.76.216.16")))
  row('inet_ntoa("\\xde\\x4c\\xd8\\x10")', csock.inet_ntoa("\xde\x4c\xd8\x10"))
  row('inet_pton(AF_INET6, "::1")', bytes(csock.inet_pton(csock.AF_INET6, "::1")))

  -- The network sends the highest byte first; most machines keep the lowest byte first.
  row("htons(20000)", csock.htons(20000))
  row("ntohs(htons(20000))", csock.ntohs(csock.htons(20000)))
  row("htonl(20000)", csock.htonl(20000))
  row("ntohl(htonl(20000))", csock.ntohl(csock.htonl(20000)))
end)

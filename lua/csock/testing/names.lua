-- names.lua: the hosts of a network, and csock's look-ups among them.
local csock = require "csock"

local M = {}

-- The number by which a host is known: itself where it is a number, or none. nil: there is no such host.
function M.number(network, host)
  if type(host) ~= "string" or host == "" or host == "<broadcast>" or host:find(":", 1, true) then return host end
  if csock.inet_pton(csock.AF_INET, host) then return host end
  return network.hosts[host:lower()]
end

-- Whether an address is the network's own.
function M.is_local(network, address)
  local host = address.host
  return host == "0.0.0.0" or host == "::" or host == "::1" or host:find "^127%." ~= nil or network.names[host] ~= nil
end

local function unknown(call, name, kind)
  local info = { call = call, errno = csock[kind], kind = "gaierror", name = kind, address = name }
  info.strerror = kind == "EAI_NONAME" and "Name or service not known" or kind
  return csock.make_error(info)
end

-- An address of the family from arguments (an address value, a table, the parts); nil, err, errno.
function M.address(network, call, family, ...)
  local first, port = ...
  if type(first) == "userdata" then return first end
  local parts = table.pack(...)
  if type(first) == "table" then
    if first.raw then return csock.address(first) end
    parts = table.pack(table.unpack(first, 1, 4))
    parts[1] = first[1] or first.host
    parts[2] = first[2] or first.port
    parts.n = math.max(2, parts.n)
    while parts.n > 2 and parts[parts.n] == nil do parts.n = parts.n - 1 end
  elseif port == nil then
    return csock.address(family, ...) -- which says what is wrong with it
  end
  local number = M.number(network, parts[1])
  if number == nil and type(parts[1]) == "string" then return unknown(call, parts[1], "EAI_NONAME") end
  if number ~= nil then parts[1] = number end
  return csock.address(family, table.unpack(parts, 1, parts.n))
end

-- csock's functions that look names up, for this network. `plain`: the real ones.
function M.functions(network, plain)
  local F = {}

  function F.getaddrinfo(host, port, ...)
    local number = M.number(network, host)
    if number ~= nil or host == nil then return plain.getaddrinfo(number, port, ...) end
    if type(host) ~= "string" then return plain.getaddrinfo(host, port, ...) end
    return unknown("getaddrinfo", host, "EAI_NONAME")
  end

  function F.gethostbyname(host, ...)
    local number = M.number(network, host)
    if number ~= nil or type(host) ~= "string" then return plain.gethostbyname(number or host, ...) end
    return unknown("gethostbyname", host, "EAI_NONAME")
  end

  function F.gethostbyname_ex(host, ...)
    local number, err, errno = F.gethostbyname(host, ...)
    if not number then return nil, err, errno end
    return network.names[number] or host, {}, { number }
  end

  function F.gethostbyaddr(host, ...)
    local number, err, errno = F.gethostbyname(host, ...)
    if not number then return nil, err, errno end
    local name = network.names[number]
    if not name then return unknown("gethostbyaddr", host, "EAI_NONAME") end
    return name, {}, { number }
  end

  return F
end

return M

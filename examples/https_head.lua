-- https_head.lua: asks a web server for the head of `/` over TLS, and prints it, and what was agreed on
-- with whom.
--
--   lua5.4 examples/https_head.lua [host] [port]
--
--   --cafile FILE    whom to trust, in PEM, instead of the system's authorities
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local LINE, LINES = 8192, 100 -- more is no web server
local PATIENCE = 30 -- seconds

-- The lines of the head: the status line, then the fields.
local function read_head(stream)
  local lines = {}
  while true do
    local line, err = example.read_line(stream, LINE, function()
      example.fail("the server says a line of over %d bytes", LINE)
    end)
    if not line then example.fail("%s", err or "the server has closed the connection") end
    if line == "" then return lines end
    lines[#lines + 1] = line
    if #lines > LINES then example.fail("a head of over %d lines", LINES) end
  end
end

-- The names that a certificate is for.
local function names(certificate)
  local list = {}
  for _, pair in ipairs(certificate.subjectAltName or {}) do list[#list + 1] = pair[2] end
  return table.concat(list, ", ")
end

-- Who a name of Python's form is: its last part, which says most.
local function who(name)
  local part = name[#name] and name[#name][1]
  return part and part[2] or "?"
end

example.run(function()
  local cafile = example.value("--cafile", "FILE")
  local host, port = example.arguments("host", "localhost", "port", 443)
  local ssl = require "csock.ssl"

  local context = assert(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, { cafile = cafile }))
  context:set_alpn_protocols { "http/1.1" }
  local socket <close> = assert(csock.create_connection({ host, port }, { ssl = context, timeout = PATIENCE }))
  local shown = host:find ":" and "[" .. host .. "]" or host
  if port ~= 443 then shown = shown .. ":" .. port end
  assert(socket:sendall("HEAD / HTTP/1.1\r\nHost: " .. shown .. "\r\nConnection: close\r\n\r\n"))

  local stream <close> = assert(socket:makefile "r")
  local head
  repeat
    head = read_head(stream)
    local status = (head[1] or ""):match "^HTTP/1%.%d (%d%d%d)"
    if not status then example.fail("this is no web server: it says '%.60s'", head[1] or "") end
  until tonumber(status) >= 200 -- 1xx: the answer is still to come
  for _, line in ipairs(head) do print(example.clean(line)) end

  local certificate = socket:getpeercert()
  local cipher, _, bits = socket:cipher()
  print()
  print(("%s, %s (%d bits)"):format(socket:version(), cipher, bits))
  print(example.clean("certificate for: " .. names(certificate)))
  print(example.clean("issued by: " .. who(certificate.issuer)))
  print("valid until: " .. certificate.notAfter)
end)

-- web_client.lua: fetches `/` from a web server and saves it to a file; it says the status, the
-- length, and whether all of the announced length came. All by hand, to show what HTTP is.
--
--   lua5.4 examples/web_client.lua [host] [port] [file]
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local MOST = 65536 -- bytes of a head or of a line; more is no web server

-- One line of the head or of the chunks, without its end.
local function read_line(stream)
  local line, err = stream:read_until("\n", MOST)
  if not line then example.fail("%s", err or "the server has closed the connection") end
  return (line:gsub("\r?\n$", ""))
end

-- The status line and the header fields, their names in lower case.
local function read_head(stream)
  local status_line = read_line(stream)
  local status = status_line:match("^HTTP/1%.%d (%d%d%d)")
  if not status then example.fail("this is no web server: it says '%.60s'", status_line) end
  local fields, size = {}, 0
  while true do
    local line = read_line(stream)
    if line == "" then return status_line, tonumber(status), fields end
    size = size + #line
    if size > MOST then example.fail("a head of over %d bytes", MOST) end
    local name, value = line:match("^([^%s:]+):%s*(.-)%s*$")
    if name then fields[name:lower()] = value end
  end
end

-- Copies `length` bytes (all that come, when it is nil). Returns how many came, and what went
-- wrong.
local function copy(stream, file, length)
  local count = 0
  while not length or count < length do
    local data, err = stream:read(math.min(8192, length and length - count or 8192))
    if not data then return count, err end
    assert(file:write(data))
    count = count + #data
  end
  return count
end

-- Copies a body in chunks: each has its length before it, in hexadecimal; the last is empty.
-- Returns how many bytes came, and whether that was all.
local function copy_chunks(stream, file)
  local total = 0
  while true do
    local line = stream:read_until("\n", MOST)
    local length = line and tonumber(line:match("^%x+") or "", 16)
    if not length or length < 0 then return total, false end
    if length == 0 then return total, true end
    local count = copy(stream, file, length)
    total = total + count
    if count < length or not stream:read_until("\n", MOST) then return total, false end
  end
end

example.run(function()
  local host, port, name = example.arguments("host", "localhost", "port", 80, "file", "index.html")
  local shown = host:find(":") and "[" .. host .. "]" or host
  if port ~= 80 then shown = shown .. ":" .. port end

  local socket <close> = assert(csock.create_connection({ host, port }, { timeout = 30 }))
  assert(socket:sendall(
    "GET / HTTP/1.1\r\n" ..
    "Host: " .. shown .. "\r\n" ..
    "Connection: close\r\n\r\n"))

  local stream <close> = assert(socket:makefile("r"))
  local status_line, status, fields
  repeat
    status_line, status, fields = read_head(stream)
  until status >= 200 -- 1xx: the answer is still to come
  print(status_line)

  local file <close> = assert(io.open(name, "wb"))
  local announced = fields["content-length"]
  local count, complete, verdict
  if (fields["transfer-encoding"] or ""):lower():find("chunked") then
    count, complete = copy_chunks(stream, file)
    verdict = complete and "all chunks came" or "INCOMPLETE: the last chunk did not come"
  elseif announced then
    local length = announced:find("^%d+$") and math.tointeger(announced)
    if not length then example.fail("the announced length is no number: '%.60s'", announced) end
    count = copy(stream, file, length)
    complete = count == length
    verdict = (complete and "all of the %d announced bytes came"
      or "INCOMPLETE: %d bytes were announced"):format(length)
  else
    local err
    count, err = copy(stream, file)
    complete = not err
    verdict = complete and "no length was announced" or "INCOMPLETE: " .. err
  end
  assert(file:flush())

  print(("%d bytes saved to %s: %s"):format(count, name, verdict))
  if not complete then os.exit(1, true) end
end)

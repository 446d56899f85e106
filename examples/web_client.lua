-- web_client.lua: fetches `/` from a web server and saves it to a file; it says the status, the
-- length, and whether all of the announced length came. What is not the page, such as the text that
-- comes with a 404, is not saved. All by hand, to show what HTTP is.
--
--   lua5.4 examples/web_client.lua [host] [port] [file]
--
--   --tls            over TLS (https), on port 443 unless told
--   --cafile FILE    whom to trust then, in PEM, instead of the system's authorities
local example = dofile((arg[0]:gsub("[^/]*$", "common.lua")))
local csock = require "csock"

local MOST = 65536 -- bytes of a head or of a line; more is no web server

-- One line of the head or of the chunks, without its end; nil and why when it did not come.
local function read_line(stream)
  local line, err = example.read_line(stream, MOST, function()
    example.fail("the server says a line of over %d bytes", MOST)
  end)
  return line, err or "the server has closed the connection"
end

-- The status line, the status in it, and the header fields, their names in lower case.
local function read_head(stream)
  local function line()
    local text, err = read_line(stream)
    return text or example.fail("%s", err)
  end
  local status_line = line()
  local status = status_line:match("^HTTP/1%.%d (%d%d%d)")
  if not status then example.fail("this is no web server: it says '%.60s'", status_line) end
  local fields, size = {}, 0
  while true do
    local text = line()
    if text == "" then return status_line, tonumber(status), fields end
    size = size + #text
    if size > MOST then example.fail("a head of over %d bytes", MOST) end
    local name, value = text:match("^([^%s:]+):%s*(.-)%s*$")
    if name then fields[name:lower()] = value end
  end
end

-- Copies `length` bytes, or all that come. Returns how many came, and what went wrong, if anything.
local function copy(stream, file, length)
  local count = 0
  while count < length do
    local ready, err = stream:peek() -- what is there, without waiting for more
    if not ready or ready == "" then return count, err end
    local data = assert(stream:read(math.min(#ready, length - count)))
    example.check(file:write(data))
    count = count + #data
  end
  return count
end

-- Copies a body in chunks: each has its length before it, in hexadecimal; the last is empty.
-- Returns how many bytes came, and whether that was all.
local function copy_chunks(stream, file)
  local total = 0
  while true do
    local line = read_line(stream)
    local digits = line and line:match("^%x+")
    local length = digits and #digits < 16 and tonumber(digits, 16)
    if not length then return total, false end
    if length == 0 then return total, true end
    local count = copy(stream, file, length)
    total = total + count
    if count < length or read_line(stream) ~= "" then return total, false end
  end
end

example.run(function()
  local cafile = example.value("--cafile", "FILE")
  local tls = example.option "--tls"
  local host, port, name = example.arguments("host", "localhost", "port", 80, "file", "index.html")
  local usual = tls and 443 or 80
  if port == 80 then port = usual end -- nobody speaks TLS there
  local ssl = tls and require "csock.ssl"
  local context = ssl and assert(ssl.create_default_context(ssl.Purpose.SERVER_AUTH, { cafile = cafile })) or nil
  local shown = host:find(":") and "[" .. host .. "]" or host
  if port ~= usual then shown = shown .. ":" .. port end

  local socket <close> = assert(csock.create_connection({ host, port }, { timeout = 30, ssl = context }))
  assert(socket:sendall(
    "GET / HTTP/1.1\r\n" ..
    "Host: " .. shown .. "\r\n" ..
    "Connection: close\r\n\r\n"))

  local stream <close> = assert(socket:makefile("r"))
  local status_line, status, fields
  repeat
    status_line, status, fields = read_head(stream)
  until status >= 200 -- 1xx: the answer is still to come
  print(example.clean(status_line))
  if status > 299 then
    local place = fields.location
    example.fail("nothing is saved: this is not the page%s", place and "; it is at " .. place or "")
  end

  local file <close> = example.check(io.open(name, "wb"))
  local announced = fields["content-length"]
  local count, complete, verdict
  if (fields["transfer-encoding"] or ""):lower() == "chunked" then
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
    count, err = copy(stream, file, math.huge)
    complete = not err
    verdict = complete and "no length was announced" or "INCOMPLETE: " .. err
  end
  example.check(file:flush())

  print(("%d bytes saved to %s: %s"):format(count, name, verdict))
  if not complete then os.exit(1, true) end
end)

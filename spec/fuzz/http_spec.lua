-- csock's parser of HTTP and node's (llhttp) look at the same bytes: right, nearly right and wrong messages, the same
-- in every run. They have to agree on where each message ends, on all that is in it, and on what is refused, or else
-- the tables below have to say why not. FUZZ_SECONDS in the environment: new messages follow for so long.
local csock = require "csock"
local fuzz = require "spec.fuzz.http"
local posix = require "spec.support.posix"
local process = require "spec.support.process"

local BATCH, BATCHES = 1000, 40
local seconds = tonumber(os.getenv "FUZZ_SECONDS") or 0

-- What csock refuses and node does not, by what csock says. Any other refusal must be node's too.
local stricter = {
  ["the request line is malformed"] = "node takes a line without a version for HTTP/0.9",
  ["a line ends without CR"] = "the same, of a line that ends with LF",
  ["the method is no token"] = "node passes over any CR and LF before a request; csock over one CRLF (RFC 9112, 2.2)",
  ["the protocol is no HTTP"] = "and before a response, where nothing allows it",
  ["the target is malformed"] = "the forms of a target (RFC 9112, 3.2) and fragments are no matter of node's parser",
  ["the version of HTTP is neither 1.0 nor 1.1"] = "node's parser has 0.9 and 2.0 too",
  ["the status line is malformed"] = "a status below 100, and control characters in the reason",
  ["no Host"] = "node's server looks at this, not its parser",
  ["more than one Host"] = "node takes the first",
  ["the Host is malformed"] = "node leaves it to the program",
  ["the Content-Length is no number of bytes"] = "node's numbers have 64 bits, Lua's 63",
  ["more than one Content-Length"] = "node does not count those of an answer that has no body",
  ["both Content-Length and Transfer-Encoding"] = "node does not mind where the coding is not chunked",
  ["the Transfer-Encoding does not end with one chunked"] =
    "node reads a response with it until the connection ends, and takes the last of several headers",
  ["the Transfer-Encoding is malformed"] = "node passes over what is empty, and what is before the last comma",
  ["a Transfer-Encoding besides chunked"] = "node gives the body as it is: nobody decodes it",
  ["a Transfer-Encoding in HTTP/1.0"] = "node decodes it; what is between may not (RFC 9112, 6.1)",
  ["a CONNECT with a body"] = "node takes it for the first bytes of the tunnel",
  ["the extensions of a chunk are malformed"] = "node takes an empty value, and more behind a quoted one",
  ["a Content-Length or a Transfer-Encoding among the trailers"] = "node refuses the first alone",
  ["the body is longer than the limit"] = "all chunks together have 2^64 bytes or more: node does not add them up",
}

-- What node refuses and csock does not, by node's code: whether it is such a case.
local more_lenient = {
  -- Node has a list of methods; RFC 9110, 9.1 has none.
  HPE_INVALID_METHOD = function(letter) return letter == "Q" end,
  -- Node's schemes are of letters alone (RFC 3986, 3.1).
  HPE_INVALID_URL = function(_, bytes) return bytes:find " %a+[%d+.-][%w+.-]*://" end,
  -- Node trims blanks from these, but no tabs (RFC 9110, 5.6.3 has both).
  HPE_INVALID_TRANSFER_ENCODING = function(_, bytes) return bytes:lower():find "transfer%-encoding:[^\n]*\t" end,
  HPE_INVALID_CONTENT_LENGTH = function(_, bytes) return bytes:lower():find "content%-length:[^\n]*\t" end,
  -- Node takes a Connection among the trailers for a header; csock keeps the two apart (RFC 9110, 6.5.1).
  HPE_CLOSED_CONNECTION = function(_, bytes) return bytes:find "\n0+;?%w*\r\n.*[Cc]onnection:" end,
}

-- What both accept and find something else in: by their texts, split at their zero bytes (state: keep, close, upgrade).
local differing = {
  { "An answer to HEAD ends with its head: another may follow, whatever node says of one that promises nothing.",
    function(letter, ours, theirs) return letter == "H" and ours.state == "keep" and theirs.state == "close" end },
  { "A 1xx or 204 that promises a body may be followed by one: csock ends such a connection; node reads it, or says "
      .. "what is wrong with it.",
    function(_, ours, theirs)
      return (ours[1]:find "^1" or ours[1] == "204") and ours.state == "close" and theirs.state ~= "close"
    end },
  { "After a 101 comes another protocol, also when the answer does not name it.",
    function(_, ours) return ours[1] == "101" and ours.state == "upgrade" end },
  { "In an answer, node does not see a chunked that has a tab beside it: it reads until the connection ends.",
    function(_, _, theirs, bytes)
      return theirs.state == "close" and bytes:lower():find "transfer%-encoding:[^\n]*\t"
    end },
}

local function split(text)
  local parts = {}
  for part in ((text or "") .. "\0"):gmatch "([^\0]*)\0" do parts[#parts + 1] = part end
  parts.state = parts[4]
  return parts
end

-- Whether it does not matter how `ours` and `theirs` differ, if they do; else what is wrong.
local function agree(letter, bytes, ours, theirs)
  local k = 1
  while ours[k] and ours[k] == theirs[k] do k = k + 1 end
  local a, b = ours[k], theirs[k]
  local error_a, error_b = not a and ours.last == "error", not b and theirs.last:find "^HPE_" ~= nil
  if not a and not b and ours.last == theirs.last or error_a and error_b then return true end
  for _, case in ipairs(differing) do
    if case[2](letter, split(a), split(b), bytes) then return true end
  end
  if error_a then return stricter[ours.why.strerror] ~= nil end
  if error_b then
    -- Nothing is said of a line before it is complete.
    if ours.last == "more" and not a and fuzz.look(letter, bytes .. "\r\n\r\n").why then return true end
    local test = more_lenient[theirs.last]
    return test and test(letter, bytes) and true or false
  end
  return false
end

-- What node says of the items of a batch.
local function answers(stream, items)
  local parts = {}
  for i, item in ipairs(items) do parts[i] = string.pack("<I4", #item.bytes) .. item.letter .. item.bytes end
  local all = table.concat(parts)
  assert(stream:write(string.pack("<I4", #all), all))
  assert(stream:flush())
  local reply, at = assert(stream:read((string.unpack("<I4", assert(stream:read(4)))))), 1
  local list = {}
  for i = 1, #items do
    local found, count = {}, string.unpack("<I4", reply, at)
    at = at + 4
    for k = 1, count do found[k], at = string.unpack("<s4", reply, at) end
    found.last, at = string.unpack("<s4", reply, at)
    list[i] = found
  end
  return list
end

local function show(found)
  local list = {}
  for i, text in ipairs(found) do list[i] = ("%q"):format(text) end
  list[#list + 1] = found.last .. (found.why and ": " .. found.why.strerror or "")
  return table.concat(list, "\n  ")
end

describe("csock's and node's parser of HTTP", function()
  local node = io.popen "command -v node":read "a" ~= ""

  it("agree on what is in the same bytes", function()
    if not node then return pending "no node" end
    local listener <close> = assert(csock.create_server { "127.0.0.1", 0 })
    listener:settimeout(20 * process.slowness)
    local port = tostring(listener:getsockname().port)
    local _ <close> = process.start { "node", "spec/fuzz/http_peer.js", port }
    local socket <close> = assert(listener:accept())
    socket:settimeout(20 * process.slowness)
    local stream <close> = assert(socket:makefile("rw", 65536))
    local deadline, batches, messages, refused = posix.monotonic() + seconds, 0, 0, 0
    fuzz.seed(1)
    while batches < BATCHES // process.slowness or posix.monotonic() < deadline do
      batches = batches + 1
      if batches == BATCHES + 1 then fuzz.seed(os.time()) end
      local items = {}
      for i = 1, BATCH do
        local letter, bytes = fuzz.make()
        items[i] = { letter = letter, bytes = bytes }
      end
      for i, theirs in ipairs(answers(stream, items)) do
        local letter, bytes = items[i].letter, items[i].bytes
        local ours = fuzz.look(letter, bytes)
        messages, refused = messages + #ours, refused + (ours.why and 1 or 0)
        if not agree(letter, bytes, ours, theirs) then
          error(("%s %q\ncsock:\n  %s\nnode:\n  %s"):format(letter, bytes, show(ours), show(theirs)))
        end
      end
    end
    local counts = ("%d items: %d messages taken, %d items refused"):format(batches * BATCH, messages, refused)
    assert(messages > batches * BATCH // 2 and refused > batches * BATCH // 5, counts)
    if seconds > 0 then print(counts) end
  end)
end)

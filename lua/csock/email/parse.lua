-- parse.lua: from bytes to messages. Nothing is lost: what is written again is what was read.
--
-- What is wrong is listed in the `defects` of the message, under the names of Python's email.errors. A line ends with
-- LF or CRLF.
local check = require "csock.check"
local csock = require "csock"
local message = require "csock.email.message"

local lower = require("csock.wire.ascii").lower

local M = {}

-- Rows of options (see csock.check): what a stranger's message may cost.
M.OPTIONS = {
  max_size = { check.integer(0), 1 << 30 },  -- bytes of all of it
  max_header = { check.integer(0), 1 << 20 }, -- bytes of the fields of a message or part
  max_parts = { check.integer(1), 10000 },    -- of all messages in it together
  max_depth = { check.integer(1), 100 },      -- of parts in parts
  headersonly = { check.ANY },                -- what is behind the fields is one payload
}

-- Raised as an error value, and caught by `M.parse`.
local function too_much(limit, value)
  error(select(2, csock.make_error {
    call = "parse", errno = csock.errno.EMSGSIZE, strerror = ("more than %d: %s"):format(value, limit), kind = "limit",
  }))
end

-- --- fields ---------------------------------------------------------------------------------------

local function defect(msg, name) table.insert(msg.defects, name) end

-- A line among the fields that is none: where the body begins, or nil, if it is kept among them.
local function read_stray(msg, line, at, before)
  local fields = msg._fields
  if line:find "^From " then
    if #fields == 0 and not before then
      msg.unixfrom = line
      return nil
    end
    defect(msg, "MisplacedEnvelopeHeaderDefect")
  elseif line:find "^:" then
    defect(msg, "InvalidHeaderDefect")
  else
    defect(msg, "MissingHeaderBodySeparatorDefect")
    return at
  end
  fields[#fields + 1] = { false, line }
end

-- Where the lines end that go on with a field, of which the first ends here: all of them, since one by one the field
-- would be copied for each.
local function end_of_lines(text, last, limits)
  while text:find("^[ \t]", last + 1) do
    last = text:find("\n", last + 1, true) or #text
    if last > limits.max_header then too_much("max_header", limits.max_header) end
  end
  return last
end

-- Reads the fields: where the body begins. `msg._separator` is what is between them.
local function read_fields(msg, text, limits)
  local fields, at, size = msg._fields, 1, #text
  while at <= size do
    local last = text:find("\n", at, true) or size
    if last > limits.max_header then too_much("max_header", limits.max_header) end
    local first = text:byte(at)
    if first == 32 or first == 9 then
      local field = fields[#fields]
      if field and field[1] then
        last = end_of_lines(text, last, limits)
        field[2] = field[2] .. text:sub(at, last)
      else
        defect(msg, "FirstHeaderLineIsContinuationDefect")
        fields[#fields + 1] = { false, text:sub(at, last) }
      end
    elseif first == 10 or first == 13 and text:byte(at + 1) == 10 then
      msg._separator = text:sub(at, last)
      return last + 1
    else
      local line = text:sub(at, last)
      local name, raw = line:match "^([!-9;-~]+):(.*)$"
      if name then
        fields[#fields + 1] = { name, raw, lower(name) }
      else
        local body = read_stray(msg, line, at, at > 1)
        if body then
          msg._separator = ""
          return body
        end
      end
    end
    at = last + 1
  end
  msg._separator = ""
  return size + 1
end

-- --- parts ----------------------------------------------------------------------------------------

-- The next line that is a delimiter, from `at` on: where it begins with the end of the line before, where it
-- itself begins, what is behind it, and whether it is the last one.
local function next_delimiter(text, sign, at)
  while true do
    local first, last = text:find(sign, at, true)
    if not first then return nil end
    if first == 1 or text:byte(first - 1) == 10 then
      local close, behind = text:match("^(%-?%-?)[ \t]*\r?\n()", last + 1)
      if not close then close, behind = text:match("^(%-?%-?)[ \t]*()$", last + 1) end
      if close and close ~= "-" then
        local before = first
        if before > 1 then before = before - 1 end
        if before > 1 and before < first and text:byte(before - 1) == 13 then before = before - 1 end
        return before, first, behind, close ~= ""
      end
    end
    at = last + 1
  end
end

local read_message

-- The parts of a multipart: where they are, and how they were written. false: there is not even the first delimiter.
local function read_parts(msg, text, boundary, limits, depth, inner)
  local sign = "--" .. boundary
  local default = msg:get_content_type() == "multipart/digest" and "message/rfc822" or "text/plain"
  local before, first, behind, closed = next_delimiter(text, sign, 1)
  if not before or closed then return false end
  local layout, parts, from = { marks = {}, boundary = boundary }, {}, before
  if first > 1 then msg.preamble = text:sub(1, before - 1) end
  while true do
    local upto, start, next_behind, last = next_delimiter(text, sign, behind)
    while upto and start == behind and not last do -- another one just behind it: there is no part between them
      behind = next_behind
      upto, start, next_behind, last = next_delimiter(text, sign, behind)
    end
    layout.marks[#layout.marks + 1] = text:sub(from, behind - 1)
    if last and start == behind then -- the end just behind it
      layout.close, behind = text:sub(start, next_behind - 1), next_behind
      break
    end
    parts[#parts + 1] = read_message(text:sub(behind, upto and upto - 1 or #text), limits, depth + 1, default, nil,
      true)
    if not upto then
      defect(msg, "CloseBoundaryNotFoundDefect")
      break
    end
    from, behind = upto, next_behind
    if last then
      layout.close = text:sub(upto, behind - 1)
      break
    end
  end
  -- A part's last line end is its delimiter's, so that an epilogue is what is behind one.
  if layout.close and (layout.close:find "\n$" or not inner) then msg.epilogue = text:sub(behind) end
  msg._parts, msg._layout = parts, layout
  layout.parts, layout.preamble, layout.epilogue = { table.unpack(parts) }, msg.preamble, msg.epilogue
  return true
end

-- message/delivery-status: blocks of fields, with empty lines between them.
local function read_blocks(msg, text, limits, depth)
  local parts = {}
  local at = 1
  repeat
    local block = message.new(nil, "text/plain")
    limits.count = limits.count + 1
    if limits.count > limits.max_parts then too_much("max_parts", limits.max_parts) end
    local rest = text:sub(at)
    local behind = read_fields(block, rest, limits)
    if block._separator == "" and behind <= #rest then -- no field: a body, up to the next empty line
      local upto = select(2, rest:find("\n\r?\n", behind)) or #rest
      block._payload, behind = rest:sub(behind, upto), upto + 1
    end
    parts[#parts + 1] = block
    at = at + behind - 1
  until at > #text or depth > limits.max_depth
  msg._parts = parts
end

local function read_body(msg, text, limits, depth, inner)
  local main = msg:get_content_maintype()
  msg._payload = text
  if limits.headersonly then return end
  if main == "multipart" then
    local boundary = msg:get_boundary()
    if not boundary or boundary == "" then
      defect(msg, "NoBoundaryInMultipartDefect")
    else
      local how = (msg:get("content-transfer-encoding") or "8bit"):lower()
      if how ~= "7bit" and how ~= "8bit" and how ~= "binary" then
        defect(msg, "InvalidMultipartContentTransferEncodingDefect")
      end
      if read_parts(msg, text, boundary, limits, depth, inner) then
        msg._payload = ""
        return
      end
      defect(msg, "StartBoundaryNotFoundDefect")
    end
    if depth == 1 then defect(msg, "MultipartInvariantViolationDefect") end
  elseif msg:get_content_type() == "message/delivery-status" then
    read_blocks(msg, text, limits, depth)
    msg._payload = ""
  elseif main == "message" then
    msg._parts = { read_message(text, limits, depth + 1, "text/plain", nil, inner) }
    msg._payload = ""
  end
end

-- `inner`: it ends at a delimiter.
function read_message(text, limits, depth, default_type, class, inner)
  if depth > limits.max_depth then too_much("max_depth", limits.max_depth) end
  limits.count = limits.count + 1
  if limits.count > limits.max_parts then too_much("max_parts", limits.max_parts) end
  local msg = message.new(class, default_type)
  local body = read_fields(msg, text, limits)
  local first = msg._fields[1]
  if (first and first[2] or msg._separator):find "\r\n$" then msg.linesep = "\r\n" end
  read_body(msg, text:sub(body), limits, depth, inner)
  return msg
end

-- The message in `text`; nil, error, errno when it is over a limit. `options` as of M.OPTIONS, read.
function M.parse(text, options, class)
  local limits = setmetatable({ count = 0 }, { __index = options })
  local ok, msg = pcall(function()
    if #text > options.max_size then too_much("max_size", options.max_size) end
    return read_message(text, limits, 1, "text/plain", class)
  end)
  if ok then return msg end
  if not csock.is_error(msg) then error(msg, 0) end
  return nil, msg, msg.errno
end

-- All that a file, a stream or a function that gives pieces has, up to the limit and one byte more; or nil, err, errno.
-- Where fields do not end (`max_header`, if it is given), that is seen before more is read.
function M.read_all(file, max_size, max_header)
  local pieces, size, ended = {}, 0, not max_header
  while size <= max_size do
    if not ended and size > max_header then
      local text = table.concat(pieces)
      ended = text:find "\n\r?\n" or text:find "^\r?\n"
      if not ended then break end -- it is refused when it is parsed
    end
    local piece, err, errno
    if type(file) == "function" then piece, err, errno = file() else piece, err, errno = file:read(65536) end
    if not piece or piece == "" then
      if err then return nil, err, errno end
      break
    end
    pieces[#pieces + 1], size = piece, size + #piece
  end
  return table.concat(pieces)
end

return M

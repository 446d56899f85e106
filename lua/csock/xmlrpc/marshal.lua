-- marshal.lua: from values to XML.
local base64 = require "csock.wire.base64"
local class = require "csock.class"
local csock = require "csock"
local shape = require "csock.rpc.shape"
local values = require "csock.xmlrpc.values"

local M = {}

local DEPTH = 100 -- of values in values: csock's own reader, and others, take no more

local ESCAPES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ["\r"] = "&#13;" } -- else CR LF would come as LF

-- Text that XML can hold (XML 1.0, section 2.2); raises for other bytes.
local function text_of(text)
  if text:find "[\0-\8\11\12\14-\31]" or not utf8.len(text) or text:find "\xEF\xBF[\xBE\xBF]" then
    error("a string that is no text: use xmlrpc.Binary", 0)
  end
  return (text:gsub("[&<>\r]", ESCAPES))
end

M.text = text_of

-- The shortest digits from which the same number comes back.
local function digits_of(number)
  if number ~= number then return "nan" end
  if number == math.huge or number == -math.huge then return number > 0 and "inf" or "-inf" end
  for precision = 15, 17 do
    local text = ("%%.%dg"):format(precision):format(number)
    if precision == 17 or tonumber(text) == number then
      text = text:gsub(",", ".") -- some locales'
      return text:find "[.e]" and text or text .. ".0"
    end
  end
end

M.digits = digits_of

local dump

local function dump_table(out, value, allow_none, depth, open)
  if open[value] then error("a table that holds itself", 0) end
  open[value] = true
  local is_array, count = shape.of(value)
  if is_array then
    out[#out + 1] = "<array><data>\n"
    for i = 1, count do dump(out, value[i], allow_none, depth, open) end
    out[#out + 1] = "</data></array>"
  else
    out[#out + 1] = "<struct>\n"
    for name, field in next, value do
      out[#out + 1] = "<member>\n<name>" .. text_of(name) .. "</name>\n"
      dump(out, field, allow_none, depth, open)
      out[#out + 1] = "</member>\n"
    end
    out[#out + 1] = "</struct>"
  end
  open[value] = nil
end

local function dump_any(out, value, allow_none, depth, open)
  local kind = math.type(value) or type(value)
  if kind == "string" then
    out[#out + 1] = "<string>" .. text_of(value) .. "</string>"
  elseif kind == "integer" then
    local tag = (value > 0x7fffffff or value < -0x80000000) and "i8" or "int"
    out[#out + 1] = ("<%s>%d</%s>"):format(tag, value, tag)
  elseif kind == "float" then
    out[#out + 1] = "<double>" .. digits_of(value) .. "</double>"
  elseif kind == "boolean" then
    out[#out + 1] = value and "<boolean>1</boolean>" or "<boolean>0</boolean>"
  elseif value == nil or value == shape.null then
    if not allow_none then error("nil cannot be sent unless allow_none is set", 0) end
    out[#out + 1] = "<nil/>"
  elseif class.isinstance(value, values.Binary) then
    out[#out + 1] = "<base64>\n" .. base64.encode(value.data):gsub(("."):rep(76), "%0\n") .. "\n</base64>"
  elseif class.isinstance(value, values.DateTime) then
    out[#out + 1] = "<dateTime.iso8601>" .. text_of(value.value) .. "</dateTime.iso8601>"
  elseif kind == "table" then
    dump_table(out, value, allow_none, depth, open)
  else
    error(("a %s cannot be sent"):format(kind), 0)
  end
end

function dump(out, value, allow_none, depth, open)
  if depth >= DEPTH then error(("values in values, deeper than %d"):format(DEPTH), 0) end
  out[#out + 1] = "<value>"
  dump_any(out, value, allow_none, depth + 1, open)
  out[#out + 1] = "</value>\n"
end

-- Whether this is a Fault.
function M.is_fault(value)
  return csock.is_error(value) and value.name == "Fault" and value.kind == "xmlrpc"
end

-- The XML of parameters, or of a fault, without a frame. Raises what cannot be sent.
function M.dump(params, allow_none)
  local out = {}
  if M.is_fault(params) then
    out[1] = "<fault>\n"
    dump(out, { faultCode = params.code, faultString = params.text }, false, 0, {})
    out[#out + 1] = "</fault>\n"
    return table.concat(out)
  end
  out[1] = "<params>\n"
  for i = 1, params.n or #params do
    out[#out + 1] = "<param>\n"
    dump(out, params[i], allow_none, 0, {})
    out[#out + 1] = "</param>\n"
  end
  out[#out + 1] = "</params>\n"
  return table.concat(out)
end

return M

--- Base64, as HTTP and mail have it (RFC 4648, section 4; RFC 2045, section 6.8).
--
-- What comes in pieces is turned by a *coder*: `encoder` and `decoder` make them, here and in `csock.wire.quoted`, and
-- `stuffer` and `unstuffer` in `csock.wire.dots`.
-- @module csock.wire.base64
local check = require "csock.check"
local core = require "csock.core"

local M = {}

local coding = core.coding
local ENCODER, DECODER, LENIENT = coding.base64_encoder(), coding.base64_decoder(), coding.base64_decoder(true)

local LINE_END = check.one_of("\"\\r\\n\" or \"\\n\"", "\r\n", "\n")
local ENCODING = { columns = { check.integer(4, 1 << 20), 0, 0 }, linesep = { LINE_END, "\r\n" } }
local DECODING = { lenient = { check.ANY } }

--- Encodes bytes.
-- @function encode
-- @tparam string bytes
-- @treturn string without line ends
-- @usage print(base64.encode "hello") --> aGVsbG8=
function M.encode(bytes) return ENCODER:whole(bytes) end

--- Decodes: blanks and line ends are passed over, the padding may be missing.
-- @function decode
-- @tparam string text
-- @tparam[opt] table options
-- @tparam bool options.lenient as Python's email does it: other characters are passed over, too, and all behind the
-- padding
-- @treturn[1] string
-- @treturn[1] ?string ... of a lenient decoder: what was wrong: `"characters"`, `"padding"`, `"length"`, in this order
-- @treturn[2] nil for what is no base64
-- @treturn[2] error
-- @treturn[2] int errno (EBADMSG)
-- @usage
-- print(base64.decode "aGVsbG8=") --> hello
-- print(base64.decode("aGVs-bG8", {lenient = true})) --> hello characters padding
function M.decode(text, options)
  if options == nil then return DECODER:whole(text) end
  return (check.options(options, DECODING, 2, "decode").lenient and LENIENT or DECODER):whole(text)
end

--- Makes an encoder for bytes that come in pieces.
-- @function encoder
-- @tparam[opt] table options
-- @tparam int options.columns characters of a line, a multiple of 4 (mail has 76); each line is ended; default: there
-- are no lines
-- @tparam string options.linesep `"\r\n"` (default) or `"\n"`
-- @treturn coder
-- @usage
-- local coder = base64.encoder {columns = 4, linesep = "\n"}
-- print(coder:whole "hello") --> aGVs bG8=
function M.encoder(options)
  options = check.options(options, ENCODING, 1, "encoder")
  if options.columns % 4 ~= 0 then check.bad("encoder", 1, "columns: a multiple of 4 expected") end
  return coding.base64_encoder(options.columns, options.linesep == "\n")
end

--- Makes a decoder for a text that comes in pieces.
-- @function decoder
-- @tparam[opt] table options
-- @tparam bool options.lenient as for `decode`
-- @treturn coder
-- @usage print(base64.decoder():whole "aGVs\r\nbG8=") --> hello
function M.decoder(options)
  return coding.base64_decoder(check.options(options, DECODING, 1, "decoder").lenient)
end

return M

--- Quoted-printable (RFC 2045, section 6.7): what is ASCII stays readable, in lines of 76 characters at most.
-- @module csock.wire.quoted
local check = require "csock.check"
local core = require "csock.core"

local M = {}

local coding = core.coding
local DECODER = coding.quoted_decoder()

local LINE_END = check.one_of("\"\\r\\n\" or \"\\n\"", "\r\n", "\n")
local ENCODING = { binary = { check.ANY }, linesep = { LINE_END, "\r\n" } }

--- Makes an encoder for bytes that come in pieces.
-- @function encoder
-- @tparam[opt] table options
-- @tparam bool options.binary true: CR and LF are bytes as others; else LF and CRLF are the ends of lines
-- @tparam string options.linesep how lines end: `"\r\n"` (default) or `"\n"`
-- @treturn coder
-- @usage print(quoted.encoder {linesep = "\n"}:whole "a = b ") --> a =3D b=20
function M.encoder(options)
  options = check.options(options, ENCODING, 1, "encoder")
  return coding.quoted_encoder(options.binary, options.linesep == "\n")
end

--- Makes a decoder for a text that comes in pieces.
-- @function decoder
-- @treturn coder
-- @usage print(quoted.decoder():whole "a =3D=\r\n b") --> a = b
function M.decoder() return coding.quoted_decoder() end

--- Encodes bytes.
-- @function encode
-- @tparam string bytes
-- @tparam[opt] table options as for `encoder`
-- @treturn string
-- @usage print(quoted.encode "caf\u{e9}") --> caf=C3=A9
function M.encode(bytes, options) return M.encoder(options):whole(bytes) end

--- Decodes. What is none stays as it is; blanks at the ends of lines, which somebody on the way has added, do not.
-- @function decode
-- @tparam string text
-- @treturn string
-- @usage print(quoted.decode "caf=C3=A9") --> café
function M.decode(text) return DECODER:whole(text) end

return M

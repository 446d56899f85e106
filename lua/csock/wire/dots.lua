--- Texts that end with a line of one dot, as SMTP, POP3 and NNTP have them (RFC 5321, section 4.5.2): dots with which
-- lines begin are doubled on the way.
-- @module csock.wire.dots
local core = require "csock.core"

local M = {}

local coding = core.coding
local STUFFER, UNSTUFFER = coding.dots_stuffer(), coding.dots_unstuffer()

--- Makes a text ready to be sent: lines end with CRLF where there was CRLF, LF or CR, dots are doubled, the line of one
-- dot is its last.
-- @function stuff
-- @tparam string text
-- @treturn string
-- @usage print(("%q"):format(dots.stuff "one\r\n.two")) --> "one\13\
-- --> ..two\13\
-- --> .\13\
-- --> "
function M.stuff(text) return STUFFER:whole(text) end

--- Makes a coder that does the same with a text that comes in pieces.
-- @function stuffer
-- @treturn coder
-- @usage print(#dots.stuffer():push ".") --> 2
function M.stuffer() return coding.dots_stuffer() end

--- The text as it was before `stuff`. A line ends with CRLF and with nothing else.
-- @function unstuff
-- @tparam string bytes
-- @treturn[1] string
-- @treturn[1] string the bytes behind the text
-- @treturn[2] nil when the line of one dot is missing
-- @treturn[2] error
-- @treturn[2] int errno (EBADMSG)
-- @usage print(select(2, dots.unstuff "..one\r\n.\r\nQUIT")) --> QUIT
function M.unstuff(bytes) return UNSTUFFER:whole(bytes) end

--- Makes a coder that does the same with bytes that come in pieces: its `push` has a second result when the text has
-- ended.
-- @function unstuffer
-- @treturn coder
-- @usage print(dots.unstuffer():push "..one") --> .one
function M.unstuffer() return coding.dots_unstuffer() end

return M

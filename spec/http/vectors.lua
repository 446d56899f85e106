--- Requests and responses as bytes, and what the parser has to say of each: facts of RFC 9110 and 9112, the cases that
-- servers have been found to get wrong, and what csock decides where the RFC leaves a choice. For head_spec.lua, which
-- looks at them whole, and read_spec.lua, which sends them in pieces.
--
-- Each list: name of the case -> {bytes, what}. `what` is the status of a refusal and a part of its text, or what the
-- head's table has.
local M = {}

-- A request line and headers, with a Host unless told.
local function request(line, ...)
  return table.concat({ line, "Host: a.example", ... }, "\r\n") .. "\r\n\r\n"
end

local function headers(...) return request("GET / HTTP/1.1", ...) end
local function post(...) return request("POST / HTTP/1.1", ...) end
local function bare(...) return table.concat({ ... }, "\r\n") .. "\r\n\r\n" end

local GET = { method = "GET", target = "/", version = 11, body = "none", keep_alive = true }

-- A copy of GET, with changes.
local function like(changes)
  local expected = {}
  for k, v in pairs(GET) do expected[k] = v end
  for k, v in pairs(changes) do expected[k] = v end
  return expected
end

M.requests = {
  -- the request line
  ["GET"] = { headers(), GET },
  ["an empty line before it"] = { "\r\n" .. headers(), GET },
  ["two empty lines before it"] = { "\r\n\r\n" .. headers(), 400, "method" },
  ["a bare LF before it"] = { "\n" .. headers(), 400, "method" },
  ["a bare CR before it"] = { "\rGET / HTTP/1.1\r\n\r\n", 400, "request line" },
  ["a blank before it"] = { " " .. headers(), 400, "method" },
  ["a method of all characters of a token"] = {
    request "!#$%&'*+-.^_`|~09azAZ / HTTP/1.1", like { method = "!#$%&'*+-.^_`|~09azAZ" },
  },
  ["a method in lower case, which is another one"] = { request "get / HTTP/1.1", like { method = "get" } },
  ["no method"] = { request " / HTTP/1.1", 400, "method" },
  ["a colon in the method"] = { request "GE:T / HTTP/1.1", 400, "method" },
  ["a byte of UTF-8 in the method"] = { request "GE\xc3\xa9T / HTTP/1.1", 400, "method" },
  ["what TLS begins with"] = { "\x16\x03\x01\x02\x00\x01\x00", 400, "method" },
  ["two blanks before the target"] = { request "GET  / HTTP/1.1", 400, "target" },
  ["two blanks after the target"] = { request "GET /  HTTP/1.1", 400, "request line" },
  ["a tab for a blank"] = { request "GET\t/ HTTP/1.1", 400, "method" },
  ["a blank at the end"] = { request "GET / HTTP/1.1 ", 400, "request line" },
  ["a blank in the target"] = { request "GET /a b HTTP/1.1", 400, "request line" },
  ["a tab in the target"] = { request "GET /a\tb HTTP/1.1", 400, "target" },
  ["a zero byte in the target"] = { request "GET /a\0b HTTP/1.1", 400, "target" },
  ["DEL in the target"] = { request "GET /\x7f HTTP/1.1", 400, "target" },
  ["a CR in the target"] = { request "GET /a\rb HTTP/1.1", 400, "target" },
  ["a fragment in the target"] = { request "GET /a#b HTTP/1.1", 400, "target" },
  ["bytes of UTF-8 in the target"] = { request "GET /\xc3\xa9 HTTP/1.1", 400, "target" },
  ["what a URI may not have, but browsers send"] = {
    request 'GET /a|b?{"c"}^`\\ HTTP/1.1', like { target = '/a|b?{"c"}^`\\' },
  },
  ["no target"] = { request "GET HTTP/1.1", 400, "request line" },
  ["no version: HTTP/0.9"] = { "GET /\r\n\r\n", 400, "request line" },
  ["HTTP/1.0"] = { request "GET / HTTP/1.0", like { version = 10, keep_alive = false } },
  ["HTTP/0.9"] = { request "GET / HTTP/0.9", 505 },
  ["HTTP/1.2"] = { request "GET / HTTP/1.2", 505 },
  ["HTTP/2.0"] = { request "GET / HTTP/2.0", 505 },
  ["HTTP/9.9"] = { request "GET / HTTP/9.9", 505 },
  ["HTTP/1.10"] = { request "GET / HTTP/1.10", 400, "request line" },
  ["HTTP/01.1"] = { request "GET / HTTP/01.1", 400, "request line" },
  ["HTTP/1,1"] = { request "GET / HTTP/1,1", 400, "HTTP" },
  ["HTTP/+1.1"] = { request "GET / HTTP/+1.1", 400, "request line" },
  ["http/1.1"] = { request "GET / http/1.1", 400, "HTTP" },
  ["the protocol of another one"] = { request "GET / ICAP/1.0", 400, "HTTP" },
  ["the preface of HTTP/2"] = { "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505 },
  ["a request line with a bare LF"] = { "GET / HTTP/1.1\nHost: a\r\n\r\n", 400, "CR" },
  ["a request line that ends with two CRs"] = { "GET / HTTP/1.1\r\r\nHost: a\r\n\r\n", 400, "request line" },

  -- the forms of the target
  ["the asterisk form"] = { request "OPTIONS * HTTP/1.1", like { method = "OPTIONS", target = "*" } },
  ["the asterisk form of another method"] = { request "GET * HTTP/1.1", 400, "target" },
  ["the absolute form"] = {
    request "GET http://[::1]:80/a?b HTTP/1.1", like { target = "http://[::1]:80/a?b" },
  },
  ["the absolute form without a path"] = { request "GET HTTP://a HTTP/1.1", like { target = "HTTP://a" } },
  ["the absolute form without a host"] = { request "GET http:///a HTTP/1.1", 400, "target" },
  ["the absolute form with a user"] = { request "GET http://user@a/ HTTP/1.1", 400, "target" },
  ["the absolute form without slashes"] = { request "GET http:a HTTP/1.1", 400, "target" },
  ["a scheme that begins with a digit"] = { request "GET 1http://a/ HTTP/1.1", 400, "target" },
  ["a path without a slash"] = { request "GET index.html HTTP/1.1", 400, "target" },
  ["a query alone"] = { request "GET ?a=b HTTP/1.1", 400, "target" },
  ["the authority form"] = {
    request "CONNECT a.example:443 HTTP/1.1",
    { method = "CONNECT", target = "a.example:443", version = 11, body = "tunnel", keep_alive = false },
  },
  ["the authority form without a port"] = { request "CONNECT a.example HTTP/1.1", 400, "target" },
  ["the authority form with an empty port"] = { request "CONNECT a.example: HTTP/1.1", 400, "target" },
  ["CONNECT to a path"] = { request "CONNECT / HTTP/1.1", 400, "target" },
  ["the authority form of another method"] = { request "GET a.example:443 HTTP/1.1", 400, "target" },

  -- headers
  ["a header without a value"] = { headers "X:", GET },
  ["a header with blanks alone"] = { headers "X: \t ", GET },
  ["no blank before the value"] = { headers "X:y", GET },
  ["a byte of Latin-1 in a value"] = { headers "X: \xe9", GET },
  ["all that a value may have"] = { headers "X: !\"'()\t,/:;<=>?@[\\]{}\x80\xff", GET },
  ["a blank before the colon"] = { headers "X : y", 400, "before the colon" },
  ["a tab before the colon"] = { headers "X\t: y", 400, "before the colon" },
  ["no colon"] = { headers "X", 400, "no token" },
  ["an empty name"] = { headers ": y", 400, "no token" },
  ["a name with a zero byte"] = { headers "X\0Y: z", 400, "no token" },
  ["a name with a byte of UTF-8"] = { headers "X\xc3\xa9: z", 400, "no token" },
  ["a name in brackets"] = { headers "(x): z", 400, "no token" },
  ["a name with a blank in it"] = { headers "Content Length: 3", 400, "before the colon" },
  ["a folded line"] = { headers("X: y", " z"), 400, "begins with a blank" },
  ["a folded line, by a tab"] = { headers("X: y", "\tz"), 400, "begins with a blank" },
  ["a folded line with a colon"] = { headers("X: y", " z: a"), 400, "begins with a blank" },
  ["a blank before the first header"] = { bare("GET / HTTP/1.1", " Host: a"), 400, "begins with a blank" },
  ["a zero byte in a value"] = { headers "X: a\0b", 400, "control" },
  ["a CR in a value"] = { headers "X: a\rb", 400, "control" },
  ["a CR and a header in a value"] = { headers "X: a\rTransfer-Encoding: chunked", 400, "control" },
  ["a value that ends with a CR"] = { headers "X: a\r", 400, "control" },
  ["a vertical tab in a value"] = { headers "X: a\vb", 400, "control" },
  ["DEL in a value"] = { headers "X: a\x7fb", 400, "control" },
  ["DEL in a long value"] = { headers("X: 0123456789abcdef" .. "\x7f" .. "0123456789"), 400, "control" },
  ["an escape in a long value"] = { headers("X: 0123456789abcdefg" .. "\x1b" .. "0123456789"), 400, "control" },
  ["a header that ends with LF"] = { "GET / HTTP/1.1\r\nHost: a\n\r\n", 400, "CR" },
  ["an empty line of LF"] = { "GET / HTTP/1.1\r\nHost: a\r\n\n", 400, "CR" },
  ["two LFs at the end"] = { "GET / HTTP/1.1\r\nHost: a\n\n", 400, "CR" },
  ["a CR for a CRLF"] = { "GET / HTTP/1.1\rHost: a\r\r\n", 400, "request line" },

  -- Host
  ["no Host"] = { bare "GET / HTTP/1.1", 400, "no Host" },
  ["no Host in HTTP/1.0"] = { bare "GET / HTTP/1.0", like { version = 10, keep_alive = false } },
  ["two Hosts"] = { headers "Host: a.example", 400, "more than one Host" },
  ["two Hosts in HTTP/1.0"] = { request("GET / HTTP/1.0", "hOST: b"), 400, "more than one Host" },
  ["an empty Host"] = { bare("GET / HTTP/1.1", "Host:"), GET },
  ["a Host with a port"] = { bare("GET / HTTP/1.1", "Host: a:8080"), GET },
  ["a Host with an empty port"] = { bare("GET / HTTP/1.1", "Host: a:"), GET },
  ["a Host of IPv6"] = { bare("GET / HTTP/1.1", "Host: [::1]:80"), GET },
  ["a Host with a path"] = { bare("GET / HTTP/1.1", "Host: a/b"), 400, "Host is malformed" },
  ["a Host with a user"] = { bare("GET / HTTP/1.1", "Host: a@b"), 400, "Host is malformed" },
  ["a Host with a blank"] = { bare("GET / HTTP/1.1", "Host: a b"), 400, "Host is malformed" },
  ["a Host with a port that is none"] = { bare("GET / HTTP/1.1", "Host: a:b"), 400, "Host is malformed" },
  ["a Host with a port too long"] = { bare("GET / HTTP/1.1", "Host: a:000080"), 400, "Host is malformed" },
  ["a Host of a port alone"] = { bare("GET / HTTP/1.1", "Host: :80"), 400, "Host is malformed" },
  ["a Host with half a bracket"] = { bare("GET / HTTP/1.1", "Host: [::1"), 400, "Host is malformed" },
  ["a Host of no address in brackets"] = { bare("GET / HTTP/1.1", "Host: []"), 400, "Host is malformed" },
  ["a header whose name only begins with Host"] = { bare("GET / HTTP/1.1", "Hostess: a"), 400, "no Host" },

  -- Content-Length
  ["a length"] = { post "Content-Length: 5", like { method = "POST", body = "length", length = 5 } },
  ["a length with zeros before it"] = {
    post "content-length: 0005", like { method = "POST", body = "length", length = 5 },
  },
  ["a length of nothing"] = { post "Content-Length: 0", like { method = "POST" } },
  ["no length"] = { post(), like { method = "POST" } },
  ["a GET with a body"] = { headers "Content-Length: 5", like { body = "length", length = 5 } },
  ["a length in HTTP/1.0"] = {
    request("POST / HTTP/1.0", "Content-Length: 5"),
    { method = "POST", target = "/", version = 10, body = "length", length = 5, keep_alive = false },
  },
  ["the largest length"] = {
    post "Content-Length: 9223372036854775799", like { method = "POST", body = "length", length = 9223372036854775799 },
  },
  ["a length over the integers"] = { post "Content-Length: 9223372036854775808", 400, "number of bytes" },
  ["a length over 64 bits"] = { post "Content-Length: 18446744073709551621", 400, "number of bytes" },
  ["a length over everything"] = { post("Content-Length: 1" .. ("0"):rep(40)), 400, "number of bytes" },
  ["an empty length"] = { post "Content-Length:", 400, "number of bytes" },
  ["a length with a plus"] = { post "Content-Length: +5", 400, "number of bytes" },
  ["a length with a minus"] = { post "Content-Length: -5", 400, "number of bytes" },
  ["a length in hexadecimal"] = { post "Content-Length: 0x5", 400, "number of bytes" },
  ["a length with an exponent"] = { post "Content-Length: 5e1", 400, "number of bytes" },
  ["a length with a fraction"] = { post "Content-Length: 5.0", 400, "number of bytes" },
  ["a length with an underscore"] = { post "Content-Length: 1_0", 400, "number of bytes" },
  ["a length with a blank in it"] = { post "Content-Length: 1 0", 400, "number of bytes" },
  ["a length in words"] = { post "Content-Length: five", 400, "number of bytes" },
  ["a list of equal lengths"] = { post "Content-Length: 5, 5", 400, "number of bytes" },
  ["two lengths"] = { post("Content-Length: 5", "Content-Length: 6"), 400, "more than one Content-Length" },
  ["two equal lengths"] = { post("Content-Length: 5", "content-length: 5"), 400, "more than one Content-Length" },

  -- Transfer-Encoding
  ["chunks"] = { post "Transfer-Encoding: chunked", like { method = "POST", body = "chunked" } },
  ["chunks, in capitals"] = { post "TRANSFER-ENCODING: CHUNKED", like { method = "POST", body = "chunked" } },
  ["chunks and a length"] = { post("Transfer-Encoding: chunked", "Content-Length: 5"), 400, "both" },
  ["a length and chunks"] = { post("Content-Length: 5", "Transfer-Encoding: chunked"), 400, "both" },
  ["a length of 0 and chunks"] = { post("Content-Length: 0", "Transfer-Encoding: chunked"), 400, "both" },
  ["chunks in HTTP/1.0"] = { request("POST / HTTP/1.0", "Transfer-Encoding: chunked"), 400, "HTTP/1.0" },
  ["chunked twice"] = { post "Transfer-Encoding: chunked, chunked", 400, "one chunked" },
  ["two Transfer-Encodings"] = {
    post("Transfer-Encoding: chunked", "Transfer-Encoding: chunked"), 400, "one chunked",
  },
  ["two Transfer-Encodings, one unknown"] = {
    post("Transfer-Encoding: chunked", "Transfer-Encoding: x"), 400, "one chunked",
  },
  ["another coding before chunked"] = { post "Transfer-Encoding: gzip, chunked", 501 },
  ["another coding after chunked"] = { post "Transfer-Encoding: chunked, gzip", 400, "one chunked" },
  ["another coding alone"] = { post "Transfer-Encoding: gzip", 400, "one chunked" },
  ["identity"] = { post "Transfer-Encoding: identity", 400, "one chunked" },
  ["a coding that ends in chunked"] = { post "Transfer-Encoding: xchunked", 400, "one chunked" },
  ["a coding that begins with chunked"] = { post "Transfer-Encoding: chunkedx", 400, "one chunked" },
  ["an empty coding"] = { post "Transfer-Encoding:", 400, "malformed" },
  ["an empty coding before chunked"] = { post "Transfer-Encoding: , chunked", 400, "malformed" },
  ["an empty coding after chunked"] = { post "Transfer-Encoding: chunked,", 400, "malformed" },
  ["chunked with a parameter"] = { post "Transfer-Encoding: chunked;a=b", 400, "malformed" },
  ["chunked in quotes"] = { post 'Transfer-Encoding: "chunked"', 400, "malformed" },
  ["chunked behind a non-breaking blank"] = { post "Transfer-Encoding: \xa0chunked", 400, "malformed" },
  ["chunked before a vertical tab"] = { post "Transfer-Encoding: chunked\v", 400, "control" },
  ["chunked with a blank before the colon"] = { post "Transfer-Encoding : chunked", 400, "before the colon" },
  ["chunked with blanks around it"] = {
    post "Transfer-Encoding: \t chunked \t", like { method = "POST", body = "chunked" },
  },
  ["a CONNECT with a length"] = { request("CONNECT a:1 HTTP/1.1", "Content-Length: 5"), 400, "CONNECT" },
  ["a CONNECT with chunks"] = { request("CONNECT a:1 HTTP/1.1", "Transfer-Encoding: chunked"), 400, "CONNECT" },

  -- Connection, Upgrade, Expect
  ["close"] = { headers "Connection: close", like { keep_alive = false } },
  ["close in a list, in capitals"] = { headers "Connection: x, CLOSE ,y", like { keep_alive = false } },
  ["close in the second of two"] = {
    headers("Connection: x", "Connection: close"), like { keep_alive = false },
  },
  ["close and keep-alive"] = { headers "Connection: keep-alive, close", like { keep_alive = false } },
  ["keep-alive in HTTP/1.0"] = { request("GET / HTTP/1.0", "Connection: Keep-Alive"), like { version = 10 } },
  ["an option that only begins with close"] = { headers "Connection: closed", GET },
  ["an upgrade"] = { headers("Connection: Upgrade", "Upgrade: websocket"), like { upgrade = true } },
  ["an upgrade without Connection"] = { headers "Upgrade: websocket", GET },
  ["an upgrade to nothing"] = { headers("Connection: upgrade", "Upgrade:"), GET },
  ["an upgrade in HTTP/1.0"] = {
    request("GET / HTTP/1.0", "Connection: upgrade", "Upgrade: x"), like { version = 10, keep_alive = false },
  },
  ["a client that waits for 100"] = {
    post("Expect: 100-Continue", "Content-Length: 5"),
    like { method = "POST", body = "length", length = 5, expect_continue = true },
  },
  ["a client that waits for 100 with nothing to send"] = { headers "Expect: 100-continue", GET },
  ["a client that waits for something else"] = { headers("Expect: x", "Content-Length: 5"),
    like { body = "length", length = 5 } },
}

local function response(line, ...) return bare(line, ...) end

-- The third element is the request's method.
M.responses = {
  ["200"] = {
    response("HTTP/1.1 200 OK", "Content-Length: 5"),
    { status = 200, reason = "OK", version = 11, body = "length", length = 5, keep_alive = true },
  },
  ["nothing after it"] = {
    response("HTTP/1.1 200 OK", "Content-Length: 0"), { status = 200, body = "none", keep_alive = true },
  },
  ["an empty reason"] = { response "HTTP/1.1 200 ", { status = 200, reason = "", body = "close" } },
  ["no reason"] = { response "HTTP/1.1 200", { status = 200, reason = "", body = "close", keep_alive = false } },
  ["a reason of many words"] = { response "HTTP/1.1 404 Not \xe9 Found", { status = 404, reason = "Not \xe9 Found" } },
  ["a status of 999"] = { response "HTTP/1.1 999 x", { status = 999 } },
  ["a status of two digits"] = { response "HTTP/1.1 20 OK", 400, "status line" },
  ["a status of four digits"] = { response "HTTP/1.1 2000 OK", 400, "status line" },
  ["a status that begins with 0"] = { response "HTTP/1.1 099 OK", 400, "status line" },
  ["a status that is no number"] = { response "HTTP/1.1 2x0 OK", 400, "status line" },
  ["two blanks"] = { response "HTTP/1.1  200 OK", 400, "status line" },
  ["a control character in the reason"] = { response "HTTP/1.1 200 O\0K", 400, "status line" },
  ["another protocol"] = { response "ICY 200 OK", 400, "HTTP" },
  ["an empty line before it"] = { "\r\n" .. response "HTTP/1.1 200 OK", 400, "HTTP" },
  ["another version"] = { response "HTTP/2.0 200 OK", 505 },
  ["bare LFs"] = { "HTTP/1.1 200 OK\n\n", 400, "CR" },
  ["a folded line"] = { response("HTTP/1.1 200 OK", "A: b", " c"), 400, "begins with a blank" },
  ["two Hosts, which mean nothing here"] = { response("HTTP/1.1 200 OK", "Host: a", "Host: b"), { status = 200 } },

  ["no length: until the connection ends"] = {
    response "HTTP/1.1 200 OK", { body = "close", keep_alive = false },
  },
  ["chunks"] = {
    response("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), { body = "chunked", keep_alive = true },
  },
  ["chunks and a length"] = {
    response("HTTP/1.1 200 OK", "Transfer-Encoding: chunked", "Content-Length: 5"), 400, "both",
  },
  ["chunks in HTTP/1.0"] = { response("HTTP/1.0 200 OK", "Transfer-Encoding: chunked"), 400, "HTTP/1.0" },
  ["another coding before chunked"] = { response("HTTP/1.1 200 OK", "Transfer-Encoding: gzip, chunked"), 501 },
  ["two lengths"] = { response("HTTP/1.1 200 OK", "Content-Length: 5", "Content-Length: 5"), 400, "more than one" },
  ["a length in HTTP/1.0"] = {
    response("HTTP/1.0 200 OK", "Content-Length: 5"), { body = "length", length = 5, keep_alive = false },
  },
  ["keep-alive in HTTP/1.0"] = {
    response("HTTP/1.0 200 OK", "Content-Length: 5", "Connection: keep-alive"), { body = "length", keep_alive = true },
  },
  ["close"] = {
    response("HTTP/1.1 200 OK", "Content-Length: 5", "Connection: close"), { body = "length", keep_alive = false },
  },
  ["an answer to HEAD"] = {
    response("HTTP/1.1 200 OK", "Content-Length: 5"), { body = "none", keep_alive = true }, method = "HEAD",
  },
  ["an answer to HEAD, in chunks"] = {
    response("HTTP/1.1 200 OK", "Transfer-Encoding: chunked"), { body = "none", keep_alive = true }, method = "HEAD",
  },
  ["an answer to HEAD without a length"] = {
    response "HTTP/1.1 200 OK", { body = "none", keep_alive = true }, method = "HEAD",
  },
  ["304"] = { response("HTTP/1.1 304 Not Modified", "Content-Length: 5"), { body = "none", keep_alive = true } },
  ["204"] = { response "HTTP/1.1 204 No Content", { body = "none", keep_alive = true } },
  ["204 with a length of 0"] = {
    response("HTTP/1.1 204 No Content", "Content-Length: 0"), { body = "none", keep_alive = true },
  },
  ["204 that promises a body"] = {
    response("HTTP/1.1 204 No Content", "Content-Length: 5"), { body = "none", keep_alive = false },
  },
  ["204 that promises chunks"] = {
    response("HTTP/1.1 204 No Content", "Transfer-Encoding: chunked"), { body = "none", keep_alive = false },
  },
  ["100"] = { response "HTTP/1.1 100 Continue", { status = 100, body = "none", keep_alive = true } },
  ["103"] = { response("HTTP/1.1 103 Early Hints", "Link: x"), { body = "none", keep_alive = true } },
  ["101"] = {
    response("HTTP/1.1 101 Switching Protocols", "Connection: upgrade", "Upgrade: x"),
    { body = "tunnel", upgrade = true, keep_alive = false },
  },
  ["200 to a CONNECT"] = {
    response("HTTP/1.1 200 OK", "Content-Length: 5"), { body = "tunnel", keep_alive = false }, method = "CONNECT",
  },
  ["407 to a CONNECT"] = {
    response("HTTP/1.1 407 x", "Content-Length: 5"), { body = "length", length = 5 }, method = "CONNECT",
  },
}

-- Bodies in chunks: the body, or a part of the error's text.
M.chunks = {
  ["none"] = { "0\r\n\r\n", "" },
  ["one"] = { "5\r\nhello\r\n0\r\n\r\n", "hello" },
  ["several"] = { "1\r\na\r\n2\r\nbc\r\n003\r\ndef\r\n0\r\n\r\n", "abcdef" },
  ["a line end in one"] = { "4\r\n\r\n\r\n\r\n00\r\n\r\n", "\r\n\r\n" },
  ["sizes in both cases"] = { "a\r\n0123456789\r\nA\r\n0123456789\r\n0\r\n\r\n", ("0123456789"):rep(2) },
  ["a size of 16 digits"] = { "0000000000000001\r\na\r\n0000000000000000\r\n\r\n", "a" },
  ["extensions"] = { '1;a;b=c;d="e\\"; f";g="";h\r\nx\r\n0;z\r\n\r\n', "x" },
  ["trailers"] = { "1\r\na\r\n0\r\nX: y\r\nX: z\r\n\r\n", "a", trailers = { "X", "y", "X", "z", x = "y, z" } },

  ["no size"] = { "\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size with 0x"] = { "0x5\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size with a plus"] = { "+5\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size with a minus"] = { "-5\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size with an underscore"] = { "0_5\r\nhello\r\n0\r\n\r\n", "size" },
  ["a blank before a size"] = { " 5\r\nhello\r\n0\r\n\r\n", "size" },
  ["a blank after a size"] = { "5 \r\nhello\r\n0\r\n\r\n", "size" },
  ["a blank before an extension"] = { "5 ;a\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size that is no number"] = { "g\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size of 17 digits"] = { "00000000000000005\r\nhello\r\n0\r\n\r\n", "size" },
  ["a size that ends with LF"] = { "5\nhello\r\n0\r\n\r\n", "size" },
  ["a size that ends with CR and another byte"] = { "5\rxhello\r\n0\r\n\r\n", "size" },
  ["an LF in an extension"] = { "5;a\nhello\r\n0\r\n\r\n", "extension" },
  ["an LF in a quoted extension"] = { '5;a="\n"\r\nhello\r\n0\r\n\r\n', "extension" },
  ["a CR in a quoted extension"] = { '5;a="\r\n"\r\nhello\r\n0\r\n\r\n', "extension" },
  ["a CR in an extension"] = { "5;a\rb\r\nhello\r\n0\r\n\r\n", "size" },
  ["a zero byte in an extension"] = { "5;a\0\r\nhello\r\n0\r\n\r\n", "extension" },
  ["a blank in an extension"] = { "5; a\r\nhello\r\n0\r\n\r\n", "extension" },
  ["a blank after an extension"] = { "5;a \r\nhello\r\n0\r\n\r\n", "extension" },
  ["an extension with two values"] = { '5;a="b"c\r\nhello\r\n0\r\n\r\n', "extension" },
  ["an empty extension"] = { "5;\r\nhello\r\n0\r\n\r\n", "extension" },
  ["an extension with an empty value"] = { "5;a=\r\nhello\r\n0\r\n\r\n", "extension" },
  ["two bytes after a chunk that are no CRLF"] = { "5\r\nhelloXX0\r\n\r\n", "CRLF" },
  ["an LF after a chunk"] = { "5\r\nhello\n0\r\n\r\n", "CRLF" },
  ["a CR after a chunk"] = { "5\r\nhello\r0\r\n\r\n", "CRLF" },
  ["a chunk longer than its size"] = { "4\r\nhello\r\n0\r\n\r\n", "CRLF" },
  ["a trailer that ends with LF"] = { "0\r\nX: y\n\r\n", "CR" },
  ["an LF after the trailers"] = { "0\r\nX: y\r\n\n", "CR" },
  ["an LF instead of trailers"] = { "0\r\n\n", "CR" },
  ["a folded trailer"] = { "0\r\nX: y\r\n z\r\n\r\n", "blank" },
  ["a trailer with a blank before the colon"] = { "0\r\nX : y\r\n\r\n", "colon" },
  ["a length among the trailers"] = { "0\r\nX: y\r\ncontent-length: 0\r\n\r\n", "trailers" },
  ["a coding among the trailers"] = { "0\r\nTransfer-Encoding: chunked\r\n\r\n", "trailers" },
  ["a trailer with a control character"] = { "0\r\nX: \0\r\n\r\n", "control" },
}

return M

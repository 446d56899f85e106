--- Gopher (RFC 1436): menus and files, as they were before the web; a client, and a server over a folder.
--
--     local gopher = require "csock.gopher"
--
--     local menu = assert(gopher.fetch("gopher://localhost:7070/", { timeout = 10 }))
--     for _, item in ipairs(menu) do print(item.type, item.name, item.host, item.port) end
--
--     gopher.serve({ "0.0.0.0", 7070 }, "/srv/gopher")
--
-- The names are those of Python's gopherlib (which Python 3 left out), and `fetch`, which does it all.
-- @module csock.gopher
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local replies = require "csock.gopher.reply"
local server = require "csock.gopher.server"
local types = require "csock.gopher.types"
local url = require "csock.url"

local failure = replies.failure

local M = {}

--- Gopher's port: 70.
-- @field DEF_PORT
M.DEF_PORT = replies.DEF_PORT

--- The types of items: `A_TEXT` ("0"), `A_MENU` ("1"), `A_CSO`, `A_ERROR` ("3"), `A_MACBINHEX`, `A_PCBINHEX`,
-- `A_UUENCODED`, `A_INDEX` ("7"), `A_TELNET`, `A_BINARY` ("9"), `A_DUPLICATE`, `A_SOUND`, `A_EVENT`, `A_CALENDAR`,
-- `A_HTML` ("h"), `A_TN3270`, `A_MIME`, `A_IMAGE` ("I"), `A_WHOIS`, `A_QUERY`, `A_GIF` ("g"), `A_WWW`, `A_PLUS_IMAGE`,
-- `A_PLUS_MOVIE`, `A_PLUS_SOUND`, and `A_INFO` ("i"): a line that leads nowhere.
-- @table types
for name, type_of in pairs(types.TYPES) do M[name] = type_of end

--- What a type is called: `"TEXT"`, `"MENU"`; `"TYPE=..."` for one that is not known.
-- @function type_to_name
-- @tparam string kind
-- @treturn string
-- @usage print(gopher.type_to_name "1") --> MENU
function M.type_to_name(kind)
  check.argument(check.STRING, kind, 1, "type_to_name")
  return types.NAMES[kind] or ("TYPE=%q"):format(kind)
end

--- The selector in the path of a URL, which begins with the type: without it.
-- @function path_to_selector
-- @tparam string path
-- @treturn string
-- @usage print(gopher.path_to_selector "/0/about.txt") --> /about.txt
function M.path_to_selector(path)
  check.argument(check.STRING, path, 1, "path_to_selector")
  return (path:gsub("^/", "")):sub(2)
end

--- The name of the type in the path of a URL.
-- @function path_to_datatype_name
-- @tparam string path
-- @treturn string
-- @usage print(gopher.path_to_datatype_name "/0/about.txt") --> TEXT
function M.path_to_datatype_name(path)
  check.argument(check.STRING, path, 1, "path_to_datatype_name")
  local kind = path:gsub("^/", ""):sub(1, 1)
  return kind == "" and "MENU" or M.type_to_name(kind)
end

-- --- asking ----------------------------------------------------------------------------------------

--- Asks a server for what is at a selector.
-- @function send_selector
-- @tparam string selector
-- @tparam string host
-- @tparam[opt=70] int port
-- @tparam[opt] table options
-- @tparam[opt] number options.timeout seconds that all of it may take, to the last byte (default: the default timeout)
-- @tparam[opt=67108864] int options.limit bytes of the answer
-- @param[opt] options.source_address an address of this side
-- @tparam[opt] context options.ssl TLS from the first byte on, or true; see `csock.create_connection`
-- @treturn[1] gopherreply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function(selector) return "this is " .. selector end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("/x", "127.0.0.1", 7070))
--   print(gopher.get_binary(reply)) --> this is /x
--   server:close()
-- end)
function M.send_selector(selector, host, port, options)
  check.argument(replies.PART, selector, 1, "send_selector")
  return replies.ask(selector, host, port, options, "send_selector", 4)
end

--- Asks an index (type "7") what it has of some words.
-- @function send_query
-- @tparam string selector
-- @tparam string query
-- @tparam string host
-- @tparam[opt=70] int port
-- @tparam[opt] table options those of `send_selector`
-- @treturn[1] gopherreply
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function(_, query) return "found: " .. query end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_query("/find", "two words", "127.0.0.1", 7070))
--   print(gopher.get_binary(reply)) --> found: two words
--   server:close()
-- end)
function M.send_query(selector, query, host, port, options)
  check.argument(replies.PART, selector, 1, "send_query")
  check.argument(replies.PART, query, 2, "send_query")
  return replies.ask(selector .. "\t" .. query, host, port, options, "send_query", 5)
end

-- --- reading answers -------------------------------------------------------------------------------

-- Each line up to a dot alone, or the end of the connection, which many servers mean by it: true; nil, err, errno.
local function each_line(reply, f)
  while true do
    local line, err, errno = reply:line()
    if not line then
      if err then return nil, err, errno end
      return true
    end
    if line == "." then return true end
    f(line)
  end
end

--- Reads a menu. Lines that are none are passed over.
-- @function get_directory
-- @tparam gopherreply reply
-- @treturn[1] {table,...} items: `type`, `name`, `selector`, `host`, `port` (a number)
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local items = {{type = "0", name = "About", selector = "/a"}}
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return items end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   print(gopher.get_directory(reply)[1].name) --> About
--   server:close()
-- end)
function M.get_directory(reply)
  local items = {}
  local ok, err, errno = each_line(reply, function(line)
    local kind, name, selector, host, port = line:match "^(.)([^\t]*)\t([^\t]*)\t([^\t]*)\t%s*(%d+)"
    port = port and ascii.integer(port, 65535)
    if port then items[#items + 1] = { type = kind, name = name, selector = selector, host = host, port = port } end
  end)
  if not ok then return nil, err, errno end
  return items
end

--- Reads a text, line by line, into a function.
-- @function get_alt_textfile
-- @tparam gopherreply reply
-- @tparam function f `f(line)`
-- @treturn[1] boolean true
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "one\r\ntwo\r\n.\r\n" end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   gopher.get_alt_textfile(reply, function(line) io.write(line, ";") end)
--   server:close()
-- end)
function M.get_alt_textfile(reply, f)
  return each_line(reply, function(line) f((line:gsub("^%.%.", "."))) end)
end

--- Reads a text: its lines.
-- @function get_textfile
-- @tparam gopherreply reply
-- @treturn[1] {string,...}
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "one\r\n..\r\n.\r\n" end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   print(table.unpack(gopher.get_textfile(reply))) --> one .
--   server:close()
-- end)
function M.get_textfile(reply)
  local lines = {}
  local ok, err, errno = M.get_alt_textfile(reply, function(line) lines[#lines + 1] = line end)
  if not ok then return nil, err, errno end
  return lines
end

--- Reads all bytes up to the end of the connection.
-- @function get_binary
-- @tparam gopherreply reply
-- @treturn[1] string
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "bytes" end))
-- csock.run(function()
--   local reply <close> = assert(gopher.send_selector("", "127.0.0.1", 7070))
--   print(gopher.get_binary(reply)) --> bytes
--   server:close()
-- end)
function M.get_binary(reply)
  local pieces = {}
  while true do
    local piece, err, errno = reply:read()
    if not piece then
      if err then return nil, err, errno end
      return table.concat(pieces)
    end
    pieces[#pieces + 1] = piece
  end
end

-- --- all at once -----------------------------------------------------------------------------------

local function text_of(reply)
  local lines, err, errno = M.get_textfile(reply)
  if not lines then return nil, err, errno end
  lines[#lines + 1] = ""
  return table.concat(lines, "\n")
end

--- Gets what is at a URL of the scheme gopher (RFC 4266): of a menu its items, of a text the text with "\n" at the end
-- of each line, of anything else its bytes.
-- @function fetch
-- @tparam string address `gopher://host:port/1selector`; behind `%09` an index's query
-- @tparam[opt] table options those of `send_selector`
-- @treturn[1] ?string|{table,...}
-- @treturn[1] string the type
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EPROTO`: the server answers with an error item, whose name is in the text)
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, function() return "one\r\ntwo\r\n.\r\n" end))
-- csock.run(function()
--   print(#gopher.fetch("gopher://127.0.0.1:7070/0/any", {timeout = 10})) --> 8
--   server:close()
-- end)
function M.fetch(address, options)
  local parts, err, errno = url.urlsplit(address)
  if not parts then return nil, err, errno end
  if parts.scheme ~= "gopher" or not parts.hostname then return failure("EINVAL", "no URL of the scheme gopher") end
  local path = url.unquote(parts.path .. (parts.query ~= "" and "?" .. parts.query or "")):gsub("^/", "")
  local kind, selector = path:match "^(.)(.*)$"
  local query = selector and selector:match "\t(.*)$"
  selector = selector and selector:match "^[^\t]*" or ""
  if not replies.PART.fits(selector) or query and not replies.PART.fits(query) then
    return failure("EINVAL", "control characters in the selector")
  end
  kind = kind or types.TYPES.A_MENU
  if query then selector = selector .. "\t" .. query end
  local reply <close>, why, code = replies.ask(selector, parts.hostname, parts.port,
    options, "fetch", 2)
  if not reply then return nil, why, code end
  local read = M.get_binary
  if types.MENUS[kind] then read = M.get_directory end
  if kind == types.TYPES.A_TEXT then read = text_of end
  local found
  found, err, errno = read(reply)
  if not found then return nil, err, errno end
  if types.MENUS[kind] and #found == 1 and found[1].type == types.TYPES.A_ERROR then
    return failure("EPROTO", "the server says: " .. found[1].name:gsub("%c", "?"))
  end
  return found, kind
end

M.serve = server.serve

return M

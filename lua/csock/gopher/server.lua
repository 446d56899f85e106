--- A server over a folder, or a function.
-- @module csock.gopher
local beneath = require "csock.wire.beneath"
local check = require "csock.check"
local csock = require "csock"
local types = require "csock.gopher.types"

local M = {}

local LINE, BLOCK = 1024, 65536 -- bytes: of a request, of a piece of a file
local PATIENCE = 30             -- seconds in which a request must come, or a piece be taken

-- --- menus -----------------------------------------------------------------------------------------

-- What stands in a line of a menu cannot be two.
local function part(text) return (tostring(text):gsub("[%c]+", " ")) end

local function line_of(item, place)
  return ("%s%s\t%s\t%s\t%d\r\n"):format(item.type or types.TYPES.A_TEXT, part(item.name or ""),
    part(item.selector or ""), part(item.host or place.host), item.port or place.port)
end

local function menu_of(items, place)
  local lines = {}
  for i, item in ipairs(items) do lines[i] = line_of(item, place) end
  lines[#lines + 1] = ".\r\n"
  return table.concat(lines)
end

local function refusal(words, place)
  return menu_of({ { type = types.TYPES.A_ERROR, name = words, host = "error.host", port = 1 } }, place)
end

-- --- a folder --------------------------------------------------------------------------------------

-- The path below the root that a selector means: nil for one that has a hidden name in it. (What opens it refuses
-- symbolic links.)
local function path_of(selector)
  local path = selector:gsub("^/+", ""):gsub("/+", "/"):gsub("/$", "")
  if ("/" .. path):find("/.", 1, true) then return nil end
  return path
end

local function type_of(root, path, name)
  if name:sub(-1) == "/" then return types.TYPES.A_MENU end
  local kind = types.BY_ENDING[(name:match "%.(%w+)$" or ""):lower()]
  if kind then return kind end
  local file <close> = beneath.open(root, path)
  local head = file and not file:is_directory() and file:pread(512, 0) or ""
  return head:find "[%z\1-\8\14-\31]" and types.TYPES.A_BINARY or types.TYPES.A_TEXT
end

-- A folder's menu, made by hand: lines of text, and items whose last fields may be left out.
local function map_of(text, path, place)
  local lines = {}
  for line in (text:gsub("\n$", "") .. "\n"):gmatch "(.-)\r?\n" do
    local kind, name, selector, host, port = line:match "^(.)([^\t]*)\t?([^\t]*)\t?([^\t]*)\t?(%d*)"
    if not line:find "\t" then
      kind, name, selector = types.TYPES.A_INFO, line, ""
    elseif selector == "" then
      selector = name
    end
    if selector ~= "" and selector:sub(1, 1) ~= "/" and not selector:find "^URL:" then
      selector = (path ~= "" and "/" .. path or "") .. "/" .. selector
    end
    lines[#lines + 1] = line_of({
      type = kind, name = name, selector = selector, host = host ~= "" and host or nil, port = math.tointeger(port),
    }, place)
  end
  lines[#lines + 1] = ".\r\n"
  return table.concat(lines)
end

local MAP = "gophermap"

local function folder_menu(root, directory, path, place)
  local base = path ~= "" and path .. "/" or ""
  local map <close> = beneath.open(root, base .. MAP)
  if map and not map:is_directory() then return map_of(map:pread(math.min(map:size(), 1 << 20), 0), path, place) end
  local names, items = assert(directory:names()), {}
  table.sort(names)
  for _, name in ipairs(names) do
    local bare = name:gsub("/$", "")
    if name:sub(1, 1) ~= "." and not name:find "[%c]" then
      items[#items + 1] = { type = type_of(root, base .. bare, name), name = bare, selector = "/" .. base .. bare }
    end
  end
  return menu_of(items, place)
end

-- A text with its lines ended by CR LF and its dots doubled, in pieces.
local function send_text(conn, file)
  local at, size, rest = 0, file:size(), ""
  while at < size do
    local piece = file:pread(math.min(BLOCK, size - at), at)
    if not piece or piece == "" then break end
    at = at + #piece
    local text = rest .. piece
    local last = at < size and text:match ".*\n()" or #text + 1
    if last then
      local whole = text:sub(1, last - 1)
      if at >= size and whole:sub(-1) ~= "\n" then whole = whole .. "\n" end
      whole = ("\n" .. whole):gsub("\n%.", "\n.."):sub(2):gsub("\r?\n", "\r\n")
      local ok, err, errno = conn:sendall(whole)
      if not ok then return nil, err, errno end
    end
    rest = text:sub(last or 1)
  end
  return conn:sendall(".\r\n")
end

local function send_file(conn, file)
  local at, size = 0, file:size()
  while at < size do
    local piece = file:pread(math.min(BLOCK, size - at), at)
    if not piece or piece == "" then return nil end
    local ok, err, errno = conn:sendall(piece)
    if not ok then return nil, err, errno end
    at = at + #piece
  end
  return true
end

local function answer_folder(root, conn, selector, place)
  local path = path_of(selector)
  local file <close> = path and beneath.open(root, path == "" and "" or path)
  if not file then return conn:sendall(refusal("there is nothing of this name", place)) end
  if file:is_directory() then return conn:sendall(folder_menu(root, file, path, place)) end
  local kind = type_of(root, path, path)
  if kind == types.TYPES.A_TEXT then return send_text(conn, file) end
  return send_file(conn, file)
end

-- --- serving ---------------------------------------------------------------------------------------

local function read_request(conn)
  conn:settimeout(PATIENCE)
  local stream <close> = conn:makefile "r"
  local line = stream:read_until("\n", LINE)
  if not line then return nil end
  local selector, query = line:gsub("\r$", ""):match "^([^\t]*)\t?(.*)$"
  if selector:find "%z" then return nil end
  return selector, query
end

local OWN = { host = { check.STRING }, port = { check.integer(1, 65535) } }

--- Serves a folder: a directory is a menu of what is in it, or what its file `gophermap` says (lines of text, and items
-- with tabs between their fields, of which the last ones may be left out); a file is text or binary by its name, or by
-- what is in it. Hidden files and symbolic links are not there. (See `csock.serve`; a request must come within 30
-- seconds, and has at most 1024 bytes.)
-- @function serve
-- @param address as for `csock.serve`
-- @tparam string|function root the folder, or `root(selector, query, conn)` gives the bytes of the answer, or the items
-- of a menu (as `get_directory` does; `host` and `port` may be left out), or nil for what is not there
-- @tparam[opt] table options those of @{csock.serve}, and
-- @tparam[opt] string options.host how this server is called in menus (default: the address that was connected to)
-- @tparam[opt] int options.port and its port
-- @treturn[1] server
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno
-- @usage
-- local server = assert(gopher.serve({"127.0.0.1", 7070}, "/etc/ssl", {host = "localhost"}))
-- csock.run(function()
--   print(type(gopher.fetch("gopher://127.0.0.1:7070/", {timeout = 10}))) --> table
--   server:close()
-- end)
function M.serve(address, root, options)
  if type(root) ~= "function" then check.argument(check.STRING, root, 2, "serve") end
  local own, theirs = check.split(options or {}, OWN, 3, "serve")
  return csock.serve(address, function(conn)
    local here = conn:getsockname()
    local place = { host = own.host or here.host, port = own.port or here.port }
    local selector, query = read_request(conn)
    if not selector then return end
    if type(root) == "string" then return answer_folder(root, conn, selector, place) end
    local answer = root(selector, query, conn)
    if type(answer) == "table" then answer = menu_of(answer, place) end
    return conn:sendall(answer or refusal("there is nothing of this name", place))
  end, theirs)
end

return M

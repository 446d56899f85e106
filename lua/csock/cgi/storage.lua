--- Forms.
-- @module csock.cgi
local ascii = require "csock.wire.ascii"
local check = require "csock.check"
local class = require "csock.class"
local csock = require "csock"
local header = require "csock.cgi.header"
local multipart = require "csock.cgi.multipart"
local urls = require "csock.url"

local E = csock.errno
local fail = multipart.fail

local M = {}

-- --- a field ---------------------------------------------------------------------------------------

--- A field of a form: `name`, and `value`, a string. One that was uploaded has also `filename` (as the client says: no
-- name for a file here), `file` (an open file, to be read from its start), `type` and `type_options` (of its
-- Content-Type), `disposition` and `disposition_options`, and `headers` (a block: @{csock.wire.headers}). `value` reads
-- the whole file. One that is itself made of parts has a `list` of them.
-- Source: Python's `cgi.FieldStorage` and `cgi.MiniFieldStorage`.
-- @type field
local Field = class("Field")
M.Field = Field

function Field:__init(name, value)
  rawset(self, "name", name)
  rawset(self, "text", value)
end

function Field.__index(self, key)
  if key ~= "value" then return nil end
  local file = rawget(self, "file")
  if not file then return rawget(self, "text") or rawget(self, "list") end
  file:seek "set"
  local bytes = file:read "a"
  file:seek "set"
  return bytes
end

function Field:__tostring()
  return ("<%s %s>"):format(self.__class.__name, self.filename and ("file %q"):format(self.filename)
    or ("%q"):format(tostring(self.name)))
end

local function fields_of(self, name)
  local list = {}
  for _, field in ipairs(self.list or {}) do
    if field.name == name then list[#list + 1] = field end
  end
  return list
end

--- The field of a name; of several, a sequence of them. (Python: `form["name"]`.)
-- @tparam string name
-- @treturn ?field|{field,...} nil: there is none
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&a=2&b=3"}}
-- print(form:get("b").value, #form:get "a") --> 3 2
function Field:get(name)
  local list = fields_of(self, name)
  if #list > 1 then return list end
  return list[1]
end

--- The value of a field; of several, a sequence of their values.
-- Source: Python's `FieldStorage.getvalue`.
-- @tparam string name
-- @param[opt] default what is given where there is none
-- @treturn ?string|{string,...}
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&b=3"}}
-- print(form:getvalue "b", form:getvalue("c", "none")) --> 3 none
function Field:getvalue(name, default)
  local list = self:getlist(name)
  if #list > 1 then return list end
  if #list == 0 then return default end
  return list[1]
end

--- The value of the first field of a name.
-- Source: Python's `FieldStorage.getfirst`.
-- @tparam string name
-- @param[opt] default
-- @treturn ?string
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&a=2"}}
-- print(form:getfirst "a") --> 1
function Field:getfirst(name, default)
  local first = fields_of(self, name)[1]
  if not first then return default end
  return first.value
end

--- The values of all fields of a name.
-- Source: Python's `FieldStorage.getlist`.
-- @tparam string name
-- @treturn {string,...}
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&a=2"}}
-- print(#form:getlist "a") --> 2
function Field:getlist(name)
  local list = fields_of(self, name)
  for i, field in ipairs(list) do list[i] = field.value end
  return list
end

--- Whether there is a field of this name. (Python: `name in form`.)
-- @tparam string name
-- @treturn boolean
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1"}}
-- print(form:has "a", form:has "b") --> true false
function Field:has(name) return fields_of(self, name)[1] ~= nil end

--- The names of the fields, each once, in their order.
-- Source: Python's `FieldStorage.keys`.
-- @treturn {string,...}
-- @usage
-- local form = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1&a=2&b=3"}}
-- print(#form:keys()) --> 2
function Field:keys()
  local names, seen = {}, {}
  for _, field in ipairs(self.list or {}) do
    if field.name and not seen[field.name] then
      seen[field.name] = true
      names[#names + 1] = field.name
    end
  end
  return names
end

function Field:__len() return #self:keys() end

--- Closes the files of uploads. Also at the end of a `<close>` variable's block.
-- @treturn boolean true
-- @usage
-- local form <close> = cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "a=1"}}
function Field:close()
  if io.type(self.file) ~= "closed file" and self.file then self.file:close() end
  for _, field in ipairs(self.list or {}) do field:close() end
  return true
end

function Field:__close() self:close() end

-- --- what has to be read ---------------------------------------------------------------------------

local LIMITS = {
  total = { check.integer(0), 1 << 28, math.maxinteger }, file = { check.integer(0), 1 << 28, math.maxinteger },
  field = { check.integer(0), 1 << 20, math.maxinteger }, memory = { check.integer(0), 1 << 23, math.maxinteger },
  files = { check.integer(0), 100, math.maxinteger }, head = { check.integer(0), 1 << 14, math.maxinteger },
  depth = { check.integer(0), 2, math.maxinteger },
}

local BOOLEAN = check.kind("boolean", function(value) return type(value) == "boolean" end)
local READABLE = check.kind("stream or file", function(value)
  return (type(value) == "table" or type(value) == "userdata") and value.read ~= nil
end)

local OPTIONS = {
  fp = { READABLE }, headers = { check.TABLE }, environ = { check.TABLE }, request = { check.TABLE },
  keep_blank_values = { BOOLEAN, false, false }, strict_parsing = { BOOLEAN, false, false },
  max_num_fields = { check.integer(0), 1000, math.maxinteger }, separator = { check.STRING, "&" },
  limits = { check.TABLE, {}, {} },
}

local ENVIRON = setmetatable({}, { __index = function(_, name) return os.getenv(name) end })

local BODILESS = { GET = true, HEAD = true }

-- Where a form stands: `method`, `query`, `kind` (the Content-Type), `length` (digits), `fp`.
local function source_of(options)
  local request, environ = options.request, options.environ or ENVIRON
  if request and request.command then -- a handler of httpserver's
    local _, query = request.path:match "^([^?]*)%??(.*)$"
    return {
      method = request.command, query = query, kind = request.headers:get "content-type",
      length = request.headers:get "content-length", fp = request.rfile, fields = request.headers,
    }
  elseif request then
    local method = request.method
    return {
      method = method, query = request.query, kind = request.headers:get "content-type", fields = request.headers,
      length = request.headers:get "content-length", fp = not BODILESS[method:upper()] and request.body or nil,
    }
  end
  local fields = options.headers
  local function field(name, variable)
    if not fields then return environ[variable] end
    for key, value in pairs(getmetatable(fields) and {} or fields) do
      if type(key) == "string" and ascii.lower(key) == name then return value end
    end
    return getmetatable(fields) and fields:get(name) or nil
  end
  return {
    method = environ.REQUEST_METHOD or "GET", query = environ.QUERY_STRING, fields = fields,
    kind = field("content-type", "CONTENT_TYPE"), length = field("content-length", "CONTENT_LENGTH"),
    fp = options.fp or io.stdin, is_cgi = not options.fp,
  }
end

local PIECE = 1 << 16

-- An iterator over the bytes of a body: a piece; nil at the end; nil, err, errno.
local function pieces_of(source, most)
  local fp, left = source.fp, source.size
  local seen = 0
  return function()
    if left == 0 then return nil end
    local piece, err, errno = fp:read(left and math.min(left, PIECE) or PIECE)
    if not piece and err then
      if csock.is_error(err) then return nil, err, errno end
      return fail(tostring(err), errno)
    end
    if not piece or piece == "" then
      if left then return fail(("the body is cut: %d bytes are missing"):format(left)) end
      return nil
    end
    if left then left = left - #piece end
    seen = seen + #piece
    if seen > most then return fail(("the body is longer than %d bytes"):format(most), E.EMSGSIZE) end
    return piece
  end
end

-- --- the form --------------------------------------------------------------------------------------

--- A form that was sent: by GET, in the query; by POST, as `application/x-www-form-urlencoded` or
-- `multipart/form-data`. What @{csock.cgi.field} has, it has, too.
--
-- Names come from a stranger, so fields are asked for by methods alone, not by indexing. Files go to temporary ones as
-- they come (`make_file`). A body that is cut, malformed, or over a limit is an error; what it has made is closed then.
-- Source: Python's `cgi.FieldStorage`.
-- @type fieldstorage
local FieldStorage = class("FieldStorage", Field)
M.FieldStorage = FieldStorage

--- Called for each upload: makes the file that it goes to, which is written and then read. May be overridden. By
-- default a temporary one that has no name.
-- @function fieldstorage:make_file
-- @tparam field field which has its `name` and `filename`
-- @treturn[1] file
-- @treturn[2] nil
-- @treturn[2] string message
-- @treturn[2] int errno
function FieldStorage.make_file() return io.tmpfile() end

-- Fields of a query or of a body like one.
local function add_query(self, text, options)
  local room = options.max_num_fields - #self.list
  local list, err, errno = urls.parse_qsl(text, {
    keep_blank_values = options.keep_blank_values, strict_parsing = options.strict_parsing,
    separator = options.separator, max_num_fields = math.max(room, 0),
  })
  if not list then return nil, err, errno end
  for _, pair in ipairs(list) do self.list[#self.list + 1] = Field(pair[1], pair[2]) end
  return true
end

local function read_urlencoded(self, source, options, limits)
  local pieces, most = {}, math.min(limits.total, limits.field)
  local next_piece = pieces_of(source, most)
  while true do
    local piece, err, errno = next_piece()
    if err then return nil, err, errno end
    if not piece then break end
    pieces[#pieces + 1] = piece
  end
  local text = table.concat(pieces)
  if source.query and source.query ~= "" then text = text == "" and source.query or text .. "&" .. source.query end
  return add_query(self, text, options)
end

-- Puts bytes into a field's file.
local function store(field, bytes, limits)
  field.size = (field.size or 0) + #bytes
  if field.size > limits.file then
    return fail(("a file is longer than %d bytes"):format(limits.file), E.EMSGSIZE)
  end
  local ok, words, code = field.file:write(bytes)
  if not ok then return fail(tostring(words), code) end
  return true
end

local function open_file(self, field, state, limits)
  state.files = state.files + 1
  if state.files > limits.files then return fail(("more than %d files"):format(limits.files), E.EMSGSIZE) end
  local file, words, code = self:make_file(field)
  if not file then return fail(tostring(words), code) end
  field.file = file
  return true
end

-- What the head of a part says of it.
local function describe(field, block)
  field.headers = block
  field.disposition, field.disposition_options = header.parse(block:get("content-disposition", ""))
  field.name, field.filename = field.disposition_options.name, field.disposition_options.filename
  field.type, field.type_options = header.parse(block:get("content-type", "text/plain"))
end

local parser_of

-- What happens to the parts of a body, which become fields of `owner`.
local function events_of(self, owner, state, options, limits, depth)
  local field, texts, inner

  local function begin(block)
    state.fields = state.fields + 1
    if state.fields > options.max_num_fields then
      return fail(("more than %d fields"):format(options.max_num_fields), E.EMSGSIZE)
    end
    field, texts, inner = Field(), nil, nil
    describe(field, block)
    owner.list[#owner.list + 1] = field
    if ascii.lower(field.type):find "^multipart/" then
      local err, errno
      field.list = {}
      inner, err, errno = parser_of(self, field, state, options, limits, depth + 1)
      if not inner then return nil, err, errno end
    elseif field.filename then
      return open_file(self, field, state, limits)
    else
      texts = {}
    end
    return true
  end

  local function data(bytes)
    if inner then return inner:push(bytes) end
    if field.file then return store(field, bytes, limits) end
    field.size, state.memory = (field.size or 0) + #bytes, state.memory + #bytes
    if field.size > limits.field then
      return fail(("a field is longer than %d bytes"):format(limits.field), E.EMSGSIZE)
    elseif state.memory > limits.memory then
      return fail(("the fields are longer than %d bytes"):format(limits.memory), E.EMSGSIZE)
    end
    texts[#texts + 1] = bytes
    return true
  end

  local function finish()
    if inner then return inner:finish() end
    if texts then field.text = table.concat(texts) end
    if field.file then field.file:seek "set" end
    return true
  end

  return { begin = begin, data = data, finish = finish }
end

function parser_of(self, owner, state, options, limits, depth)
  local boundary = owner.type_options.boundary or ""
  if not header.is_boundary(boundary) then return fail "a multipart body without a boundary" end
  if depth > limits.depth then
    return fail(("parts in parts, deeper than %d"):format(limits.depth), E.EMSGSIZE)
  end
  return multipart.parser(boundary, limits.head, events_of(self, owner, state, options, limits, depth))
end

local function read_multipart(self, source, options, limits)
  if source.query and source.query ~= "" then
    local ok, err, errno = add_query(self, source.query, options)
    if not ok then return nil, err, errno end
  end
  local state = { fields = #self.list, files = 0, memory = 0 }
  local parser, err, errno = parser_of(self, self, state, options, limits, 1)
  if not parser then return nil, err, errno end
  local next_piece = pieces_of(source, limits.total)
  while true do
    local piece
    piece, err, errno = next_piece()
    if err then return nil, err, errno end
    if not piece then break end
    local ok
    ok, err, errno = parser:push(piece)
    if not ok then return nil, err, errno end
  end
  return parser:finish()
end

-- A body that is no form.
local function read_single(self, source, limits)
  local ok, err, errno = open_file(self, self, { files = 0 }, { files = 1 })
  if not ok then return nil, err, errno end
  self.list = nil
  local next_piece = pieces_of(source, limits.total)
  while true do
    local piece
    piece, err, errno = next_piece()
    if err then return nil, err, errno end
    if not piece then break end
    ok, err, errno = store(self, piece, limits)
    if not ok then return nil, err, errno end
  end
  self.file:seek "set"
  return true
end

local function read(self, source, options, limits)
  if BODILESS[source.method:upper()] then return add_query(self, source.query or "", options) end
  if source.length then
    source.size = ascii.integer(source.length, math.maxinteger)
    if not source.size then return fail "the length of the body is no number" end
    if source.size > limits.total then
      return fail(("the body is longer than %d bytes"):format(limits.total), E.EMSGSIZE)
    end
  elseif source.is_cgi then
    source.size = 0 -- RFC 3875, section 4.1.2: there is none
  end
  local kind = ascii.lower(self.type)
  if kind == "application/x-www-form-urlencoded" then return read_urlencoded(self, source, options, limits) end
  if kind:find "^multipart/" then return read_multipart(self, source, options, limits) end
  return read_single(self, source, limits)
end

--- Made by calling the class: `FieldStorage()` in a CGI program, `FieldStorage {request = request}` in a function of
-- @{csock.httpserver.serve}, `FieldStorage {request = self}` in a method of a request handler.
-- @function csock.cgi.FieldStorage
-- @tparam[opt] table options
-- @param[opt] options.request a request, or a handler, of @{csock.httpserver}
-- @param[opt] options.fp where the body stands (default: standard input); is read as far as Content-Length says, or to
-- its end
-- @tparam[opt] table options.environ the variables of CGI (default: the environment's)
-- @tparam[opt] table options.headers the fields Content-Type and Content-Length, instead of the variables
-- @tparam[opt=false] boolean options.keep_blank_values whether fields of a query without a value count
-- @tparam[opt=false] boolean options.strict_parsing whether a piece of a query without `=` is an error
-- @tparam[opt=1000] int options.max_num_fields
-- @tparam[opt="&"] string options.separator
-- @tparam[opt] table options.limits in bytes, `total` (268435456, of the body), `file` (268435456, of each), `field`
-- (1048576, of each other one, and of a body like a query), `memory` (8388608, of all of those), `head` (16384, of a
-- part's); and `files` (100) and `depth` (2, parts in parts). What is over one is an error; false: no limit
-- @treturn[1] fieldstorage
-- @treturn[2] nil
-- @treturn[2] error
-- @treturn[2] int errno (`EMSGSIZE`: over a limit; `EBADMSG`: cut or malformed; what reading gave)
-- @usage
-- local form = assert(cgi.FieldStorage {environ = {REQUEST_METHOD = "GET", QUERY_STRING = "q=a+b"}})
-- print(form:getvalue "q") --> a b
function FieldStorage:__init(options)
  local settings = check.options(options, OPTIONS, 1, "FieldStorage")
  local limits = check.options(settings.limits, LIMITS, 1, "FieldStorage")
  local source = source_of(settings)
  self.list, self.headers = {}, source.fields
  local usual = source.method:upper() == "POST" and "application/x-www-form-urlencoded" or "text/plain"
  self.type, self.type_options = header.parse(source.kind or usual)
  local ok, err, errno = read(self, source, settings, limits)
  if not ok then
    self:close()
    return nil, err, errno
  end
end

return M

-- multipart.lua: a form with files in it (multipart/form-data, RFC 7578), as a body that is sent piece by piece.
local bodies = require "csock.http.body"
local check = require "csock.check"
local csock = require "csock"
local headers = require "csock.wire.headers"

local M = {}

-- As browsers do: a name can end neither its quotes nor its line.
local ESCAPES = { ['"'] = "%22", ["\r"] = "%0D", ["\n"] = "%0A", ["\0"] = "%00" }
local function quoted(text) return '"' .. text:gsub('["\r\n\0]', ESCAPES) .. '"' end

-- The pairs of a form, in its order: a sequence of {name, value}, or a table, in the order of its names.
local function pairs_of(form, option)
  local list = {}
  if #form > 0 then
    for i, pair in ipairs(form) do
      if type(pair) ~= "table" then check.expected("request", 3, ("%s: pair %d: table"):format(option, i), pair) end
      list[i] = pair
    end
    return list
  end
  local names = {}
  for name in next, form do names[#names + 1] = name end
  table.sort(names)
  for _, name in ipairs(names) do
    local value = form[name]
    if option == "form" and type(value) == "table" then
      for _, one in ipairs(value) do list[#list + 1] = { name, one } end
    else
      list[#list + 1] = { name, value }
    end
  end
  return list
end

-- What a file is: a body, or a table of `data`, `filename`, `type`, `headers`.
local function file_of(name, value)
  if io.type(value) == "file" or type(value) ~= "table" or value.read then value = { data = value } end
  if value.data == nil then check.expected("request", 3, "files: " .. name .. ".data: body", nil) end
  return value
end

local function head_of(boundary, name, filename, fields)
  local disposition = "form-data; name=" .. quoted(name)
  if filename then disposition = disposition .. "; filename=" .. quoted(filename) end
  return ("--%s\r\nContent-Disposition: %s\r\n%s\r\n"):format(boundary, disposition, fields:encode())
end

-- The source of the body, and its media type.
function M.source(form, files)
  local boundary = "csock-" .. assert(csock.random(16)):gsub(".", function(c) return ("%02x"):format(c:byte()) end)
  local sources = {}
  local function add(body) sources[#sources + 1] = bodies.source(body, 3, "request") end
  local function name_of(name)
    if type(name) ~= "string" then check.expected("request", 3, "name of a field: string", name) end
    return name
  end
  for _, pair in ipairs(pairs_of(form or {}, "form")) do
    add(head_of(boundary, name_of(pair[1]), nil, headers.new()) .. tostring(pair[2]) .. "\r\n")
  end
  for _, pair in ipairs(pairs_of(files, "files")) do
    local name = name_of(pair[1])
    local file = file_of(name, pair[2])
    local fields = headers.new(file.headers)
    if not fields["content-type"] then fields:add("Content-Type", file.type or "application/octet-stream") end
    add(head_of(boundary, name, file.filename or name, fields))
    add(file.data)
    add "\r\n"
  end
  add("--" .. boundary .. "--\r\n")
  return bodies.joined(sources), "multipart/form-data; boundary=" .. boundary
end

return M

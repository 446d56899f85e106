-- request.lua: Request: what csock.url.urlopen is to open, with its data and headers.
local check = require "csock.check"
local class = require "csock.class"
local headers = require "csock.wire.headers"
local split = require "csock.url.split"

--- A URL that is to be opened, with data and headers. The fields `full_url`, `type` (the scheme), `host`, `selector`
-- (path and query), `data` and `method` may be looked at.
-- Source: Python's `urllib.request.Request`.
-- @type urlrequest
local URLRequest = class("Request")

--- Made by calling the class. Whether it is a URL, `urlopen` says.
-- @function csock.url.Request
-- @tparam string url
-- @tparam[opt] table options `data` may also be given by itself, before them
-- @param[opt] options.data a body, as for @{csock.http.request}
-- @tparam[opt] table options.headers names and values
-- @tparam[opt] string options.method default: POST where there is data, or else GET
-- @treturn urlrequest
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(assert(url.urlopen(request)):read()) --> hello
function URLRequest:__init(url, data, options)
  check.argument(check.STRING, url, 1, "Request")
  if type(data) == "table" and options == nil and (data.data or data.headers or data.method) then
    data, options = data.data, { headers = data.headers, method = data.method }
  end
  options = check.options(options, { headers = { check.TABLE }, method = { check.STRING } }, 3, "Request")
  self.full_url = url
  local scheme, netloc, path, query = split.split(url, "", true)
  self.type, self.host, self.selector = scheme, netloc, split.with_query(path, query, "")
  self.data, self.method = data, options.method
  self.headers = headers.new(options.headers)
end

--- The method. Source: Python's `Request.get_method`.
-- @treturn string
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(request:get_method()) --> GET
function URLRequest:get_method() return self.method or self.data ~= nil and "POST" or "GET" end

--- The URL. Source: Python's `Request.get_full_url`.
-- @treturn string
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(request:get_full_url())
function URLRequest:get_full_url() return self.full_url end

--- Sets a header. Source: Python's `Request.add_header`.
-- @tparam string name
-- @tparam string value
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- request:add_header("User-Agent", "me")
function URLRequest:add_header(name, value) self.headers:set(name, value) end

--- Whether it has a header. Source: Python's `Request.has_header`.
-- @tparam string name
-- @treturn boolean
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(request:has_header "Accept") --> true
function URLRequest:has_header(name) return self.headers:get(name) ~= nil end

--- A header. Source: Python's `Request.get_header`.
-- @tparam string name
-- @param[opt] default
-- @treturn ?string
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(request:get_header "Accept") --> text/plain
function URLRequest:get_header(name, default) return self.headers:get(name, default) end

--- Takes a header away. Source: Python's `Request.remove_header`.
-- @tparam string name
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- request:remove_header "Accept"
function URLRequest:remove_header(name) self.headers:remove(name) end

--- All headers: a sequence of `{name, value}`. Source: Python's `Request.header_items`.
-- @treturn table
-- @usage
-- local request = url.Request("http://localhost:8080/", {headers = {Accept = "text/plain"}})
-- print(#request:header_items()) --> 1
function URLRequest:header_items()
  local list = {}
  for name, value in self.headers:each() do list[#list + 1] = { name, value } end
  return list
end

return URLRequest

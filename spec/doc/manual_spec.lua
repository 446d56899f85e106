-- The manual: every public name has its text, and every text its name.
local csock = require "csock"
local manual = require "doc.manual"
local objects = require "spec.support.objects"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local has_ssl, ssl = pcall(require, "csock.ssl")
if not has_ssl then ssl = nil end

local pages = {}
for _, page in ipairs(manual.gather()) do
  pages[page.name] = { types = {}, classes = {} }
  for _, section in ipairs(page.sections) do
    for _, item in ipairs(section.items) do pages[page.name][item.name] = item end
  end
  for _, object in ipairs(page.types) do
    local items = {}
    for _, item in ipairs(object.items) do items[item.name:match ":(.*)"] = item end
    pages[page.name].types[object.name] = items
    if object.about.class then pages[page.name].classes[object.about.class] = object end
  end
end

-- What a module keeps for csock's other modules.
local private = {
  task = { watch = true, daemon = true, throw = true },
  httpconnection = {
    arm = true, ask = true, is_over = true, may_wait = true, read_head = true, released = true, security = true,
    usable = true,
  },
  httpresponse = { settle = true },
}

-- Names of modules that are for csock's other modules; and modules that are seen to below, or are classes.
local private_names = { ["csock.reactor.reason.of_connect"] = true }
for _, name in ipairs { "above", "fresh", "paint", "painter", "text", "typing" } do
  private_names["csock.background." .. name] = true -- what has no names of its own: it is only to be loaded
end
local has_own_spec = { csock = true, ["csock.loop"] = true, ["csock.bytesio"] = true, ["csock.class"] = true }

-- What some systems lack.
local lacking = {}
for _, name in ipairs { "epoll", "kqueue", "kevent" } do lacking[name] = csock[name] == nil end
for _, name in ipairs { "SSLContext", "SSLSocket", "SSLObject", "MemoryBIO" } do lacking[name] = not ssl end

-- What the page says of a class's ancestors: its objects have that, too.
local function inherited(page, object)
  local all = {}
  for _, class in ipairs(type(object) == "table" and object.__mro or {}) do
    for name, item in pairs(page.types[class.__name:lower()] or {}) do all[name] = item end
  end
  return all
end

local function missing(has, documented, except)
  local list = {}
  for name in pairs(has) do
    if type(name) == "string" and not documented[name] and not (except and except[name]) then
      list[#list + 1] = name
    end
  end
  table.sort(list)
  return list
end

describe("the manual", function()
  it("has a text for every name of csock", function()
    local has, documented = {}, {}
    for name, value in pairs(csock) do
      if math.type(value) ~= "integer" and name ~= "loop" then has[name] = value end -- csock.loop has a page
    end
    for name, item in pairs(pages.csock) do documented[name] = item end
    for name in pairs(pages["csock.loop"]) do
      if csock[name] ~= nil and csock[name] == csock.loop[name] then documented[name] = true end
    end
    documented.serve = documented.serve or pages["csock.serve"].serve
    assert.same({}, missing(has, documented))
  end)

  it("has a text for every name of csock.loop", function()
    assert.same({}, missing(csock.loop, pages["csock.loop"]))
  end)

  it("has a text for every name of every module", function()
    local silent = {}
    for module_name, page in pairs(pages) do
      local found, module = pcall(require, module_name)
      if found and type(module) == "table" and not has_own_spec[module_name] then
        for name, value in pairs(module) do
          local said = page[name] or page.types[name] or page.types[tostring(name):lower()] or page.classes[name]
          local hidden = type(name) ~= "string" or name:find "^__" or math.type(value) == "integer"
            or module_name == "csock.gopher" and name:find "^A_" -- listed where `types` is described
          if not said and not hidden and not private_names[module_name .. "." .. name] then
            silent[#silent + 1] = module_name .. "." .. name
          end
        end
      end
    end
    table.sort(silent)
    assert.same({}, silent)
  end)

  it("has a text for every method, and no method that is not there", function()
    local list, close = objects()
    local wrong = {}
    -- Every socket has the methods of those over TLS, once csock.ssl is loaded; an SSLObject those that ask.
    local types, on_tls = pages.csock.types, pages["csock.ssl"].types
    for name, item in pairs(on_tls.SSLSocket) do
      if on_tls.SSLObject[name] == nil then on_tls.SSLObject[name] = ssl and list.SSLObject[name] and item end
    end
    for name, item in pairs(types.socket) do on_tls.SSLSocket[name] = on_tls.SSLSocket[name] or item end
    if ssl then types.socket = on_tls.SSLSocket end
    for _, page in pairs(pages) do
      for name, documented in pairs(page.types) do
        local object = list[name]
        if object == nil and not lacking[name] and next(documented) ~= nil then
          wrong[#wrong + 1] = "no object: " .. name
        end
        if object ~= nil then
          for method, item in pairs(documented) do
            local optional = item.kind == "field" and table.concat(item.text, " "):find "%f[%a]nil%f[%A]"
            if not optional and not method:find "^__" and object[method] == nil then
              wrong[#wrong + 1] = name .. ":" .. method
            end
          end
          local methods = getmetatable(object).__index
          if type(methods) == "table" then
            local others = inherited(page, object)
            for _, method in ipairs(missing(methods, documented, private[name])) do
              if not others[method] and type(methods[method]) == "function" and not method:find "^__" then
                wrong[#wrong + 1] = "no text: " .. name .. ":" .. method
              end
            end
          end
        end
      end
    end
    close()
    assert.same({}, wrong)
  end)

  it("says of every function where it comes from or what it gives", function()
    local silent = {}
    for name, item in pairs(pages.csock) do
      if item.kind == "function" then
        local text = table.concat(item.text, "\n") .. table.concat(item.tags, "\n")
        if not text:find "Source:" and not text:find "@t?return" and not text:find "@raise" then
          silent[#silent + 1] = name
        end
      end
    end
    assert.same({}, silent)
  end)

  it("has no name that is not there", function()
    for name, item in pairs(pages.csock) do
      if (item.kind == "function" or item.kind == "field") and not lacking[name] then
        assert.is_not_nil(csock[name], name)
      end
    end
    for name, item in pairs(pages["csock.loop"]) do
      if item.kind then assert.is_not_nil(csock.loop[name], name) end
    end
  end)

  it("has fields, which are no functions, with their classes", function()
    local dir = assert(posix.mkdtemp())
    manual.write(dir)
    local text = assert(io.open(dir .. "/csock.socketserver.lua")):read "a"
    local forking = text:match "@type forkingmixin\n.-@type"
    assert.matches("300 seconds[^\n]*\n%-%- @field timeout\n", forking)
    assert.is_nil(text:find "@function[^\n]*max_children")
  end)

  it("is what LDoc takes without a warning", function()
    if not os.execute "command -v ldoc >/dev/null" then return pending "no ldoc" end
    local dir = assert(posix.mkdtemp())
    manual.write(dir)
    local status, out, err = process.run({ "ldoc", "--fatalwarnings", "--quiet", "--format", "backtick",
      "--dir", dir .. "/html", dir }, { timeout = 60 })
    os.execute("rm -rf '" .. dir .. "'")
    assert.equal("", err)
    assert.equal(0, status, out)
  end)
end)

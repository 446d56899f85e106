-- The definitions for editors: they are Lua, they have exactly the names that help knows, and each type in them is
-- there.
local csock = require "csock"
local help = require "csock.help"
local luacats = require "csock.help.luacats"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local dir, files = nil, {}

-- The names that a file of definitions has, as help calls them.
local function names_in(text, found)
  local module = text:match "^%-%-%-@meta ([%w_.]+)\n"
  found[module] = true
  for owner, separator, name in text:gmatch "\nfunction ([%w_]+)([.:])([%w_]+)%(" do
    found[(owner == "M" and module or owner) .. separator .. name] = true
  end
  for owner, name in text:gmatch "\n([%w_]+)%.([%w_]+) = " do
    found[owner == "M" and module .. "." .. name or owner .. ":" .. name] = true
  end
  for name in text:gmatch "\nlocal ([%w_]+) = {}" do found[name ~= "M" and name or module] = true end
end

describe("the definitions for lua-language-server", function()
  setup(function()
    dir = assert(posix.mkdtemp())
    luacats.write(dir)
    for _, path in ipairs(tree.files(dir .. "/library", "%.lua$")) do files[path] = tree.read(path) end
  end)

  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  it("are Lua", function()
    for path, text in pairs(files) do assert(load(text, "@" .. path)) end
    if not os.execute "command -v luacheck >/dev/null" then return pending "no luacheck" end
    local status, out = process.run({ "luacheck", "--no-config", "--std=lua54", "--no-unused", "--no-max-line-length",
      "--ignore=43", "--no-color", "--quiet", dir }, { timeout = 60 })
    assert.equal(0, status, out)
  end)

  it("have exactly the names that help knows", function()
    local found, wrong = {}, {}
    for _, text in pairs(files) do names_in(text, found) end
    local known, classes = {}, {}
    for _, object in ipairs(require("csock.help.index").data.types) do classes[object.class or ""] = object.name end
    for _, name in ipairs(help.names()) do
      known[name] = true
      -- Metamethods have no place there.
      if not found[name] and not name:find ":__" then wrong[#wrong + 1] = "missing: " .. name end
    end
    for name in pairs(found) do
      local short = name:match "^csock%.([%w_]+)$"
      local alias = short and (known["csock.loop." .. short] or csock[short] == csock.loop)
      local of_module = name:match "^csock%..*%.([%w_]+)$" -- a class is a name of its module
      of_module = classes[of_module] or of_module
      if not known[name] and not alias and not known[of_module] then wrong[#wrong + 1] = "unknown: " .. name end
    end
    table.sort(wrong)
    assert.same({}, wrong)
  end)

  it("use no type that is not defined", function()
    local defined, wrong = {}, {}
    for _, text in pairs(files) do
      for name in text:gmatch "\n%-%-%-@class ([%w_.]+)" do defined[name] = true end
    end
    for path, text in pairs(files) do
      for line in text:gmatch "\n(%-%-%-@%l+ [^\n]*)" do
        local kind, rest = line:match "^%-%-%-@(%l+) (.*)$"
        local types = rest:match "^[^#]*"
        if kind == "param" or kind == "field" then types = rest:match "^%S+ (%S+)" end
        for name in types:gmatch "csock%.[%w_.]+" do
          if not defined[name] then wrong[#wrong + 1] = path:match "library/(.*)" .. ": " .. name end
        end
      end
    end
    assert.same({}, wrong)
  end)

  it("name the parameters in the order that the functions have", function()
    for path, text in pairs(files) do
      local params = {}
      for line in text:gmatch "[^\n]*" do
        local name = line:match "^%-%-%-@param ([%w_.]+)"
        local declared = line:match "^function [%w_.:]+(%b())" or line:match "^local function M(%b())"
        if name then params[#params + 1] = name end
        if declared then
          assert.equal(("(%s)"):format(table.concat(params, ", ")), declared, path .. ": " .. line)
          params = {}
        end
      end
    end
  end)

  it("say what a call gives, failures too", function()
    local text = files[dir .. "/library/csock.lua"]
    assert.matches("\n%-%-%-@return csock%.socket|nil #[^\n]*\n%-%-%-@return csock%.error|nil #[^\n]*\n"
      .. "%-%-%-@return integer|nil # errno[^\n]*\nfunction M%.socket%(family, type, proto, options%) end\n", text)
    assert.matches("\n%-%-%-@class csock%.create_server_options: table\n%-%-%-@field family%? integer ", text)
    assert.matches("\n%-%-%-@param options%? csock%.create_server_options ?\n", text)
    assert.matches("\nM%.AF_INET = %d+\n", text)
  end)

  it("have the parents of classes", function()
    local class = "\n---@class csock.ThreadingTCPServer: csock.ThreadingMixIn, csock.TCPServer, csock.BaseServer\n"
    assert.matches(class, files[dir .. "/library/csock/socketserver.lua"], 1, true)
  end)

  it("are an addon", function()
    assert.matches('"name": "csock"', tree.read(dir .. "/config.json"), 1, true)
  end)
end)

-- A module's new code in the place of its old one.
local names = require "csock.repl.names"
local reload = require "csock.repl.reload"

describe("a module that is loaded anew", function()
  local directory, path

  local function write(text)
    local file <close> = assert(io.open(path, "w"))
    file:write(text)
  end

  setup(function()
    directory = os.tmpname()
    os.remove(directory)
    assert(os.execute("mkdir " .. directory))
    path = directory .. "/reload_spec_module.lua"
  end)

  teardown(function() os.execute("rm -r " .. directory) end)

  before_each(function()
    package.path = directory .. "/?.lua;" .. package.path
    write [[
      local M = { Class = {} }
      M.Class.__index = M.Class
      function M.Class:name() return "old" end
      function M.hello() return "old" end
      function M.gone() end
      M.kept = M.kept or {}
      return M
    ]]
    package.loaded.reload_spec_module = nil
  end)

  after_each(function()
    package.path = package.path:sub(#directory + 8)
    package.loaded.reload_spec_module = nil
    _G.reload_spec_handler = nil
  end)

  it("has its new functions in the table that others hold", function()
    local module = require "reload_spec_module"
    write "return { hello = function() return 'new' end }"
    assert.is_number(reload.module "reload_spec_module")
    assert.equal("new", module.hello())
    assert.is_nil(module.gone)
    assert.equal(module, require "reload_spec_module")
  end)

  it("gives objects that were made before its new methods", function()
    local module = require "reload_spec_module"
    local object = setmetatable({}, module.Class)
    write "local M = { Class = {} } M.Class.__index = M.Class function M.Class:name() return 'new' end return M"
    assert(reload.module "reload_spec_module")
    assert.equal("new", object:name())
    assert.equal("new", setmetatable({}, module.Class):name())
  end)

  it("gives objects of csock's classes theirs", function()
    write [[
      local M = { Thing = require "csock.class" "Thing" }
      function M.Thing:name() return "old" end
      function M.Thing:gone() end
      return M
    ]]
    local object = require "reload_spec_module".Thing()
    assert.equal("old", object:name())
    write [[
      local M = { Thing = require "csock.class" "Thing" }
      function M.Thing:name() return "new" end
      return M
    ]]
    assert(reload.module "reload_spec_module")
    assert.equal("new", object:name())
    assert.is_nil(object.gone)
  end)

  it("keeps its data: in its table, in those within, in its functions' locals", function()
    local text = [[
      local clients, limits = {}, { %s }
      local M = { rooms = {} }
      function M.join(name) clients[#clients + 1], M.rooms[name] = name, true end
      function M.state() return #clients, next(M.rooms), limits.most, "%s" end
      return M
    ]]
    write(text:format("most = 1", "old"))
    local module = require "reload_spec_module"
    module.join "lobby"
    write(text:format("most = 2", "new"))
    assert(reload.module "reload_spec_module")
    assert.same({ 1, "lobby", 2, "new" }, { module.state() })
    module.join "garden"
    assert.equal(2, (module.state()))
    assert.is_true(module.rooms.garden)
  end)

  it("has classes whose methods call their parents' as before", function()
    local text = [[
      local class = require "csock.class"
      local M = { Base = class "Base" }
      M.Thing = class("Thing", M.Base)
      local Thing = M.Thing
      function M.Base:name() return "%s" end
      function Thing:name() return Thing.super.name(self) .. "!" end
      return M
    ]]
    write(text:format "old")
    local object = require "reload_spec_module".Thing()
    write(text:format "new")
    assert(reload.module "reload_spec_module")
    assert.equal("new!", object:name())
  end)

  it("stays as it was where the new code has an error", function()
    local module = require "reload_spec_module"
    for text, why in pairs {
      ["return {"] = "near <eof>", ["error 'broken'"] = "broken", ["return nil"] = "gives nil",
    } do
      write(text)
      local ok, message = reload.module "reload_spec_module"
      assert.is_nil(ok)
      assert.matches(why, message)
      assert.equal("old", module.hello())
    end
  end)

  it("must have been loaded, and be there", function()
    assert.same({ nil, "reload_spec_module is not loaded" }, { reload.module "reload_spec_module" })
    package.loaded.reload_spec_none = {}
    assert.matches("no module reload_spec_none", (select(2, reload.module "reload_spec_none")))
    package.loaded.reload_spec_none = nil
  end)

  it("may be a file, whose functions take the old ones' places", function()
    local env = names.environment {}
    write "function reload_spec_handler() return 'old' end"
    assert(reload.file(path, env))
    local held = _G.reload_spec_handler
    write "function reload_spec_handler() return 'new' end"
    assert(reload.file(path, env))
    assert.equal("new", held())
    write "function reload_spec_handler("
    assert.is_nil((reload.file(path, env)))
    assert.equal("new", held())
  end)
end)

--- The programs in guide pages: each runs as it stands, and prints what stands behind `-->`.
--
--     for i, code in ipairs(guide.blocks("doc/tls.md", "lua")) do
--       if guide.tells(code) then it("...", function() guide.check(code) end) end
--     end
local assert = require "luassert"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local M = {}

--- The pieces of code of a page that are in this language.
function M.blocks(path, language)
  local list = {}
  for code in tree.read(path):gmatch("\n```" .. language .. "\n(.-\n)```") do list[#list + 1] = code end
  return list
end

--- Whether it says what it prints.
function M.tells(code) return code:find("-->", 1, true) ~= nil end

-- The paths of csock, from any directory.
local function absolute(path)
  local _, here = process.run { "pwd" }
  return (path:gsub("%f[^;\0]%./", ""):gsub("%f[^;\0]([^/;][^;]*)", here:gsub("\n$", "") .. "/%1"))
end

--- An environment in which programs find csock from any directory.
function M.environment() return { LUA_PATH = absolute(package.path), LUA_CPATH = absolute(package.cpath) } end

--- Runs a program (`options` as for process.run): it prints what it says.
function M.check(code, options)
  options = options or {}
  options.env = options.env or M.environment()
  local expected = {}
  for text in code:gmatch "%-%->([^\n]*)" do expected[#expected + 1] = text:gsub("^ ", "") .. "\n" end
  local status, out, err = process.run({ process.interpreter, "-W", "-e", code }, options)
  assert.equal(options.err or "", err)
  assert.equal(table.concat(expected), out)
  assert.equal(0, status)
end

return M

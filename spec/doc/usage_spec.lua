-- The manual's examples (`@usage`): each runs, and prints what it says; and most functions have one.
local certificates = require "spec.support.certificates"
local data = require "csock.help.data"
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

-- In how many functions of a module an example may be missing, beside those that csock calls itself. The numbers
-- shrink; a new module has them all.
local MISSING = {
  ["csock.httpserver"] = 13, ["csock.socketserver"] = 29, ["csock.asyncore"] = 7, ["csock.repl"] = 2,
}

-- The share of all functions, of a hundred, that have one at least. It grows.
local LEAST = 80

-- Of what only other systems have, there is none.
local ELSEWHERE = { kqueue = true, ["csock.kqueue"] = true, ["csock.kevent"] = true }

-- Whether a function needs none: what csock calls, and who overrides it need not call; what a constructor's text has.
local function is_called_by_csock(name, entry)
  local text = entry.text
  return name:find "%f[_]__" or text:find "^Called " or text:find "May be overridden" or text:find "To be overridden"
    or text:find "^Made by calling the class, by" or text:find "[Tt]he same as"
end

-- Of a module: how many functions there are, and the names of those without an example.
local function functions_of(module)
  local count, without = 0, {}
  local function look(name, entry)
    if entry.kind ~= "function" then return end
    count = count + 1
    local elsewhere = ELSEWHERE[name] or ELSEWHERE[name:match "^[%w_]+"]
    if not entry.usage and not elsewhere then without[#without + 1] = { name, entry } end
  end
  for _, name in ipairs(module.members) do look(name, data.entries[name]) end
  if module.call then look(module.name, module.call) end
  for _, object in ipairs(data.types) do
    for _, name in ipairs(object.module == module.name and object.members or {}) do look(name, data.entries[name]) end
  end
  return count, without
end

describe("the manual's examples", function()
  local dir
  setup(function() dir = assert(posix.mkdtemp()) end)
  teardown(function() os.execute("rm -rf '" .. dir .. "'") end)

  for _, module in ipairs(data.modules) do
    it("of " .. module.name .. " run, and print what they say", function()
      if module.name == "csock.ssl" and not certificates.available then return pending "no openssl" end
      if not pcall(require, module.name) then return pending "it is not built" end
      if module.name == "csock.xmlrpc" and not pcall(require, "lxp") then return pending "no lua-expat" end
      local env = {}
      if certificates.available and package.searchpath("csock.tls", package.cpath) then
        local good = certificates.good
        for name, path in pairs { cert = good.cert, key = good.key, ca = certificates.ca.cert } do
          os.execute(("cp '%s' '%s/%s.pem'"):format(path, dir, name))
        end
        env = { USAGE_CERT = dir .. "/cert.pem", USAGE_KEY = dir .. "/key.pem", SSL_CERT_FILE = dir .. "/ca.pem" }
      end
      local script = tree.output "pwd":gsub("\n", "") .. "/spec/support/usage.lua"
      local status, out, err = process.run({ process.interpreter, script, module.name }, {
        cwd = dir, env = env, timeout = 60,
      })
      assert.equal("", out .. (status ~= 0 and err or ""))
      assert.equal(0, status)
    end)
  end

  for _, module in ipairs(data.modules) do
    it("are there for the functions of " .. module.name, function()
      local _, without = functions_of(module)
      local names = {}
      for _, pair in ipairs(without) do
        if not is_called_by_csock(pair[1], pair[2]) then names[#names + 1] = pair[1] end
      end
      if #names > (MISSING[module.name] or 0) then assert.same({}, names) end
    end)
  end

  it("are there for most functions", function()
    local all, without = 0, 0
    for _, module in ipairs(data.modules) do
      local count, list = functions_of(module)
      all, without = all + count, without + #list
    end
    local share = 100 * (all - without) / all
    assert(share >= LEAST, ("%.1f of 100"):format(share))
  end)
end)

-- doc/csock.1 tells of what there is, and of nothing else.
local main = require "csock.command"
local options = require "csock.command.options"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

local PAGE = tree.read "doc/csock.1"

-- What a section has, by the command's name ("" for csock itself).
local sections = { [""] = PAGE:match "\n%.Sh DESCRIPTION\n(.-)\n%.Ss " }
for name in PAGE:gmatch "\n%.Ss csock (%l+)\n" do
  sections[name] = PAGE:match("\n%.Ss csock " .. name .. "\n(.-)\n%.S[sh] ")
end

-- The names of the options that a section's list has.
local function names_in(section)
  local names = {}
  for line in section:gmatch "%.It (Fl [^\n]*)" do
    for long, name in line:gsub("Fl Fl ", "Long "):gmatch "%f[%w](%u%l+) ([%w%-]+)" do
      if long ~= "Ar" then names[(long == "Long" and "--" or "-") .. name] = true end
    end
  end
  return names
end

-- Those of a command's data, and the words for their values.
local function names_of(command)
  local names, values = {}, {}
  for _, synopsis in ipairs(options.list(command)) do
    if command == main.itself or not synopsis:find "^%-h, %-%-help" then
      local last
      for name in synopsis:gmatch "%-%-?[%w%-]+" do
        names[name] = true
        last = name
      end
      values[last] = synopsis:match " (%u[%u ]*)$"
    end
  end
  return names, values
end

describe("csock(1)", function()
  for _, command in ipairs { main.itself, table.unpack(main.commands()) } do
    local name = command.name or ""

    it(("tells of the options of csock %s, and of no others"):format(name), function()
      local section = assert(sections[name], "there is no section on " .. name)
      local names, values = names_of(command)
      assert.same(names, names_in(section))
      for option, words in pairs(values) do
        local flag = option:find "^%-%-" and "Fl Fl " .. option:sub(3) or "Fl " .. option:sub(2)
        local arguments = words:lower():gsub("%w+", "Ar %0")
        assert.is_truthy(section:find(flag .. " " .. arguments, 1, true), flag .. " " .. arguments)
      end
    end)
  end

  it("tells of no command that there is not", function()
    local known = {}
    for _, name in ipairs(main.NAMES) do known[name] = true end
    for name in pairs(sections) do assert(name == "" or known[name], name) end
  end)

  it("is a page without mistakes", function()
    for _, tool in ipairs { { "mandoc", "-T", "lint", "-W", "warning" }, { "groff", "-mdoc", "-ww", "-z" } } do
      local status = process.run { "sh", "-c", "command -v " .. tool[1] }
      if status == 0 then
        local argv = { table.unpack(tool) }
        argv[#argv + 1] = "doc/csock.1"
        local ended, out, err = process.run(argv)
        assert.equal("", out .. err)
        assert.equal(0, ended)
        return
      end
    end
    pending "neither mandoc nor groff"
  end)
end)

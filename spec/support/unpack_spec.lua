-- What `make deps-specs` does with packages that are better not installed.
local posix = require "spec.support.posix"
local process = require "spec.support.process"
local tree = require "spec.support.tree"

describe("unpack.sh", function()
  local dir

  before_each(function()
    dir = assert(posix.mkdtemp())
    for _, tool in ipairs { "sh", "sed", "rm", "mkdir", "mv" } do
      assert(os.execute(("ln -s \"$(command -v %s)\" '%s'"):format(tool, dir)))
    end
  end)

  after_each(function() os.execute("rm -rf '" .. dir .. "'") end)

  local function program(name, text)
    local path = dir .. "/" .. name
    do
      local file <close> = assert(io.open(path, "w"))
      assert(file:write("#!/bin/sh\necho ", name, " $* >>", dir, "/log\n", text))
    end
    assert(os.execute("chmod +x " .. path))
  end

  local function unpack()
    return process.run({ dir .. "/sh", "spec/support/unpack.sh", dir .. "/there", "innd" }, { env = { PATH = dir } })
  end

  local function is_there() return os.execute("test -e " .. dir .. "/there") ~= nil end

  it("gets what is not installed, and installs nothing", function()
    program("apt-get", [[
      case $1 in
        install) echo 'Inst liba (1 Debian [amd64])'; echo 'Inst innd (2 Debian [amd64])'; echo 'Conf innd (2)';;
        download) : >liba.deb; : >innd.deb;;
      esac]])
    program("dpkg-deb", 'mkdir "$3/${2##*/}.files"')
    assert.same({ 0, "unpacking: innd\n", "" }, { unpack() })
    assert.equal("innd.deb.files\nliba.deb.files\n", tree.output("ls " .. dir .. "/there"))
    local log = tree.read(dir .. "/log")
    assert.matches("^apt%-get install %-s %-%-no%-install%-recommends innd\napt%-get download %-qq liba innd\n", log)
    assert.same({ 0, "", "" }, { unpack() })
    assert.equal(log, tree.read(dir .. "/log"))
  end)

  it("leaves alone what is installed", function()
    program("apt-get", "")
    assert.same({ 0, "", "" }, { unpack() })
    assert.is_false(is_there())
  end)

  local broken = {
    ["there is no apt-get"] = function() end,
    ["no such package is known"] = function() program("apt-get", "exit 100") end,
    ["nothing can be had"] = function() program("apt-get", 'test $1 = install && echo "Inst innd (2)"') end,
  }
  for what, prepare in pairs(broken) do
    it("says so, leaves nothing behind, and does not fail where " .. what, function()
      prepare()
      local status, _, err = unpack()
      assert.same({ 0, "left out, and skipped by the specs: innd\n" }, { status, err })
      assert.equal("", tree.output("ls -d " .. dir .. "/there* 2>/dev/null || true"))
    end)
  end
end)

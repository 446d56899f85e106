-- What is tried with a failing allocator of csrc/file; see allocations.lua.
local LONG = ("x"):rep(5000)

-- In a folder of its own, which is there before and empty behind.
local function row(run)
  return {
    prepare = function()
      local path = os.tmpname()
      os.remove(path)
      local files = require "csock.core".file
      assert(files.mkdir(path))
      return files, path
    end,
    run = function(files, path)
      run(files, path)
    end,
  }
end

return {
  ["a file that is written and read"] = row(function(files, path)
    local file <close> = assert(files.open(path .. "/f", "a"))
    assert(file:write(LONG, 0) and file:truncate(4999) and file:sync())
    assert(#assert(file:read(10000, 0)) == 4999)
    assert(file:lock() and file:unlock() and file:chmod(384))
    assert(file:stat() == 4999 and file:is(path .. "/f") and file:fileno() >= 0)
  end),
  ["names of files"] = row(function(files, path)
    assert(assert(files.open(path .. "/f", "a")):close())
    assert(files.rename(path .. "/f", path .. "/g"))
    files.link(path .. "/g", path .. "/f")
    local list = assert(files.names(path))
    assert(#list == 2 and files.kind(path .. "/g") == "file")
    assert(files.utime(path .. "/g", 1) and files.sync(path))
    assert(files.unlink(path .. "/g") and files.unlink(path .. "/f"))
    assert(files.rmdir(path) and files.mkdir(path))
  end),
  ["files that are not there"] = row(function(files, path)
    for _, call in ipairs { "unlink", "rmdir", "kind", "names", "sync" } do
      local ok, err = files[call](path .. "/none")
      assert(not ok and err.name == "ENOENT")
    end
  end),
}

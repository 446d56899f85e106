-- release.lua VERSION TARBALL: writes the rockspecs of a release beside its tarball, from those of the main branch:
-- with the version, and the tarball as the source.
local version, tarball = ...
local directory, file = tarball:match "^(.*)/([^/]*)$"
local url = ("https://github.com/csock/csock/releases/download/v%s/%s"):format(version, file)

local function output(command)
  local pipe <close> = assert(io.popen(command))
  return pipe:read "a"
end

local md5 = assert(output(("md5sum '%s' || md5 -r '%s'"):format(tarball, tarball)):match "^%x+", "no md5sum")
local source = ('source = {\n  url = "%s",\n  md5 = "%s",\n}\n'):format(url, md5)

for _, rock in ipairs { "csock", "csock-ssl", "csock-repl" } do
  local input <close> = assert(io.open(("rockspec/%s-scm-1.rockspec"):format(rock)))
  local text, versions = input:read "a":gsub('version = "scm%-1"', ('version = "%s-1"'):format(version))
  local sources
  text, sources = text:gsub("source = %b{}\n", function() return source end)
  assert(versions == 1 and sources == 1, rock)
  local out <close> = assert(io.open(("%s/%s-%s-1.rockspec"):format(directory, rock, version), "w"))
  assert(out:write(text))
end

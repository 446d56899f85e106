--- Hosts with a policy, for specs: in C (spec/support/embed.c), and in Lua.
local embed = require "spec.support.embed"
local keep = require "spec.support.keep"

-- Runs before the script, which sees nothing of it but `csock` and `asked()`.
local IN_LUA = [[
local csock = require "csock"
local concat, find, tostring, type = table.concat, string.find, tostring, type
local deny, lines = %q, {}
assert(csock.policy(function(ask)
  local a, place = ask.address, ""
  if type(a) == "string" then
    place = " " .. a
  elseif a then
    place = " " .. tostring(a.host) .. ":" .. tostring(a.port)
  elseif ask.host or ask.path then
    place = " " .. (ask.host or ask.path)
  elseif ask.what == "socket" then
    place = " " .. ask.family .. "/" .. ask.type
  elseif ask.what == "option" then
    place = " " .. (ask.level or -1) .. "/" .. ask.option
  elseif ask.what == "descriptor" then
    place = " " .. (ask.fd or -1)
  end
  local line = ask.what .. place .. " " .. ask.call
  lines[#lines + 1] = line
  if find(line, deny, 1, true) then return false, "the host says no" end
  return true
end))
function asked() return concat(lines, "\n") .. "\n" end
]]

-- What every script begins with. `refused(...)` gives what a failed call has said.
local PRELUDE = [[
local csock = require "csock"
local function refused(ok, err, errno)
  if ok then return "ALLOWED" end
  assert(errno == csock.errno.EPERM, tostring(err))
  assert(err.name == "EPERM" and err.errno == errno)
  return "refused: " .. err.strerror
end
]]

local hosts = { REFUSED = "refused: the host says no" }

--- The two kinds: `new(deny)` gives a host whose policy denies what has these words in its line, such as
-- "connect 127.0.0.1:80 connect_ex". `host:script(text)` runs a script; `host:asked()` gives all lines so far.
hosts.kinds = {
  {
    name = "in C",
    new = function(deny) return { state = keep(embed.new { deny = deny }) } end,
    asked = function(host) return host.state:asked() end,
  },
  {
    name = "in Lua",
    new = function(deny)
      local state = keep(embed.new())
      state:run(IN_LUA:format(deny))
      return { state = state }
    end,
    asked = function(host) return host.state:run "return asked()" end,
  },
}

for _, kind in ipairs(hosts.kinds) do
  local new = kind.new
  function kind.new(deny)
    local host = new(deny)
    function host.script(_, text) return host.state:run(PRELUDE .. text) end
    function host.asked() return kind.asked(host) end
    return host
  end
end

return hosts

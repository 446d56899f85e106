-- Memory runs out at every allocation in turn: what comes is an error, and nothing is lost. What is
-- tried: allocations.lua, and beside it those of the loop, HTTP and WebSockets.
local oom = require "spec.faults.oom"
local posix = require "spec.support.posix"
local tree = require "spec.support.tree"

-- Tries with allocation 0, 1, 2 ... failing until none of them was asked for.
local function exhaust(file, name, lasting)
  collectgarbage() -- what earlier specs have left: twice, since the first one only finalizes
  collectgarbage()
  local before = posix.fds()
  local n = 0
  while true do
    local ran, fine, message, left = oom.try(file, name, n, lasting)
    local where = ("allocation %d%s: %s"):format(n, lasting and " and all after it" or "", message)
    assert.same(before, posix.fds(), where)
    assert.equal(0, left, where)
    if ran <= n then
      assert.is_true(fine, message)
      return
    end
    -- Memory may be asked for in vain without harm, as when a cache cannot grow.
    assert(fine or message:find("not enough memory", 1, true) or message:find("ENOMEM", 1, true)
      or message:find("error in error handling", 1, true), where)
    n = n + 1
  end
end

for _, part in ipairs { "", "_loop", "_http", "_websocket", "_coding", "_file" } do
  local file = "spec/faults/allocations" .. part .. ".lua"
  describe("with memory running out", function()
    setup(function()
      local csock = require "csock"
      if csock.kqueue then csock.kqueue():close() end -- libkqueue keeps some descriptors from its first use on
    end)

    local names = {}
    for name in pairs(dofile(file)) do names[#names + 1] = name end
    table.sort(names)
    for _, name in ipairs(names) do
      it(name .. " loses nothing", function()
        exhaust(file, name, false)
        exhaust(file, name, true)
      end)
    end
  end)
end

-- What needs no row: it allocates nothing, is made of what has one, or does not come back.
local exempt = {}
for name in ([[
  _exit chdir cpu_count fork getegid geteuid getgid getuid setgid setsid setuid
  CMSG_LEN CMSG_SPACE getdefaulttimeout getppid htonl htons is_error is_socket make_error ntohl
  get_terminal_size isatty ntohs serve setdefaulttimeout sethostname strerror umask waitpid waitstatus_to_exitcode
  counters dirty get_inheritable getblocking getstats gettimeout sendmsg_afalg set_inheritable setblocking shutdown
  buffered byte fill tostring set
]]):gmatch "%S+" do
  exempt[name] = true
end

describe("the rows of allocations.lua", function()
  it("use every function and method of csock that allocates", function()
    local csock = require "csock"
    local text = tree.read "spec/faults/allocations.lua" .. tree.read "spec/faults/allocations_loop.lua"
      .. tree.read "spec/faults/allocations_tls.lua" -- its methods are there where csock.tls is loaded
    local a, b = csock.socketpair()
    local stream, buffer, poll = a:makefile(), csock.buffer(1), csock.poll()
    local missing = {}
    local function look(of, methods)
      for name, value in pairs(methods) do
        local used = type(name) ~= "string" or exempt[name] or text:find("[.:]" .. name .. "%f[^%w_]")
        if type(value) == "function" and not used and not name:find "^__" then
          missing[#missing + 1] = of .. name
        end
      end
    end
    look("csock.", csock)
    look("socket:", getmetatable(a).__index)
    look("stream:", getmetatable(stream).__index)
    look("buffer:", getmetatable(buffer).__index)
    look("poll:", getmetatable(poll).__index)
    for _, object in ipairs { stream, a, b, buffer } do object:close() end
    assert.same({}, missing)
  end)
end)

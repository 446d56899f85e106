-- omit.lua: what CSOCK_OMIT_* leave out, for whoever puts the sources together: of C the files and folders that nothing
-- else needs then, of the modules in Lua those that cannot work without (with all below them).
local M = {}

-- (How their paths begin.)
M.files = {
  LOOP = {
    "csrc/loop/", "csrc/reactor/", "csrc/csock/step.c", "csrc/csock/waker.c", "csrc/csock/inbox.",
    "csrc/socket/pipe.c", "csrc/socket/simulated.c", "csrc/wait/hook.c", "csrc/wait/joined.c", "csrc/wait/park.c",
    "csrc/sys/poller.c", "csrc/sys/poller_epoll.c", "csrc/sys/poller_kqueue.c", "csrc/sys/forkmark.c",
    "csrc/sys/lockfile.c", "csrc/sys/users.c", "csrc/sys/pidfd.c", "csrc/sys/spawn.c",
  },
  REACTOR = { "csrc/reactor/" },
  POLL = { "csrc/poll/" },
  HTTP = { "csrc/http/", "csrc/sys/beneath.c" },
  WEBSOCKET = { "csrc/websocket/" },
  CODING = { "csrc/coding/", "csrc/file/" },
  CONSTANTS = {
    "csrc/constants/can.c", "csrc/constants/ioctl.c", "csrc/constants/ip.c", "csrc/constants/kqueue.c",
    "csrc/constants/linux.c", "csrc/constants/transport.c",
  },
  RESOLVER_THREADS = {},
  HELP = {},
}

-- (A name with a dot at its end stands for all below it, too. What loads one of these at once goes with it: embed.lua.)
M.modules = {
  LOOP = {
    "asynchat", "asyncore.", "command.", "http.", "httpserver.", "loop", "loop.calls", "loop.group", "loop.queue",
    "mailcap", "protocol.", "reactor.", "redis.", "repl.", "serve", "service.", "socketserver.", "testing.",
  },
  REACTOR = { "protocol.", "reactor." },
  POLL = { "asynchat", "asyncore." },
  HTTP = { "http.", "httpserver.", "wire.ascii", "wire.headers" },
  WEBSOCKET = { "websocket." },
  CODING = { "email.", "mailbox.", "mailcap", "wire.base64", "wire.dots", "wire.quoted", "wire.words" },
  CONSTANTS = {},
  RESOLVER_THREADS = {},
  HELP = { "help." },
}

-- The groups without which a thing is left out, in their order: `what` is M.files or M.modules.
function M.of(what, name)
  local groups = {}
  for group, list in pairs(what) do
    for _, omitted in ipairs(list) do
      local whole = what == M.files or omitted:find "%.$"
      if what == M.modules then omitted = "csock." .. omitted end
      local below = whole and (name .. "."):sub(1, #omitted) == omitted
      if name == omitted or below then groups[#groups + 1] = group break end
    end
  end
  table.sort(groups)
  return groups
end

-- The line of C behind which it stands; nil where it is always there.
function M.condition(what, name)
  local groups = M.of(what, name)
  if #groups == 0 then return end
  for i, group in ipairs(groups) do groups[i] = ("!defined(CSOCK_OMIT_%s)"):format(group) end
  return "#if " .. table.concat(groups, " && ")
end

return M

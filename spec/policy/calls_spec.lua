-- Which file makes which system call (or call of a library) that has an effect outside of the Lua state, and who has
-- asked the policy for it. A new one is to be put here: when its file asks, or with what has been asked before.
local tree = require "spec.support.tree"

-- Patterns of names; what only reads what the state has (read, getsockname, poll ...) is none of them.
local EFFECTS = {
  "accept4?", "bind", "connect", "listen", "socket", "socketpair", "send", "sendto", "sendm?msg", "sendfile", "recv",
  "recvfrom", "recvm?msg", "fork", "vfork", "clone", "exec%l*", "posix_spawnp?", "system", "popen", "pipe2?", "ioctl",
  "setsockopt", "dup[23]?", "open", "openat", "creat", "fopen", "fdopen", "freopen", "opendir", "fdopendir", "unlink",
  "unlinkat", "rename", "renameat", "remove", "mkdir", "mkfifo", "mknod", "rmdir", "link", "linkat", "symlink",
  "f?chmod", "[fl]?chown", "f?truncate", "stat", "lstat", "access", "kill", "killpg", "tgkill", "raise", "sigqueue",
  "set%l*[ug]id", "setgroups", "initgroups", "setsid", "setpgid", "f?chdir", "chroot", "umask", "setenv", "unsetenv",
  "putenv", "clearenv", "syscall", "getaddrinfo", "getnameinfo", "gethostby%l+_?r?", "res_%l+", "prctl", "setrlimit",
  "setpriority", "nice", "sigaction", "signal", "pthread_create", "sethostname", "setdomainname",
  "waitpid", "wait[34]?", "waitid", "_exit", "exit", "_Exit", "abort", "mmap", "ptrace", "mount", "umount2?", "dlopen",
  "process_vm_%l+", "pidfd_%l+", "io_uring_%l+", "SSL_CTX_set_verify", "SSL_set_verify", "BIO_new_file", "BIO_new_fd",
  "SSL_set_fd", "X509_STORE_load_%l+", "SSL_CTX_load_%l+", "SSL_CTX_use_%l+_file", "X509_STORE_set_default_paths",
}

-- `true`: the file asks, before each of them. Else: who does, or why nobody need.
local FILES = {
  ["file/file"] = { "fchmod ftruncate open stat", true },
  ["file/folder"] = { "fdopendir link lstat mkdir open rename rmdir unlink", true },
  ["http/read"] = { "recvfrom", "of a socket that the script has" },
  ["loop/fork"] = { "fork", true },
  ["loop/identity"] = { "setgid setuid", true },
  ["loop/process"] = { "_exit chdir ioctl kill setsid umask waitpid", true }, -- (ioctl: a terminal's size)
  ["loop/service"] = { "dup2 open unsetenv", true },
  ["loop/signals"] = { "sigaction", true },
  ["name/convert"] = { "sethostname", true },
  ["reactor/hub"] = { "recvfrom", "of a socket that the script has" },
  ["reactor/out"] = { "sendto", "without an address" },
  ["readline/background"] = { "dlopen", "of the program itself" },
  ["readline/history"] = { "ftruncate open", "api.h's ask" },
  ["readline/input"] = { "ioctl", "a terminal's size" },
  ["readline/screen"] = { "ioctl open", "the terminal that the process has" },
  ["socket/connect"] = { "bind connect listen", true },
  ["socket/make"] = { "lstat", true },
  ["socket/options"] = { "ioctl setsockopt", true },
  ["socket/simulated"] = { "ioctl recvfrom sendto", "FIONREAD; ends of socketpairs, without an address" },
  ["socket/transfer"] = { "ioctl recvfrom sendto", "FIONREAD; without an address" },
  ["socket/transport"] = { "recvfrom recvmsg sendmsg sendto", true },
  ["stream/life"] = { "sendto", "without an address" },
  ["stream/read"] = { "recvfrom", "of a socket that the script has" },
  ["stream/sendfile"] = { "recvfrom sendto", "without an address" },
  ["stream/stream"] = { "sendto", "without an address" },
  ["stream/turn"] = { "sendto", "without an address" },
  ["sys/beneath"] = { "fdopendir openat", "http/directory" },
  ["sys/entropy"] = { "open", "/dev/urandom" },
  ["sys/fd"] = { "accept4 pipe2 socket socketpair", "socket/make, socket/pipe; the loop's own pipes; of who listens" },
  ["sys/lockfile"] = { "ftruncate lstat open", "loop/service" },
  ["sys/pidfd"] = { "syscall", "loop/process: of a process that is waited for" },
  ["sys/poller_epoll"] = { "syscall", "waiting" },
  ["sys/resolver"] = {
    "dlopen getaddrinfo gethostbyaddr_r gethostbyname_r getnameinfo pthread_create", "name/lookup",
  },
  ["sys/forkmark"] = { "mmap", "memory that a child has empty" },
  ["sys/rw"] = { "recv send sendfile", "of a descriptor for which stream/life, stream/sendfile ask" },
  ["sys/sockinfo"] = { "ioctl", "bytes that wait" },
  ["sys/spawn"] = {
    "_exit chdir dup2 execve fork ioctl open setgid setpgid setsid setuid sigaction syscall vfork waitpid",
    "loop/program, socket/pipe",
  },
  ["sys/users"] = { "setgroups", "loop/identity, loop/program" },
  ["tls/conn"] = { "SSL_set_verify", "as the context has it" },
  ["tls/context"] = { "SSL_CTX_set_verify", "api.h's ask" },
  ["tls/keylog"] = { "open", "tls/context, by api.h's ask" },
  ["tls/material"] = { "BIO_new_file X509_STORE_load_file X509_STORE_load_path", "api.h's ask" },
  ["tls/names"] = { "SSL_set_verify", "as the context has it" },
  ["tls/store"] = {
    "X509_STORE_load_file X509_STORE_load_path opendir", "the system's authorities; tls/material",
  },
  ["tls/transport"] = { "setsockopt", "TCP_NODELAY" },
}

-- Who asks for what others do.
local ASKS = {
  "http/directory", "loop/program", "name/lookup", "socket/control", "socket/message", "socket/pipe",
  "stream/life", "stream/sendfile",
}

local function is_effect(name)
  for _, pattern in ipairs(EFFECTS) do
    if name:find("^" .. pattern .. "$") then return true end
  end
end

describe("a file that reaches out of the Lua state", function()
  local build = package.searchpath("csock.core", package.cpath):gsub("csock/core%.so$", "")

  -- Its effects, and whether it asks.
  local function look(name)
    local list, asks = {}, false
    for symbol in tree.output(("nm -u '%sobj/%s.o'"):format(build, name)):gmatch "U ([%w_]+)" do
      local plain = symbol:gsub("^__", ""):gsub("64$", ""):gsub("_2$", ""):gsub("_chk$", ""):gsub("^isoc99_", "")
      if is_effect(plain) then list[#list + 1] = plain end
      if symbol:find "^cs_policy_%l+$" and symbol ~= "cs_policy_note" then asks = true end
    end
    table.sort(list)
    return table.concat(list, " "), asks
  end

  local objects = tree.files(build .. "obj", "%.o$")

  it("is known, with all that it does, and asks the policy or is asked for", function()
    if #objects == 0 or tree.output("nm -D '" .. build .. "csock/core.so'"):find "__asan" then
      return pending "no plain objects here"
    end
    local found = {}
    for _, path in ipairs(objects) do
      local name = path:match "/obj/(.*)%.o$"
      local effects, asks = look(name)
      local known = FILES[name] or { "", "nothing to ask for" }
      if known[1] ~= effects then found[#found + 1] = ("%s: %s (known: %s)"):format(name, effects, known[1]) end
      if known[2] == true and not asks then found[#found + 1] = name .. ": does not ask" end
    end
    assert.same({}, found)
  end)

  it("is asked for where that is said", function()
    if #objects == 0 then return pending "no objects here" end
    for _, name in ipairs(ASKS) do
      local _, asks = look(name)
      assert.is_true(asks, name)
    end
  end)
end)

describe("a module in Lua that opens or removes files by Lua's libraries", function()
  -- The programs that `csock` is, and files without a name.
  local PROGRAMS = { "^lua/csock/command", "^lua/csock/help/own", "^lua/csock/help/data", "^lua/csock/cgi/storage" }

  it("asks the policy for them", function()
    local found = {}
    for _, name in ipairs(tree.files("lua", "%.lua$")) do
      local text, program = tree.read(name):gsub("%-%-[^\n]*", ""), false
      for _, pattern in ipairs(PROGRAMS) do program = program or name:find(pattern) ~= nil end
      local opens = false
      for call in ("io.open io.lines io.popen io.tmpfile os.remove os.rename os.execute"):gmatch "%S+" do
        opens = opens or text:find("%f[%w]" .. call:gsub("%.", "%%.") .. "%(") ~= nil
      end
      local asks = text:find "may_open" or text:find "open_file"
      if opens and not program and not asks then found[#found + 1] = name end
    end
    assert.same({}, found)
  end)
end)

rockspec_format = "3.0"
package = "csock"
version = "scm-1"
source = {
  url = "git+https://github.com/csock/csock.git",
}
description = {
  summary = "Python's sockets for Lua 5.4, on a C core",
  detailed = [[
The whole of Python's socket and select modules for Lua 5.4: sockets of every family, address values,
messages with descriptors, buffered streams, name look-ups, select, poll, epoll and kqueue. Errors are values,
deadlines cover whole calls, and Ctrl-C works. Needs nothing but libc.]],
  license = "MIT",
  homepage = "https://github.com/csock/csock",
  issues_url = "https://github.com/csock/csock/issues",
  labels = { "network", "socket", "tcp", "udp", "unix", "ipv6" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.6",
}
test_dependencies = {
  "busted",
}
-- By the Makefile, which knows the flags and finds the files itself. (LuaRocks' builtin way compiles without
-- -pthread and exports every function.)
build = {
  type = "make",
  variables = {
    BUILD = "build/rock",
    TLS = "", -- a rock of its own: csock-ssl
    READLINE = "", -- the same: csock-repl
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    LMOD = "$(LUADIR)",
    CMOD = "$(LIBDIR)",
    BIN = "$(BINDIR)",
    MAN1 = "$(PREFIX)/doc",
    PROGRAM_LMOD = "", -- LuaRocks starts the command by a script of its own, which says where all modules are
  },
}
test = {
  type = "busted",
}

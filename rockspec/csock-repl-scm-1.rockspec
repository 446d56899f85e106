rockspec_format = "3.0"
package = "csock-repl"
version = "scm-1"
source = {
  url = "git+https://github.com/csock/csock.git",
}
description = {
  summary = "Line editing for csock's prompt, by GNU readline",
  detailed = [[
The C module csock.readline: the prompt of the command csock edits its lines with GNU readline, while the loop runs.
csock's own rock has everything else of the prompt, and needs nothing but libc. This rock's source is under the MIT
license; it links with GNU readline, which is under the GPL 3: who passes on the two together does it under the GPL.]],
  license = "MIT",
  homepage = "https://github.com/csock/csock",
  issues_url = "https://github.com/csock/csock/issues",
  labels = { "network", "readline", "repl" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.6",
  "csock",
}
external_dependencies = {
  READLINE = { header = "readline/readline.h", library = "readline" },
}
build = {
  type = "make",
  build_target = "readline",
  install_target = "install-readline",
  variables = {
    BUILD = "build/rock-repl",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    READLINE_CFLAGS = "-I$(READLINE_INCDIR)",
    READLINE_LIBS = "-L$(READLINE_LIBDIR) -lreadline",
    CMOD = "$(LIBDIR)",
  },
}

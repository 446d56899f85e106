rockspec_format = "3.0"
package = "csock-ssl"
version = "scm-1"
source = {
  url = "git+https://github.com/csock/csock.git",
}
description = {
  summary = "TLS for csock, on OpenSSL 3",
  detailed = [[
The C module behind csock.ssl, Python's ssl for Lua: verified by default, under everything that a csock socket can do.
csock itself needs nothing but libc; this brings what needs OpenSSL.]],
  license = "MIT",
  homepage = "https://github.com/csock/csock",
  issues_url = "https://github.com/csock/csock/issues",
  labels = { "network", "tls", "ssl", "openssl" },
}
supported_platforms = { "unix" }
dependencies = {
  "lua >= 5.4, < 5.6",
  "csock",
}
external_dependencies = {
  OPENSSL = { header = "openssl/ssl.h", library = "ssl" },
}
build = {
  type = "make",
  build_target = "tls",
  install_target = "install-tls",
  variables = {
    BUILD = "build/rock-ssl",
    CC = "$(CC)",
    CFLAGS = "$(CFLAGS)",
    LUA = "$(LUA)",
    LUA_CFLAGS = "-I$(LUA_INCDIR)",
    OPENSSL_CFLAGS = "-I$(OPENSSL_INCDIR)",
    OPENSSL_LIBS = "-L$(OPENSSL_LIBDIR) -lssl -lcrypto",
    CMOD = "$(LIBDIR)",
  },
}

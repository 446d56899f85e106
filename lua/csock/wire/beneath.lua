-- beneath.lua: files below a directory, and no other: for servers that are asked by strangers (csrc/sys/beneath.c).
--
-- `open(root, path[, links])`: the file or directory at a relative path without "." and ".."; symbolic links are
-- followed only where `links` is true. It has `close, fileno, is_directory, is_executable, mtime, names, pread, size`.
return { open = require "csock.core".http.open }

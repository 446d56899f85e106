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
messages with descriptors, buffered streams, name look-ups, select, poll and epoll. Errors are values,
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
build = {
  type = "builtin",
  modules = {
    csock = "lua/csock.lua",
    ["csock.class"] = "lua/csock/class.lua",
    ["csock.happy"] = "lua/csock/happy.lua",
    ["csock.loop"] = "lua/csock/loop.lua",
    ["csock.net"] = "lua/csock/net.lua",
    ["csock.redis"] = "lua/csock/redis.lua",
    ["csock.redis.connection"] = "lua/csock/redis/connection.lua",
    ["csock.redis.resp"] = "lua/csock/redis/resp.lua",
    ["csock.redis.subscription"] = "lua/csock/redis/subscription.lua",
    ["csock.serve"] = "lua/csock/serve.lua",
    ["csock.core"] = {
      -- Both are parts of the C library; only old ones keep them in files of their own.
      libraries = { "m", "pthread" },
      sources = {
        "csrc/bind/address.c",
        "csrc/bind/address_read.c",
        "csrc/bind/afalg.c",
        "csrc/bind/aux.c",
        "csrc/bind/buffer.c",
        "csrc/bind/connect.c",
        "csrc/bind/constants.c",
        "csrc/bind/constants_can.c",
        "csrc/bind/constants_ioctl.c",
        "csrc/bind/constants_ip.c",
        "csrc/bind/constants_linux.c",
        "csrc/bind/constants_option.c",
        "csrc/bind/constants_socket.c",
        "csrc/bind/constants_transport.c",
        "csrc/bind/convert.c",
        "csrc/bind/core.c",
        "csrc/bind/driver.c",
        "csrc/bind/epoll.c",
        "csrc/bind/errnos.c",
        "csrc/bind/error.c",
        "csrc/bind/lookup.c",
        "csrc/bind/loop.c",
        "csrc/bind/loop_any.c",
        "csrc/bind/loop_fork.c",
        "csrc/bind/loop_hub.c",
        "csrc/bind/message.c",
        "csrc/bind/netdb.c",
        "csrc/bind/options.c",
        "csrc/bind/poll.c",
        "csrc/bind/process.c",
        "csrc/bind/select.c",
        "csrc/bind/sendfile.c",
        "csrc/bind/signal.c",
        "csrc/bind/socket.c",
        "csrc/bind/sockio.c",
        "csrc/bind/sockmake.c",
        "csrc/bind/stream.c",
        "csrc/bind/stream_piece.c",
        "csrc/bind/stream_read.c",
        "csrc/bind/stream_write.c",
        "csrc/bind/task.c",
        "csrc/sys/bytes.c",
        "csrc/sys/clock.c",
        "csrc/sys/errtext.c",
        "csrc/sys/fd.c",
        "csrc/sys/forkmark.c",
        "csrc/sys/io.c",
        "csrc/sys/peercred.c",
        "csrc/sys/pidfd.c",
        "csrc/sys/poller.c",
        "csrc/sys/poller_epoll.c",
        "csrc/sys/poller_kqueue.c",
        "csrc/sys/poller_poll.c",
        "csrc/sys/resolver.c",
        "csrc/sys/services.c",
        "csrc/sys/sockaddr.c",
        "csrc/sys/sockaddr_part.c",
        "csrc/sys/timers.c",
      },
    },
  },
}
test = {
  type = "busted",
}

/* options.c: getsockopt, setsockopt, ioctl, and who the peer is. The numbers: constants.c. */
#include "socket.h"
#include "../base/buffer.h"
#include "../base/parts.h"
#include "../sys/peercred.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>

#define OPTION_MAX 1024 /* bytes of an option's value; Python's bound */
#define IOCTL_MAX  4096 /* bytes of an ioctl's argument */

/* AF_VSOCK's own options are 64 bits wide; every other option that is a number is an int. */
static bool is_wide(int level) {
#ifdef AF_VSOCK
  return level == AF_VSOCK;
#else
  (void)level;
  return false;
#endif
}

/* What a script may set without the policy: it does no more than change how the socket's own bytes
   travel, and holds neither addresses (of memory, or of the network) nor descriptors. */
static const struct {
  int level, name;
} harmless[] = {
    {SOL_SOCKET, SO_BROADCAST},
    {SOL_SOCKET, SO_DONTROUTE},
    {SOL_SOCKET, SO_KEEPALIVE},
    {SOL_SOCKET, SO_LINGER},
    {SOL_SOCKET, SO_OOBINLINE},
    {SOL_SOCKET, SO_RCVBUF},
    {SOL_SOCKET, SO_RCVLOWAT},
    {SOL_SOCKET, SO_RCVTIMEO},
    {SOL_SOCKET, SO_REUSEADDR},
    {SOL_SOCKET, SO_SNDBUF},
    {SOL_SOCKET, SO_SNDLOWAT},
    {SOL_SOCKET, SO_SNDTIMEO},
    {IPPROTO_TCP, TCP_NODELAY},
    {IPPROTO_TCP, TCP_MAXSEG},
    {IPPROTO_IP, IP_TOS},
    {IPPROTO_IP, IP_TTL},
    {IPPROTO_IP, IP_MULTICAST_TTL},
    {IPPROTO_IP, IP_MULTICAST_LOOP},
    {IPPROTO_IPV6, IPV6_UNICAST_HOPS},
    {IPPROTO_IPV6, IPV6_V6ONLY},
    {IPPROTO_IPV6, IPV6_MULTICAST_HOPS},
    {IPPROTO_IPV6, IPV6_MULTICAST_LOOP},
#ifdef SO_REUSEPORT
    {SOL_SOCKET, SO_REUSEPORT},
#endif
#ifdef IPV6_TCLASS
    {IPPROTO_IPV6, IPV6_TCLASS},
#endif
#ifdef TCP_KEEPIDLE
    {IPPROTO_TCP, TCP_KEEPIDLE},
#endif
#ifdef TCP_KEEPINTVL
    {IPPROTO_TCP, TCP_KEEPINTVL},
    {IPPROTO_TCP, TCP_KEEPCNT},
#endif
#ifdef TCP_CORK
    {IPPROTO_TCP, TCP_CORK},
    {IPPROTO_TCP, TCP_QUICKACK},
    {IPPROTO_TCP, TCP_DEFER_ACCEPT},
    {IPPROTO_TCP, TCP_USER_TIMEOUT},
#endif
};

static bool is_harmless(int level, int name) {
  for (size_t i = 0; i < CS_COUNT(harmless); i++)
    if (harmless[i].level == level && harmless[i].name == name) return true;
  return false;
}

static int ask_to_set(lua_State *L, const cs_sock *s, int level, int name) {
  if (!s->w.state->policed || is_harmless(level, name)) return 0;
  return cs_policy_option(L, s->w.state, "setsockopt", s->family, s->type, level, name);
}

/* The system is handed zeros and tells what it knows; only these give more: a descriptor, or what
   a protocol of its own makes of the call. */
static int ask_to_get(lua_State *L, const cs_sock *s, int level, int name) {
  bool usual = level == SOL_SOCKET || level == IPPROTO_TCP || level == IPPROTO_UDP ||
               level == IPPROTO_IP || level == IPPROTO_IPV6;
#ifdef SO_PEERPIDFD
  if (level == SOL_SOCKET && name == SO_PEERPIDFD) usual = false;
#endif
  if (!s->w.state->policed || usual) return 0;
  return cs_policy_option(L, s->w.state, "getsockopt", s->family, s->type, level, name);
}

/* Requests that count bytes. */
static bool is_count(uint32_t request) {
  return request == FIONREAD || request == SIOCATMARK
#ifdef TIOCOUTQ
         || request == TIOCOUTQ
#endif
      ;
}

static int get_number(lua_State *L, int fd, int level, int name) {
  union {
    uint64_t wide;
    int value;
    unsigned char byte;
  } u = {0};
  socklen_t len = is_wide(level) ? sizeof u.wide : sizeof u.value;
  if (getsockopt(fd, level, name, &u, &len) != 0) return cs_fail(L, "getsockopt", errno);
  if (len == sizeof u.wide)
    lua_pushinteger(L, (lua_Integer)u.wide);
  else if (len == sizeof u.byte) /* IP_MULTICAST_TTL and its like, on some systems */
    lua_pushinteger(L, u.byte);
  else
    lua_pushinteger(L, u.value);
  return 1;
}

/***
Reads an option of the socket.

Options that are a structure are read as bytes, for `string.unpack`:

    local on, seconds = ("i4i4"):unpack(s:getsockopt(csock.SOL_SOCKET, csock.SO_LINGER, 8))
    local pid, uid, gid = ("i4I4I4"):unpack(s:getsockopt(csock.SOL_SOCKET, csock.SO_PEERCRED, 12))
    local state = s:getsockopt(csock.IPPROTO_TCP, csock.TCP_INFO, 104):byte()
    local name = s:getsockopt(csock.IPPROTO_TCP, csock.TCP_CONGESTION, 16):match "^%Z*"

The system is handed zeros, of that length, to write to: options that want to be told something
first (an address of memory in `TCP_ZEROCOPY_RECEIVE`) are told nothing.

Source: getsockopt(2), Python's `socket.getsockopt`.
@function socket:getsockopt
@tparam int level `SOL_SOCKET`, `IPPROTO_TCP`, `IPPROTO_IP`, `IPPROTO_IPV6` ...
@tparam int name `SO_*`, `TCP_*`, `IP_*`, `IPV6_*` ...
@tparam[opt=0] int length how many bytes the value may have, 0 .. 1024; 0: the value is an integer
@treturn[1] int|string the value; as bytes it may be shorter than `length`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOPROTOOPT`: no such option; `EBADF` ...)
@usage print(s:getsockopt(csock.SOL_SOCKET, csock.SO_TYPE) == csock.SOCK_STREAM) --> true
*/
static int sock_getsockopt(lua_State *L) {
  char value[OPTION_MAX];
  const cs_sock *s = cs_sock_check(L, 1);
  int fd = cs_sock_fd(s);
  int level = cs_check_cint(L, 2);
  int name = cs_check_cint(L, 3);
  socklen_t len = (socklen_t)cs_opt_int(L, 4, 0, 0, OPTION_MAX);
  int err = ask_to_get(L, s, level, name);
  if (err != 0) return cs_fail(L, "getsockopt", err);
  if (len == 0) return get_number(L, fd, level, name);
  memset(value, 0, len);
  if (getsockopt(fd, level, name, value, &len) != 0) return cs_fail(L, "getsockopt", errno);
  lua_pushlstring(L, value, len < sizeof value ? len : sizeof value);
  return 1;
}

static int set_option(lua_State *L, const cs_sock *s, int level, int name, const void *value,
                      size_t len) {
  int err = ask_to_set(L, s, level, name);
  if (err == 0 && setsockopt(cs_sock_fd(s), level, name, value, (socklen_t)len) != 0) err = errno;
  return cs_result(L, "setsockopt", err);
}

/***
Sets an option of the socket.

    s:setsockopt(csock.SOL_SOCKET, csock.SO_REUSEADDR, true)
    s:setsockopt(csock.SOL_SOCKET, csock.SO_LINGER, ("i4i4"):pack(1, 5))
    s:setsockopt(csock.IPPROTO_IP, csock.IP_ADD_MEMBERSHIP,
      csock.inet_aton "224.0.0.251" .. csock.inet_aton "0.0.0.0")

`SO_RCVTIMEO` and `SO_SNDTIMEO` are kept by the system but do not bound csock's calls, which never
block inside the system: that is what `settimeout` is for.

For hosts of scripts that are not trusted: some structures hold addresses of memory
(`SO_ATTACH_FILTER`, `TCP_ZEROCOPY_RECEIVE`, `IPT_SO_SET_REPLACE`), which the system takes at their
word. So whoever may call this, or `ioctl`, can have any memory of the process read or written, as
in Python. A policy (see @{policy}) is asked for all but usual options that hold none.

Source: setsockopt(2), Python's `socket.setsockopt`.
@function socket:setsockopt
@tparam int level `SOL_SOCKET`, `IPPROTO_TCP`, `IPPROTO_IP`, `IPPROTO_IPV6` ...
@tparam int name `SO_*`, `TCP_*`, `IP_*`, `IPV6_*` ...
@tparam ?int|boolean|string value an int (-2^31 .. 2^31-1), true (1) or false (0), the bytes of a
structure (a string or buffer of up to 2^31-1), or nil, with a length
@tparam[opt] int length with nil only: what the system is told instead of a value, 0 .. 2^31-1
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOPROTOOPT`: no such option; `EINVAL`, `EPERM`, `EBADF` ...)
@usage assert(s:setsockopt(csock.IPPROTO_TCP, csock.TCP_NODELAY, true))
*/
static int sock_setsockopt(lua_State *L) {
  const cs_sock *s = cs_sock_check(L, 1);
  int level = cs_check_cint(L, 2);
  int name = cs_check_cint(L, 3);
  int type = lua_type(L, 4);
  size_t len;
  if (type == LUA_TNIL) {
    len = (size_t)cs_check_int(L, 5, 0, INT_MAX);
    return set_option(L, s, level, name, NULL, len);
  }
  if (!lua_isnoneornil(L, 5)) luaL_argerror(L, 5, "only a nil value has a length");
  if (type == LUA_TBOOLEAN) {
    int on = lua_toboolean(L, 4);
    return set_option(L, s, level, name, &on, sizeof on);
  }
  if (type == LUA_TNUMBER && is_wide(level)) {
    lua_Integer wide = luaL_checkinteger(L, 4);
    return set_option(L, s, level, name, &wide, sizeof wide);
  }
  if (type == LUA_TNUMBER) {
    int number = cs_check_cint(L, 4);
    return set_option(L, s, level, name, &number, sizeof number);
  }
  if (type != LUA_TSTRING && type != LUA_TUSERDATA)
    luaL_typeerror(L, 4, "integer, boolean, string, buffer or nil");
  const char *bytes = cs_check_bytes(L, 4, &len);
  if (len > INT_MAX) luaL_argerror(L, 4, "too long");
  return set_option(L, s, level, name, bytes, len);
}

/* --- ioctl --- */

static int call_ioctl(int fd, uint32_t request, void *arg) {
  int rc;
  do rc = ioctl(fd, (cs_ioctl_request)request, arg);
  while (rc < 0 && errno == EINTR);
  return rc;
}

/* ioctl with the request at `arg` and the value at `arg` + 1. */
static int do_ioctl(lua_State *L, int fd, int family, int type, int arg) {
  /* As large as any request's structure, so that a wrong request can spoil no other memory. */
  union {
    int number;
    max_align_t align;
    char bytes[IOCTL_MAX];
  } u;
  uint32_t request = (uint32_t)cs_check_int(L, arg, 0, UINT32_MAX);
  size_t len = 0;
  memset(&u, 0, sizeof u);
  if (lua_type(L, arg + 1) == LUA_TSTRING) {
    const char *bytes = lua_tolstring(L, arg + 1, &len);
    if (len > sizeof u.bytes) luaL_argerror(L, arg + 1, "more than 4096 bytes");
    memcpy(u.bytes, bytes, len);
  } else {
    u.number = cs_opt_cint(L, arg + 1, 0);
  }
  int err = is_count(request) && len == 0
                ? 0
                : cs_policy_option(L, cs_state_get(L), "ioctl", family, type, -1, (int)request);
  if (err == 0 && call_ioctl(fd, request, &u) < 0) err = errno;
  if (err != 0) return cs_fail(L, "ioctl", err);
  if (lua_type(L, arg + 1) == LUA_TSTRING)
    lua_pushlstring(L, u.bytes, len);
  else
    lua_pushinteger(L, u.number);
  return 1;
}

/***
Asks the socket's driver for something else.

    local unread = s:ioctl(csock.FIONREAD)
    local request = ("c16 c24"):pack("lo", "")           -- struct ifreq
    local _, index = ("c16 i4"):unpack(s:ioctl(csock.SIOCGIFINDEX, request))

For hosts of scripts that are not trusted: structures that hold addresses of memory (`SIOCGIFCONF`,
`SIOCETHTOOL`) make the system read and write there, as with @{socket:setsockopt}.

Source: ioctl(2), Python's `fcntl.ioctl`.
@function socket:ioctl
@tparam int request `FIONREAD`, `SIOCATMARK`, `SIOCINQ`, `SIOCOUTQ`, `SIOCGIF*` ...
@tparam[opt=0] int|string arg an int, which the request is given a pointer to (-2^31 .. 2^31-1), or
the bytes of a structure, up to 4096
@treturn[1] int|string what the request left there: an int, or as many bytes as were given
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOTTY`: no such request; `EBADF` ...)
@usage
a:send "hello"
print(b:ioctl(csock.FIONREAD)) --> 5
*/
static int sock_ioctl(lua_State *L) {
  const cs_sock *s = cs_sock_check(L, 1);
  return do_ioctl(L, cs_sock_fd(s), s->family, s->type, 2);
}

/***
The same for any descriptor.
Source: ioctl(2), Python's `fcntl.ioctl`.
@function ioctl
@param fd a descriptor, or a socket, stream, file or other object that has one
@tparam int request
@tparam[opt=0] int|string arg see @{socket:ioctl}
@treturn[1] int|string
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(csock.ioctl(s, csock.FIONREAD)) --> 0
*/
static int options_ioctl(lua_State *L) {
  int fd = cs_check_fd(L, 1);
  int err = cs_policy_use(L, cs_state_get(L), "ioctl", fd);
  return err != 0 ? cs_fail(L, "ioctl", err) : do_ioctl(L, fd, -1, -1, 2);
}

/***
Who connected: the process at the other end of a connected AF_UNIX socket and the user and group
that it ran as when the connection was made. Nothing that the peer sends can change the answer.
Not in Python, where one unpacks `SO_PEERCRED`.
Source: `SO_PEERCRED` in unix(7), getpeereid(3).
@function socket:getpeercred
@treturn[1] ?int the process id; nil where the system does not tell
@treturn[1] int the user id
@treturn[1] int the group id
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOTCONN`; `EOPNOTSUPP`: not AF_UNIX; `EBADF`)
@usage
local pid, uid, gid = a:getpeercred()
print(pid == csock.getpid()) --> true
*/
static int sock_getpeercred(lua_State *L) {
  cs_peercred cred;
  int err = cs_peercred_get(cs_sock_fd(cs_sock_check(L, 1)), &cred);
  if (err != 0) return cs_fail(L, "getpeercred", err);
  if (cred.pid < 0)
    lua_pushnil(L);
  else
    lua_pushinteger(L, cred.pid);
  lua_pushinteger(L, cred.uid);
  lua_pushinteger(L, cred.gid);
  return 3;
}

/* --- registration --- */

static const luaL_Reg option_methods[] = {
    {"getpeercred", sock_getpeercred},
    {"getsockopt", sock_getsockopt},
    {"ioctl", sock_ioctl},
    {"setsockopt", sock_setsockopt},
    {NULL, NULL},
};

static const luaL_Reg ioctl_functions[] = {{"ioctl", options_ioctl}, {NULL, NULL}};

void cs_open_options(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, option_methods);
  cs_setfuncs(L, ioctl_functions);
}

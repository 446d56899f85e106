/* make.c: the ways to come by a socket: new, in pairs, from a descriptor, as a copy. socket_*
   are functions of the module, sock_* methods. */
#include "ledger.h"
#include "../base/keywords.h"
#include "../base/parts.h"
#include "../name/address.h"
#include "../sys/fd.h"

#include <sys/stat.h>

static int option_of(int fd, int name, int *value) {
  socklen_t len = sizeof *value;
  return getsockopt(fd, SOL_SOCKET, name, value, &len) != 0 ? errno : 0;
}

/* What the descriptor says of itself, where the caller did not (-1). */
static int describe_fd(int fd, int *family, int *type, int *proto) {
  int real_type;
  int err = option_of(fd, SO_TYPE, &real_type); /* ENOTSOCK, EBADF: asked first, for all systems */
  if (err != 0) return err;
  if (*type == -1) *type = real_type;
  if (*family == -1) {
    cs_sockaddr addr;
    socklen_t len = sizeof addr;
    if (getsockname(fd, &addr.any, &len) != 0) return errno;
    *family = addr.any.sa_family;
  }
  if (*proto == -1) {
    *proto = 0;
#ifdef SO_PROTOCOL
    err = option_of(fd, SO_PROTOCOL, proto);
#endif
  }
  return err;
}

/* Where a policy is asked, for what the socket is, the program has no say in that. */
static int describe(const cs_state *state, int fd, int *family, int *type, int *proto) {
  if (state->policed) *family = *type = *proto = -1;
  return describe_fd(fd, family, type, proto);
}

/* SOCK_NONBLOCK in the type means a timeout of 0, as in Python; the rest is the type proper. */
static int plain_type(int type) {
  return type & ~(CS_SOCK_NONBLOCK | CS_SOCK_CLOEXEC);
}

static int check_family(lua_State *L, int arg, int dflt) {
  return (int)cs_opt_int(L, arg, dflt, 0, UINT16_MAX);
}

static int check_type(lua_State *L, int arg, int dflt) {
  int type = (int)cs_opt_int(L, arg, dflt, 0, INT_MAX);
  luaL_argcheck(L, type == dflt || plain_type(type) <= UINT16_MAX, arg, "SOCK_* expected");
  return type;
}

static int adopt_typed(lua_State *L, const char *call, cs_sock *s, int fd, bool nonblock,
                       int family, int type, int proto) {
  int err = cs_sock_adopt(L, s, fd, nonblock, family, plain_type(type), proto);
  if (err == 0 && (type & CS_SOCK_NONBLOCK)) err = cs_sock_set_timeout(L, -1, s, 0);
  if (err != 0) return cs_sock_abandon(L, s, call, err);
  if (s->w.state->debug) cs_ledger_enter(L, s, NULL);
  return 1;
}

/***
The family, `AF_*`. It cannot be set.
@field socket:family
*/

/***
The type, `SOCK_*`. It cannot be set.
@field socket:type
*/

/***
The protocol, `IPPROTO_*`. It cannot be set.
@field socket:proto
*/

/***
The timeout in seconds, nil when calls block. It is set by `settimeout`.
@field socket:timeout
*/

/***
Makes a socket. Its timeout is the default timeout (see `setdefaulttimeout`).
Source: socket(2), Python's `socket.socket`.
@function socket
@tparam[opt=AF_INET] int family `AF_*`
@tparam[opt=SOCK_STREAM] int type `SOCK_*`
@tparam[opt=0] int proto `IPPROTO_*`
@tparam[opt] table options
@tparam[opt] int options.fileno an open descriptor, which must be a socket, is taken over; family,
type and proto are read from it where they are not given
@tparam[opt] int options.family as the argument
@tparam[opt] int options.type as the argument
@tparam[opt] int options.proto as the argument
@treturn[1] socket
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EMFILE`, `EAFNOSUPPORT`, `EPROTONOSUPPORT`, `EACCES`, `ENOTSOCK` ...)
@usage
local s <close> = assert(csock.socket(csock.AF_INET, csock.SOCK_DGRAM))
assert(s:bind {"127.0.0.1", 0})
*/
static int socket_socket(lua_State *L) {
  int options = 1; /* the options are the last argument, wherever that is */
  while (options < 4 && !lua_istable(L, options)) options++;
  int fd = -1, family = -1, type = -1, proto = -1, err;
  const cs_keyword rows[] = {
      {"fileno", CS_KEYWORD_FD, &fd, 0, 0},
      {"family", CS_KEYWORD_INT, &family, 0, UINT16_MAX},
      {"type", CS_KEYWORD_INT, &type, 0, INT_MAX},
      CS_KEYWORD_CINT("proto", &proto),
  };
  cs_keywords_read(L, options, rows, CS_COUNT(rows));
  bool given = fd >= 0, tried = false, nonblock = false;
  if (options > 1 && family == -1) family = check_family(L, 1, -1);
  if (options > 2 && type == -1) type = check_type(L, 2, -1);
  if (options > 3 && proto == -1) proto = cs_opt_cint(L, 3, -1);
  if (type != -1 && plain_type(type) > UINT16_MAX)
    return luaL_argerror(L, options < 2 ? options : 2, "SOCK_* expected");
  cs_sock *s = cs_sock_new(L);
  if (!given) {
    if (family == -1) family = AF_INET;
    if (type == -1) type = SOCK_STREAM;
    if (proto == -1) proto = 0;
  } else {
    err = cs_policy_take(L, s->w.state, "socket", fd);
    if (err == 0) err = describe(s->w.state, fd, &family, &type, &proto);
    if (err == 0) err = cs_fd_get_nonblock(fd, &nonblock);
    if (err != 0) return cs_fail(L, "socket", err);
    int n = adopt_typed(L, "socket", s, fd, nonblock, family, type, proto);
    s->w.flags |= CS_W_OUTSIDE;
    return n;
  }
  err = cs_policy_socket(L, s->w.state, "socket", family, plain_type(type), proto);
  if (err != 0) return cs_fail(L, "socket", err);
  do
    err =
        cs_state_room(s->w.state, 1) ? EMFILE : cs_fd_socket(family, plain_type(type), proto, &fd);
  while (err != 0 && cs_may_retry(L, err, &tried));
  if (err != 0) return cs_fail(L, "socket", err);
  return adopt_typed(L, "socket", s, fd, false, family, type, proto);
}

/***
Makes two connected sockets.
Source: socketpair(2), Python's `socket.socketpair`.
@function socketpair
@tparam[opt=AF_UNIX] int family `AF_*`
@tparam[opt=SOCK_STREAM] int type `SOCK_*`
@tparam[opt=0] int proto
@treturn[1] socket
@treturn[1] socket
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local a, b = assert(csock.socketpair())
a:send "ping"
print(b:recv(100)) --> ping
*/
static int socket_socketpair(lua_State *L) {
  int family = check_family(L, 1, AF_UNIX);
  int type = check_type(L, 2, SOCK_STREAM);
  int proto = cs_opt_cint(L, 3, 0);
  int fds[2], err;
  bool tried = false;
  lua_settop(L, 3);
  cs_sock *a = cs_sock_new(L);
  cs_sock *b = cs_sock_new(L);
  err = cs_policy_socket(L, a->w.state, "socketpair", family, plain_type(type), proto);
  if (err != 0) return cs_fail(L, "socketpair", err);
  do err = cs_state_room(a->w.state, 2) ? EMFILE : cs_fd_pair(family, plain_type(type), proto, fds);
  while (err != 0 && cs_may_retry(L, err, &tried));
  if (err != 0) return cs_fail(L, "socketpair", err);
  cs_watched_hold(&a->w, fds[0]); /* owned before anything can raise */
  cs_watched_hold(&b->w, fds[1]);
  lua_pushvalue(L, 4);
  int n = adopt_typed(L, "socketpair", a, fds[0], false, family, type, proto);
  if (n != 1) {
    cs_watched_close(&b->w);
    return n;
  }
  lua_pushvalue(L, 5);
  n = adopt_typed(L, "socketpair", b, fds[1], false, family, type, proto);
  if (n == 1) return 2;
  cs_watched_close(&a->w);
  return n;
}

static int copy_fd(lua_State *L, const char *call, int fd, int *copy) {
  bool tried = false;
  int err = cs_policy_use(L, cs_state_get(L), call, fd);
  if (err != 0) return err;
  do err = cs_state_room(cs_state_get(L), 1) ? EMFILE : cs_fd_dup(fd, copy);
  while (err != 0 && cs_may_retry(L, err, &tried));
  return err;
}

/* A socket over a copy of `fd`; `flag` says whose the file is. */
static int push_dup(lua_State *L, const char *call, int fd, int family, int type, int proto,
                    const int64_t *timeout, unsigned flag) {
  int copy;
  bool nonblock = false;
  cs_sock *s = cs_sock_new(L);
  int err = copy_fd(L, call, fd, &copy);
  if (err != 0) return cs_fail(L, call, err);
  cs_watched_hold(&s->w, copy);
  err = describe(s->w.state, copy, &family, &type, &proto);
  if (err == 0) err = cs_fd_get_nonblock(copy, &nonblock);
  if (err == 0) err = cs_sock_adopt(L, s, copy, nonblock, family, plain_type(type), proto);
  s->w.flags |= flag;
  if (err == 0 && timeout != NULL) err = cs_sock_set_timeout(L, -1, s, *timeout);
  if (err != 0) return cs_sock_abandon(L, s, call, err);
  if (s->w.state->debug) cs_ledger_enter(L, s, NULL);
  return 1;
}

/***
Whether there is a socket in the file system under a path, whether or not anybody listens at it.
Source: lstat(2), Python's `pathlib.Path.is_socket`.
@function is_socket
@tparam string path
@treturn boolean
@usage print(csock.is_socket "/tmp") --> false
*/
static int socket_is_socket(lua_State *L) {
  struct stat st;
  const char *path = cs_check_cstring(L, 1);
  int err = cs_policy_file(L, cs_state_get(L), "is_socket", path);
  if (err != 0) return cs_fail(L, "is_socket", err);
  lua_pushboolean(L, lstat(path, &st) == 0 && S_ISSOCK(st.st_mode));
  return 1;
}

/***
Makes a socket over a copy of a descriptor; the descriptor itself stays open.
Source: dup(2), Python's `socket.fromfd`.
@function fromfd
@tparam int|object fd descriptor, or anything with a `fileno` method
@tparam[opt] int family read from the descriptor when absent
@tparam[opt] int type
@tparam[opt] int proto
@treturn[1] socket
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage local copy <close> = assert(csock.fromfd(s:fileno()))
*/
static int socket_fromfd(lua_State *L) {
  int fd = cs_check_fd(L, 1);
  int family = check_family(L, 2, -1);
  int type = check_type(L, 3, -1);
  return push_dup(L, "fromfd", fd, family, type, cs_opt_cint(L, 4, -1), NULL, CS_W_OUTSIDE);
}

/***
A second socket over a copy of the descriptor, with the same timeout. A connection over a transport
(TLS) has one end here, and cannot be copied.
Source: dup(2), Python's `socket.dup`.
@function socket:dup
@treturn[1] socket
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EOPNOTSUPP`: over a transport)
@usage local copy <close> = assert(a:dup())
*/
static int sock_dup(lua_State *L) {
  cs_sock *s = cs_sock_check(L, 1);
  if (s->transport != NULL) return cs_fail(L, "dup", EOPNOTSUPP);
  unsigned flag = s->w.flags & CS_W_OUTSIDE ? CS_W_OUTSIDE : CS_W_KEEP;
  s->w.flags |= flag;
  return push_dup(L, "dup", cs_sock_fd(s), s->family, s->type, s->proto, &s->timeout, flag);
}

/***
Copies a descriptor; the copy is close-on-exec.
Source: dup(2), Python's `socket.dup`.
@function dup
@tparam int|object fd descriptor, or anything with a `fileno` method
@treturn[1] int the new descriptor
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
local fd = assert(csock.dup(s))
csock.close(fd)
*/
static int socket_dup(lua_State *L) {
  int copy;
  int err = copy_fd(L, "dup", cs_check_fd(L, 1), &copy);
  if (err != 0) return cs_fail(L, "dup", err);
  err = cs_given_add(cs_state_get(L), copy);
  if (err != 0) {
    cs_fd_close(copy);
    return cs_fail(L, "dup", err);
  }
  lua_pushinteger(L, copy);
  return 1;
}

/***
Closes a descriptor by its number. Sockets have a method of that name.
Source: close(2), Python's `socket.close`.
@function close
@tparam int fd
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: there is no such descriptor, or it is -1)
@usage csock.close(assert(csock.dup(s)))
*/
static int socket_close(lua_State *L) {
  int fd = cs_check_cint(L, 1);
  cs_state *state = cs_state_get(L);
  int err = cs_policy_take(L, state, "close", fd);
  if (err == 0) {
    cs_given_remove(state, fd);
    err = cs_fd_close(fd);
  }
  return cs_result(L, "close", err);
}

/***
The timeout that new sockets get.
Source: Python's `socket.getdefaulttimeout`.
@function getdefaulttimeout
@treturn ?number seconds; nil when they block
@usage print(csock.getdefaulttimeout()) --> nil
*/
static int socket_getdefaulttimeout(lua_State *L) {
  cs_push_timeout(L, cs_state_get(L)->default_timeout);
  return 1;
}

/***
Sets the timeout that new sockets get.
Source: Python's `socket.setdefaulttimeout`.
@function setdefaulttimeout
@tparam ?number seconds at least 0; nil: new sockets block
@treturn boolean true
@usage csock.setdefaulttimeout(30)
*/
static int socket_setdefaulttimeout(lua_State *L) {
  luaL_checkany(L, 1);
  cs_state_get(L)->default_timeout = cs_check_timeout(L, 1);
  lua_pushboolean(L, 1);
  return 1;
}

static const luaL_Reg make_methods[] = {{"dup", sock_dup}, {NULL, NULL}};

static const luaL_Reg make_functions[] = {
    {"socket", socket_socket},
    {"socketpair", socket_socketpair},
    {"fromfd", socket_fromfd},
    {"is_socket", socket_is_socket},
    {"dup", socket_dup},
    {"close", socket_close},
    {"getdefaulttimeout", socket_getdefaulttimeout},
    {"setdefaulttimeout", socket_setdefaulttimeout},
    {NULL, NULL},
};

void cs_open_make(lua_State *L) {
  cs_class_methods(L, &cs_sock_class, make_methods);
  cs_setfuncs(L, make_functions);
}

/* api.h: the one door for other .so files: TLS, and whatever else is put under a socket.
 *
 * csock.core exports luaopen_csock_core and nothing else. What another module needs of it is in one
 * table of functions, which cs_api_get finds in the registry; this header is all that such a module
 * includes. Nothing here shows how csock's own records look.
 */
#ifndef CS_API_H
#define CS_API_H

#include <lua.h>
#include <lauxlib.h>

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

/* Another one where what is here already changes. What is added at the end of cs_api changes its
   size alone. */
#define CS_API_VERSION 3

typedef struct cs_sock cs_sock;

/* Directions: what must come to pass before another try is worth it (op.h has the same). */
#define CS_READABLE (-1)
#define CS_WRITABLE (-2)

/* --- a transport --------------------------------------------------------------------------- */

typedef struct cs_transport cs_transport;

/* What is to be said of an error. `more`: further fields of the error value, up to a NULL name. */
typedef struct cs_words {
  const char *text; /* the words; NULL: the system's */
  const char *name; /* "CERTIFICATE_VERIFY_FAILED"; NULL: the errno value's */
  struct {
    const char *name, *value;
    bool integer; /* digits, to be a number in Lua */
  } more[8];
} cs_words;

/* What carries a socket's bytes in the place of the kernel alone. Each function tries once and
   never blocks, runs no Lua and raises nothing. It reaches the descriptor by cs_api's `receive` and
   `transmit` alone, and gives 0, an errno value (> 0), or a direction (< 0): one that `receive` or
   `transmit` has just given it. A recv may have to write first, and a send to read. */
typedef struct cs_transport_ops {
  const char *name; /* "tls": shown by tostring(socket); the `kind` of its errors */

  /* At most `n` >= 1 bytes; *got is 0 at the end of the stream. `peek`: they stay. */
  int (*recv)(cs_transport *t, char *bytes, size_t n, bool peek, size_t *got);

  /* At most `n` >= 1 bytes; *sent is how many of them are on their way. After a direction it is
     called again with the same bytes, which may be elsewhere by then and have more behind them. */
  int (*send)(cs_transport *t, const char *bytes, size_t n, size_t *sent);

  /* Whether recv has something to do that the kernel knows nothing of: bytes, the end or an error
     to give, or something to write before it can go on. Else it is called when more has come. */
  bool (*pending)(const cs_transport *t);

  /* Says to the peer that nothing more will be sent. Once it has given 0, it has nothing more to
     do. */
  int (*shutdown)(cs_transport *t);

  /* The socket is at its end, or has got rid of it: frees the record. Nothing is sent. */
  void (*free)(cs_transport *t);

  /* NULL, or: the words for an errno value that a function of this transport gave last. `words` is
     zeroed memory; what it points at lives until the next call. */
  void (*explain)(cs_transport *t, int err, cs_words *words);

  /* NULL, or: what must be done before bytes can pass (a handshake). connect() does it once the
     socket is connected. 0 when there is nothing left to do. */
  int (*establish)(cs_transport *t);

  /* NULL, or: the socket, which is at the index `listener`, has accepted `conn`, which is on the
     top of the stack: puts a transport under that one, too. May raise. */
  void (*accepted)(lua_State *L, cs_transport *t, int listener, cs_sock *conn);

  /* Whether another transport may lie on this one. */
  bool carries;

  /* NULL, or: a socket of datagrams may have this transport: recvmsg(2) and sendmsg(2), with the
     peer's address, and without ancillary data. */
  int (*recvmsg)(cs_transport *t, struct msghdr *m, int flags, size_t *got);
  int (*sendmsg)(cs_transport *t, const struct msghdr *m, int flags, size_t *sent);

  /* NULL, or: getsockname(2) and getpeername(2). */
  int (*address)(const cs_transport *t, bool peer, struct sockaddr *addr, socklen_t *len);
} cs_transport_ops;

/* The head of a transport's record, which is zeroed memory but for `ops`. The rest is csock's. */
struct cs_transport {
  const cs_transport_ops *ops;
  cs_sock *sock;
  cs_transport *below; /* NULL: the kernel */
  unsigned forks;      /* of the process, when it was last used: see transport.c */
  bool moved;          /* the try under way has taken something from the kernel */
};

/* --- an operation --------------------------------------------------------------------------- */

/* A step of an operation that may have to wait (a handshake): it tries once and pushes its results,
   whose number it returns, or returns a direction. It is part of a userdata which stays on the
   stack. */
typedef struct cs_step {
  int (*run)(lua_State *L, struct cs_step *step);
} cs_step;

/* --- the table ------------------------------------------------------------------------------ */

typedef struct cs_api {
  size_t size; /* of the table */
  int version; /* CS_API_VERSION */

  /* The socket at `arg`; raises for anything else. */
  cs_sock *(*check_sock)(lua_State *L, int arg);

  /* Puts a transport under the socket, which owns it from then on. 0; EBADF: the socket is closed;
     EISCONN: it has one; EOPNOTSUPP: it is no stream; EBUSY: streams over it are open, which may
     hold bytes that came before. */
  int (*attach)(cs_sock *s, cs_transport *t);

  /* The socket's transport, if it is one of these: or NULL. */
  cs_transport *(*transport)(const cs_sock *s, const cs_transport_ops *ops);

  /* Takes the transport from the socket, and puts `next` in its place (NULL: it is a plain one
     again). The caller owns what it gets. */
  cs_transport *(*detach)(cs_sock *s, cs_transport *next);

  /* For transports: recv(2) and send(2) on the descriptor. 0, an errno value (EPIPE without
     SIGPIPE), CS_READABLE or CS_WRITABLE. At the end of the stream *got is 0. */
  int (*receive)(cs_transport *t, char *bytes, size_t n, size_t *got);
  int (*transmit)(cs_transport *t, const char *bytes, size_t n, size_t *sent);

  /* Runs the step until it is done, for the socket at `arg` and with its timeout, in each way of
     waiting; in line with those who read (CS_READABLE) or write. Called last, as
     `return api->drive(...);`. `call` is a literal, for errors. */
  int (*drive)(lua_State *L, int arg, const char *call, int line, cs_step *step);

  /* Pushes nil, an error value and `err`; returns 3. A socket's transport may have words for it. */
  int (*fail)(lua_State *L, const cs_sock *s, const char *call, int err);

  /* The same for what is no socket, with the words (which may be NULL) and a kind of one's own. */
  int (*fail_words)(lua_State *L, const char *call, const char *kind, int err,
                    const cs_words *words);

  /* Adds methods to every socket, with the `upvalues` on the top of the stack, as luaL_setfuncs
     does. */
  void (*methods)(lua_State *L, const luaL_Reg *list, int upvalues);

  /* The socket's descriptor, to ask the system about it: -1 when it is closed. */
  int (*descriptor)(const cs_sock *s);

  /* Whether its timeout is 0. */
  bool (*nonblocking)(const cs_sock *s);

  /* Asks the host's policy for the file at `path`, or (NULL) for leaving out a part of what
     verifies peers. 0, or an errno value for `fail`. */
  int (*ask)(lua_State *L, const char *call, const char *path);
} cs_api;

#define CS_API_KEY "csock.api" /* in the registry: a light userdata */

#ifndef CS_AMALGAMATION /* for other modules than the core itself */
/* The table of csock.core, which is loaded if need be. Raises when that is of another version. */
static inline const cs_api *cs_api_get(lua_State *L, const char *module) {
  lua_getglobal(L, "require");
  lua_pushliteral(L, "csock.core");
  lua_call(L, 1, 0);
  lua_getfield(L, LUA_REGISTRYINDEX, CS_API_KEY);
  const cs_api *api = (const cs_api *)lua_touserdata(L, -1);
  lua_pop(L, 1);
  int version = api == NULL ? 0 : api->version;
  size_t size = api == NULL ? 0 : api->size;
  if (version != CS_API_VERSION || size < sizeof *api)
    luaL_error(L,
               "%s and csock.core are of different versions: "
               "it needs interface %d (%d bytes), there is %d (%d bytes)",
               module, CS_API_VERSION, (int)sizeof *api, version, (int)size);
  return api;
}
#endif

#endif

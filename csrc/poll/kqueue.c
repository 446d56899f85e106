/* kqueue.c: kqueue objects, of the BSDs and macOS. Their events: kevent.c. */
#include "select.h"
#include "kevent.h"
#include "../base/parts.h"
#include "../socket/socket.h"
#include "../sys/fd.h"

#if CS_HAVE_KQUEUE

typedef struct kqueue_object {
  const cs_class *cls;
  cs_watched w;
  pid_t owner; /* the process that made it: no other one has it */
} kqueue_object;

static const cs_class kqueue_class = {"csock.kqueue"};

#define KQUEUE_BATCH 256 /* events in one call; the others come with the next one */

static kqueue_object *push_kqueue(lua_State *L) {
  cs_state *state = cs_state_get(L); /* first: it may raise */
  kqueue_object *k = (kqueue_object *)cs_object_new(L, &kqueue_class, sizeof *k, 0);
  k->w.fd = -1;
  k->w.state = state;
  k->w.flags = CS_W_NONBLOCK; /* it has no such flag, and some systems refuse to be asked */
  k->owner = getpid();
  return k;
}

/* A kqueue is not inherited: in the child of a fork its number is free, or another's. */
static kqueue_object *check_kqueue(lua_State *L) {
  kqueue_object *k = (kqueue_object *)cs_object_check(L, 1, &kqueue_class);
  if (k->w.fd >= 0 && k->owner != getpid()) cs_watched_release(&k->w);
  return k;
}

/***
Makes a kqueue object, which is close-on-exec. In the child of a fork it is closed: the kernel gives
it to no child. `csock.kqueue.fromfd(fd)` makes an object over a descriptor that is a kqueue
already, and takes it over (`EBADF`: there is no such descriptor).

On systems that have kqueue(2) alone; nil on others.
Source: kqueue(2), Python's `select.kqueue`, `kqueue.fromfd`.
@function kqueue
@treturn[1] kqueue
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EMFILE` ...)
@usage
local kq <close> = assert(csock.kqueue())
assert(kq:control({ csock.kevent(a) }, 0))
*/
static int new_kqueue(lua_State *L) { /* __call of the table csock.kqueue, which is argument 1 */
  bool tried = false;
  kqueue_object *k = push_kqueue(L);
  int fd, err;
  do {
    err = cs_state_room(k->w.state, 1);
    fd = err == 0 ? kqueue() : -1;
    if (err == 0 && fd < 0) err = errno;
  } while (err != 0 && cs_may_retry(L, err, &tried));
  if (err != 0) return cs_fail(L, "kqueue", err);
  cs_watched_hold(&k->w, fd);
  err = cs_fd_set_inheritable(fd, false);
  return err != 0 ? cs_fail(L, "kqueue", err) : 1;
}

static int kqueue_fromfd(lua_State *L) {
  int fd = cs_check_cint(L, 1);
  kqueue_object *k = push_kqueue(L);
  int err = cs_policy_take(L, k->w.state, "fromfd", fd);
  if (err == 0 && fcntl(fd, F_GETFD) < 0) err = errno;
  if (err != 0) return cs_fail(L, "fromfd", err);
  cs_watched_hold(&k->w, fd);
  return 1;
}

/***
A kqueue object. Its field `closed` (a boolean) tells whether it is closed.
@type kqueue
*/

static int control_attempt(lua_State *L, cs_op *op) {
  struct kevent events[KQUEUE_BATCH];
  const struct timespec now = {0, 0};
  int n = kevent(op->w->fd, (const struct kevent *)op->ptr, op->flags, events, (int)op->size, &now);
  int err = errno;
  op->flags = 0; /* the changes are made, also after EINTR */
  if (n < 0) return err == EINTR ? CS_AGAIN : cs_fail(L, "control", err);
  if (n == 0 && op->size > 0) return CS_HAVE_KQUEUE_POLL ? CS_READABLE : CS_PAUSE;
  lua_createtable(L, n, 0);
  for (int i = 0; i < n; i++) {
    *cs_kevent_push(L) = events[i];
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

static int control_fail(lua_State *L, cs_op *op, int err) {
  (void)op;
  if (err != ETIMEDOUT && err != EAGAIN) return cs_fail(L, "control", err);
  lua_newtable(L);
  return 1;
}

/* Pushes an array of the kevents in the sequence at `arg`, and returns it; their number into `*n`.
 */
static struct kevent *check_changes(lua_State *L, int arg, int *n) {
  *n = 0;
  if (lua_isnoneornil(L, arg)) return NULL;
  luaL_checktype(L, arg, LUA_TTABLE);
  lua_Unsigned len = lua_rawlen(L, arg);
  luaL_argcheck(L, len <= INT_MAX / sizeof(struct kevent), arg, "too many changes");
  struct kevent *changes = (struct kevent *)lua_newuserdatauv(L, (size_t)len * sizeof *changes, 0);
  for (int i = 0; i < (int)len; i++) {
    lua_rawgeti(L, arg, i + 1);
    const struct kevent *e = cs_kevent_test(L, -1);
    if (e == NULL) luaL_argerror(L, arg, "sequence of kevents expected");
    changes[i] = *e;
    lua_pop(L, 1);
  }
  *n = (int)len;
  return changes;
}

/***
Makes changes to what is watched, and waits until something has happened. Where there is room for
events, a change that fails is reported as an event with `KQ_EV_ERROR` and the errno value as its
`data`. An object that is closed is watched no more.
Source: kevent(2), Python's `kqueue.control`.
@function kqueue:control
@tparam ?{kevent,...} changelist what to change, or nil
@tparam int max_events at most so many events at once, and never more than 256: the others come with
the next call; 0 makes the changes and does not wait
@tparam[opt] number timeout seconds; nil: for as long as it takes
@treturn[1] {kevent,...} empty when the time is over
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the kqueue object is closed; `ENOENT`: what is to be deleted is not
there ...)
@usage
local kq = assert(csock.kqueue())
kq:control({ csock.kevent(a, csock.KQ_FILTER_READ, csock.KQ_EV_ADD) }, 0)
b:send "hello"
for _, event in ipairs(assert(kq:control(nil, 10, 1.5))) do print(event.ident, event.data) end
*/
static int kqueue_control(lua_State *L) {
  cs_op op;
  int n;
  kqueue_object *k = check_kqueue(L);
  lua_Integer max = cs_check_int(L, 3, 0, INT_MAX);
  int64_t timeout = max == 0 ? 0 : cs_check_timeout(L, 4);
  lua_settop(L, 4);
  struct kevent *changes = check_changes(L, 2, &n);
  cs_op_init(&op, "control", control_attempt, &k->w, timeout);
  op.fail = control_fail;
  op.ptr = changes;
  op.flags = n;
  op.size = max < KQUEUE_BATCH ? (size_t)max : KQUEUE_BATCH;
  return cs_drive(L, &op);
}

/***
Closes the kqueue object. Closing again is harmless. `<close>` and the collector do it too.
Source: Python's `kqueue.close`.
@function kqueue:close
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage assert(csock.kqueue()):close()
*/
static int kqueue_close(lua_State *L) {
  return cs_result(L, "close", cs_watched_close(&check_kqueue(L)->w));
}

/***
The descriptor, which is itself readable when there are events.
Source: Python's `kqueue.fileno`.
@function kqueue:fileno
@treturn int -1 when closed
@usage
local kq <close> = assert(csock.kqueue())
print(kq:fileno())
*/
static int kqueue_fileno(lua_State *L) {
  lua_pushinteger(L, check_kqueue(L)->w.fd);
  return 1;
}

static int kqueue_tostring(lua_State *L) {
  const kqueue_object *k = check_kqueue(L);
  lua_pushfstring(L, "<csock.kqueue %sfd=%d>", k->w.fd < 0 ? "[closed] " : "", k->w.fd);
  return 1;
}

/* upvalue 1: the methods */
static int kqueue_index(lua_State *L) {
  const kqueue_object *k = check_kqueue(L);
  if (cs_is_text(L, 2, "closed")) {
    lua_pushboolean(L, k->w.fd < 0);
  } else {
    lua_settop(L, 2);
    lua_rawget(L, lua_upvalueindex(1));
  }
  return 1;
}

static const luaL_Reg kqueue_methods[] = {
    {"close", kqueue_close},
    {"control", kqueue_control},
    {"fileno", kqueue_fileno},
    {NULL, NULL},
};

static const luaL_Reg kqueue_meta[] = {
    {"__close", kqueue_close},
    {"__gc", kqueue_close},
    {"__tostring", kqueue_tostring},
    {NULL, NULL},
};

void cs_open_kqueue(lua_State *L) {
  cs_class_make(L, &kqueue_class, NULL, kqueue_meta);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &kqueue_class);
  lua_newtable(L);
  cs_setfuncs(L, kqueue_methods);
  lua_pushcclosure(L, kqueue_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);

  lua_newtable(L); /* csock.kqueue: called, it makes an object */
  lua_pushcfunction(L, kqueue_fromfd);
  lua_setfield(L, -2, "fromfd");
  lua_newtable(L);
  lua_pushcfunction(L, new_kqueue);
  lua_setfield(L, -2, "__call");
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, "kqueue");
}

#else

void cs_open_kqueue(lua_State *L) {
  (void)L;
}

#endif

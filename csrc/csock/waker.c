/* waker.c: other threads and signal handlers wake the loop: by a byte in a socket, which a daemon
   of the loop reads, who then makes the calls that were posted. Datagrams, since writing where
   nobody reads any more raises no SIGPIPE then. */
#include "../loop/loop.h"
#include "../socket/socket.h"
#include "../sys/fd.h"
#include "inbox.h"
#include "waker.h"
#include "open.h"
#include "../csock.h"

#include <unistd.h>

static const char waker_key = 'w'; /* registry: a waker; its user values are the two sockets */

typedef struct waker {
  const cs_class *cls;
  cs_sock *ends[2]; /* the loop reads the first; NULL: there is none */
  struct csock_inbox inbox;
} waker;

static const cs_class waker_class = {"csock.waker"};

/* These two are not counted among what the host allows the program. */
static void allow(cs_state *state, bool more) {
  if (state->max_held != 0) state->max_held += more ? 2u : -2u;
}

void cs_waker_close(lua_State *L) {
  lua_rawgetp(L, LUA_REGISTRYINDEX, &waker_key);
  waker *k = (waker *)lua_touserdata(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  if (k == NULL || k->ends[0] == NULL) return;
  allow(k->ends[0]->w.state, false);
  for (int i = 0; i < 2; i++) {
    cs_watched_close(&k->ends[i]->w);
    k->ends[i] = NULL;
  }
  cs_inbox_drop(&k->inbox);
}

static int waker_gc(lua_State *L) {
  waker *k = (waker *)cs_object_test(L, 1, &waker_class);
  if (k != NULL) cs_inbox_drop(&k->inbox);
  return 0;
}

/* --- the daemon --- */

/* Whether something was received: then the calls are made that have come. */
static bool serve_posted(lua_State *L) {
  if (!lua_toboolean(L, -1)) return false;
  waker *k = (waker *)lua_touserdata(L, 2);
  cs_task_push(L, cs_loop_get(L)->current);
  cs_inbox_run(L, &k->inbox);
  return true;
}

static int read_on(lua_State *L, int status, lua_KContext context);

/* f(socket, waker): reads until it is closed. */
static int read_bytes(lua_State *L) {
  do {
    lua_settop(L, 2);
    lua_getfield(L, 1, "recv");
    lua_pushvalue(L, 1);
    lua_pushinteger(L, 1);
    lua_callk(L, 2, 1, 0, read_on);
  } while (serve_posted(L));
  return 0;
}

static int read_on(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return serve_posted(L) ? read_bytes(L) : 0;
}

/* For the waker on the top of the stack. */
static void start(lua_State *L, cs_loop *loop) {
  lua_pushcfunction(L, read_bytes);
  lua_getiuservalue(L, -2, 1);
  lua_pushvalue(L, -3);
  cs_task *task = cs_task_spawn(L, loop, 2);
  task->daemon = true;
  loop->live--;
  lua_pop(L, 1);
}

/* --- making it --- */

/* Fills the waker on the top of the stack. 0 or errno. */
static int fill_waker(lua_State *L, waker *k) {
  int fds[2];
  cs_sock *ends[2];
  cs_loop *loop = cs_loop_get(L);
  for (int i = 0; i < 2; i++) {
    ends[i] = cs_sock_new(L);
    lua_setiuservalue(L, -2, i + 1);
  }
  int err = cs_fd_pair(AF_UNIX, SOCK_DGRAM, 0, fds);
  if (err != 0) return err;
  for (int i = 0; i < 2; i++) cs_watched_hold(&ends[i]->w, fds[i]);
  for (int i = 0; i < 2; i++) k->ends[i] = ends[i];
  allow(loop->state, true);
  for (int i = 0; i < 2 && err == 0; i++) {
    lua_getiuservalue(L, -1, i + 1);
    err = cs_sock_adopt(L, ends[i], fds[i], false, AF_UNIX, SOCK_DGRAM, 0);
    if (err == 0) err = cs_sock_set_timeout(L, -1, ends[i], i == 0 ? CS_FOREVER : 0);
    lua_pop(L, 1);
  }
  k->inbox.waker = fds[1];
  if (err == 0) start(L, loop);
  return err;
}

static const luaL_Reg waker_meta[] = {{"__gc", waker_gc}, {NULL, NULL}};

/* The state's waker, open; NULL: it cannot be made, errno says why. */
static waker *open_waker(lua_State *L) {
  cs_open_push(L);
  lua_pop(L, 1);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &waker_key);
  waker *k = (waker *)lua_touserdata(L, -1);
  if (k == NULL) {
    lua_pop(L, 1);
    cs_class_make(L, &waker_class, NULL, waker_meta);
    k = (waker *)cs_object_new(L, &waker_class, sizeof *k, 2);
    lua_pushvalue(L, -1);
    lua_rawsetp(L, LUA_REGISTRYINDEX, &waker_key);
  }
  int err = k->ends[0] == NULL ? fill_waker(L, k) : 0;
  if (err != 0) cs_waker_close(L);
  lua_pop(L, 1);
  if (err != 0) errno = err;
  return err == 0 ? k : NULL;
}

int csock_waker(lua_State *L) {
  const waker *k = open_waker(L);
  return k != NULL ? k->ends[1]->w.fd : -1;
}

csock_inbox *csock_inbox_of(lua_State *L) {
  waker *k = open_waker(L);
  return k != NULL ? &k->inbox : NULL;
}

void csock_wakeup(int waker_fd) {
  int kept = errno;
  while (write(waker_fd, "", 1) < 0 && errno == EINTR) continue; /* EAGAIN: it is awake already */
  errno = kept;
}

void csock_post(csock_inbox *inbox, csock_call *call) {
  cs_inbox_put(inbox, call);
  csock_wakeup(inbox->waker);
}

/* joined.c: a task's wait for one of several descriptors, by a poller of its own that joins them.
 */
#include "joined.h"
#include "unpark.h"
#include "../sys/fd.h"

static const cs_class joined_class = {"csock.joined"};

/* Its poller is nobody else's: nobody has to be told that it goes. */
static void close_poller(cs_joined *j) {
  int fd = j->w.fd;
  if (fd < 0) return;
  cs_watched_release(&j->w);
  cs_fd_close(fd);
}

void cs_joined_end(cs_loop *loop, cs_joined *j) {
  if (j->link.next != NULL) cs_list_remove(&loop->joined, &j->link);
  if (j->op != NULL) j->op->joined = NULL; /* else the task would end it once more */
  j->op = NULL;
  close_poller(j);
}

static int joined_close(lua_State *L) {
  cs_joined *j = (cs_joined *)cs_object_check(L, 1, &joined_class);
  if (j->w.state->loop != NULL) cs_joined_end(j->w.state->loop, j);
  return 0;
}

cs_joined *cs_joined_begin(lua_State *L, cs_loop *loop, const cs_op *op, int *err) {
  luaL_checkstack(L, 3, NULL);
  cs_joined *j = (cs_joined *)cs_object_new(L, &joined_class, sizeof *j, 1);
  j->w.state = loop->state;
  j->w.fd = -1;
  int fd;
  *err = cs_state_room(j->w.state, 1) ? EMFILE : cs_poller_join(op->fds, op->nfds, &fd);
  if (*err != 0) {
    lua_pop(L, 1);
    return NULL;
  }
  cs_watched_hold(&j->w, fd);
  j->w.flags = CS_W_NONBLOCK;
  lua_pushvalue(L, op->owner); /* the task's stack may be gone before this object is */
  lua_setiuservalue(L, -2, 1);
  j->fds = op->fds;
  j->nfds = op->nfds;
  cs_list_append(&loop->joined, &j->link);
  return j;
}

static const luaL_Reg joined_meta[] = {{"__gc", joined_close}, {NULL, NULL}};

void cs_joined_open(lua_State *L) {
  cs_class_make(L, &joined_class, NULL, joined_meta);
}

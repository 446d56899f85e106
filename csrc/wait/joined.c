/* joined.c: a task's wait for one of several descriptors, by a poller of its own that joins them.
 */
#include "records.h"

static const cs_class joined_class = {"csock.joined"};

static int joined_close(lua_State *L) {
  cs_joined *j = cs_object_check(L, 1, &joined_class);
  if (j->link != NULL) cs_joined_end(j->task);
  cs_watched_close(&j->w);
  return 0;
}

int cs_joined_begin(lua_State *L, cs_task *task) {
  cs_loop *loop = task->loop;
  luaL_checkstack(L, 2, NULL);
  cs_joined *j = cs_object_new(L, &joined_class, sizeof *j, 0);
  j->w.state = loop->state;
  j->w.fd = -1;
  int err = cs_poller_join(task->op.fds, task->op.nfds, &j->w.fd);
  if (err == 0) {
    j->w.flags = CS_W_NONBLOCK;
    err = cs_park_on(task, &j->w, CS_READABLE, false);
  }
  if (err != 0) {
    cs_watched_close(&j->w);
    lua_pop(L, 1);
    return err;
  }
  task->joined = j;
  j->task = task;
  j->link = &loop->joined;
  j->next = loop->joined;
  if (j->next != NULL) j->next->link = &j->next;
  loop->joined = j;
  return 0;
}

void cs_joined_end(cs_task *task) {
  cs_joined *j = task->joined;
  if (j == NULL) return;
  task->joined = NULL;
  *j->link = j->next;
  if (j->next != NULL) j->next->link = j->link;
  j->link = NULL;
  cs_watched_close(&j->w);
}

static const luaL_Reg joined_meta[] = {{"__gc", joined_close}, {NULL, NULL}};

void cs_joined_open(lua_State *L) {
  cs_class_make(L, &joined_class, NULL, joined_meta);
}

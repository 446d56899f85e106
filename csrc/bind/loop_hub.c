/* loop_hub.c: one task that serves many sockets, for csock.reactor.
 *
 * A task for each connection costs its coroutine. The hub costs 8 bytes in the handle and a place
 * in a table: the loop puts the handles that the poller reported in a list and wakes the one task
 * that waits for the hub, which takes their objects from it (`next`) and does what is to be done.
 * It works like an epoll object in the loop's own: what is still ready after that is listed again,
 * and so has its turn when the others have had theirs.
 *
 * A closed handle leaves the list by itself; its object stays until `remove`.
 */
#include "loop.h"
#include "driver.h"
#include "parts.h"
#include "sock.h"

/* The functions' upvalue 1: the table of objects, by the handles' `object`. */
#define OBJECTS lua_upvalueindex(1)

/* --- the functions --- */

/* add(socket, object, reading, writing): from now on, `next` gives the object when the socket can
   be read from, or written to. Again for the same socket: changes what is asked for. */
static int hub_add(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_sock *s = cs_sock_check(L, 1);
  cs_handle *h = &s->h;
  if (lua_isnoneornil(L, 2)) return luaL_argerror(L, 2, "object expected");
  if (h->fd < 0 || cs_sock_closed(s)) return cs_fail(L, "watch", EBADF);
  if (*loop->here == 0) cs_loop_renew(L, loop);
  if (!cs_watched(loop, h)) {
    int err = cs_loop_watch(loop, h);
    if (err != 0) return cs_fail(L, "watch", err);
  }
  lua_settop(L, 4);
  if (h->object == 0) {
    lua_pushvalue(L, 2);
    h->object = luaL_ref(L, OBJECTS);
  } else {
    lua_pushvalue(L, 2);
    lua_rawseti(L, OBJECTS, h->object);
  }
  h->flags &= ~(CS_H_HUB_READ | CS_H_HUB_WRITE);
  if (lua_toboolean(L, 3)) h->flags |= CS_H_HUB_READ;
  if (lua_toboolean(L, 4)) h->flags |= CS_H_HUB_WRITE;
  cs_loop_tell(loop, h);
  cs_hub_ready(loop, h);
  return cs_result(L, "watch", 0);
}

/* remove(socket): nothing is asked for any more, and the object is let go. */
static int hub_remove(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_handle *h = &cs_sock_check(L, 1)->h;
  cs_hub_forget(loop, h);
  h->flags &= ~(CS_H_HUB_READ | CS_H_HUB_WRITE);
  if (h->object != 0) luaL_unref(L, OBJECTS, h->object);
  h->object = 0;
  if (cs_watched(loop, h)) cs_loop_tell(loop, h);
  return 0;
}

/* next(): the next object of this turn, whether it can be read from, and whether it can be written
   to; nil when all have been served. */
static int hub_next(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  cs_hub *hub = &loop->hub;
  cs_handle *h = hub->served;
  hub->served = NULL;
  if (h != NULL && cs_hub_due(h) != 0)
    cs_hub_append(hub, h);
  else if (h != NULL)
    cs_loop_tell(loop, h);
  while (hub->turn > 0) {
    hub->turn--;
    h = cs_hub_take(hub);
    unsigned ready = cs_hub_due(h);
    if (ready == 0) { /* somebody has read it meanwhile */
      cs_loop_tell(loop, h);
      continue;
    }
    hub->served = h;
    loop->budget = CS_BUDGET; /* each is served for so long as a task */
    lua_rawgeti(L, OBJECTS, h->object);
    lua_pushboolean(L, (ready & CS_READ) != 0);
    lua_pushboolean(L, (ready & CS_WRITE) != 0);
    return 3;
  }
  return 0;
}

static int wait_attempt(lua_State *L, cs_op *op) {
  cs_hub *hub = &cs_loop_get(L)->hub;
  if (op->done++ == 0) {
    op->ptr = &hub->waiters;
    return op->mark == 0 || hub->count > 0 ? CS_YIELD : CS_AWAIT;
  }
  hub->turn = hub->count;
  return 0;
}

static int wait_over(lua_State *L, cs_op *op, int err) {
  if (err != ETIMEDOUT) return cs_fail(L, op->call, err);
  return wait_attempt(L, op);
}

/* wait([timeout]): until an object is ready, time is out, or `wake`; at least for a turn of the
   loop. Called by a task, and by one at a time. */
static int hub_wait(lua_State *L) {
  cs_op op;
  int64_t timeout = cs_check_timeout(L, 1);
  if (cs_loop_get(L)->current == NULL) return luaL_error(L, "the hub is waited for outside a task");
  cs_op_init(&op, "wait", wait_attempt, NULL, timeout == 0 ? CS_FOREVER : timeout);
  op.mark = timeout != 0;
  op.fail = wait_over;
  return cs_drive(L, &op);
}

/* wake(): whoever waits goes on. */
static int hub_wake(lua_State *L) {
  cs_wake(&cs_loop_get(L)->hub.waiters, true);
  return 0;
}

/* objects(): all that were added and not removed, in a new sequence. */
static int hub_objects(lua_State *L) {
  lua_Integer n = 0;
  lua_settop(L, 0);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, OBJECTS) != 0;) {
    if (lua_type(L, -1) == LUA_TNUMBER) { /* luaL_ref's own */
      lua_pop(L, 1);
    } else {
      lua_rawseti(L, 1, ++n);
    }
  }
  return 1;
}

static const luaL_Reg functions[] = {
    {"add", hub_add},   {"remove", hub_remove},   {"next", hub_next}, {"wait", hub_wait},
    {"wake", hub_wake}, {"objects", hub_objects}, {NULL, NULL},
};

void cs_open_hub(lua_State *L) {
  lua_getfield(L, -1, "loop");
  lua_newtable(L);
  lua_newtable(L); /* the objects */
  luaL_setfuncs(L, functions, 1);
  lua_setfield(L, -2, "hub");
  lua_pop(L, 1);
}

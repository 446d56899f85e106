/* inbox.c: see inbox.h. */
#include "../loop/task.h"
#include "inbox.h"
#include "../csock.h"

void cs_inbox_put(csock_inbox *inbox, csock_call *call) {
  uintptr_t last = atomic_load(&inbox->posted);
  do call->next = (csock_call *)last;
  while (!atomic_compare_exchange_weak(&inbox->posted, &last, (uintptr_t)call));
}

/* Makes the next one current, if there is one. What was posted is put into its order. */
static bool take(csock_inbox *inbox) {
  csock_call *call = inbox->taken == NULL ? (csock_call *)atomic_exchange(&inbox->posted, 0) : NULL;
  while (call != NULL) {
    csock_call *before = call->next;
    call->next = inbox->taken;
    inbox->taken = call;
    call = before;
  }
  inbox->current = inbox->taken;
  if (inbox->current != NULL) inbox->taken = inbox->current->next;
  return inbox->current != NULL;
}

static void give_back(csock_inbox *inbox) {
  csock_call *call = inbox->current;
  inbox->current = NULL;
  if (call != NULL) call->run(NULL, call);
}

static int run_current(lua_State *L) {
  csock_inbox *inbox = (csock_inbox *)lua_touserdata(L, 1);
  csock_call *call = inbox->current;
  lua_settop(L, 0);
  inbox->current = NULL; /* it is its poster's again */
  call->run(L, call);
  return 0;
}

/* f(inbox, task) */
static int run_all(lua_State *L) {
  csock_inbox *inbox = (csock_inbox *)lua_touserdata(L, 1);
  while (take(inbox)) {
    lua_pushcfunction(L, run_current);
    lua_pushvalue(L, 1);
    cs_task_call(L, 1, 2);
    give_back(inbox); /* when it could not be called */
  }
  return 0;
}

void cs_inbox_run(lua_State *L, csock_inbox *inbox) {
  int status;
  do {
    lua_pushcfunction(L, run_all);
    lua_pushlightuserdata(L, inbox);
    lua_pushvalue(L, -3);
    status = lua_pcall(L, 2, 0, 0);
    if (status != LUA_OK) lua_pop(L, 1);
    give_back(inbox);
  } while (status != LUA_OK);
}

void cs_inbox_drop(csock_inbox *inbox) {
  while (take(inbox)) give_back(inbox);
}

/* hook.c: the hook that looks after tasks while they compute.
 *
 * A task that has computed for too long in one go is preempted: its coroutine yields in the midst
 * of what it does, as if it had called coroutine.yield there, and the task is among those that are
 * ready. That is possible where csock calls may wait, too: in the task's own coroutine, and in
 * those that csock.resume has entered. Anywhere else, and in csock's own Lua files, which count on
 * being left alone between two waits, it is tried again a little later. */
#include "hook.h"
#include "interrupt.h"
#include "../base/place.h"

#define EVERY 1000 /* instructions */

static void hook_look(lua_State *L, lua_Debug *activation);

/* --- yielding in the midst of a computation --- */

/* Whether the task that runs could yield here. */
static bool is_free(lua_State *L, const cs_loop *loop, lua_Debug *activation) {
  if (L != loop->innermost || loop->stuck || !lua_isyieldable(L)) return false;
  if (loop->current->status != CS_TASK_RUNNING) return false; /* its variables are being closed */
  lua_getinfo(L, "S", activation);
  return !cs_place_own(L, activation);
}

/* (In a hook this returns; the coroutine yields when the hook has.) */
static void yield(lua_State *L, cs_loop *loop) {
  loop->passing = L != loop->current->co;
  lua_yield(L, 0);
}

static void preempt(lua_State *L, cs_loop *loop, lua_Debug *activation) {
  if (cs_clock_now(&cs_clock_system) - loop->began < loop->patience ||
      !is_free(L, loop, activation))
    return;
  loop->current->preempted = L;
  yield(L, loop);
}

/* --- Ctrl-C --- */

/* Calls the hook that is the light userdata at 1 in its place. Lua calls no hook in a hook. */
typedef struct hook_call {
  lua_Hook hook;
  lua_Debug *activation;
} hook_call;

static int call_hook(lua_State *L) {
  const hook_call *call = (const hook_call *)lua_touserdata(L, 1);
  call->hook(L, call->activation);
  return 0;
}

/* The main thread's hook has its chance here. Raises what that raises, or has the task cancelled,
   when it yields: true. */
static bool answer(lua_State *L, cs_loop *loop, lua_Debug *activation) {
  lua_State *main = cs_main_thread(L);
  hook_call call = {.hook = lua_gethook(main), .activation = activation};
  if (call.hook == NULL || !(lua_gethookmask(main) & LUA_MASKCOUNT)) return false;
  lua_pushcfunction(L, call_hook);
  lua_pushlightuserdata(L, &call);
  int status = lua_pcall(L, 1, 0, 0);
  lua_sethook(L, hook_look, LUA_MASKCOUNT, EVERY); /* it may have taken itself away */
  if (status == LUA_OK) return false;
  if (lua_gethook(main) == call.hook) lua_sethook(main, NULL, 0, 0); /* it has been answered */
  if (!cs_hook_insists(loop->current) || !is_free(L, loop, activation)) lua_error(L);
  lua_pop(L, 1);
  loop->current->doomed = true;
  yield(L, loop);
  return true;
}

static void hook_look(lua_State *L, lua_Debug *activation) {
  cs_loop *loop = cs_state_get(L)->loop;
  if (loop == NULL || (loop->patience == 0 && loop->foreground == NULL)) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (loop->current == NULL) return;
  if (loop->current == loop->foreground && answer(L, loop, activation)) return;
  if (loop->patience != 0) preempt(L, loop, activation);
}

void cs_hook_set(lua_State *co, bool on) {
  lua_Hook hook = lua_gethook(co);
  if (on && hook == NULL) lua_sethook(co, hook_look, LUA_MASKCOUNT, EVERY);
  if (!on && hook == hook_look) lua_sethook(co, NULL, 0, 0);
}

/* --- an error for who was preempted --- */

static void raise_kept(lua_State *L, lua_Debug *activation) {
  const cs_loop *loop = cs_state_get(L)->loop;
  cs_task *task = loop != NULL ? loop->current : NULL;
  (void)activation;
  lua_sethook(L, hook_look, LUA_MASKCOUNT, EVERY);
  if (task == NULL || task->preempted != L || task->why != CS_WHY_INTERRUPT) return;
  task->preempted = NULL;
  cs_interrupt_raise(L, task);
}

bool cs_hook_raise(cs_task *task) {
  if (lua_gethook(task->preempted) != hook_look) return false;
  /* The instruction in which it yielded comes first; if that is a call, this is before it. */
  lua_sethook(task->preempted, raise_kept, LUA_MASKCALL | LUA_MASKCOUNT, 1);
  return true;
}

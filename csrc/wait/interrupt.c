/* interrupt.c: the interpreter's hook (Ctrl-C), and sleeping so that it is answered. */
#include "interrupt.h"

#include <signal.h>

static const char apart_key = 'a';  /* registry: the thread in which callbacks run */
static const char errors_key = 'e'; /* registry: key -> an error that a task is to raise */

/* --- the interpreter's hook --- */

/* The standalone interpreter answers SIGINT by setting a hook on the main thread, which raises
   "interrupted!" as soon as any Lua code runs. While csock sleeps none does, so it must be run. */

static int nothing(lua_State *L) {
  (void)L;
  return 0;
}

lua_State *cs_main_thread(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  lua_State *main = lua_tothread(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  return main;
}

/* Runs the hook that is set on `owner` (L, or the main thread while L is a coroutine) by a call of
   an empty function in L. Raises what the hook raises; the main thread's hook is then taken away,
   since it has been answered. */
static void run_hook(lua_State *L, lua_State *owner) {
  luaL_checkstack(L, 4, NULL);
  if (L == owner) {
    lua_pushcfunction(L, nothing);
    lua_call(L, 0, 0);
    return;
  }
  lua_Hook hook = lua_gethook(owner), own = lua_gethook(L);
  int mask = lua_gethookmask(L), count = lua_gethookcount(L);
  lua_sethook(L, hook, lua_gethookmask(owner), lua_gethookcount(owner));
  lua_pushcfunction(L, nothing);
  int status = lua_pcall(L, 0, 0, 0);
  lua_sethook(L, own, mask, count);
  if (status != LUA_OK) {
    if (lua_gethook(owner) == hook) lua_sethook(owner, NULL, 0, 0);
    lua_error(L);
  }
}

void cs_check_interrupt(lua_State *L) {
  lua_State *main = cs_main_thread(L);
  if (L != main && lua_gethook(main) != NULL) run_hook(L, main);
  if (lua_gethook(L) != NULL) run_hook(L, L);
}

lua_Hook cs_interrupt_hook(lua_State *L) {
  lua_Hook hook = lua_gethook(cs_main_thread(L));
  return hook != NULL ? hook : lua_gethook(L);
}

static int check_interrupt(lua_State *L) {
  cs_check_interrupt(L);
  return 0;
}

bool cs_interrupt_catch(lua_State *L) {
  if (cs_interrupt_hook(L) == NULL) return false;
  luaL_checkstack(L, 4, NULL);
  lua_pushcfunction(L, check_interrupt);
  int status = lua_pcall(L, 0, 0, 0);
  if (status == LUA_OK) return false;
  if (status == LUA_ERRMEM) lua_error(L);
  return true;
}

void cs_interrupt_keep(lua_State *L, const void *key) {
  luaL_checkstack(L, 2, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_insert(L, -2);
  lua_rawsetp(L, -2, key);
  lua_pop(L, 1);
}

void cs_interrupt_drop(lua_State *L, const void *key) {
  luaL_checkstack(L, 3, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  if (lua_rawgetp(L, -1, key) != LUA_TNIL) { /* (setting nil anew might allocate) */
    lua_pushnil(L);
    lua_rawsetp(L, -3, key);
  }
  lua_pop(L, 2);
}

int cs_interrupt_raise(lua_State *L, const void *key) {
  luaL_checkstack(L, 4, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_rawgetp(L, -1, key);
  cs_interrupt_drop(L, key);
  return lua_error(L);
}

int cs_call_apart(lua_State *L, int nargs, int nresults) {
  bool main = lua_pushthread(L);
  lua_pop(L, 1);
  if (!main) return lua_pcall(L, nargs, nresults, 0);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &apart_key);
  lua_State *co = lua_tothread(L, -1);
  lua_pop(L, 1); /* the registry keeps it */
  if (!lua_checkstack(co, nargs + 1)) return luaL_error(L, "too many arguments");
  lua_xmove(L, co, nargs + 1);
  int status = lua_pcall(co, nargs, nresults, 0);
  lua_xmove(co, L, status == LUA_OK ? nresults : 1);
  return status;
}

void cs_interrupt_open(lua_State *L) {
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &errors_key);
  lua_newthread(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &apart_key);
}

/* --- sleeping --- */

static int sleep_once(struct pollfd *fds, unsigned nfds, int64_t left, const sigset_t *mask) {
#if CS_HAVE_PPOLL
  struct timespec t = cs_clock_timespec(left);
  return ppoll(fds, (nfds_t)nfds, left == CS_FOREVER ? NULL : &t, mask);
#else
  /* A signal between the mask's return and poll(2) is seen one second late at the most. */
  int64_t ms = left > 1000000000 ? 1000 : (left + 999999) / 1000000;
  pthread_sigmask(SIG_SETMASK, mask, NULL);
  int n = poll(fds, (nfds_t)nfds, (int)ms);
  if (n == 0 && left > 1000000000) {
    errno = EINTR;
    return -1;
  }
  return n;
#endif
}

/* Which of the hooks is to be run before the next sleep, or -1. One that stays set (a debugger's, a
   time limit's) runs once after each signal, not for ever. */
static int unanswered(lua_State *const owners[2], lua_Hook answered[2]) {
  int n = owners[0] == owners[1] ? 1 : 2;
  for (int i = 0; i < n; i++) {
    lua_Hook hook = lua_gethook(owners[i]);
    if (hook == NULL)
      answered[i] = NULL;
    else if (hook != answered[i])
      return i;
  }
  return -1;
}

int cs_sleep_poll(lua_State *L, struct pollfd *fds, unsigned nfds, int64_t deadline) {
  lua_State *owners[] = {L, cs_main_thread(L)};
  cs_clock *clock = &cs_state_get(L)->clock;
  bool moves = clock->stands != 0 && deadline != CS_FOREVER; /* instead of waiting */
  lua_Hook answered[] = {NULL, NULL};
  sigset_t all, mask;
  sigfillset(&all);
  for (;;) {
    /* Signals are let in only while ppoll(2) sleeps: one that came just before would otherwise
       set the hook and leave the sleep undisturbed. */
    pthread_sigmask(SIG_SETMASK, &all, &mask);
    int i = unanswered(owners, answered);
    if (i >= 0) {
      pthread_sigmask(SIG_SETMASK, &mask, NULL);
      answered[i] = lua_gethook(owners[i]);
      run_hook(L, owners[i]);
      continue;
    }
    int n = sleep_once(fds, nfds, moves ? 0 : cs_clock_left(clock, deadline), &mask);
    int err = errno;
    pthread_sigmask(SIG_SETMASK, &mask, NULL);
    if (n > 0) return 0;
    if (n == 0) {
      if (moves) cs_clock_move(clock, deadline);
      return ETIMEDOUT;
    }
    if (err != EINTR) return err;
    answered[0] = answered[1] = NULL;
  }
}

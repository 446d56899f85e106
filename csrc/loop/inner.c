/* inner.c: the coroutines that a task may have of its own, in which csock calls may wait:
   csock.resume and csock.wrap pass the wait on to the task. */
#include "loop.h"
#include "../wait/driver.h"
#include "../wait/hook.h"
#include "../base/parts.h"

/* Closes the coroutine when its task ends while it waits. */
typedef struct inner_guard {
  const cs_class *cls;
  lua_State *co; /* kept by the user value */
  bool armed;    /* it stands among the variables to be closed of the call under way */
  bool waiting;  /* the coroutine has yielded for a wait */
} inner_guard;

static const cs_class inner_guard_class = {"csock.guard"};

static void push_guard(lua_State *L, int co) {
  inner_guard *g = (inner_guard *)cs_object_new(L, &inner_guard_class, sizeof *g, 1);
  g->co = lua_tothread(L, co);
  lua_pushvalue(L, co);
  lua_setiuservalue(L, -2, 1);
}

static int guard_close(lua_State *L) {
  inner_guard *g = (inner_guard *)cs_object_check(L, 1, &inner_guard_class);
  bool waiting = g->waiting;
  g->armed = g->waiting = false;
  if (!waiting || cs_close_thread(L, g->co) == LUA_OK) return 0;
  lua_xmove(g->co, L, 1); /* a <close> variable's handler has failed */
  return lua_error(L);
}

static int inner_go_on(lua_State *L, int status, lua_KContext context);

static void take_error(lua_State *L, lua_State *co) {
  if (co != L) lua_xmove(co, L, 1);
}

/* As coroutine.wrap does: closes the coroutine, and says where it was called. */
static int raise_again(lua_State *L, lua_State *co) {
  int status = lua_status(co);
  if (status > LUA_YIELD) {
    status = cs_close_thread(L, co);
    lua_xmove(co, L, 1); /* closing keeps or replaces the error value */
  } else {
    take_error(L, co); /* it was not suspended */
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

/* Resumes the coroutine with the arguments on the top of the stack. For csock.resume it stands at
   index 1, and in a task its guard at 2; for csock.wrap they are upvalues. */
static int resume_inner(lua_State *L, lua_State *co, int nargs, bool wrapped) {
  cs_loop *loop = cs_state_get(L)->loop;
  bool entered = loop != NULL && loop->current != NULL && L == loop->innermost;
  bool stuck = entered && loop->stuck;
  int nresults = 0;
  if (!lua_checkstack(co, nargs)) return luaL_error(L, "too many arguments to resume");
  lua_xmove(L, co, nargs);
  if (entered) {
    loop->innermost = co;
    loop->passing = false;
    loop->stuck = stuck || !lua_isyieldable(L);
    if (cs_hook_wanted(loop, loop->current)) cs_hook_set(co, true);
  }
  int status = lua_resume(co, L, nargs, &nresults);
  if (entered) {
    loop->innermost = L;
    loop->stuck = stuck;
  }
  if (status == LUA_YIELD && entered && loop->passing) {
    inner_guard *g = (inner_guard *)lua_touserdata(L, wrapped ? lua_upvalueindex(2) : 2);
    if (!g->armed) {
      if (wrapped) lua_pushvalue(L, lua_upvalueindex(2));
      lua_toclose(L, -1);
      g->armed = true;
    }
    g->waiting = true;
    return lua_yieldk(L, 0, (lua_KContext)wrapped, inner_go_on);
  }
  if (status == LUA_OK || status == LUA_YIELD) {
    luaL_checkstack(L, nresults + 1, "too many results");
    if (!wrapped) lua_pushboolean(L, 1);
    lua_xmove(co, L, nresults);
    return nresults + !wrapped;
  }
  if (wrapped) return raise_again(L, co);
  take_error(L, co);
  lua_pushboolean(L, 0);
  lua_insert(L, -2);
  return 2;
}

static int inner_go_on(lua_State *L, int status, lua_KContext context) {
  bool wrapped = context != 0;
  inner_guard *g = (inner_guard *)lua_touserdata(L, wrapped ? lua_upvalueindex(2) : 2);
  (void)status;
  g->waiting = false;
  return resume_inner(L, g->co, 0, wrapped);
}

/***
`coroutine.resume` for coroutines in which csock calls may wait: the wait is the task's.
Source: Lua's `coroutine.resume`.
@function resume
@tparam thread co
@param ... passed to the coroutine
@treturn[1] boolean true
@return[1] what it yielded or returned
@treturn[2] boolean false
@return[2] the error
@usage
local co = coroutine.create(function() csock.sleep(0.01) coroutine.yield "slept" end)
print(csock.resume(co)) --> true slept
*/
static int loop_resume(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTHREAD);
  lua_State *co = lua_tothread(L, 1);
  int nargs = lua_gettop(L) - 1;
  if (cs_in_task(cs_state_get(L))) {
    push_guard(L, 1);
    lua_insert(L, 2);
  }
  return resume_inner(L, co, nargs, false);
}

static int finish_body(lua_State *L, int status, lua_KContext context) {
  (void)context;
  return status == LUA_OK || status == LUA_YIELD ? lua_gettop(L) : lua_error(L);
}

/* Runs the function (upvalue 1) so that after an error its variables are closed within the
   coroutine, where their handlers may wait. */
static int run_body(lua_State *L) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  return finish_body(L, lua_pcallk(L, lua_gettop(L) - 1, LUA_MULTRET, 0, 0, finish_body), 0);
}

static int call_wrapped(lua_State *L) {
  return resume_inner(L, lua_tothread(L, lua_upvalueindex(1)), lua_gettop(L), true);
}

/***
`coroutine.wrap` for coroutines in which csock calls may wait: the wait is the task's.
Source: Lua's `coroutine.wrap`.
@function wrap
@tparam function f
@treturn function resumes the coroutine and returns what it yields
@usage
local next_line = csock.wrap(function()
  for line in a:makefile():lines() do coroutine.yield(line) end
end)
b:send "one\n"
print(next_line()) --> one
*/
static int loop_wrap(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  lua_pushcclosure(co, run_body, 1);
  push_guard(L, lua_gettop(L));
  lua_pushcclosure(L, call_wrapped, 2);
  return 1;
}

static const luaL_Reg guard_meta[] = {{"__close", guard_close}, {NULL, NULL}};

static const luaL_Reg inner_functions[] = {
    {"resume", loop_resume}, {"wrap", loop_wrap}, {NULL, NULL}};

void cs_open_inner(lua_State *L) {
  cs_class_make(L, &inner_guard_class, NULL, guard_meta);
  lua_getfield(L, -1, "loop");
  cs_setfuncs(L, inner_functions);
  lua_pop(L, 1);
}

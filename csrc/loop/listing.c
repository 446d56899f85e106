/* listing.c: what a program can learn of its tasks: who there is, under which name, and what each
   waits for. */
#include "listing.h"
#include "loop.h"
#include "../base/parts.h"
#include "../base/place.h"

static const char names_key = 'n'; /* registry: task -> name, weak */
static const char made_key = 'm';  /* registry: task -> where it was made, weak */

static const char *const statuses[] = {"ready", "running", "waiting",
                                       "done",  "failed",  "cancelled"};

/***
How the task stands.
@function task:status
@treturn string "ready", "running", "waiting", "done", "failed" or "cancelled"
@usage
local task = csock.spawn(csock.sleep, 60)
print(task:status()) --> ready
*/
static int task_status(lua_State *L) {
  const cs_task *task = (const cs_task *)cs_object_check(L, 1, &cs_task_class);
  lua_pushstring(L, statuses[task->status]);
  return 1;
}

/* --- names --- */

/***
Names the task, for `tasks` and for its text.
Source: asyncio's `Task.set_name`.
@function task:set_name
@tparam ?string name nil: takes the name away
@treturn task itself
@usage csock.spawn(csock.sleep, 0):set_name "sleeper"
*/
static int task_set_name(lua_State *L) {
  cs_object_check(L, 1, &cs_task_class);
  if (!lua_isnoneornil(L, 2)) luaL_checkstring(L, 2);
  lua_settop(L, 2);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &names_key);
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_rawset(L, 3);
  lua_settop(L, 1);
  return 1;
}

/* Pushes what the registry's table has of the task. */
static void push_task_note(lua_State *L, int task, const char *key) {
  task = lua_absindex(L, task);
  lua_rawgetp(L, LUA_REGISTRYINDEX, key);
  lua_pushvalue(L, task);
  lua_rawget(L, -2);
  lua_remove(L, -2);
}

/***
The task's name.
Source: asyncio's `Task.get_name`.
@function task:get_name
@treturn ?string nil: it was given none
@usage print(csock.spawn(csock.sleep, 0):set_name("sleeper"):get_name()) --> sleeper
*/
static int task_get_name(lua_State *L) {
  cs_object_check(L, 1, &cs_task_class);
  push_task_note(L, 1, &names_key);
  return 1;
}

static int task_tostring(lua_State *L) {
  const cs_task *task = (const cs_task *)cs_object_check(L, 1, &cs_task_class);
  push_task_note(L, 1, &names_key);
  const char *name = lua_tostring(L, -1);
  lua_pushfstring(L, "<csock.task %s%s%p %s>", name != NULL ? name : "", name != NULL ? " " : "",
                  (const void *)task, statuses[task->status]);
  return 1;
}

void cs_listing_note(lua_State *L) {
  luaL_checkstack(L, 4, NULL);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &made_key);
  lua_pushvalue(L, -2);
  cs_place_push(L);
  lua_rawset(L, -3);
  lua_pop(L, 1);
}

/* --- what it is at --- */

/* Pushes "file:line" of the innermost Lua function in the coroutine; of the function itself, before
   it has begun. */
static void push_where(lua_State *L, lua_State *co) {
  lua_Debug at;
  for (int level = 0; lua_getstack(co, level, &at); level++) {
    lua_getinfo(co, "Sl", &at);
    if (at.currentline <= 0) continue;
    lua_pushfstring(L, "%s:%d", at.short_src, at.currentline);
    return;
  }
  if (lua_status(co) != LUA_OK || !lua_isfunction(co, 1) || !lua_checkstack(co, 1)) {
    lua_pushnil(L);
    return;
  }
  lua_pushvalue(co, 1);
  lua_getinfo(co, ">S", &at);
  if (at.linedefined > 0)
    lua_pushfstring(L, "%s:%d", at.short_src, at.linedefined);
  else
    lua_pushstring(L, at.short_src);
}

/***
What the task has come to, call by call: of one that waits, from the call in which it does. Of a
coroutine that it has entered by `resume` or `wrap`, only that call is shown.
Source: `debug.traceback` of its coroutine; asyncio's `Task.print_stack`.
@function task:traceback
@tparam[opt=0] int level how many calls to leave out (of the running task itself: 1, this one)
@treturn ?string nil: the task is over
@usage
local task = csock.spawn(csock.sleep, 60)
print(task:traceback())
*/
static int task_traceback(lua_State *L) {
  const cs_task *task = (const cs_task *)cs_object_check(L, 1, &cs_task_class);
  int level = (int)cs_opt_int(L, 2, task->co == L, 0, INT_MAX);
  if (task->status >= CS_TASK_DONE)
    lua_pushnil(L);
  else
    luaL_traceback(L, task->co, NULL, level);
  return 1;
}

/* Pushes the object whose method the coroutine waits in, or nil. */
static void push_waited(lua_State *L, lua_State *co) {
  lua_Debug at;
  if (!lua_checkstack(co, 1) || !lua_getstack(co, 0, &at) || lua_getlocal(co, &at, 1) == NULL) {
    lua_pushnil(L);
    return;
  }
  lua_xmove(co, L, 1);
  if (lua_type(L, -1) == LUA_TUSERDATA || lua_type(L, -1) == LUA_TTABLE) return;
  lua_pop(L, 1);
  lua_pushnil(L);
}

/* In the place of the task on the top: the row that tells of it. */
static void describe_task(lua_State *L) {
  const cs_task *task = (const cs_task *)lua_touserdata(L, -1);
  lua_createtable(L, 0, 9);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, "task");
  push_task_note(L, -2, &names_key);
  lua_setfield(L, -2, "name");
  push_task_note(L, -2, &made_key);
  lua_setfield(L, -2, "made");
  lua_pushstring(L, statuses[task->status]);
  lua_setfield(L, -2, "status");
  lua_pushboolean(L, task->daemon);
  lua_setfield(L, -2, "daemon");
  push_where(L, task->co);
  lua_setfield(L, -2, "where");
  if (task->status == CS_TASK_WAITING) {
    lua_pushstring(L, task->call);
    lua_setfield(L, -2, "waits");
    push_waited(L, task->co);
    lua_setfield(L, -2, "object");
    if (task->since != 0) {
      lua_pushnumber(L, cs_clock_to_seconds(task->since));
      lua_setfield(L, -2, "since");
    }
  }
  lua_remove(L, -2);
}

/* Whether a task is on the top, which is not over: luaL_ref's own is none, and a forked child has
   its parent's. */
static bool is_live(lua_State *L) {
  const cs_task *task = (const cs_task *)cs_object_test(L, -1, &cs_task_class);
  return task != NULL && task->status < CS_TASK_DONE;
}

/* Whether the function at the index (or nil: all) wants the task on the top. */
static bool is_wanted(lua_State *L, int wanted) {
  if (lua_isnil(L, wanted)) return true;
  lua_pushvalue(L, wanted);
  lua_pushvalue(L, -2);
  lua_call(L, 1, 1);
  bool is = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return is;
}

/***
The tasks that are not over, in no particular order. Since when a task waits is noted from the first
call of this function on: who waited before has no `since` until it waits again.
Source: asyncio's `all_tasks`.
@function tasks
@tparam ?function wanted called with each task: only those are listed for which it returns true
@treturn {table,...} of each: `task`; `name` (nil: none); `status`; `daemon` (boolean); `where`, the
line that it has come to (`"server.lua:12"`); `made`, the line in which it was made (nil unless
`csock.debug` was on); and of one that waits: `waits`, the call ("recv"),
`object`, whose method that is (a socket, a stream, a task; or nil), and `since` (a time as `now`
gives it)
@usage
csock.spawn(csock.sleep, 60):set_name "sleeper"
for _, row in ipairs(loop.tasks()) do print(row.name, row.status) end --> sleeper ready
*/
static int loop_tasks(lua_State *L) {
  cs_loop *loop = cs_loop_get(L);
  lua_Integer n = 0;
  lua_settop(L, 1);
  if (!lua_isnil(L, 1)) luaL_checktype(L, 1, LUA_TFUNCTION);
  loop->recording = true;
  luaL_checkstack(L, 14, NULL);
  lua_newtable(L);
  cs_task_push_all(L);
  for (lua_Integer i = 1, last = (lua_Integer)lua_rawlen(L, 3); i <= last; i++) {
    lua_rawgeti(L, 3, i);
    if (is_live(L) && is_wanted(L, 1) && is_live(L)) { /* `wanted` may have ended it */
      describe_task(L);
      lua_rawseti(L, 2, ++n);
    } else {
      lua_pop(L, 1);
    }
  }
  lua_settop(L, 2);
  return 1;
}

static const luaL_Reg task_listing_methods[] = {
    {"get_name", task_get_name},
    {"set_name", task_set_name},
    {"status", task_status},
    {"traceback", task_traceback},
    {NULL, NULL},
};

static void make_notes(lua_State *L, const char *key) {
  lua_newtable(L);
  lua_newtable(L);
  lua_pushliteral(L, "k");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, key);
}

void cs_open_listing(lua_State *L) {
  cs_class_methods(L, &cs_task_class, task_listing_methods);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cs_task_class);
  lua_pushcfunction(L, task_tostring);
  lua_setfield(L, -2, "__tostring");
  lua_pop(L, 1);
  make_notes(L, &names_key);
  make_notes(L, &made_key);
  lua_getfield(L, -1, "loop");
  lua_pushcfunction(L, loop_tasks);
  lua_setfield(L, -2, "tasks");
  lua_pop(L, 1);
}

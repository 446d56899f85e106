/* task.h: a task's life. */
#ifndef CS_TASK_H
#define CS_TASK_H

#include "../wait/records.h"

/* Closes a coroutine's pending variables; on an error, the error is on its stack. One that runs is
   left alone: somebody is closing it, or has resumed it, and this is called from within. (Before
   Lua 5.4.4 one that is being closed seems suspended, but could not yield.) */
static inline int cs_close_thread(lua_State *L, lua_State *co) {
  lua_Debug at;
  int now = lua_status(co);
  if (now == LUA_OK ? lua_getstack(co, 0, &at) : now == LUA_YIELD && !lua_isyieldable(co))
    return LUA_OK;
#if LUA_VERSION_RELEASE_NUM >= 50406
  return lua_closethread(co, L);
#elif LUA_VERSION_RELEASE_NUM >= 50403
  (void)L;
  return lua_resetthread(co);
#else
  /* It forgets the error that has ended the coroutine, and takes each hook for one that yields,
     which ends the variables' handlers. */
  int ended = lua_status(co);
  lua_sethook(co, NULL, 0, 0);
  if (ended <= LUA_YIELD) return lua_resetthread(co);
  luaL_checkstack(L, 1, NULL);
  lua_xmove(co, L, 1);
  int status = lua_resetthread(co);
  if (status != LUA_OK) {
    lua_pop(L, 1);
    return status;
  }
  lua_xmove(L, co, 1);
  return ended;
#endif
}

/* Pushes a new task, ready to run the function and `nargs` arguments on the top of the stack (which
   it takes). */
cs_task *cs_task_spawn(lua_State *L, cs_loop *loop, int nargs);

/* Resumes a task and sees to what comes of it. */
void cs_task_resume(lua_State *L, cs_task *task);

/* Ends a task before its time: closes its coroutine. */
void cs_task_cancel(lua_State *L, cs_task *task);

/* Takes an error from the top of the stack: the call in which the task waits raises it. False:
   it waits in none. */
bool cs_task_throw(lua_State *L, cs_task *task);

/* The same; where it waits in none, it is cancelled. */
void cs_task_interrupt(lua_State *L, cs_task *task);

/* Ctrl-C for it: that error, or its end. */
void cs_task_answer(lua_State *L, cs_task *task);

/* Makes it the one that Ctrl-C is for (NULL: none). When it is over, the one before
   has this place again. */
void cs_task_foreground(cs_loop *loop, cs_task *task);

void cs_task_cancel_all(lua_State *L, cs_loop *loop);

/* No task but the current one will be resumed any more; nothing of theirs is closed or collected.
 */
void cs_task_drop_all(lua_State *L, cs_loop *loop);

/* Pushes what the finished task returned, or what it raised; returns their number. */
int cs_task_results(lua_State *L, cs_task *task);

/* Pushes the task object of a live task; the table with all of them, in which luaL_unref leaves
   numbers. */
void cs_task_push(lua_State *L, const cs_task *task);
void cs_task_push_all(lua_State *L);

/* Calls a function with the arguments on the top of the stack; an error is told as one of the task,
   whose object is at the index. */
void cs_task_call(lua_State *L, int nargs, int task);

/* Takes the function on the top: it is told of errors that no one joins. */
void cs_task_set_report(lua_State *L);

void cs_task_open(lua_State *L);

#endif

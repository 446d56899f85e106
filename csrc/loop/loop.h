/* loop.h: the event loop. */
#ifndef CS_LOOP_H
#define CS_LOOP_H

#include "task.h"

/* The state's loop, made on first use. Raises when the poller cannot be made. */
cs_loop *cs_loop_get(lua_State *L);

/* The same record, however far it is made: for who is told of its events (its listener). */
cs_loop *cs_loop_record(lua_State *L);

/* In the child of a fork: a poller of its own, and none of the parent's tasks (but the current
 * one). cs_loop_forked returns 0 or errno, and the next wait tries again; cs_loop_renew raises.
 * Neither allocates from Lua. */
int cs_loop_forked(lua_State *L, cs_loop *loop);
void cs_loop_renew(lua_State *L, cs_loop *loop);

/* Runs the loop, outside any task, until `deadline`, stop, or for one turn. 0, ETIMEDOUT, EDEADLK
   when nothing is left that could happen, or the poller's errno. An error in it (what the
   interpreter's hook raises; memory) ends all tasks and is raised again. */
int cs_loop_run(lua_State *L, cs_loop *loop, int64_t deadline, bool once);

void cs_loop_open(lua_State *L);

#endif

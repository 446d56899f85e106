/* lookup.h: running a look-up from a Lua function. */
#ifndef CS_LOOKUP_H
#define CS_LOOKUP_H

#include "../wait/driver.h"
#include "../sys/resolver.h"

/* Pushes a function's results from an answer whose `code` is 0; `about` is the stack index of what
   was looked up. The answer lives as long as the call, whatever is raised. */
typedef int (*cs_lookup_results)(lua_State *L, const char *call, const cs_answer *answer,
                                 int about);

/* Looks up, waiting like any operation; numeric queries do not leave this thread. What a failed
   answer's `code` says becomes a gaierror about the value at `about`. Called last, as
   `return cs_look_up(...);`. */
int cs_look_up(lua_State *L, const char *call, const cs_query *query, int64_t timeout, int about,
               cs_lookup_results results);

/* Makes the state's resolver. */
void cs_lookup_open(lua_State *L);

#endif

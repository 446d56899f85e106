/* select.h: what select and poll share: the things that a program may wait on. */
#ifndef CS_SELECT_H
#define CS_SELECT_H

#include "../wait/driver.h"

/* The descriptor of the socket or stream at `idx`: -1 when it is closed, -2 for anything else. */
int cs_select_own_fd(lua_State *L, int idx);

/* Whether the value at `idx` may hold input that the kernel no longer knows of (streams, and
   objects with a method `dirty`, LuaSocket's), and whether it does: then it is readable at once. */
bool cs_may_hold_input(lua_State *L, int idx);
bool cs_has_input(lua_State *L, int idx);

/* Puts {fd, event, object}, with these names too, in the place of the object on the top. */
void cs_push_event(lua_State *L, int fd, unsigned event);

/* poll(2) without waiting, unless the driver has just done it: whether an event is there. 0, or an
   errno value. */
int cs_poll_now(struct pollfd *fds, unsigned nfds, bool *events);

/* Takes the descriptors with events out of the wait that goes on: none of their events is asked
   for, and they would not let it sleep. */
void cs_poll_hush(struct pollfd *fds, unsigned nfds);

#endif

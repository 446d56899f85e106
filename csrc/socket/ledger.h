/* ledger.h: the sockets that are listed, and where each was made: csock.debug. */
#ifndef CS_LEDGER_H
#define CS_LEDGER_H

#include "socket.h"

/* Lists the socket, which is on the top of the stack; called where the state's `debug` is on.
   `listener`: what it came from (NULL: nothing), which was made in the program where this one was
   not. May raise. */
void cs_ledger_enter(lua_State *L, cs_sock *s, const cs_sock *listener);

/* The socket is being collected, and was listed: is it open because the state is closed, that is
   said on standard error. `text`: the socket's. May raise. */
void cs_ledger_left_open(lua_State *L, const cs_sock *s, const char *text);

/* It is not listed any more. Raises nothing. */
void cs_ledger_leave(lua_State *L, const cs_sock *s);

/* Pushes what is remembered of a socket, {made = place, since = seconds}, or nil; the numbers of
   all that are listed, in their order (some may be gone); the table of the sockets by their
   numbers. */
void cs_ledger_push_notes(lua_State *L, unsigned id);
const unsigned *cs_ledger_push_ids(lua_State *L, size_t *count);
void cs_ledger_push_sockets(lua_State *L);

#endif

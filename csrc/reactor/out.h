/* out.h: what the hub sends. */
#ifndef CS_OUT_H
#define CS_OUT_H

#include "due.h"

/* What is to be sent to the peer, empty at first; NULL: no memory. */
cs_out *cs_out_make(cs_hub *hub, cs_watched *w);
void cs_out_drop(cs_hub *hub, cs_watched *w);
void cs_out_free_spares(cs_hub *hub); /* ... and keeps none from now on */

/* Sends as much as the socket takes; there is something to send. */
void cs_out_send(cs_loop *loop, cs_watched *w);

/* For Lua; their upvalue is the string "socket". */
extern const luaL_Reg cs_out_functions[];

/* ... and without upvalues (interface.c). */
extern const luaL_Reg cs_interface_functions[];

#endif

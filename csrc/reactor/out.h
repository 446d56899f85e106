/* out.h: what the hub sends. */
#ifndef CS_OUT_H
#define CS_OUT_H

#include "../loop/loop.h"

/* Sends as much as the socket takes; there is something to send. */
void cs_out_send(cs_loop *loop, cs_watched *w);

/* For Lua; their upvalue is the string "socket". */
extern const luaL_Reg cs_hub_send_functions[];

#endif

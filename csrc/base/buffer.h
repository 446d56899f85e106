/* buffer.h: mutable bytes, to receive into and to send from without a copy. */
#ifndef CS_BUFFER_H
#define CS_BUFFER_H

#include "args.h"

/* The bytes of the csock.buffer at `idx`, or NULL when the value is something else. They stay where
   they are as long as the buffer is on the stack (close() makes it empty, but frees nothing). */
char *cs_buffer_test(lua_State *L, int idx, size_t *len);

/* The bytes of the string or csock.buffer at `arg`. Valid while the value is on the stack. */
const char *cs_check_bytes(lua_State *L, int arg, size_t *len);

#endif

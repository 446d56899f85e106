/* parts.h: what core.c puts together: each part adds its functions and constants to the table on
   the top of the stack, and makes its classes. */
#ifndef CS_PARTS_H
#define CS_PARTS_H

#include "args.h"

void cs_open_error(lua_State *L);
void cs_open_constants(lua_State *L);
void cs_open_address(lua_State *L);
void cs_open_address_read(lua_State *L);
void cs_open_socket(lua_State *L);
void cs_open_sockmake(lua_State *L);
void cs_open_connect(lua_State *L);
void cs_open_sockio(lua_State *L);
void cs_open_message(lua_State *L);
void cs_open_afalg(lua_State *L);
void cs_open_sendfile(lua_State *L);
void cs_open_options(lua_State *L);
void cs_open_netdb(lua_State *L);
void cs_open_convert(lua_State *L);
void cs_open_buffer(lua_State *L);
void cs_open_stream(lua_State *L);
void cs_open_stream_read(lua_State *L);
void cs_open_stream_write(lua_State *L);
void cs_open_select(lua_State *L);
void cs_open_poll(lua_State *L);
void cs_open_epoll(lua_State *L);
void cs_open_kqueue(lua_State *L);
void cs_open_kevent(lua_State *L);
void cs_open_loop(lua_State *L);
void cs_open_task(lua_State *L);
void cs_open_inner(lua_State *L);
void cs_open_hub(lua_State *L);
void cs_open_lines(lua_State *L);
void cs_open_signal(lua_State *L);
void cs_open_fork(lua_State *L);
void cs_open_process(lua_State *L);

#endif

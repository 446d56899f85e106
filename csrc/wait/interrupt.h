/* interrupt.h: the interpreter's hook (Ctrl-C), and sleeping so that it is answered. */
#ifndef CS_INTERRUPT_H
#define CS_INTERRUPT_H

#include "../base/args.h"

#include <poll.h>

/* The state's own thread, which is no coroutine. */
lua_State *cs_main_thread(lua_State *L);

/* Runs the interpreter's hook if one is set (Ctrl-C): raises what it raises. */
void cs_check_interrupt(lua_State *L);

/* The hook that would be run; NULL: there is none. One that stays when it was is no Ctrl-C, but a
   debugger's, or a host's. */
lua_Hook cs_interrupt_hook(lua_State *L);

/* The same for a task: whether the hook raised an error, which is then on the top of the stack. */
bool cs_interrupt_catch(lua_State *L);

/* Takes an error from the top of the stack, and keeps it for cs_interrupt_raise, which the task
   will call with the same key: what it waits in fails with it. */
void cs_interrupt_keep(lua_State *L, const void *key);
void cs_interrupt_drop(lua_State *L, const void *key); /* it will not */
int cs_interrupt_raise(lua_State *L, const void *key);

/* Calls a function, protected, but not in the main thread: there the interpreter raises what
   answers Ctrl-C, which is for whoever runs the loop, and no error of a callback. Pushes the
   results, or the error value. */
int cs_call_apart(lua_State *L, int nargs, int nresults);
void cs_interrupt_open(lua_State *L);

/* Sleeps until one of the descriptors has an event, outside any task. Gives the interpreter's hook
   its chance on each signal, also when L is not the main thread. 0, ETIMEDOUT, or poll's errno.
   `deadline` is an instant. */
int cs_sleep_poll(lua_State *L, struct pollfd *fds, unsigned nfds, int64_t deadline);

#endif

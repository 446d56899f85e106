/* signals.h: what other files need of signal.c. */
#ifndef CS_SIGNALS_H
#define CS_SIGNALS_H

#include "../base/error.h"

/* A signal's number, given as such or by its name, "SIGTERM". 0 is none, for kill. */
int cs_check_signal(lua_State *L, int arg);

/* Around fork(2): no other state catches a signal or lets one go meanwhile. */
void cs_signals_hold(void);
void cs_signals_go_on(void);

/* In the child of a fork, still held: nothing is caught any more, since the pipe that signals are
   written to is the parent's as well. Never raises. */
void cs_signals_forked(lua_State *L);

#endif

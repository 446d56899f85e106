/* announce.h: when the loop has something to do, if nothing comes from outside before. */
#ifndef CS_ANNOUNCE_H
#define CS_ANNOUNCE_H

#include "records.h"

int64_t cs_announce_due(const cs_loop *loop); /* in ns; 0: now; CS_FOREVER: never */

/* The host is told, where one wants to know and was told something else the last time. */
void cs_announce(cs_loop *loop);

#endif

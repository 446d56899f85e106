/* listing.h: what is noted of tasks for who lists them. */
#ifndef CS_LISTING_H
#define CS_LISTING_H

#include "../base/args.h"

/* Notes in which line of the program the task on the top of the stack was made. */
void cs_listing_note(lua_State *L);

#endif

/* pointers.h: a set of pointers that the whole process has: which Lua states have a policy. A
   record in the state would do, if programs could not get at all that a library has in there: by
   debug.getregistry. */
#ifndef CS_POINTERS_H
#define CS_POINTERS_H

#include "port.h"

bool cs_pointers_has(const void *p);
int cs_pointers_add(const void *p); /* 0 or ENOMEM */
void cs_pointers_remove(const void *p);

#endif

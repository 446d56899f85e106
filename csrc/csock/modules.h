/* modules.h: the modules that are written in Lua, as embed.lua puts them into the program. */
#ifndef CS_MODULES_H
#define CS_MODULES_H

#include "../sys/port.h"

typedef struct cs_module {
  const char *name; /* "csock.loop" */
  const char *text; /* NULL: the host has left it out, ... */
  size_t size;
  const char *omitted; /* ... by these macros */
} cs_module;

/* In the order of their names; the last one's is NULL. */
extern const cs_module cs_modules[];

#endif

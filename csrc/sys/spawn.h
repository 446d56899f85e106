/* spawn.h: starting programs. */
#ifndef CS_SPAWN_H
#define CS_SPAWN_H

#include "port.h"

/* Starts the program at `path`, in a process group of its own, with `in` and `out` as its standard
   input and output, no signal blocked and those that others may ignore as usual. `argv` and `envp`
   end with NULL. 0 or an errno value. */
int cs_spawn_program(const char *path, char *const argv[], char *const envp[], int in, int out,
                     pid_t *pid);

#endif

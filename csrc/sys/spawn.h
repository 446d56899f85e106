/* spawn.h: starting programs. */
#ifndef CS_SPAWN_H
#define CS_SPAWN_H

#include "port.h"

/* A descriptor that a program is to have. `copy` is room for the child. */
typedef struct cs_spawn_fd {
  int child, own, copy;
} cs_spawn_fd;

/* Whose a program is to be. */
typedef struct cs_spawn_user {
  uid_t uid;
  gid_t gid;
  const gid_t *groups;
  uint16_t count; /* of the groups */
} cs_spawn_user;

/* The lists of strings end with NULL. */
typedef struct cs_program {
  char *const *paths; /* where it may be: the first that there is */
  char *const *argv, *const *envp;
  const char *directory; /* its working directory, from which `paths` are seen; NULL: as ours */
  cs_spawn_fd *fds;      /* all that it has */
  size_t count;
  bool group;                /* a process group of its own */
  bool terminal;             /* a session of its own, of which descriptor 0 is the terminal */
  const cs_spawn_user *user; /* NULL: as ours */
} cs_program;

/* Starts the program: no signal is blocked or ignored in it. 0, or an errno value, of whatever has
   failed until it runs: there is no process then. */
int cs_spawn_program(const cs_program *program, pid_t *pid);

/* A terminal: what the user sees, in fds[0], and what programs have. 0 or an errno value. */
int cs_spawn_terminal(int fds[2]);

#endif

/* spawn.c: by posix_spawn(3), which needs no fork of a process that may be large. */
#include "spawn.h"

#include <signal.h>
#include <spawn.h>

static int set_attributes(posix_spawnattr_t *attributes) {
  sigset_t none, usual;
  sigemptyset(&none);
  sigemptyset(&usual);
  sigaddset(&usual, SIGPIPE);
  sigaddset(&usual, SIGINT);
  sigaddset(&usual, SIGQUIT);
  int err = posix_spawnattr_setsigmask(attributes, &none);
  if (err == 0) err = posix_spawnattr_setsigdefault(attributes, &usual);
  if (err == 0) err = posix_spawnattr_setpgroup(attributes, 0);
  if (err != 0) return err;
  return posix_spawnattr_setflags(attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                                  POSIX_SPAWN_SETPGROUP);
}

int cs_spawn_program(const char *path, char *const argv[], char *const envp[], int in, int out,
                     pid_t *pid) {
  posix_spawn_file_actions_t actions;
  posix_spawnattr_t attributes;
  int err = posix_spawn_file_actions_init(&actions);
  if (err != 0) return err;
  err = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
  if (err == 0) err = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
  if (err == 0) err = posix_spawnattr_init(&attributes);
  if (err == 0) {
    err = set_attributes(&attributes);
    if (err == 0) err = posix_spawn(pid, path, &actions, &attributes, argv, envp);
    posix_spawnattr_destroy(&attributes);
  }
  posix_spawn_file_actions_destroy(&actions);
  return err;
}

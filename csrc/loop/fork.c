/* fork.c: fork: a child begins with a loop and signals of its own. */
#include "fork.h"
#include "../wait/turn_end.h"
#include "../base/parts.h"
#include "signals.h"

#include <signal.h>
#include <stdio.h>

/* fflush(NULL) waits for every file's lock: for ever, if another thread of the host sits in a read
   of standard input. Then those that programs print to must do. */
static void flush_files(void) {
  if (ftrylockfile(stdin) == 0) { /* and kept meanwhile: nobody begins to read */
    fflush(NULL);
    funlockfile(stdin);
    return;
  }
  FILE *const printed[] = {stdout, stderr};
  for (size_t i = 0; i < CS_COUNT(printed); i++) {
    if (ftrylockfile(printed[i]) != 0) continue;
    fflush(printed[i]);
    funlockfile(printed[i]);
  }
}

/* With the signals' lock held; the stack has room. 0 or errno. */
static int child(lua_State *L, cs_loop *loop) {
  cs_signals_forked(L);
  return loop != NULL ? cs_loop_forked(L, loop) : 0;
}

int cs_fork_after(lua_State *L, cs_state *state) {
  cs_signals_hold();
  state->forks++;
  int err = child(L, state->loop);
  cs_signals_go_on();
  return err;
}

/***
Makes a child process, a copy of this one. It goes on where the call stands, but in the child none
of the parent's tasks goes on, except the one that called; and `on_signal` catches nothing there.
What is buffered in Lua's files is written first, so that it is not written twice (only standard
output and error, while another thread of the host reads standard input by `io`). The child must
end by `_exit`: otherwise it would go on with the rest of the program, and close what the parent's
objects still hold. Source: fork(2), Python's `os.fork`.
@function fork
@treturn[1] int the child's process id; in the child: 0
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAGAIN`, `ENOMEM`)
@usage
local pid = assert(csock.fork())
if pid == 0 then csock._exit(3) end
local _, status = csock.waitpid(pid)
print(csock.waitstatus_to_exitcode(status)) --> 3
*/
static int process_fork(lua_State *L) {
  cs_state *state = cs_state_get(L);
  cs_loop *loop = state->loop;
  sigset_t all, mask;
  int err = cs_policy_process(L, state, "fork");
  if (err != 0) return cs_fail(L, "fork", err);
  luaL_checkstack(L, 8, NULL); /* so that nothing raises in the child */
  flush_files();
  if (loop != NULL) cs_turn_end_all(L, loop->state);
  sigfillset(&all);
  /* A signal must not be written to the parent's pipe by the child. */
  pthread_sigmask(SIG_SETMASK, &all, &mask);
  cs_signals_hold();
  state->forks++;
  pid_t pid = fork();
  err = errno;
  if (pid == 0) child(L, loop);
  cs_signals_go_on();
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  if (pid < 0) return cs_fail(L, "fork", err);
  lua_pushinteger(L, pid);
  return 1;
}

void cs_open_fork(lua_State *L) {
  lua_pushcfunction(L, process_fork);
  lua_setfield(L, -2, "fork");
}

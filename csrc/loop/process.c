/* process.c: processes, as Python's os has them: waiting for them, sending them signals. fork:
   fork.c. */
#include "../wait/driver.h"
#include "../base/parts.h"
#include "signals.h"
#include "../base/policy.h"
#include "../sys/pidfd.h"

#include <signal.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <termios.h>

/* --- waiting --- */

/* A call of waitpid in progress. */
typedef struct waiting {
  const cs_class *cls;
  cs_watched w; /* a descriptor of the process, once it is waited for */
  pid_t pid;
  int options;
} waiting;

static const cs_class waiting_class = {"csock.waiting"};

static int waiting_close(lua_State *L) {
  cs_watched_close(&((waiting *)cs_object_check(L, 1, &waiting_class))->w);
  return 0;
}

static int waitpid_attempt(lua_State *L, cs_op *op) {
  waiting *p = (waiting *)op->ptr;
  int status = 0;
  pid_t pid = waitpid(p->pid, &status, p->options | WNOHANG);
  if (pid < 0) return errno == EINTR ? CS_AGAIN : cs_fail(L, op->call, errno);
  if (pid > 0 || (p->options & WNOHANG)) {
    lua_pushinteger(L, pid);
    lua_pushinteger(L, status);
    return 2;
  }
  /* A descriptor tells of one process, and of its end alone. */
  int fd = -1;
  if (op->w == NULL && p->pid > 0 && p->options == 0 && cs_state_room(p->w.state, 1) == 0 &&
      cs_pidfd_open(p->pid, &fd) == 0) {
    cs_watched_hold(&p->w, fd);
    op->w = &p->w;
  }
  return op->w != NULL ? CS_READABLE : CS_PAUSE;
}

/***
Waits until a child process has ended. In a task the others go on meanwhile.
Source: waitpid(2), Python's `os.waitpid`.
@function waitpid
@tparam int pid the child's process id; -1: any child's
@tparam[opt=0] int options `WNOHANG`: does not wait; `WUNTRACED`, `WCONTINUED`: also until it is
stopped or continued
@treturn[1] int process id; 0 with `WNOHANG` when there is nothing to tell
@treturn[1] int status, for `waitstatus_to_exitcode`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ECHILD`: there is no such child)
@usage
local pid = assert(csock.fork())
if pid == 0 then csock._exit() end
print(csock.waitpid(pid) == pid) --> true
*/
static int process_waitpid(lua_State *L) {
  cs_op op;
  int pid = cs_check_cint(L, 1), options = cs_opt_cint(L, 2, 0);
  cs_state *state = cs_state_get(L);
  int err = cs_policy_process(L, state, "waitpid");
  if (err != 0) return cs_fail(L, "waitpid", err);
  waiting *p = (waiting *)cs_object_new(L, &waiting_class, sizeof *p, 0);
  p->w.state = state;
  p->w.fd = -1;
  p->w.flags = CS_W_NONBLOCK; /* it is never read */
  p->pid = pid;
  p->options = options;
  lua_toclose(L, -1); /* also when the task is cancelled */
  cs_op_init(&op, "waitpid", waitpid_attempt, NULL, CS_FOREVER);
  op.ptr = p;
  return cs_drive(L, &op);
}

/***
What a child's status means.
Source: Python's `os.waitstatus_to_exitcode`.
@function waitstatus_to_exitcode
@tparam int status as `waitpid` gives it
@treturn int the exit status; when a signal ended the process: minus its number
@raise when the process was stopped or continued, and has not ended
@usage print(csock.waitstatus_to_exitcode(0)) --> 0
*/
static int process_exitcode(lua_State *L) {
  int status = cs_check_cint(L, 1);
  if (WIFSIGNALED(status))
    lua_pushinteger(L, -WTERMSIG(status));
  else if (WIFEXITED(status))
    lua_pushinteger(L, WEXITSTATUS(status));
  else
    return luaL_argerror(L, 1, "the process has not ended");
  return 1;
}

/* --- the rest --- */

/***
Sends a signal to a process.
Source: kill(2), Python's `os.kill`.
@function kill
@tparam int pid process id; negative: a process group's; 0: the own group; -1: all processes
@tparam int|string sig the signal's number, or a name such as `"SIGTERM"`; 0 sends nothing, and
finds out whether the process is there
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ESRCH`: no such process; `EPERM`)
@usage print(csock.kill(csock.getpid(), 0)) --> true
*/
static int process_kill(lua_State *L) {
  int pid = cs_check_cint(L, 1), sig = cs_check_signal(L, 2);
  int err = cs_policy_process(L, cs_state_get(L), "kill");
  if (err == 0 && kill(pid, sig) != 0) err = errno;
  return cs_result(L, "kill", err);
}

/***
The id of this process.
Source: getpid(2), Python's `os.getpid`.
@function getpid
@treturn int
@usage print(csock.getpid())
*/
static int process_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/***
The id of the process that made this one; another one's when that has ended.
Source: getppid(2), Python's `os.getppid`.
@function getppid
@treturn int
@usage print(csock.getppid())
*/
static int process_getppid(lua_State *L) {
  lua_pushinteger(L, getppid());
  return 1;
}

/***
Ends this process at once: nothing is closed, collected or flushed first. It is how a child of
`fork` ends. Source: _exit(2), Python's `os._exit`.
@function _exit
@tparam[opt=0] int status 0 to 255
@usage if csock.fork() == 0 then csock._exit(1) end
*/
static int process_exit(lua_State *L) {
  int status = (int)cs_opt_int(L, 1, 0, 0, 255);
  int err = cs_policy_process(L, cs_state_get(L), "_exit");
  if (err != 0) return cs_fail(L, "_exit", err);
  _exit(status);
}

/***
How many processors there are.
Source: Python's `os.cpu_count`.
@function cpu_count
@treturn int at least 1
@usage print(csock.cpu_count())
*/
static int process_cpu_count(lua_State *L) {
  long n = 1;
#ifdef _SC_NPROCESSORS_ONLN
  n = sysconf(_SC_NPROCESSORS_ONLN);
#endif
  lua_pushinteger(L, n < 1 ? 1 : n);
  return 1;
}

/***
Sets which permissions the files and sockets that this process makes do not get: one setting for
the whole process. Source: umask(2), Python's `os.umask`.
@function umask
@tparam int mask such as 18, that is 022: nobody but the owner may write
@treturn int the mask before
@usage
local before = csock.umask(63) -- 077: for the owner alone
csock.umask(before)
*/
static int process_umask(lua_State *L) {
  mode_t mask = (mode_t)cs_check_int(L, 1, 0, 0777);
  int err = cs_policy_process(L, cs_state_get(L), "umask");
  if (err != 0) return cs_fail(L, "umask", err);
  lua_pushinteger(L, umask(mask));
  return 1;
}

/***
Goes to another directory: the whole process. Source: chdir(2), Python's `os.chdir`.
@function chdir
@tparam string path
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(csock.chdir ".") --> true
*/
static int process_chdir(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int err = cs_policy_process(L, cs_state_get(L), "chdir");
  if (err == 0 && chdir(path) != 0) err = errno;
  return cs_result(L, "chdir", err);
}

/***
Makes this process the leader of a session of its own, without a terminal.
Source: setsid(2), Python's `os.setsid`.
@function setsid
@treturn[1] int the session's id: the process's
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EPERM`: it leads a process group already)
@usage print(csock.fork() == 0 and csock._exit(csock.setsid() and 0 or 1))
*/
static int process_setsid(lua_State *L) {
  int err = cs_policy_process(L, cs_state_get(L), "setsid");
  pid_t session = err == 0 ? setsid() : -1;
  if (session < 0) return cs_fail(L, "setsid", err != 0 ? err : errno);
  lua_pushinteger(L, session);
  return 1;
}

/***
Whether a descriptor is a terminal. Source: isatty(3), Python's `os.isatty`.
@function isatty
@tparam int fd
@treturn boolean
@usage print(csock.isatty(s:fileno())) --> false
*/
static int process_isatty(lua_State *L) {
  lua_pushboolean(L, isatty((int)cs_check_int(L, 1, 0, INT_MAX)));
  return 1;
}

/***
The size of a terminal's window. Source: Python's `os.get_terminal_size`.
@function get_terminal_size
@tparam[opt=1] int fd of the terminal
@treturn[1] int columns
@treturn[1] int lines
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOTTY`)
@usage local columns, lines = csock.get_terminal_size()
*/
static int process_terminal_size(lua_State *L) {
  struct winsize size;
  if (ioctl((int)cs_opt_int(L, 1, 1, 0, INT_MAX), TIOCGWINSZ, &size) != 0)
    return cs_fail(L, "get_terminal_size", errno);
  lua_pushinteger(L, size.ws_col);
  lua_pushinteger(L, size.ws_row);
  return 2;
}

static const luaL_Reg process_functions[] = {
    {"waitpid", process_waitpid},
    {"waitstatus_to_exitcode", process_exitcode},
    {"kill", process_kill},
    {"getpid", process_getpid},
    {"getppid", process_getppid},
    {"_exit", process_exit},
    {"cpu_count", process_cpu_count},
    {"umask", process_umask},
    {"chdir", process_chdir},
    {"setsid", process_setsid},
    {"isatty", process_isatty},
    {"get_terminal_size", process_terminal_size},
    {NULL, NULL},
};

static const luaL_Reg waiting_meta[] = {
    {"__gc", waiting_close}, {"__close", waiting_close}, {NULL, NULL}};

void cs_open_process(lua_State *L) {
  cs_class_make(L, &waiting_class, NULL, waiting_meta);
  cs_setfuncs(L, process_functions);
  cs_set_int(L, "WNOHANG", WNOHANG);
  cs_set_int(L, "WUNTRACED", WUNTRACED);
#ifdef WCONTINUED
  cs_set_int(L, "WCONTINUED", WCONTINUED);
#endif
}

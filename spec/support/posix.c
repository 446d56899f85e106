/* posix.c: what the specs need of the system and Lua does not have: processes, pseudo-terminals,
   descriptors, clocks, signals. It shares no code with csock, so that it can judge it.
   require "spec.support.posix"; process.lua wraps the first half. */
#define _GNU_SOURCE /* pipe2, posix_openpt, sigtimedwait */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#if __has_include(<sys/prctl.h>)
#include <sys/prctl.h>
#endif

#include <lua.h>
#include <lauxlib.h>

static int fail(lua_State *L, const char *call, int err) {
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", call, strerror(err));
  lua_pushinteger(L, err);
  return 3;
}

static int check_int(lua_State *L, int arg) {
  lua_Integer n = luaL_checkinteger(L, arg);
  luaL_argcheck(L, n >= INT_MIN && n <= INT_MAX, arg, "out of range");
  return (int)n;
}

static int64_t now_ns(clockid_t clock) {
  struct timespec t;
  clock_gettime(clock, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The instant `seconds` (argument `arg`, default: far away) from now. */
static int64_t check_deadline(lua_State *L, int arg) {
  double seconds = luaL_optnumber(L, arg, 1e6);
  luaL_argcheck(L, seconds >= 0 && seconds <= 1e6, arg, "out of range");
  return now_ns(CLOCK_MONOTONIC) + (int64_t)(seconds * 1e9);
}

static int left_ms(int64_t deadline) {
  int64_t left = deadline - now_ns(CLOCK_MONOTONIC);
  return left <= 0 ? 0 : (int)((left + 999999) / 1000000);
}

static struct timespec to_timespec(double seconds) {
  struct timespec t = {.tv_sec = (time_t)seconds};
  t.tv_nsec = (long)((seconds - (double)t.tv_sec) * 1e9);
  return t;
}

/* --- processes ------------------------------------------------------------------------------- */

/* What a child needs, gathered before the fork: nothing there may allocate. */
typedef struct plan {
  char **argv, **env;
  const char *cwd;
  int in, out, err; /* become 0, 1, 2 */
  int report;       /* close-on-exec: carries errno when exec fails */
  bool pty, group;
} plan;

static void run_child(const plan *p) {
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  for (int sig = 1; sig < 32; sig++) signal(sig, SIG_DFL);
#ifdef PR_SET_PDEATHSIG
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* nothing outlives a test run that was killed */
#endif
  if (p->pty) {
    setsid();
    ioctl(p->in, TIOCSCTTY, 0);
  } else if (p->group) {
    setpgid(0, 0);
  }
  /* Above 2 first: the ends may be 0, 1 or 2 in the parent themselves. */
  int in = fcntl(p->in, F_DUPFD_CLOEXEC, 3), out = fcntl(p->out, F_DUPFD_CLOEXEC, 3),
      err = fcntl(p->err, F_DUPFD_CLOEXEC, 3);
  if (dup2(in, 0) == 0 && dup2(out, 1) == 1 && dup2(err, 2) == 2 &&
      (p->cwd == NULL || chdir(p->cwd) == 0)) {
    environ = p->env;
    execvp(p->argv[0], p->argv);
  }
  int why = errno;
  if (write(p->report, &why, sizeof why) < 0) _exit(126);
  _exit(127);
}

/* The strings of the sequence at `idx` as a NULL-terminated array, which stays alive as a userdata
   on the stack. */
static char **string_array(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  size_t n = (size_t)lua_rawlen(L, idx);
  char **list = lua_newuserdatauv(L, (n + 1) * sizeof *list, 0);
  for (size_t i = 0; i < n; i++) {
    if (lua_rawgeti(L, idx, (lua_Integer)i + 1) != LUA_TSTRING) {
      luaL_error(L, "element %d is no string", (int)i + 1);
    }
    list[i] = (char *)(uintptr_t)lua_tostring(L, -1); /* execvp's missing const */
    lua_pop(L, 1);                                    /* the sequence keeps it */
  }
  list[n] = NULL;
  return list;
}

static bool get_flag(lua_State *L, int idx, const char *name) {
  lua_getfield(L, idx, name);
  bool on = lua_toboolean(L, -1);
  lua_pop(L, 1);
  return on;
}

static void close_all(int *fds, int n) {
  for (int i = 0; i < n; i++) {
    if (fds[i] >= 0) close(fds[i]);
  }
}

static int open_pty(int *master, int *slave) {
  *master = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
  if (*master < 0) return errno;
  char name[64];
  if (grantpt(*master) != 0 || unlockpt(*master) != 0 ||
      ptsname_r(*master, name, sizeof name) != 0) {
    return errno;
  }
  *slave = open(name, O_RDWR | O_NOCTTY | O_CLOEXEC);
  return *slave < 0 ? errno : 0;
}

/* spawn(argv, opts) -> pid, in, out, err (descriptors; with opts.pty all three are one) | nil, err.
   opts: env = {"NAME=value", ...} (complete), cwd, pty, group (a process group of its own),
   merge (standard error goes where standard output goes; then err is nil). */
static int l_spawn(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_settop(L, 2);
  plan p = {.pty = get_flag(L, 2, "pty"), .group = get_flag(L, 2, "group")};
  bool merge = get_flag(L, 2, "merge");
  lua_getfield(L, 2, "cwd");
  p.cwd = luaL_optstring(L, -1, NULL);
  p.argv = string_array(L, 1);
  luaL_argcheck(L, p.argv[0] != NULL, 1, "empty");
  lua_getfield(L, 2, "env");
  p.env = lua_isnil(L, -1) ? environ : string_array(L, -1);

  enum { IN_R, IN_W, OUT_R, OUT_W, ERR_R, ERR_W, REPORT_R, REPORT_W, COUNT };
  int fd[COUNT] = {-1, -1, -1, -1, -1, -1, -1, -1};
  int err = 0;
  if (pipe2(&fd[REPORT_R], O_CLOEXEC) != 0) err = errno;
  if (err == 0 && p.pty) {
    err = open_pty(&fd[IN_W], &fd[IN_R]);
  } else if (err == 0) {
    if (pipe2(&fd[IN_R], O_CLOEXEC) != 0 || pipe2(&fd[OUT_R], O_CLOEXEC) != 0 ||
        (!merge && pipe2(&fd[ERR_R], O_CLOEXEC) != 0)) {
      err = errno;
    }
  }
  if (err != 0) {
    close_all(fd, COUNT);
    return fail(L, "spawn", err);
  }
  p.in = fd[IN_R];
  p.out = p.pty ? fd[IN_R] : fd[OUT_W];
  p.err = p.pty || merge ? p.out : fd[ERR_W];
  p.report = fd[REPORT_W];

  pid_t pid = fork();
  if (pid < 0) err = errno;
  if (pid == 0) run_child(&p);
  int ends[] = {fd[IN_R], fd[OUT_W], fd[ERR_W], fd[REPORT_W]};
  close_all(ends, 4);
  if (pid > 0 && read(fd[REPORT_R], &err, sizeof err) == (ssize_t)sizeof err) {
    waitpid(pid, NULL, 0);
  } else if (pid > 0) {
    err = 0;
  }
  close(fd[REPORT_R]);
  if (err != 0) {
    int mine[] = {fd[IN_W], fd[OUT_R], fd[ERR_R]};
    close_all(mine, 3);
    return fail(L, p.argv[0], err);
  }
  fcntl(fd[IN_W], F_SETFL, O_NONBLOCK);
  lua_pushinteger(L, pid);
  lua_pushinteger(L, fd[IN_W]);
  lua_pushinteger(L, p.pty ? fd[IN_W] : fd[OUT_R]);
  if (merge || p.pty) {
    lua_pushnil(L);
  } else {
    lua_pushinteger(L, fd[ERR_R]);
  }
  return 4;
}

/* read(fd, timeout) -> bytes, "" at the end | nil, "timeout" | nil, err, errno */
static int l_read(lua_State *L) {
  int fd = check_int(L, 1);
  int64_t deadline = check_deadline(L, 2);
  char buffer[8192];
  for (;;) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    int n = poll(&p, 1, left_ms(deadline));
    if (n < 0 && errno != EINTR) return fail(L, "poll", errno);
    if (n > 0) {
      ssize_t got = read(fd, buffer, sizeof buffer);
      if (got < 0 && errno == EIO) got = 0; /* a pseudo-terminal whose other side is gone */
      if (got >= 0) {
        lua_pushlstring(L, buffer, (size_t)got);
        return 1;
      }
      if (errno != EAGAIN && errno != EINTR) return fail(L, "read", errno);
    }
    if (left_ms(deadline) == 0) {
      lua_pushnil(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
  }
}

/* write(2) that never raises SIGPIPE and leaves the program's own setting alone. */
static ssize_t quiet_write(int fd, const char *data, size_t size) {
  sigset_t pipe_only, before, pending;
  sigemptyset(&pipe_only);
  sigaddset(&pipe_only, SIGPIPE);
  sigpending(&pending);
  bool was_pending = sigismember(&pending, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_only, &before);
  ssize_t n = write(fd, data, size);
  int err = errno;
  if (n < 0 && err == EPIPE && !was_pending) {
    sigtimedwait(&pipe_only, NULL, &(struct timespec){0});
  }
  pthread_sigmask(SIG_SETMASK, &before, NULL);
  errno = err;
  return n;
}

/* write(fd, data, timeout) -> true | nil, "timeout" | nil, err, errno */
static int l_write(lua_State *L) {
  int fd = check_int(L, 1);
  size_t size;
  const char *data = luaL_checklstring(L, 2, &size);
  int64_t deadline = check_deadline(L, 3);
  while (size > 0) {
    ssize_t n = quiet_write(fd, data, size);
    if (n >= 0) {
      data += n;
      size -= (size_t)n;
    } else if (errno == EAGAIN) {
      struct pollfd p = {.fd = fd, .events = POLLOUT};
      if (poll(&p, 1, left_ms(deadline)) == 0) {
        lua_pushnil(L);
        lua_pushliteral(L, "timeout");
        return 2;
      }
    } else if (errno != EINTR) {
      return fail(L, "write", errno);
    }
  }
  lua_pushboolean(L, true);
  return 1;
}

static int l_close(lua_State *L) {
  if (close(check_int(L, 1)) != 0) return fail(L, "close", errno);
  lua_pushboolean(L, true);
  return 1;
}

/* kill(pid, signal) */
static int l_kill(lua_State *L) {
  int pid = check_int(L, 1);
  luaL_argcheck(L, pid > 1 || pid < -1, 1, "no process of ours");
  if (kill(pid, check_int(L, 2)) != 0) return fail(L, "kill", errno);
  lua_pushboolean(L, true);
  return 1;
}

/* waitpid(pid, timeout) -> "exit", status | "signal", number | nil, "timeout" | nil, err, errno */
static int l_waitpid(lua_State *L) {
  int pid = check_int(L, 1);
  int64_t deadline = check_deadline(L, 2);
  long pause_ns = 200000;
  for (;;) {
    int status;
    pid_t done = waitpid(pid, &status, WNOHANG);
    if (done < 0 && errno != EINTR) return fail(L, "waitpid", errno);
    if (done == pid) {
      lua_pushstring(L, WIFSIGNALED(status) ? "signal" : "exit");
      lua_pushinteger(L, WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status));
      return 2;
    }
    if (left_ms(deadline) == 0) {
      lua_pushnil(L);
      lua_pushliteral(L, "timeout");
      return 2;
    }
    nanosleep(&(struct timespec){.tv_nsec = pause_ns}, NULL);
    if (pause_ns < 10000000) pause_ns *= 2;
  }
}

static int l_getpid(lua_State *L) {
  lua_pushinteger(L, getpid());
  return 1;
}

/* fork() -> the child's pid, 0 in the child */
static int l_fork(lua_State *L) {
  fflush(NULL); /* or both would write what is buffered */
  pid_t pid = fork();
  if (pid < 0) return fail(L, "fork", errno);
  lua_pushinteger(L, pid);
  return 1;
}

/* environ() -> {"NAME=value", ...} */
static int l_environ(lua_State *L) {
  lua_newtable(L);
  for (lua_Integer i = 0; environ[i] != NULL; i++) {
    lua_pushstring(L, environ[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/* --- descriptors ----------------------------------------------------------------------------- */

static int compare_ints(const void *a, const void *b) {
  const int *x = a, *y = b;
  return (*x > *y) - (*x < *y);
}

/* fds() -> the open descriptors, in order */
static int l_fds(lua_State *L) {
  enum { MAX = 65536 };
  int *list = lua_newuserdatauv(L, MAX * sizeof *list, 0);
  size_t n = 0;
  void (*settle)(void);
  *(void **)&settle = dlsym(RTLD_DEFAULT, "kqueue_shim_settle");
  if (settle != NULL) settle();
  DIR *dir = opendir("/proc/self/fd");
  if (dir == NULL) dir = opendir("/dev/fd");
  if (dir == NULL) return fail(L, "opendir", errno);
  for (struct dirent *e; (e = readdir(dir)) != NULL && n < MAX;) {
    char *end;
    long fd = strtol(e->d_name, &end, 10);
    if (*end == '\0' && end != e->d_name && fd != dirfd(dir)) list[n++] = (int)fd;
  }
  closedir(dir);
  qsort(list, n, sizeof *list, compare_ints);
  lua_createtable(L, (int)n, 0);
  for (size_t i = 0; i < n; i++) {
    lua_pushinteger(L, list[i]);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
  return 1;
}

/* fd_flags(fd) -> F_GETFD's and F_GETFL's values | nil, err, errno */
static int l_fd_flags(lua_State *L) {
  int fd = check_int(L, 1);
  int flags = fcntl(fd, F_GETFD);
  if (flags < 0) return fail(L, "fcntl", errno);
  lua_pushinteger(L, flags);
  lua_pushinteger(L, fcntl(fd, F_GETFL));
  return 2;
}

/* dup2(fd, wanted) -> wanted | nil, err, errno */
static int l_dup2(lua_State *L) {
  int wanted = check_int(L, 2);
  if (dup2(check_int(L, 1), wanted) < 0) return fail(L, "dup2", errno);
  lua_pushinteger(L, wanted);
  return 1;
}

/* pipe() -> read end, write end (both close-on-exec) */
static int l_pipe(lua_State *L) {
  int fd[2];
  if (pipe2(fd, O_CLOEXEC) != 0) return fail(L, "pipe", errno);
  lua_pushinteger(L, fd[0]);
  lua_pushinteger(L, fd[1]);
  return 2;
}

/* nofile([soft]) -> soft, hard: the limit on descriptors, as it was before the change */
static int l_nofile(lua_State *L) {
  struct rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return fail(L, "getrlimit", errno);
  struct rlimit wanted = limit;
  wanted.rlim_cur = (rlim_t)luaL_optinteger(L, 1, (lua_Integer)limit.rlim_cur);
  if (setrlimit(RLIMIT_NOFILE, &wanted) != 0) return fail(L, "setrlimit", errno);
  lua_pushinteger(L, (lua_Integer)limit.rlim_cur);
  lua_pushinteger(L, (lua_Integer)limit.rlim_max);
  return 2;
}

/* mkdtemp() -> the path of a new, empty directory */
static int l_mkdtemp(lua_State *L) {
  char path[] = "/tmp/csock-spec-XXXXXX";
  if (mkdtemp(path) == NULL) return fail(L, "mkdtemp", errno);
  lua_pushstring(L, path);
  return 1;
}

/* --- clocks ---------------------------------------------------------------------------------- */

static int l_monotonic(lua_State *L) {
  lua_pushnumber(L, (double)now_ns(CLOCK_MONOTONIC) / 1e9);
  return 1;
}

/* thread_clock() -> seconds of CPU that this thread has used */
static int l_thread_clock(lua_State *L) {
  lua_pushnumber(L, (double)now_ns(CLOCK_THREAD_CPUTIME_ID) / 1e9);
  return 1;
}

/* children_clock() -> seconds of CPU that the children used which have been waited for */
static int l_children_clock(lua_State *L) {
  struct rusage used;
  getrusage(RUSAGE_CHILDREN, &used);
  lua_pushnumber(L, (lua_Number)(used.ru_utime.tv_sec + used.ru_stime.tv_sec) +
                        (lua_Number)(used.ru_utime.tv_usec + used.ru_stime.tv_usec) / 1e6);
  return 1;
}

/* sleep(seconds): for loops of the form "until it is so, or 5 s have passed" */
static int l_sleep(lua_State *L) {
  struct timespec t = to_timespec(luaL_checknumber(L, 1));
  nanosleep(&t, NULL);
  return 0;
}

/* --- signals --------------------------------------------------------------------------------- */

static volatile sig_atomic_t signals_seen;

static void count_signal(int sig) {
  (void)sig;
  signals_seen++;
}

/* signal(number, "default" | "ignore" | "count"): "count" interrupts system calls (no SA_RESTART)
   and does nothing else; signals_seen() says how many came since the last call of signal. */
static int l_signal(lua_State *L) {
  static const char *const names[] = {"default", "ignore", "count", NULL};
  static void (*const handlers[])(int) = {SIG_DFL, SIG_IGN, count_signal};
  struct sigaction action = {.sa_handler = handlers[luaL_checkoption(L, 2, NULL, names)]};
  signals_seen = 0;
  if (sigaction(check_int(L, 1), &action, NULL) != 0) return fail(L, "sigaction", errno);
  lua_pushboolean(L, true);
  return 1;
}

static int l_signals_seen(lua_State *L) {
  lua_pushinteger(L, signals_seen);
  return 1;
}

/* timer(signal, delay [, interval]) -> a timer that sends the signal to this process; stop_timer(t)
   ends it. */
static int l_timer(lua_State *L) {
  struct sigevent event = {.sigev_notify = SIGEV_SIGNAL, .sigev_signo = check_int(L, 1)};
  struct itimerspec when = {.it_value = to_timespec(luaL_checknumber(L, 2)),
                            .it_interval = to_timespec(luaL_optnumber(L, 3, 0))};
  timer_t *t = lua_newuserdatauv(L, sizeof *t, 0);
  if (timer_create(CLOCK_MONOTONIC, &event, t) != 0) return fail(L, "timer_create", errno);
  timer_settime(*t, 0, &when, NULL);
  return 1;
}

static int l_stop_timer(lua_State *L) {
  luaL_checktype(L, 1, LUA_TUSERDATA);
  timer_t *t = lua_touserdata(L, 1);
  timer_delete(*t);
  return 0;
}

/* The watchdog: a test that runs too long gets an error from a hook; one that does not come back
   to Lua even then ends the whole run, naming itself. */
static lua_State *watched;
static char watched_name[512];

static void stop_test(lua_State *L, lua_Debug *ar) {
  (void)ar;
  lua_sethook(L, NULL, 0, 0);
  luaL_error(L, "the test ran too long");
}

static void on_alarm(int sig) {
  (void)sig;
  static volatile sig_atomic_t times;
  if (times++ == 0 && watched != NULL) {
    lua_sethook(watched, stop_test, LUA_MASKCALL | LUA_MASKRET | LUA_MASKCOUNT, 1);
    alarm(10);
    return;
  }
  const char message[] = "\nthis test hangs: ";
  if (write(2, message, sizeof message - 1) > 0 &&
      write(2, watched_name, strlen(watched_name)) > 0) {
    _exit(124);
  }
  _exit(124);
}

/* watchdog(seconds, name) before a test, watchdog(0) after it. For the main thread. */
static int l_watchdog(lua_State *L) {
  unsigned seconds = (unsigned)luaL_checkinteger(L, 1);
  snprintf(watched_name, sizeof watched_name, "%s\n", luaL_optstring(L, 2, "?"));
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  watched = lua_tothread(L, -1);
  struct sigaction action = {.sa_handler = seconds > 0 ? on_alarm : SIG_DFL};
  alarm(0);
  sigaction(SIGALRM, &action, NULL);
  alarm(seconds);
  return 0;
}

static const luaL_Reg functions[] = {
    {"spawn", l_spawn},
    {"read", l_read},
    {"write", l_write},
    {"close", l_close},
    {"kill", l_kill},
    {"waitpid", l_waitpid},
    {"getpid", l_getpid},
    {"fork", l_fork},
    {"environ", l_environ},
    {"fds", l_fds},
    {"fd_flags", l_fd_flags},
    {"dup2", l_dup2},
    {"pipe", l_pipe},
    {"nofile", l_nofile},
    {"mkdtemp", l_mkdtemp},
    {"monotonic", l_monotonic},
    {"thread_clock", l_thread_clock},
    {"children_clock", l_children_clock},
    {"sleep", l_sleep},
    {"signal", l_signal},
    {"signals_seen", l_signals_seen},
    {"timer", l_timer},
    {"stop_timer", l_stop_timer},
    {"watchdog", l_watchdog},
    {NULL, NULL},
};

static const struct {
  const char *name;
  int value;
} signals[] = {
    {"SIGHUP", SIGHUP},   {"SIGINT", SIGINT},   {"SIGQUIT", SIGQUIT}, {"SIGKILL", SIGKILL},
    {"SIGUSR1", SIGUSR1}, {"SIGUSR2", SIGUSR2}, {"SIGPIPE", SIGPIPE}, {"SIGALRM", SIGALRM},
    {"SIGTERM", SIGTERM}, {"SIGCHLD", SIGCHLD}, {"SIGSTOP", SIGSTOP}, {"SIGCONT", SIGCONT},
};

__attribute__((visibility("default"))) int luaopen_spec_support_posix(lua_State *L);
int luaopen_spec_support_posix(lua_State *L) {
  luaL_newlib(L, functions);
  for (size_t i = 0; i < sizeof signals / sizeof signals[0]; i++) {
    lua_pushinteger(L, signals[i].value);
    lua_setfield(L, -2, signals[i].name);
  }
  lua_pushinteger(L, FD_CLOEXEC);
  lua_setfield(L, -2, "FD_CLOEXEC");
  lua_pushinteger(L, O_NONBLOCK);
  lua_setfield(L, -2, "O_NONBLOCK");
  return 1;
}

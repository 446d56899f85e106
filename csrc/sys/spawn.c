/* spawn.c: by vfork(2), which copies nothing of a process that may be large, and execve(2). What
 * fails in the child comes through a pipe, which a program that runs has closed.
 *
 * The child calls what is safe in a signal handler, and changes no memory but the program's record.
 */
#include "spawn.h"
#include "fd.h"
#include "users.h"

#include <signal.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/wait.h>
#include <termios.h>
#if CS_HAVE_SYSCALL
#include <sys/syscall.h>
#endif

#define MOST_FDS 1048576 /* that are looked at one by one, where there are no limits */

/* --- in the child --- */

/* No descriptor outlives execve, whoever has made it. */
static void mark_descriptors(long limit) {
#if defined(SYS_close_range)
  const unsigned cloexec = 4; /* CLOSE_RANGE_CLOEXEC */
  if (syscall(SYS_close_range, 0u, UINT_MAX, cloexec) == 0) return;
#endif
  for (int fd = 0; fd < limit; fd++) fcntl(fd, F_SETFD, FD_CLOEXEC);
}

/* The descriptors come to their places, and *report out of their way. 0 or errno. */
static int place_descriptors(const cs_program *p, int *report) {
  int least = 0; /* above all places */
  for (size_t i = 0; i < p->count; i++)
    if (p->fds[i].child >= least) least = p->fds[i].child + 1;
  int moved = fcntl(*report, F_DUPFD_CLOEXEC, least);
  if (moved < 0) return errno;
  *report = moved;
  for (size_t i = 0; i < p->count; i++) {
    p->fds[i].copy = fcntl(p->fds[i].own, F_DUPFD_CLOEXEC, least);
    if (p->fds[i].copy < 0) return errno;
  }
  for (size_t i = 0; i < p->count; i++)
    if (dup2(p->fds[i].copy, p->fds[i].child) < 0) return errno;
  return 0;
}

static int become_other(const cs_program *p) {
  if (p->terminal && (setsid() < 0 || ioctl(0, TIOCSCTTY, 0) != 0)) return errno;
  if (p->group && setpgid(0, 0) != 0) return errno;
  if (p->directory != NULL && chdir(p->directory) != 0) return errno;
  const cs_spawn_user *user = p->user;
  if (user == NULL) return 0;
  int err = cs_users_set_groups(user->groups, user->count);
  if (err == 0 && (setgid(user->gid) != 0 || setuid(user->uid) != 0)) err = errno;
  return err;
}

/* As a new program expects them. */
static void reset_signals(void) {
  struct sigaction usual;
  sigset_t none;
  memset(&usual, 0, sizeof usual);
  usual.sa_handler = SIG_DFL;
  for (int sig = 1; sig < NSIG; sig++) sigaction(sig, &usual, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
}

/* What is worth telling: that there is none in one of the places, only when it is in no other. */
static int try_paths(const cs_program *p) {
  int err = ENOENT;
  for (char *const *path = p->paths; *path != NULL; path++) {
    execve(*path, p->argv, p->envp);
    if (errno != ENOENT && errno != ENOTDIR && err == ENOENT) err = errno;
  }
  return err;
}

static void run_child(const cs_program *p, int report, long limit) {
  mark_descriptors(limit);
  int err = place_descriptors(p, &report);
  if (err == 0) err = become_other(p);
  if (err == 0) {
    reset_signals();
    err = try_paths(p);
  }
  while (write(report, &err, sizeof err) < 0 && errno == EINTR) continue;
  _exit(127);
}

/* --- in the parent --- */

/* A child that shares memory with other threads of its parent must not change its user: the C
   library has all threads do so. */
static pid_t start_child(const cs_program *p, int report, long limit) {
  pid_t pid = p->user != NULL ? fork() : cs_vfork();
  if (pid == 0) run_child(p, report, limit);
  return pid;
}

/* 0 when the program runs. */
static int read_report(int fd) {
  int err = 0;
  ssize_t n;
  do n = read(fd, &err, sizeof err);
  while (n < 0 && errno == EINTR);
  return n < 0 ? errno : n == (ssize_t)sizeof err ? err : 0;
}

int cs_spawn_program(const cs_program *program, pid_t *pid) {
  int fds[2];
  sigset_t all, mask;
  long limit = sysconf(_SC_OPEN_MAX);
  if (limit < 0 || limit > MOST_FDS) limit = MOST_FDS;
  int err = cs_fd_pipe(fds);
  if (err != 0) return err;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &mask); /* the child must not run our handlers */
  *pid = start_child(program, fds[1], limit);
  if (*pid < 0) err = errno;
  pthread_sigmask(SIG_SETMASK, &mask, NULL);
  cs_fd_close(fds[1]);
  if (err == 0) {
    err = read_report(fds[0]);
    while (err != 0 && waitpid(*pid, NULL, 0) < 0 && errno == EINTR) continue;
  }
  cs_fd_close(fds[0]);
  return err;
}

/* --- terminals --- */

int cs_spawn_terminal(int fds[2]) {
  const char *name = NULL;
  fds[0] = posix_openpt(O_RDWR | O_NOCTTY);
  if (fds[0] < 0) return errno;
  int err = cs_fd_set_inheritable(fds[0], false);
  if (err == 0 && (grantpt(fds[0]) != 0 || unlockpt(fds[0]) != 0)) err = errno;
  if (err == 0 && (name = ptsname(fds[0])) == NULL) err = errno;
  fds[1] = err == 0 ? open(name, O_RDWR | O_NOCTTY | O_CLOEXEC) : -1;
  if (err == 0 && fds[1] < 0) err = errno;
  if (err != 0) cs_fd_close(fds[0]);
  return err;
}

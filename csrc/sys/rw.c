/* rw.c: reads and writes that neither block nor raise SIGPIPE. */
#include "rw.h"

#include <signal.h>
#include <sys/stat.h>
#if CS_HAVE_SENDFILE
#include <sys/sendfile.h>
#endif

/* A write of so much does not block where poll(2) has said that there is room. */
#ifdef PIPE_BUF
#define SMALL_WRITE PIPE_BUF
#else
#define SMALL_WRITE _POSIX_PIPE_BUF
#endif

int cs_rw_kind_of(int fd, cs_rw_kind *kind) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  *kind = S_ISSOCK(st.st_mode) ? CS_RW_SOCKET : S_ISREG(st.st_mode) ? CS_RW_FILE : CS_RW_OTHER;
  return 0;
}

/* 0, or EAGAIN while there is nothing to read or no room to write. */
static int ready(int fd, short events) {
  struct pollfd p = {.fd = fd, .events = events};
  int n;
  do {
    n = poll(&p, 1, 0);
  } while (n < 0 && errno == EINTR);
  return n == 0 ? EAGAIN : n < 0 ? errno : 0;
}

/* An errno value, with the two names of EAGAIN made one. */
static int failure(void) {
  return errno == EWOULDBLOCK ? EAGAIN : errno;
}

int cs_rw_read(int fd, cs_rw_kind kind, char *bytes, size_t n, size_t *got) {
  int err = kind == CS_RW_OTHER ? ready(fd, POLLIN) : 0;
  if (err != 0) return err;
  ssize_t r;
  do {
    r = kind == CS_RW_SOCKET ? recv(fd, bytes, n, MSG_DONTWAIT) : read(fd, bytes, n);
  } while (r < 0 && errno == EINTR);
  if (r < 0) return failure();
  *got = (size_t)r;
  return 0;
}

/* Takes away the SIGPIPE that is pending for this thread, if there is one. */
static void take_sigpipe(const sigset_t *sigpipe) {
#if CS_HAVE_SIGTIMEDWAIT
  const struct timespec now = {0};
  while (sigtimedwait(sigpipe, NULL, &now) < 0 && errno == EINTR) continue;
#else
  sigset_t pending;
  int sig;
  if (sigpending(&pending) == 0 && sigismember(&pending, SIGPIPE)) sigwait(sigpipe, &sig);
#endif
}

/* SIGPIPE held off this thread during a call that has no flag for it: the signal's disposition
   belongs to the host program. */
typedef struct quiet_sigpipe {
  sigset_t sigpipe, before, pending;
} quiet_sigpipe;

static void quiet_begin(quiet_sigpipe *q) {
  sigemptyset(&q->sigpipe);
  sigaddset(&q->sigpipe, SIGPIPE);
  sigemptyset(&q->pending);
  sigpending(&q->pending);
  pthread_sigmask(SIG_BLOCK, &q->sigpipe, &q->before);
}

/* `raised`: the signal may have come. Leaves errno as it is. */
static void quiet_end(const quiet_sigpipe *q, bool raised) {
  int err = errno;
  if (raised && !sigismember(&q->pending, SIGPIPE)) take_sigpipe(&q->sigpipe);
  pthread_sigmask(SIG_SETMASK, &q->before, NULL);
  errno = err;
}

static ssize_t write_quietly(int fd, const char *bytes, size_t n) {
  quiet_sigpipe q;
  quiet_begin(&q);
  ssize_t r = write(fd, bytes, n);
  quiet_end(&q, r < 0 && errno == EPIPE);
  return r;
}

#if CS_HAVE_SENDFILE

int cs_rw_sendfile(int out, int in, off_t *offset, size_t n, size_t *sent) {
  quiet_sigpipe q;
  ssize_t r;
  quiet_begin(&q);
  do {
    r = sendfile(out, in, offset, n);
  } while (r < 0 && errno == EINTR);
  /* The signal comes with a short count too, when the connection breaks after some bytes. */
  quiet_end(&q, r < 0 ? errno == EPIPE : (size_t)r < n);
  if (r < 0) return failure();
  *sent = (size_t)r;
  return 0;
}

#else

int cs_rw_sendfile(int out, int in, off_t *offset, size_t n, size_t *sent) {
  (void)out, (void)in, (void)offset, (void)n, (void)sent;
  return ENOSYS;
}

#endif

int cs_rw_write(int fd, cs_rw_kind kind, const char *bytes, size_t n, size_t *put) {
  int err = kind == CS_RW_OTHER ? ready(fd, POLLOUT) : 0;
  if (err != 0) return err;
  if (kind == CS_RW_OTHER && n > SMALL_WRITE) n = SMALL_WRITE;
  ssize_t r;
  do {
    if (kind == CS_RW_SOCKET) {
      r = send(fd, bytes, n, MSG_DONTWAIT | CS_MSG_NOSIGNAL);
    } else {
      r = write_quietly(fd, bytes, n);
    }
  } while (r < 0 && errno == EINTR);
  if (r < 0) return failure();
  *put = (size_t)r;
  return 0;
}

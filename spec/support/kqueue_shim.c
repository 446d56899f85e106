/* kqueue_shim.c: where libkqueue differs from kqueue(2), for the specs. Preloaded into a program,
   it answers some of libkqueue's own system calls:

   - getsockopt(SO_ERROR), by which libkqueue fills in kevent's fflags: it takes the error away from
     the socket, and connect and recv would never know of it. kqueue(2) leaves it there.
   - epoll_wait: one epoll event can be two kevents, and what does not fit into the program's array
     is lost. kqueue(2) keeps it for the next call.
   - epoll_ctl: with EVFILT_WRITE beside EVFILT_READ, libkqueue asks no more for EPOLLRDHUP, and so
     says EV_EOF only when all data has been read. kqueue(2) says so at once.

   And what a closed kqueue had is closed by a thread of libkqueue's: kqueue_shim_settle waits for
   it. libkqueue 2.7 can be asked to; before that, a kqueue that is closed and not done with shows
   as a pipe that has lost its writer. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <stdbool.h>
#include <string.h>
#include <time.h>

#if defined(__linux__)
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/stat.h>

#define EXPORT __attribute__((visibility("default")))

EXPORT void kqueue_shim_settle(void);
EXPORT int getsockopt(int fd, int level, int name, void *value, socklen_t *len);
EXPORT int epoll_ctl(int fd, int action, int watched, struct epoll_event *event);
EXPORT int epoll_wait(int fd, struct epoll_event *events, int max, int timeout);

static bool in_libkqueue(const void *caller) {
  Dl_info info;
  return dladdr(caller, &info) != 0 && info.dli_fname != NULL &&
         strstr(info.dli_fname, "/libkqueue.so") != NULL;
}

int getsockopt(int fd, int level, int name, void *value, socklen_t *len) {
  int (*real)(int, int, int, void *, socklen_t *);
  if (level == SOL_SOCKET && name == SO_ERROR && in_libkqueue(__builtin_return_address(0))) {
    memset(value, 0, *len);
    return 0;
  }
  *(void **)&real = dlsym(RTLD_NEXT, "getsockopt");
  return real(fd, level, name, value, len);
}

int epoll_ctl(int fd, int action, int watched, struct epoll_event *event) {
  int (*real)(int, int, int, struct epoll_event *);
  if (event != NULL && (event->events & EPOLLIN) && in_libkqueue(__builtin_return_address(0)))
    event->events |= EPOLLRDHUP;
  *(void **)&real = dlsym(RTLD_NEXT, "epoll_ctl");
  return real(fd, action, watched, event);
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout) {
  int (*real)(int, struct epoll_event *, int, int);
  if (max > 1 && in_libkqueue(__builtin_return_address(0))) max /= 2;
  *(void **)&real = dlsym(RTLD_NEXT, "epoll_wait");
  return real(fd, events, max, timeout);
}

static bool a_pipe_lost_its_writer(void) {
  struct stat st;
  for (int fd = 3; fd < 1024; fd++) {
    struct pollfd p = {.fd = fd, .events = POLLIN};
    if (fstat(fd, &st) != 0 || !S_ISFIFO(st.st_mode)) continue;
    if (poll(&p, 1, 0) == 1 && p.revents == POLLHUP) return true;
  }
  return false;
}

void kqueue_shim_settle(void) {
  const struct timespec moment = {.tv_nsec = 1000000};
  void (*settle)(void);
  void *library = dlopen("libkqueue.so.0", RTLD_LAZY | RTLD_NOLOAD);
  if (library == NULL) return;
  *(void **)&settle = dlsym(library, "libkqueue_drain_pending_close");
  if (settle != NULL)
    settle();
  else
    for (int i = 0; i < 1000 && a_pipe_lost_its_writer(); i++) nanosleep(&moment, NULL);
  dlclose(library);
}

#endif

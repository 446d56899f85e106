/* shim.c: system calls that fail when they are told to. Preloaded (LD_PRELOAD) it stands between
   csock and libc; as a Lua module (require "spec.faults.shim") it is told what to do:

   active([call]) -> whether it is preloaded, and (for malloc) nothing stands in front of it
   fail(call, errno, {nth = 1, times = 1, also = false, later = false})
     from the nth call on (counted from here; when `later`, from `arm()`), `times` calls fail with
     this error; with `also` the real call is made all the same, as when a signal comes just after
   it short(call, bytes, {nth, times}): such calls move at most so many bytes calls(call) -> how
   often it was called since it was last spoken of here reset(), disarm(): all calls are as ever

   malloc stands for calloc, realloc and strdup too, and is concerned only where csock's own C code
   calls it. One plan for each call; this is for single-threaded specs. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <poll.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#include <lua.h>
#include <lauxlib.h>

typedef struct plan {
  const char *call;
  int error;    /* 0: none */
  size_t bytes; /* at most; 0: no limit */
  bool also, later;
  long calls, first, last; /* the calls `first` .. `last` are concerned; 0: none is */
} plan;

enum {
  ACCEPT,
  ACCEPT4,
  BIND,
  CLOSE,
  CONNECT,
  EPOLL_CREATE1,
  EPOLL_CTL,
  EPOLL_PWAIT,
  EPOLL_WAIT,
  EVENTFD,
  FCNTL,
  FORK,
  GETRANDOM,
  GETSOCKNAME,
  GETSOCKOPT,
  LISTEN,
  MALLOC,
  PIPE2,
  POLL,
  PPOLL,
  READ,
  READV,
  RECV,
  RECVFROM,
  RECVMSG,
  SEND,
  SENDFILE,
  SENDMSG,
  SENDTO,
  SETSOCKOPT,
  SOCKET,
  SOCKETPAIR,
  WRITE,
  WRITEV,
  COUNT
};

static plan plans[COUNT] = {
    [ACCEPT] = {.call = "accept"},
    [ACCEPT4] = {.call = "accept4"},
    [BIND] = {.call = "bind"},
    [CLOSE] = {.call = "close"},
    [CONNECT] = {.call = "connect"},
    [EPOLL_CREATE1] = {.call = "epoll_create1"},
    [EPOLL_CTL] = {.call = "epoll_ctl"},
    [EPOLL_PWAIT] = {.call = "epoll_pwait"},
    [EPOLL_WAIT] = {.call = "epoll_wait"},
    [EVENTFD] = {.call = "eventfd"},
    [FCNTL] = {.call = "fcntl"},
    [FORK] = {.call = "fork"},
    [GETRANDOM] = {.call = "getrandom"},
    [GETSOCKNAME] = {.call = "getsockname"},
    [GETSOCKOPT] = {.call = "getsockopt"},
    [LISTEN] = {.call = "listen"},
    [MALLOC] = {.call = "malloc"},
    [PIPE2] = {.call = "pipe2"},
    [POLL] = {.call = "poll"},
    [PPOLL] = {.call = "ppoll"},
    [READ] = {.call = "read"},
    [READV] = {.call = "readv"},
    [RECV] = {.call = "recv"},
    [RECVFROM] = {.call = "recvfrom"},
    [RECVMSG] = {.call = "recvmsg"},
    [SEND] = {.call = "send"},
    [SENDFILE] = {.call = "sendfile"},
    [SENDMSG] = {.call = "sendmsg"},
    [SENDTO] = {.call = "sendto"},
    [SETSOCKOPT] = {.call = "setsockopt"},
    [SOCKET] = {.call = "socket"},
    [SOCKETPAIR] = {.call = "socketpair"},
    [WRITE] = {.call = "write"},
    [WRITEV] = {.call = "writev"},
};

/* The plan of a call that is concerned, else NULL. */
static plan *concerned(int which) {
  plan *p = &plans[which];
  if (p->later) return NULL;
  long n = ++p->calls;
  return p->first != 0 && n >= p->first && n <= p->last ? p : NULL;
}

static size_t limited(const plan *p, size_t size) {
  return p != NULL && p->bytes != 0 && p->bytes < size ? p->bytes : size;
}

/* `shim_NAME` is the symbol NAME: libc's own declarations, with their unions and restricts, are
   nothing that a definition here has to match. */
#define EXPORT(name) __asm__(#name) __attribute__((visibility("default")))

/* ISO C does not let an object pointer become a function pointer. */
#define REAL(type, name)                        \
  type;                                         \
  static real_fn *real_##name;                  \
  if (real_##name == NULL) {                    \
    void *found = dlsym(RTLD_NEXT, #name);      \
    memcpy(&real_##name, &found, sizeof found); \
  }

/* A function that fails as planned; with `also`, after the real call. */
#define SHIM(which, result, name, params, args)  \
  result shim_##name params EXPORT(name);        \
  result shim_##name params {                    \
    REAL(typedef result real_fn params, name)    \
    const plan *p = concerned(which);            \
    if (p == NULL || p->error == 0 || p->also) { \
      result r = real_##name args;               \
      if (p == NULL || p->error == 0) return r;  \
    }                                            \
    errno = p->error;                            \
    return -1;                                   \
  }

/* The same for those that move bytes. */
#define SHIM_BYTES(which, name, params, size, args) \
  ssize_t shim_##name params EXPORT(name);          \
  ssize_t shim_##name params {                      \
    REAL(typedef ssize_t real_fn params, name)      \
    const plan *p = concerned(which);               \
    if (p != NULL && p->error != 0) {               \
      errno = p->error;                             \
      return -1;                                    \
    }                                               \
    size = limited(p, size);                        \
    return real_##name args;                        \
  }

SHIM(ACCEPT, int, accept, (int fd, struct sockaddr *addr, socklen_t *len), (fd, addr, len))
SHIM(ACCEPT4, int, accept4, (int fd, struct sockaddr *addr, socklen_t *len, int flags),
     (fd, addr, len, flags))
SHIM(BIND, int, bind, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
SHIM(CLOSE, int, close, (int fd), (fd))
SHIM(CONNECT, int, connect, (int fd, const struct sockaddr *addr, socklen_t len), (fd, addr, len))
SHIM(EPOLL_CREATE1, int, epoll_create1, (int flags), (flags))
SHIM(EPOLL_CTL, int, epoll_ctl, (int ep, int op, int fd, struct epoll_event *event),
     (ep, op, fd, event))
SHIM(EPOLL_PWAIT, int, epoll_pwait,
     (int ep, struct epoll_event *events, int max, int ms, const sigset_t *mask),
     (ep, events, max, ms, mask))
SHIM(EPOLL_WAIT, int, epoll_wait, (int ep, struct epoll_event *events, int max, int ms),
     (ep, events, max, ms))
SHIM(EVENTFD, int, eventfd, (unsigned value, int flags), (value, flags))
SHIM(FORK, pid_t, fork, (void), ())
SHIM(GETSOCKNAME, int, getsockname, (int fd, struct sockaddr *addr, socklen_t *len),
     (fd, addr, len))
SHIM(GETSOCKOPT, int, getsockopt, (int fd, int level, int name, void *value, socklen_t *len),
     (fd, level, name, value, len))
SHIM(LISTEN, int, listen, (int fd, int backlog), (fd, backlog))
SHIM(PIPE2, int, pipe2, (int *fds, int flags), (fds, flags))
SHIM(POLL, int, poll, (struct pollfd * fds, nfds_t n, int ms), (fds, n, ms))
SHIM(PPOLL, int, ppoll,
     (struct pollfd * fds, nfds_t n, const struct timespec *time, const sigset_t *mask),
     (fds, n, time, mask))
SHIM(SETSOCKOPT, int, setsockopt, (int fd, int level, int name, const void *value, socklen_t len),
     (fd, level, name, value, len))
SHIM(SOCKET, int, socket, (int family, int type, int proto), (family, type, proto))
SHIM(SOCKETPAIR, int, socketpair, (int family, int type, int proto, int *fds),
     (family, type, proto, fds))
SHIM(RECVMSG, ssize_t, recvmsg, (int fd, struct msghdr *message, int flags), (fd, message, flags))
SHIM(READV, ssize_t, readv, (int fd, const struct iovec *pieces, int n), (fd, pieces, n))

SHIM_BYTES(GETRANDOM, getrandom, (void *data, size_t size, unsigned flags), size,
           (data, size, flags))
SHIM_BYTES(READ, read, (int fd, void *data, size_t size), size, (fd, data, size))
SHIM_BYTES(WRITE, write, (int fd, const void *data, size_t size), size, (fd, data, size))
SHIM_BYTES(RECV, recv, (int fd, void *data, size_t size, int flags), size, (fd, data, size, flags))
SHIM_BYTES(SEND, send, (int fd, const void *data, size_t size, int flags), size,
           (fd, data, size, flags))
/* Without an address they are recv(2) and send(2), as POSIX has it: the plan is for either. */
SHIM_BYTES(addr != NULL ? RECVFROM : RECV, recvfrom,
           (int fd, void *data, size_t size, int flags, struct sockaddr *addr, socklen_t *len),
           size, (fd, data, size, flags, addr, len))
SHIM_BYTES(addr != NULL ? SENDTO : SEND, sendto,
           (int fd, const void *data, size_t size, int flags, const struct sockaddr *addr,
            socklen_t len),
           size, (fd, data, size, flags, addr, len))
SHIM_BYTES(SENDFILE, sendfile, (int out, int in, off_t *offset, size_t size), size,
           (out, in, offset, size))

/* Of several pieces a short call takes the beginning of the first. */
ssize_t shim_sendmsg(int fd, const struct msghdr *message, int flags) EXPORT(sendmsg);
ssize_t shim_sendmsg(int fd, const struct msghdr *message, int flags) {
  REAL(typedef ssize_t real_fn(int, const struct msghdr *, int), sendmsg)
  const plan *p = concerned(SENDMSG);
  if (p != NULL && p->error != 0) {
    errno = p->error;
    return -1;
  }
  if (p == NULL || p->bytes == 0 || message->msg_iovlen == 0)
    return real_sendmsg(fd, message, flags);
  struct iovec piece = message->msg_iov[0];
  struct msghdr copy = *message;
  piece.iov_len = limited(p, piece.iov_len);
  copy.msg_iov = &piece;
  copy.msg_iovlen = 1;
  return real_sendmsg(fd, &copy, flags);
}

ssize_t shim_writev(int fd, const struct iovec *pieces, int n) EXPORT(writev);
ssize_t shim_writev(int fd, const struct iovec *pieces, int n) {
  REAL(typedef ssize_t real_fn(int, const struct iovec *, int), writev)
  const plan *p = concerned(WRITEV);
  if (p != NULL && p->error != 0) {
    errno = p->error;
    return -1;
  }
  if (p == NULL || p->bytes == 0 || n == 0) return real_writev(fd, pieces, n);
  struct iovec piece = pieces[0];
  piece.iov_len = limited(p, piece.iov_len);
  return real_writev(fd, &piece, 1);
}

/* Its third argument is an int, a pointer, or not there: passed on as a pointer, as libc takes it.
 */
#define SHIM_FCNTL(name)                                                 \
  int shim_##name(int fd, int what, ...) EXPORT(name);                   \
  int shim_##name(int fd, int what, ...) {                               \
    REAL(typedef int real_fn(int, int, ...), name)                       \
    va_list rest;                                                        \
    va_start(rest, what);                                                \
    void *value = va_arg(rest, void *);                                  \
    va_end(rest);                                                        \
    const plan *p = concerned(FCNTL);                                    \
    if (p == NULL || p->error == 0) return real_##name(fd, what, value); \
    errno = p->error;                                                    \
    return -1;                                                           \
  }

SHIM_FCNTL(fcntl)
SHIM_FCNTL(fcntl64)

/* --- memory --- */

/* Where csock's code is. */
static struct module {
  const char *name;
  uintptr_t begin, end;
} modules[] = {{"csock/core.so", 0, 0}, {"csock/tls.so", 0, 0}};

#define MODULES (sizeof modules / sizeof *modules)

static int find_modules(struct dl_phdr_info *info, size_t size, void *unused) {
  size_t length = strlen(info->dlpi_name);
  (void)size;
  (void)unused;
  for (struct module *m = modules; m < modules + MODULES; m++) {
    size_t n = strlen(m->name);
    if (length < n || strcmp(info->dlpi_name + length - n, m->name) != 0) continue;
    for (int i = 0; i < info->dlpi_phnum; i++) {
      const ElfW(Phdr) *part = &info->dlpi_phdr[i];
      if (part->p_type != PT_LOAD || !(part->p_flags & PF_X)) continue;
      m->begin = info->dlpi_addr + part->p_vaddr;
      m->end = m->begin + part->p_memsz;
    }
  }
  return 0;
}

#if defined(__GLIBC__) /* other libcs have none of its second names for the allocator */
static bool is_ours(uintptr_t at) {
  for (const struct module *m = modules; m < modules + MODULES; m++)
    if (at >= m->begin && at < m->end) return true;
  return false;
}

static bool no_memory(const void *caller) {
  plan *p = &plans[MALLOC];
  if (p->first == 0 || !is_ours((uintptr_t)caller) || concerned(MALLOC) == NULL) return false;
  errno = ENOMEM;
  return true;
}

/* dlsym allocates, so these cannot be looked up with it. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *block, size_t size);

void *shim_malloc(size_t size) EXPORT(malloc);
void *shim_malloc(size_t size) {
  return no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
}

void *shim_calloc(size_t n, size_t size) EXPORT(calloc);
void *shim_calloc(size_t n, size_t size) {
  return no_memory(__builtin_return_address(0)) ? NULL : __libc_calloc(n, size);
}

void *shim_realloc(void *block, size_t size) EXPORT(realloc);
void *shim_realloc(void *block, size_t size) {
  return no_memory(__builtin_return_address(0)) ? NULL : __libc_realloc(block, size);
}

char *shim_strdup(const char *text) EXPORT(strdup);
char *shim_strdup(const char *text) {
  size_t size = strlen(text) + 1;
  char *copy = no_memory(__builtin_return_address(0)) ? NULL : __libc_malloc(size);
  return copy != NULL ? memcpy(copy, text, size) : NULL;
}

static bool has_malloc(void) {
  void *(*ours)(size_t) = shim_malloc;
  void *found = dlsym(RTLD_DEFAULT, "malloc");
  return memcmp(&found, &ours, sizeof found) == 0;
}
#else
static bool has_malloc(void) {
  return false;
}
#endif

/* What a compiler that fortifies by itself (Ubuntu's) calls instead. */
ssize_t shim_recv_chk(int fd, void *data, size_t size, size_t room, int flags) EXPORT(__recv_chk);
ssize_t shim_recv_chk(int fd, void *data, size_t size, size_t room, int flags) {
  return shim_recv(fd, data, size < room ? size : room, flags);
}

ssize_t shim_recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags,
                          struct sockaddr *addr, socklen_t *len) EXPORT(__recvfrom_chk);
ssize_t shim_recvfrom_chk(int fd, void *data, size_t size, size_t room, int flags,
                          struct sockaddr *addr, socklen_t *len) {
  return shim_recvfrom(fd, data, size < room ? size : room, flags, addr, len);
}

ssize_t shim_read_chk(int fd, void *data, size_t size, size_t room) EXPORT(__read_chk);
ssize_t shim_read_chk(int fd, void *data, size_t size, size_t room) {
  return shim_read(fd, data, size < room ? size : room);
}

int shim_poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t room) EXPORT(__poll_chk);
int shim_poll_chk(struct pollfd *fds, nfds_t n, int ms, size_t room) {
  (void)room;
  return shim_poll(fds, n, ms);
}

int shim_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *mask,
                   size_t room) EXPORT(__ppoll_chk);
int shim_ppoll_chk(struct pollfd *fds, nfds_t n, const struct timespec *time, const sigset_t *mask,
                   size_t room) {
  (void)room;
  return shim_ppoll(fds, n, time, mask);
}

/* --- control --- */

static plan *check_plan(lua_State *L, int arg) {
  const char *call = luaL_checkstring(L, arg);
  for (int i = 0; i < COUNT; i++) {
    if (strcmp(plans[i].call, call) == 0) return &plans[i];
  }
  luaL_argerror(L, arg, "no such call here");
  return NULL;
}

static long option(lua_State *L, int arg, const char *name) {
  long n = 1;
  if (lua_istable(L, arg) && lua_getfield(L, arg, name) != LUA_TNIL)
    n = (long)luaL_checkinteger(L, -1);
  return n;
}

static bool flag(lua_State *L, int arg, const char *name) {
  return lua_istable(L, arg) && lua_getfield(L, arg, name) != LUA_TNIL && lua_toboolean(L, -1);
}

static plan *start(lua_State *L) {
  plan *p = check_plan(L, 1);
  long nth = option(L, 3, "nth"), times = option(L, 3, "times");
  *p = (plan){.call = p->call, .first = nth, .last = nth + times - 1};
  dl_iterate_phdr(find_modules, NULL);
  return p;
}

static int l_fail(lua_State *L) {
  int error = (int)luaL_checkinteger(L, 2);
  plan *p = start(L);
  p->also = flag(L, 3, "also");
  p->later = flag(L, 3, "later");
  p->error = error;
  return 0;
}

static int l_short(lua_State *L) {
  size_t bytes = (size_t)luaL_checkinteger(L, 2);
  start(L)->bytes = bytes;
  return 0;
}

static int l_calls(lua_State *L) {
  lua_pushinteger(L, check_plan(L, 1)->calls);
  return 1;
}

static int l_arm(lua_State *L) {
  (void)L;
  for (int i = 0; i < COUNT; i++) plans[i].later = false;
  return 0;
}

static int l_reset(lua_State *L) {
  (void)L;
  for (int i = 0; i < COUNT; i++) plans[i] = (plan){.call = plans[i].call};
  return 0;
}

/* Whether a call made elsewhere in this process comes by here. */
static int l_active(lua_State *L) {
  if (strcmp(luaL_optstring(L, 1, ""), "malloc") == 0) {
    lua_pushboolean(L, has_malloc());
    return 1;
  }
  long before = plans[GETSOCKNAME].calls;
  int (*found)(int, struct sockaddr *restrict, socklen_t *restrict);
  void *symbol = dlsym(RTLD_DEFAULT, "getsockname");
  memcpy(&found, &symbol, sizeof symbol);
  found(-1, NULL, NULL);
  lua_pushboolean(L, plans[GETSOCKNAME].calls > before);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_faults_shim(lua_State *L);

int luaopen_spec_faults_shim(lua_State *L) {
  static const luaL_Reg functions[] = {{"active", l_active}, {"fail", l_fail}, {"short", l_short},
                                       {"calls", l_calls},   {"arm", l_arm},   {"reset", l_reset},
                                       {"disarm", l_reset},  {NULL, NULL}};
  luaL_newlib(L, functions);
  return 1;
}

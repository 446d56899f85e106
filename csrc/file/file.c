/* file.c: an open file, for programs that share it with others: read and written at any place,
   locked, and written to the disk. What Lua finds in csock.core.file is for csock.mailbox, not for
   programs. */
#include "../base/buffer.h"
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../base/state.h"
#include "../sys/fd.h"

#include <sys/stat.h>

typedef struct shared_file {
  const cs_class *cls;
  int fd; /* -1: closed */
} shared_file;

static const cs_class shared_file_class = {"csock.file"};

/* open(path, how[, mode]): "r": to read, "w": to read and to write, "a": the same, and made where
   there is none, "x": made, and refused where there is one (EEXIST). `mode` is that of one which is
   made, less the process's umask. */
static int open_shared_file(lua_State *L) {
  static const char *const names[] = {"r", "w", "a", "x", NULL};
  static const int flags[] = {O_RDONLY, O_RDWR, O_RDWR | O_CREAT, O_RDWR | O_CREAT | O_EXCL};
  const char *path = cs_check_cstring(L, 1);
  int how = luaL_checkoption(L, 2, NULL, names);
  mode_t mode = (mode_t)cs_opt_int(L, 3, 0600, 0, 07777);
  shared_file *f = (shared_file *)cs_object_new(L, &shared_file_class, sizeof *f, 0);
  f->fd = -1;
  cs_state *state = cs_state_get(L);
  int err = cs_policy_file(L, state, "open", path);
  if (err == 0) err = cs_state_room(state, 1);
  if (err != 0) return cs_fail(L, "open", err);
  do f->fd = open(path, flags[how] | O_CLOEXEC | O_NOCTTY | O_NONBLOCK, mode);
  while (f->fd < 0 && errno == EINTR);
  if (f->fd < 0) return cs_fail(L, "open", errno);
  state->held++;
  cs_policy_know(state, f->fd, true);
  return 1;
}

static shared_file *check_shared_file(lua_State *L) {
  return (shared_file *)cs_object_check(L, 1, &shared_file_class);
}

static int shared_file_close(lua_State *L) {
  shared_file *f = check_shared_file(L);
  int fd = f->fd;
  f->fd = -1;
  cs_state *state = fd >= 0 ? cs_state_find(L) : NULL;
  if (state != NULL) {
    state->held--;
    cs_policy_know(state, fd, false);
  }
  return cs_result(L, "close", fd >= 0 ? cs_fd_close(fd) : 0);
}

/* file:read(count, offset): as many bytes as there are, up to `count`. */
static int shared_file_read(lua_State *L) {
  const shared_file *f = check_shared_file(L);
  size_t count = cs_check_size(L, 2), got = 0;
  lua_Integer offset = cs_check_int(L, 3, 0, INT64_MAX - INT_MAX);
  luaL_Buffer b;
  char *bytes = luaL_buffinitsize(L, &b, count);
  while (got < count) {
    ssize_t n = pread(f->fd, bytes + got, count - got, (off_t)offset + (off_t)got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cs_fail(L, "read", errno);
    if (n == 0) break;
    got += (size_t)n;
  }
  luaL_pushresultsize(&b, got);
  return 1;
}

/* file:write(bytes, offset): all of them, or an error. */
static int shared_file_write(lua_State *L) {
  const shared_file *f = check_shared_file(L);
  size_t len;
  const char *bytes = cs_check_bytes(L, 2, &len);
  lua_Integer offset = cs_check_int(L, 3, 0, INT64_MAX - INT_MAX);
  for (size_t done = 0; done < len;) {
    ssize_t n = pwrite(f->fd, bytes + done, len - done, (off_t)offset + (off_t)done);
    if (n < 0 && errno != EINTR) return cs_fail(L, "write", errno);
    if (n > 0) done += (size_t)n;
  }
  return cs_result(L, "write", 0);
}

static int shared_file_truncate(lua_State *L) {
  const shared_file *f = check_shared_file(L);
  lua_Integer size = cs_check_int(L, 2, 0, INT64_MAX);
  return cs_result(L, "truncate", ftruncate(f->fd, (off_t)size) == 0 ? 0 : errno);
}

/* file:sync(): all that was written is on the disk. */
static int shared_file_sync(lua_State *L) {
  const shared_file *f = check_shared_file(L);
  return cs_result(L, "fsync", fsync(f->fd) == 0 || errno == EINVAL ? 0 : errno);
}

static int record_lock(lua_State *L, short type) {
  const shared_file *f = check_shared_file(L);
  struct flock lock;
  memset(&lock, 0, sizeof lock);
  lock.l_type = type;
  lock.l_whence = SEEK_SET;
  while (fcntl(f->fd, F_SETLK, &lock) != 0) {
    if (errno != EINTR) return cs_fail(L, "lock", errno == EACCES ? EAGAIN : errno);
  }
  return cs_result(L, "lock", 0);
}

/* file:lock(): by fcntl(2), as other programs lock mailboxes; EAGAIN: another process has it. It is
   the process's, and ends when that closes any descriptor of this file. */
static int shared_file_lock(lua_State *L) {
  return record_lock(L, F_WRLCK);
}

static int shared_file_unlock(lua_State *L) {
  return record_lock(L, F_UNLCK);
}

/* file:chmod(mode) */
static int shared_file_chmod(lua_State *L) {
  const shared_file *f = check_shared_file(L);
  mode_t mode = (mode_t)cs_check_int(L, 2, 0, 07777);
  return cs_result(L, "chmod", fchmod(f->fd, mode) == 0 ? 0 : errno);
}

static int shared_file_fileno(lua_State *L) {
  lua_pushinteger(L, check_shared_file(L)->fd);
  return 1;
}

/* file:stat(): size, mode, and the time of the last change, seconds since 1970. */
static int shared_file_stat(lua_State *L) {
  struct stat st;
  if (fstat(check_shared_file(L)->fd, &st) != 0) return cs_fail(L, "stat", errno);
  lua_pushinteger(L, (lua_Integer)st.st_size);
  lua_pushinteger(L, (lua_Integer)(st.st_mode & 07777));
  lua_pushinteger(L, (lua_Integer)st.st_mtime);
  return 3;
}

/* file:is(path): whether that still names this file. */
static int shared_file_is(lua_State *L) {
  struct stat mine, named;
  const shared_file *f = check_shared_file(L);
  const char *path = cs_check_cstring(L, 2);
  int err = cs_policy_file(L, cs_state_get(L), "stat", path);
  if (err != 0) return cs_fail(L, "stat", err);
  if (fstat(f->fd, &mine) != 0) return cs_fail(L, "stat", errno);
  bool same = stat(path, &named) == 0 && mine.st_dev == named.st_dev && mine.st_ino == named.st_ino;
  lua_pushboolean(L, same);
  return 1;
}

void cs_open_file(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", open_shared_file}, {NULL, NULL}};
  static const luaL_Reg methods[] = {
      {"chmod", shared_file_chmod},       {"close", shared_file_close},
      {"fileno", shared_file_fileno},     {"is", shared_file_is},
      {"lock", shared_file_lock},         {"read", shared_file_read},
      {"stat", shared_file_stat},         {"sync", shared_file_sync},
      {"truncate", shared_file_truncate}, {"unlock", shared_file_unlock},
      {"write", shared_file_write},       {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", shared_file_close}, {"__close", shared_file_close}, {NULL, NULL}};
  cs_class_make(L, &shared_file_class, methods, meta);
  lua_newtable(L);
  cs_setfuncs(L, functions);
  lua_setfield(L, -2, "file");
}

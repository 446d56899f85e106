/* folder.c: the names of files: which there are, and how they come, change and go. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../sys/fd.h"

#include <dirent.h>
#include <stdio.h>
#include <sys/stat.h>

/* 0, or why the call may not be made with the paths at 1 and, of two, at 2. */
static int ask_for_paths(lua_State *L, const char *call, int count) {
  cs_state *state = cs_state_get(L);
  int err = cs_policy_file(L, state, call, cs_check_cstring(L, 1));
  if (err == 0 && count > 1) err = cs_policy_file(L, state, call, cs_check_cstring(L, 2));
  return err;
}

/* rename(from, to): in the place of another, in one step. */
static int folder_rename(lua_State *L) {
  const char *from = cs_check_cstring(L, 1), *to = cs_check_cstring(L, 2);
  int err = ask_for_paths(L, "rename", 2);
  if (err == 0 && rename(from, to) != 0) err = errno;
  return cs_result(L, "rename", err);
}

/* link(from, to): a second name, which nobody has (EEXIST). */
static int folder_link(lua_State *L) {
  const char *from = cs_check_cstring(L, 1), *to = cs_check_cstring(L, 2);
  int err = ask_for_paths(L, "link", 2);
  if (err == 0 && link(from, to) != 0) err = errno;
  return cs_result(L, "link", err);
}

static int folder_unlink(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int err = ask_for_paths(L, "unlink", 1);
  if (err == 0 && unlink(path) != 0) err = errno;
  return cs_result(L, "unlink", err);
}

/* mkdir(path[, mode]) */
static int folder_mkdir(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  mode_t mode = (mode_t)cs_opt_int(L, 2, 0700, 0, 07777);
  int err = ask_for_paths(L, "mkdir", 1);
  if (err == 0 && mkdir(path, mode) != 0) err = errno;
  return cs_result(L, "mkdir", err);
}

static int folder_rmdir(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int err = ask_for_paths(L, "rmdir", 1);
  if (err == 0 && rmdir(path) != 0) err = errno;
  return cs_result(L, "rmdir", err);
}

/* kind(path): "file", "directory" or "other", its mode, its size, the times of its last change and
   of its last use, seconds since 1970. A symbolic link is "other". */
static int folder_kind(lua_State *L) {
  struct stat st;
  const char *path = cs_check_cstring(L, 1);
  int err = ask_for_paths(L, "stat", 1);
  if (err == 0 && lstat(path, &st) != 0) err = errno;
  if (err != 0) return cs_fail(L, "stat", err);
  lua_pushstring(L, S_ISREG(st.st_mode) ? "file" : S_ISDIR(st.st_mode) ? "directory" : "other");
  lua_pushinteger(L, (lua_Integer)(st.st_mode & 07777));
  lua_pushinteger(L, (lua_Integer)st.st_size);
  lua_pushinteger(L, (lua_Integer)st.st_mtime);
  lua_pushinteger(L, (lua_Integer)st.st_atime);
  return 5;
}

/* sync(path): what came, changed or went in this folder is so on the disk. */
static int folder_sync(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int err = ask_for_paths(L, "fsync", 1);
  if (err != 0) return cs_fail(L, "fsync", err);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY);
  if (fd < 0) return cs_fail(L, "fsync", errno);
  if (fsync(fd) != 0 && errno != EINVAL) err = errno; /* some file systems cannot */
  cs_fd_close(fd);
  return cs_result(L, "fsync", err);
}

/* utime(path, time): when it was changed and used: seconds since 1970. */
static int folder_utime(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  struct timespec times[2];
  memset(times, 0, sizeof times);
  times[0].tv_sec = times[1].tv_sec = (time_t)cs_check_int(L, 2, 0, INT64_MAX);
  int err = ask_for_paths(L, "utime", 1);
  if (err == 0 && utimensat(AT_FDCWD, path, times, 0) != 0) err = errno;
  return cs_result(L, "utime", err);
}

/* --- what is in one --- */

/* The owner of a folder that is being read. */
typedef struct folder_list {
  const cs_class *cls;
  DIR *dir;
} folder_list;

static const cs_class folder_list_class = {"csock.file.list"};

static int folder_list_close(lua_State *L) {
  folder_list *list = (folder_list *)cs_object_check(L, 1, &folder_list_class);
  DIR *dir = list->dir;
  list->dir = NULL;
  if (dir != NULL) closedir(dir);
  return 0;
}

/* names(path): those in a folder, in no order, but for "." and "..". */
static int folder_names(lua_State *L) {
  const char *path = cs_check_cstring(L, 1);
  int err = ask_for_paths(L, "listdir", 1);
  if (err != 0) return cs_fail(L, "listdir", err);
  folder_list *list = (folder_list *)cs_object_new(L, &folder_list_class, sizeof *list, 0);
  lua_toclose(L, -1);
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_DIRECTORY | O_NONBLOCK);
  if (fd < 0) return cs_fail(L, "listdir", errno);
  list->dir = fdopendir(fd);
  if (list->dir == NULL) {
    err = errno;
    cs_fd_close(fd);
    return cs_fail(L, "listdir", err);
  }
  lua_newtable(L);
  lua_Integer count = 0;
  for (;;) {
    errno = 0;
    const struct dirent *entry = readdir(list->dir);
    if (entry == NULL) break;
    if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0) continue;
    lua_pushstring(L, entry->d_name);
    lua_rawseti(L, -2, ++count);
  }
  return errno != 0 ? cs_fail(L, "listdir", errno) : 1;
}

void cs_open_file_folder(lua_State *L) {
  static const luaL_Reg functions[] = {{"kind", folder_kind},     {"link", folder_link},
                                       {"mkdir", folder_mkdir},   {"names", folder_names},
                                       {"rename", folder_rename}, {"rmdir", folder_rmdir},
                                       {"sync", folder_sync},     {"unlink", folder_unlink},
                                       {"utime", folder_utime},   {NULL, NULL}};
  static const luaL_Reg meta[] = {
      {"__gc", folder_list_close}, {"__close", folder_list_close}, {NULL, NULL}};
  cs_class_make(L, &folder_list_class, NULL, meta);
  lua_getfield(L, -1, "file");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}

/* directory.c: the files that a server shows to strangers: below one directory (sys/beneath.h). An
   object of this class is what `sendfile` takes. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../base/state.h"
#include "../sys/beneath.h"

typedef struct file {
  const cs_class *cls;
  cs_beneath at;
} file;

static const cs_class file_class = {"csock.http.file"};

/* open(root, path[, links]): the file or directory at the relative path below the directory `root`;
   with `links` true, also by symbolic links. nil, error, errno: ENOENT when there is none, for a
   path with ".." too, ... */
static int open_file(lua_State *L) {
  const char *root = cs_check_cstring(L, 1);
  size_t len;
  const char *path = luaL_checklstring(L, 2, &len);
  bool links = lua_toboolean(L, 3);
  if (strlen(path) != len) return cs_fail(L, "open", ENOENT);
  file *f = (file *)cs_object_new(L, &file_class, sizeof *f, 0);
  f->at.fd = -1;
  cs_state *state = cs_state_get(L);
  int err = cs_policy_file(L, state, "open", lua_pushfstring(L, "%s/%s", root, path));
  lua_pop(L, 1);
  if (err == 0) err = cs_state_room(state, 1);
  if (err == 0) err = cs_beneath_open(&f->at, root, path, links);
  if (err != 0) return cs_fail(L, "open", err);
  state->held++;
  cs_policy_know(state, f->at.fd, true);
  return 1;
}

static file *check_file(lua_State *L) {
  return (file *)cs_object_check(L, 1, &file_class);
}

static int file_fileno(lua_State *L) {
  lua_pushinteger(L, check_file(L)->at.fd);
  return 1;
}

static int file_close(lua_State *L) {
  file *f = check_file(L);
  cs_state *state = f->at.fd >= 0 ? cs_state_find(L) : NULL;
  if (state != NULL) {
    state->held--;
    cs_policy_know(state, f->at.fd, false);
  }
  cs_beneath_close(&f->at);
  lua_pushboolean(L, 1);
  return 1;
}

/* file:size(): in bytes, when it was opened. */
static int file_size(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_file(L)->at.stat.st_size);
  return 1;
}

/* file:mtime(): seconds since 1970. */
static int file_mtime(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_file(L)->at.stat.st_mtime);
  return 1;
}

static int file_is_directory(lua_State *L) {
  lua_pushboolean(L, S_ISDIR(check_file(L)->at.stat.st_mode));
  return 1;
}

static int file_is_executable(lua_State *L) {
  lua_pushboolean(L, (check_file(L)->at.stat.st_mode & (S_IXUSR | S_IXGRP | S_IXOTH)) != 0);
  return 1;
}

/* file:pread(count, offset): as many bytes as there are, up to `count`. */
static int file_pread(lua_State *L) {
  const file *f = check_file(L);
  size_t count = cs_check_size(L, 2), got = 0;
  lua_Integer offset = cs_check_int(L, 3, 0, LUA_MAXINTEGER);
  luaL_Buffer b;
  char *bytes = luaL_buffinitsize(L, &b, count);
  while (got < count) {
    ssize_t n = pread(f->at.fd, bytes + got, count - got, (off_t)offset + (off_t)got);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return cs_fail(L, "pread", errno);
    if (n == 0) break;
    got += (size_t)n;
  }
  luaL_pushresultsize(&b, got);
  return 1;
}

/* file:names(): the names in a directory that can be opened, in no order; those of directories end
   with a slash. */
static int file_names(lua_State *L) {
  file *f = check_file(L);
  bool directory;
  const char *name;
  if (f->at.fd < 0) return cs_fail(L, "names", EBADF);
  lua_newtable(L);
  for (lua_Integer i = 1; (name = cs_beneath_next(&f->at, &directory)) != NULL; i++) {
    lua_pushfstring(L, directory ? "%s/" : "%s", name);
    lua_rawseti(L, -2, i);
  }
  return errno != 0 ? cs_fail(L, "names", errno) : 1;
}

void cs_open_http_directory(lua_State *L) {
  static const luaL_Reg functions[] = {{"open", open_file}, {NULL, NULL}};
  static const luaL_Reg methods[] = {{"close", file_close},
                                     {"fileno", file_fileno},
                                     {"is_directory", file_is_directory},
                                     {"is_executable", file_is_executable},
                                     {"mtime", file_mtime},
                                     {"names", file_names},
                                     {"pread", file_pread},
                                     {"size", file_size},
                                     {NULL, NULL}};
  static const luaL_Reg meta[] = {{"__gc", file_close}, {"__close", file_close}, {NULL, NULL}};
  cs_class_make(L, &file_class, methods, meta);
  lua_getfield(L, -1, "http");
  cs_setfuncs(L, functions);
  lua_pop(L, 1);
}

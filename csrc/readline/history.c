/* history.c: lines of earlier times, in memory and in a file.
 *
 * A file has a line for each entry; the further lines of one that has several begin with a tab
 * each. Several prompts may have the same file: each adds what it has to its end, under a lock. */
#include "readline.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define FILE_MOST ((off_t)4 << 20) /* bytes: of a longer file the end is read */

static int result(lua_State *L, int err) {
  if (err == 0) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushnil(L);
  lua_pushfstring(L, "%s: %s", lua_tostring(L, 1), strerror(err));
  lua_pushinteger(L, err);
  return 3;
}

/* csock need not be there. */
static bool may_open(lua_State *L, const char *path) {
  lua_getfield(L, LUA_REGISTRYINDEX, CS_API_KEY);
  const cs_api *api = lua_touserdata(L, -1);
  lua_pop(L, 1);
  return api == NULL || api->version != CS_API_VERSION || api->size < sizeof *api ||
         api->ask(L, "history", path) == 0;
}

static int write_all(int fd, const char *bytes, size_t n) {
  while (n > 0) {
    ssize_t w = write(fd, bytes, n);
    if (w < 0 && errno != EINTR) return errno;
    if (w > 0) bytes += w, n -= (size_t)w;
  }
  return 0;
}

static int lock(int fd, int how) {
  int rc;
  do rc = flock(fd, how);
  while (rc != 0 && errno == EINTR);
  return rc == 0 ? 0 : errno;
}

/* The file's end, from the beginning of an entry on, and a zero byte. */
static int read_end(int fd, line_bytes *b) {
  struct stat st;
  if (fstat(fd, &st) != 0) return errno;
  off_t from = st.st_size > FILE_MOST ? st.st_size - FILE_MOST : 0;
  if (!line_bytes_reserve(b, (size_t)(st.st_size - from) + 1)) return ENOMEM;
  while (b->len + 1 < b->room) {
    ssize_t n = pread(fd, b->at + b->len, b->room - b->len - 1, from + (off_t)b->len);
    if (n < 0 && errno != EINTR) return errno;
    if (n == 0) break;
    if (n > 0) b->len += (size_t)n;
  }
  if (from > 0) {
    char *end = memchr(b->at, '\n', b->len);
    line_bytes_take(b, end == NULL ? b->len : (size_t)(end + 1 - b->at));
  }
  return line_bytes_add(b, "", 1) ? 0 : ENOMEM;
}

/* Where the entry at `at` ends: at its last LF, or where the text does. */
static char *end_of_entry(char *at) {
  char *end = strchr(at, '\n');
  while (end != NULL && end[1] == '\t') end = strchr(end + 1, '\n');
  return end == NULL ? at + strlen(at) : end;
}

static void enter(char *at, char *end) {
  char last = *end, *to = at;
  *end = '\0';
  for (const char *from = at; *from != '\0'; from++)
    if (*from != '\t' || from == at || from[-1] != '\n') *to++ = *from;
  *to = '\0';
  if (*at != '\0') add_history(at);
  *end = last;
}

/* Enters the last `max` entries; shortens the file to them when it has grown to twice as many. */
static int load(int fd, line_bytes *b, int max) {
  int err = lock(fd, LOCK_EX);
  if (err == 0) err = read_end(fd, b);
  if (err != 0) return err;
  char *text = line_bytes_at(b), *at;
  int count = 0;
  for (at = text; *at != '\0'; count++) {
    at = end_of_entry(at);
    if (*at != '\0') at++;
  }
  for (at = text; count > max; count--) {
    at = end_of_entry(at) + 1;
    if (count == 2 * max) text = NULL; /* (at least twice as many) */
  }
  if (text == NULL) {
    size_t n = strlen(at);
    if (lseek(fd, 0, SEEK_SET) == 0) err = write_all(fd, at, n);
    if (err == 0 && ftruncate(fd, (off_t)n) != 0) err = errno;
  }
  while (*at != '\0') {
    char *end = end_of_entry(at);
    bool more = *end != '\0';
    enter(at, end);
    at = end + more;
  }
  return err;
}

/* read_history(path, max): true; nil, text, errno. One that is not there is an empty one. */
static int history_read(lua_State *L) {
  const char *path = luaL_checkstring(L, 1);
  lua_Integer max = luaL_checkinteger(L, 2);
  luaL_argcheck(L, max >= 1 && max <= 1000000, 2, "a number of entries expected");
  if (!may_open(L, path)) return result(L, EPERM);
  int fd = open(path, O_RDWR | O_CLOEXEC);
  if (fd < 0) return result(L, errno == ENOENT ? 0 : errno);
  line_bytes b = {0};
  using_history();
  int err = load(fd, &b, (int)max);
  line_bytes_free(&b);
  close(fd);
  return result(L, err);
}

/* append_history(path, line): true; nil, text, errno. A file that is not there is made, and is the
   owner's alone. */
static int history_append(lua_State *L) {
  const char *path = luaL_checkstring(L, 1), *line = luaL_checkstring(L, 2);
  if (!may_open(L, path)) return result(L, EPERM);
  line += strspn(line, "\t\n");
  line_bytes b = {0};
  bool ok = true;
  while (ok && *line != '\0') {
    size_t n = strcspn(line, "\n");
    bool more = line[n] == '\n';
    ok = line_bytes_add(&b, line, n + more) && line_bytes_add(&b, "\t", more);
    line += n + more;
  }
  int err = ok && line_bytes_add(&b, "\n", 1) ? 0 : ENOMEM;
  int fd = err != 0 ? -1 : open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
  if (err == 0 && fd < 0) err = errno;
  if (err == 0) err = lock(fd, LOCK_EX);
  if (err == 0) err = write_all(fd, line_bytes_at(&b), b.len);
  if (fd >= 0) close(fd);
  line_bytes_free(&b);
  return result(L, err);
}

/* add_history(line): in memory alone. False: it is the last one already. */
static int history_add(lua_State *L) {
  const char *line = luaL_checkstring(L, 1);
  using_history();
  const HIST_ENTRY *last = history_get(history_base + history_length - 1);
  bool is_new = last == NULL || strcmp(last->line, line) != 0;
  if (is_new) add_history(line);
  lua_pushboolean(L, is_new);
  return 1;
}

const luaL_Reg line_history_functions[] = {
    {"read_history", history_read},
    {"append_history", history_append},
    {"add_history", history_add},
    {NULL, NULL},
};

/* glib_host.c: csock in a program of GLib's, such as one of GTK's: a source of its main loop.
 *
 *     cc glib_host.c $(pkg-config --cflags --libs glib-2.0) -lcsock -llua5.4 -lm && ./a.out
 *
 * A server and a client talk to each other, while the host's own timer ticks. */
#include <csock.h>
#include <lauxlib.h>
#include <lualib.h>

#include <glib.h>
#include <math.h>
#include <stdio.h>

static const char script[] =
    "local csock = require 'csock'\n"
    "local server <close> = assert(csock.serve({'127.0.0.1', 0}, function(conn)\n"
    "  for line in conn:makefile('r'):lines() do conn:sendall(line:upper() .. '\\n') end\n"
    "end))\n"
    "local conn <close> = assert(csock.create_connection(server:getsockname()))\n"
    "csock.sleep(0.02)\n"
    "assert(conn:sendall 'hello\\n')\n"
    "return conn:makefile('r'):read 'l'\n";

typedef struct csock_source {
  GSource source;
  lua_State *L;
  gpointer fd;
} csock_source;

static gboolean prepare(GSource *source, gint *timeout) {
  double due = csock_timeout(((csock_source *)source)->L);
  *timeout = due < 0 ? -1 : due > 1000 ? 1000000 : (gint)ceil(due * 1000);
  return due == 0;
}

static gboolean check(GSource *source) {
  csock_source *s = (csock_source *)source;
  return g_source_query_unix_fd(source, s->fd) != 0 || csock_timeout(s->L) == 0;
}

/* The callback is told that there is nothing left to do. */
static gboolean dispatch(GSource *source, GSourceFunc callback, gpointer ud) {
  lua_State *L = ((csock_source *)source)->L;
  int live = csock_step(L, 0, 0);
  if (live < 0) g_printerr("%s\n", luaL_tolstring(L, -1, NULL));
  if (live <= 0 && callback != NULL) callback(ud);
  return live > 0 ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static GSourceFuncs functions = {.prepare = prepare, .check = check, .dispatch = dispatch};

static void answered(lua_State *L, int status, int n, void *ud) {
  (void)ud;
  printf("%s %s\n",
         status == CSOCK_DONE && n > 0 ? "answer:" : "failed:", luaL_tolstring(L, -1, NULL));
}

/* What of the host's may raise. 1: the source, whose descriptor is the same for the state's life.
 */
static int start(lua_State *L) {
  csock_source *s = lua_touserdata(L, 1);
  csock_preload(L);
  if (luaL_loadstring(L, script) != LUA_OK) return lua_error(L);
  csock_spawn(L, 0, answered, NULL);
  s->fd = g_source_add_unix_fd(&s->source, csock_fd(L), G_IO_IN);
  return 0;
}

static gboolean quit(gpointer loop) {
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static gboolean tick(gpointer ticks) {
  if (++*(int *)ticks == 1) puts("the host has ticked");
  return G_SOURCE_CONTINUE;
}

int main(void) {
  int ticks = 0;
  GMainLoop *loop = g_main_loop_new(NULL, FALSE);
  GSource *source = g_source_new(&functions, sizeof(csock_source));
  lua_State *L = ((csock_source *)source)->L = luaL_newstate();
  if (L == NULL) return 1;
  luaL_openlibs(L);
  lua_pushcfunction(L, start);
  lua_pushlightuserdata(L, source);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK) g_printerr("%s\n", lua_tostring(L, -1));
  g_source_set_callback(source, quit, loop, NULL);
  g_source_attach(source, NULL);
  g_timeout_add(1, tick, &ticks);
  if (status == LUA_OK) g_main_loop_run(loop);
  g_source_destroy(source);
  g_source_unref(source);
  lua_close(L);
  g_main_loop_unref(loop);
  return status;
}

/* background.c: the loop's turns while another program's readline waits for a key: lua's own
 * prompt. */
#include "readline.h"

#include <dlfcn.h>
#include <poll.h>
#include <time.h>
#include <unistd.h>

#define ABORT    7       /* Ctrl-G: readline gives up what it is at */
#define TURNS_NS 5000000 /* how often the loop has its turn while keys are there */

static const char wait_key = 'w'; /* registry: the function */

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

/* The program in front of which Ctrl-C was typed begins the line anew. */
static void begin_anew(void) {
  rl_point = rl_end;
  rl_redisplay();
  fputs("^C\n", rl_outstream);
  rl_replace_line("", 1);
  rl_on_new_line();
  rl_forced_update_display();
  fflush(rl_outstream);
}

static bool is_plain(void) {
  return RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG | RL_STATE_MOREINPUT |
                    RL_STATE_METANEXT | RL_STATE_VIMOTION | RL_STATE_CHARSEARCH) == 0;
}

/* Whether wait(fd) says that it was interrupted. */
static bool wait_for(int fd) {
  lua_State *L = (lua_State *)atomic_load(&process.host);
  if (!lua_checkstack(L, 4)) return false;
  lua_rawgetp(L, LUA_REGISTRYINDEX, &wait_key);
  lua_pushinteger(L, fd);
  bool ok = lua_pcall(L, 1, 1, 0) == LUA_OK;
  bool interrupted = ok && lua_toboolean(L, -1);
  lua_pop(L, 1);
  process.turn = now();
  return interrupted;
}

static int getc_meanwhile(FILE *stream) {
  struct pollfd p = {.fd = fileno(stream), .events = POLLIN};
  bool ours = atomic_load(&process.host) != 0 && process.host_pid == getpid();
  if (ours && (poll(&p, 1, 0) == 0 || now() - process.turn > TURNS_NS))
    while (wait_for(p.fd)) {
      if (!is_plain()) return ABORT;
      begin_anew();
    }
  return process.host_getc(stream);
}

/* background(wait): wait(fd) runs the loop until the descriptor is readable; true: it was
   interrupted. False: this program does not use readline, or another state's loop runs there;
   background(nil) takes it back. */
static int background(lua_State *L) {
  void *program = dlopen(NULL, RTLD_LAZY);
  bool here = program != NULL && dlsym(program, "rl_getc_function") == (void *)&rl_getc_function;
  if (program != NULL) dlclose(program);
  bool off = lua_isnoneornil(L, 1);
  if (!off) luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_settop(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  uintptr_t self = (uintptr_t)lua_tothread(L, -1), host = 0;
  lua_pop(L, 1);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &wait_key);
  if (off && atomic_load(&process.host) == self) {
    atomic_store(&process.host, 0);
    if (rl_getc_function == getc_meanwhile) rl_getc_function = process.host_getc;
  } else if (!off && (here || RL_ISSTATE(RL_STATE_INITIALIZED))) {
    here = atomic_compare_exchange_strong(&process.host, &host, self) || host == self;
    if (here) process.host_pid = getpid();
    if (here && rl_getc_function != getc_meanwhile) {
      process.host_getc = rl_getc_function;
      rl_getc_function = getc_meanwhile;
    }
  }
  lua_pushboolean(L, here);
  return 1;
}

/* background_hide(), background_show(): the line that is being typed there. False: none is. */
static int background_hide(lua_State *L) {
  bool typing = RL_ISSTATE(RL_STATE_READCMD) != 0;
  if (typing) {
    rl_clear_visible_line();
    fflush(rl_outstream);
  }
  lua_pushboolean(L, typing);
  return 1;
}

static int background_show(lua_State *L) {
  (void)L;
  rl_forced_update_display();
  fflush(rl_outstream);
  return 0;
}

/* background_signals(): does what readline does at the signals that it has seen. */
static int background_signals(lua_State *L) {
  (void)L;
  rl_check_signals();
  return 0;
}

const luaL_Reg line_background_functions[] = {
    {"background", background},
    {"background_hide", background_hide},
    {"background_show", background_show},
    {"background_signals", background_signals},
    {NULL, NULL},
};

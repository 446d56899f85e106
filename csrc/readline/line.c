/* line.c: luaopen_csock_readline: a line that is typed, from its begin to its end. */
#include "readline.h"

#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <unistd.h>

#if defined(__GNUC__)
#define EXPORT __attribute__((visibility("default")))
#else
#define EXPORT
#endif

EXPORT int luaopen_csock_readline(lua_State *L);

static const char guard_key = 'g'; /* registry: ends the line with the state */

static uintptr_t main_thread(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, LUA_RIDX_MAINTHREAD);
  uintptr_t self = (uintptr_t)lua_tothread(L, -1);
  lua_pop(L, 1);
  return self;
}

/* Whether there is a line, and it is this state's and this process's. */
static bool is_ours(lua_State *L) {
  return process.running && process.pid == getpid() &&
         atomic_load(&process.owner) == main_thread(L);
}

/* --- what readline is told --- */

static void borrow(void) {
  process.before = (line_borrowed){
      .in = rl_instream,
      .out = rl_outstream,
      .getc = rl_getc_function,
      .available = rl_input_available_hook,
      .event = rl_event_hook,
      .prep = rl_prep_term_function,
      .redisplay = rl_redisplay_function,
      .complete = rl_attempted_completion_function,
      .breaks = rl_completion_word_break_hook,
      .name = rl_readline_name,
      .quotes = rl_completer_quote_characters,
      .catch_signals = rl_catch_signals,
      .catch_sigwinch = rl_catch_sigwinch,
      .change_environment = rl_change_environment,
      .query_items = rl_completion_query_items,
  };
  rl_instream = stdin;
  rl_outstream = process.screen;
  rl_getc_function = line_input_getc;
  rl_input_available_hook = line_input_available;
  rl_event_hook = NULL;
  rl_prep_term_function = line_input_prepare;
  rl_attempted_completion_function = line_complete;
  rl_completion_word_break_hook = line_complete_breaks;
  rl_readline_name = "csock";
  rl_completer_quote_characters = NULL;
  rl_catch_signals = rl_catch_sigwinch = 0;
  rl_change_environment = 0;
  rl_completion_query_items = -1; /* it would wait for an answer */
  rl_initialize();
  rl_redisplay_function =
      line_screen_redisplay; /* (with which it learns nothing of the terminal) */
}

static void give_back(void) {
  const line_borrowed *b = &process.before;
  rl_instream = b->in;
  rl_outstream = b->out;
  rl_getc_function = b->getc;
  rl_input_available_hook = b->available;
  rl_event_hook = b->event;
  rl_prep_term_function = b->prep;
  rl_redisplay_function = b->redisplay;
  rl_attempted_completion_function = b->complete;
  rl_completion_word_break_hook = b->breaks;
  rl_readline_name = b->name;
  rl_completer_quote_characters = b->quotes;
  rl_catch_signals = b->catch_signals;
  rl_catch_sigwinch = b->catch_sigwinch;
  rl_change_environment = b->change_environment;
  rl_completion_query_items = b->query_items;
}

/* --- its life --- */

static void over(void) {
  line_screen_collect();
  give_back();
  process.running = process.hidden = process.suspended = process.dirty = false;
  process.tail.len = 0;
  line_bytes_free(&process.in);
  line_input_drop_paste();
}

/* Ends the line, whatever is in it. */
static void stop(const char *mark) {
  if (!process.suspended) line_screen_leave(mark);
  line_input_drop_paste();
  rl_callback_sigcleanup();
  rl_free_undo_list();
  rl_replace_line("", 1);
  if (process.suspended) (*rl_prep_term_function)(1); /* what is to be undone below */
  rl_callback_handler_remove();
  over();
}

/* At the process's end, and the state's. */
static void at_exit(void) {
  if (process.pid != getpid()) return;
  if (process.keys) tcsetattr(STDIN_FILENO, TCSANOW, &process.cooked);
  process.keys = false;
  if (process.running) stop("");
  if (process.ready) line_screen_drain(1000);
}

/* Readline gives the line away; NULL: the end. */
static void on_line(char *line) {
  rl_callback_handler_remove();
  process.line = line;
  process.finished = true;
}

/* Once, at the first line. The words of this program's locale are known by then: Lua's own is "C",
   in which a terminal has no characters but ASCII. */
static bool make_ready(void) {
  if (process.ready) return true;
  const char *ctype = setlocale(LC_CTYPE, NULL);
  if (ctype != NULL && strcmp(ctype, "C") == 0) {
    ctype = setlocale(LC_CTYPE, "");
    if (ctype == NULL || strcmp(ctype, "C") == 0 || strcmp(ctype, "POSIX") == 0)
      setlocale(LC_CTYPE, "C.UTF-8");
  }
  if (!line_screen_open()) return false;
  process.ready = atexit(at_exit) == 0;
  return process.ready;
}

/* The terminal is this state's and process's from now on, if it is nobody else's: NULL, or what is
   wrong. */
static const char *take_terminal(lua_State *L) {
  uintptr_t self = main_thread(L), nobody = 0;
  if (atomic_load(&process.owner) != 0 && process.pid != getpid())
    return "the prompt is the parent process's";
  if (!atomic_compare_exchange_strong(&process.owner, &nobody, self) && nobody != self)
    return "another Lua state has the prompt";
  process.pid = getpid();
  return make_ready() ? NULL : "no terminal, or no memory, for a line";
}

/* start(prompt): begins a line: true; false: standard input is no terminal. */
static int line_start(lua_State *L) {
  const char *prompt = luaL_checkstring(L, 1);
  const char *why = take_terminal(L);
  if (why != NULL) return luaL_error(L, "%s", why);
  if (process.running) return luaL_error(L, "a line is being typed already");
  char *copy = strdup(prompt);
  if (copy == NULL) return luaL_error(L, "not enough memory");
  free(process.prompt);
  process.prompt = copy;
  process.finished = process.ended = process.hidden = process.suspended = false;
  process.broken = 0;
  borrow();
  process.running = true;
  using_history();
  rl_callback_handler_install(copy, on_line);
  rl_variable_bind("page-completions", "off"); /* the pager would wait */
  line_screen_collect();
  return 0;
}

/* feed(late): gives readline what was typed. "line", text; "eof"; "interrupt", "suspend": by the
   terminal's keys for that, the line stays; "more": it is to be called again
   soon; "complete", line, first, last: what may line:sub(first, last) go on as? it is to be called
   again after `candidates`; "held": a key is not complete, and is given as it is by feed(true);
   nil: it is to be called when standard input is readable. */
static int line_feed(lua_State *L) {
  static const char *const words[] = {
      [LINE_EOF] = "eof",           [LINE_MORE] = "more",           [LINE_HELD] = "held",
      [LINE_COMPLETE] = "complete", [LINE_INTERRUPT] = "interrupt", [LINE_SUSPEND] = "suspend",
  };
  bool late = lua_toboolean(L, 1);
  line_outcome outcome = LINE_NOTHING;
  if (process.finished && atomic_load(&process.owner) == main_thread(L)) {
    outcome = process.line == NULL ? LINE_EOF : LINE_DONE; /* memory was short, when it was told */
  } else if (is_ours(L) && !process.suspended) {
    line_screen_show();
    outcome = process.broken != 0 ? LINE_EOF : line_input_run(late);
    line_screen_collect();
    if (process.finished)
      over();
    else if (outcome == LINE_EOF)
      stop("");
  }
  if (outcome == LINE_DONE) {
    lua_pushliteral(L, "line");
    lua_pushstring(L, process.line);
    rl_free(process.line);
    process.line = NULL;
    process.finished = false;
    return 2;
  }
  process.finished = false;
  lua_pushstring(L, words[outcome]);
  if (outcome != LINE_COMPLETE) return 1;
  lua_pushlstring(L, rl_line_buffer, (size_t)rl_end);
  lua_pushinteger(L, line_complete_first() + 1);
  lua_pushinteger(L, rl_point);
  return 4;
}

/* candidates(list, append): the answer to "complete". nil: names of files. `append`: the character
   behind a single candidate. */
static int line_candidates(lua_State *L) {
  const char *append = luaL_optstring(L, 2, "");
  line_answer a = {.files = lua_isnoneornil(L, 1), .append = (unsigned char)*append};
  if (!a.files) luaL_checktype(L, 1, LUA_TTABLE);
  bool ok = true;
  for (lua_Integer i = 1; ok && !a.files && lua_rawgeti(L, 1, i) == LUA_TSTRING; i++) {
    size_t n; /* (Lua's strings end with a zero byte, and these are copied without raising) */
    const char *text = lua_tolstring(L, -1, &n);
    if (strlen(text) == n) ok = line_bytes_add(&a.candidates, text, n + 1);
    lua_pop(L, 1);
  }
  line_complete_answer(&a);
  return 0;
}

/* stop([mark]): ends the line, behind which the mark is shown ("^C"). */
static int line_stop(lua_State *L) {
  const char *mark = luaL_optstring(L, 1, "");
  if (is_ours(L)) stop(mark);
  return 0;
}

static int line_running(lua_State *L) {
  lua_pushboolean(L, is_ours(L));
  return 1;
}

/* suspend(): the terminal is as it was before the line, which stays. */
static int line_suspend(lua_State *L) {
  if (!is_ours(L) || process.suspended) return 0;
  line_screen_leave("");
  (*rl_deprep_term_function)();
  line_screen_collect();
  line_screen_drain(1000);
  process.suspended = true;
  return 0;
}

/* resume(): goes on with the line. Also for a terminal that others have changed meanwhile. */
static int line_resume(lua_State *L) {
  if (!is_ours(L)) return 0;
  if (!process.suspended) (*rl_deprep_term_function)();
  (*rl_prep_term_function)(1);
  process.suspended = false;
  rl_reset_screen_size();
  process.hidden = true;
  line_screen_show();
  return 0;
}

/* foreground(): whether the terminal is this process group's. */
static int line_foreground(lua_State *L) {
  lua_pushboolean(L, tcgetpgrp(STDIN_FILENO) == getpgrp());
  return 1;
}

/* --- the screen --- */

static int line_hide(lua_State *L) {
  if (is_ours(L)) line_screen_hide();
  return 0;
}

static int line_show(lua_State *L) {
  if (is_ours(L)) line_screen_show();
  return 0;
}

/* put(text): shows it, while no line is typed, as soon as the terminal takes it. False: it is not
   this state's, or takes nothing any more. */
static int line_put(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  bool ours = !process.running && take_terminal(L) == NULL && process.broken == 0;
  if (ours) line_screen_put(text, n);
  lua_pushboolean(L, ours);
  return 1;
}

/* above(text): above the line, which is hidden until `show`. */
static int line_above(lua_State *L) {
  size_t n;
  const char *text = luaL_checklstring(L, 1, &n);
  if (is_ours(L) && n > 0) line_screen_above(text, n);
  return 0;
}

static int line_resize(lua_State *L) {
  if (is_ours(L)) line_screen_resize();
  return 0;
}

static int line_columns(lua_State *L) {
  lua_pushinteger(L, line_screen_columns());
  return 1;
}

/* flush(): whether the terminal has taken everything, and whether it takes nothing any more. */
static int line_flush(lua_State *L) {
  bool mine = process.ready && process.pid == getpid();
  lua_pushboolean(L, !mine || line_screen_flush());
  lua_pushboolean(L, mine && process.broken != 0);
  return 2;
}

/* full(): whether so much is on its way to the terminal that there may be no room for more. */
static int line_full(lua_State *L) {
  lua_pushboolean(L, line_screen_full());
  return 1;
}

/* output(): the descriptor that is writable when flush is worth another call. */
static int line_output(lua_State *L) {
  lua_pushinteger(L, process.ready ? process.out_fd : STDOUT_FILENO);
  return 1;
}

/* line(): what is typed so far, and the cursor's place in it, from 1 on. */
static int line_line(lua_State *L) {
  if (!is_ours(L)) return 0;
  lua_pushlstring(L, rl_line_buffer, (size_t)rl_end);
  lua_pushinteger(L, rl_point + 1);
  return 2;
}

/* --- keys without a line --- */

/* keys(on): from now on keys are there at once, and are not shown. */
static int line_keys(lua_State *L) {
  bool on = lua_toboolean(L, 1);
  if (process.running || on == process.keys) return 0;
  process.pid = getpid();
  if (on) {
    if (!make_ready() || tcgetattr(STDIN_FILENO, &process.cooked) != 0) return 0;
    struct termios raw = process.cooked;
    raw.c_lflag &= (tcflag_t) ~(ICANON | ECHO);
    raw.c_cc[VMIN] = 1;
    raw.c_cc[VTIME] = 0;
    process.keys = tcsetattr(STDIN_FILENO, TCSANOW, &raw) == 0;
  } else {
    tcsetattr(STDIN_FILENO, TCSANOW, &process.cooked);
    process.keys = false;
  }
  return 0;
}

/* key(): what is there of keys; "" at the end; nil: nothing yet. */
static int line_key(lua_State *L) {
  char keys[32];
  struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&p, 1, 0) <= 0) return 0;
  ssize_t n = read(STDIN_FILENO, keys, sizeof keys);
  lua_pushlstring(L, keys, n < 0 ? 0 : (size_t)n);
  return 1;
}

/* --- opening --- */

static int guard_gc(lua_State *L) {
  uintptr_t self = main_thread(L);
  if (atomic_load(&process.owner) == self) at_exit();
  atomic_compare_exchange_strong(&process.owner, &self, 0);
  return 0;
}

static const luaL_Reg functions[] = {
    {"start", line_start},
    {"feed", line_feed},
    {"candidates", line_candidates},
    {"stop", line_stop},
    {"running", line_running},
    {"suspend", line_suspend},
    {"resume", line_resume},
    {"foreground", line_foreground},
    {"hide", line_hide},
    {"show", line_show},
    {"put", line_put},
    {"above", line_above},
    {"resize", line_resize},
    {"columns", line_columns},
    {"flush", line_flush},
    {"full", line_full},
    {"output", line_output},
    {"line", line_line},
    {"keys", line_keys},
    {"key", line_key},
    {NULL, NULL},
};

int luaopen_csock_readline(lua_State *L) {
  luaL_newlib(L, functions);
  luaL_setfuncs(L, line_history_functions, 0);
  luaL_setfuncs(L, line_background_functions, 0);
  lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, guard_gc);
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
  return 1;
}

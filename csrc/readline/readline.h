/* readline.h: what the files of csock.readline share. GNU readline is known by nobody else, and
 * csock is not known here.
 *
 * Readline belongs to the process, and so does the terminal: all that there is once is in
 * `process`. Nothing here waits. What the terminal sends is given to readline only in pieces that
 * it can take without asking for more (input.c); what readline and the program show is kept until
 * the terminal takes it (screen.c).
 *
 * No Lua runs inside readline's functions: none of its errors passes through them.
 */
#ifndef LINE_READLINE_H
#define LINE_READLINE_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* memmem, wcwidth */
#endif

#include "../api.h" /* Lua's headers: csock itself is not needed here */

#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>
#include <termios.h>

#include <readline/readline.h>
#include <readline/history.h>

/* Bytes to which more are added behind, and of which some are taken in front. */
typedef struct line_bytes {
  char *at; /* malloc */
  size_t from, len, room;
} line_bytes;

typedef enum {
  LINE_NOTHING,
  LINE_DONE,
  LINE_EOF,
  LINE_MORE,
  LINE_HELD,
  LINE_COMPLETE,
  LINE_INTERRUPT,
  LINE_SUSPEND
} line_outcome;

/* What a word may go on as. */
typedef struct line_answer {
  line_bytes candidates; /* each with a zero byte behind it */
  bool files;            /* as names of files instead */
  int append;            /* behind a single one; 0: nothing */
} line_answer;

/* What readline's variables were before a line was begun, and are after it again: whoever else uses
   readline in this process finds it as it was. */
typedef struct line_borrowed {
  FILE *in, *out;
  rl_getc_func_t *getc;
  rl_hook_func_t *available, *event;
  rl_vintfunc_t *prep;
  rl_voidfunc_t *redisplay;
  rl_completion_func_t *complete;
  rl_cpvfunc_t *breaks;
  const char *name, *quotes;
  int catch_signals, catch_sigwinch, change_environment, query_items;
} line_borrowed;

typedef struct line_process {
  atomic_uintptr_t owner; /* the main thread of the Lua state whose line it is; 0: nobody's */
  pid_t pid;              /* of the process that has it: a forked child has not */
  bool ready;             /* set up once */
  bool running;           /* a line is being typed */
  bool suspended;         /* ... and the terminal is given back meanwhile */
  bool hidden;            /* ... and is not on the screen */
  bool finished;          /* the line is there to be taken: `line` */
  char *line;             /* readline's malloc; NULL: the end */
  char *prompt;           /* malloc */
  bool keys;              /* the terminal gives keys at once, without a line: ... */
  struct termios cooked;  /* ... what it was before */
  line_borrowed before;

  /* input.c */
  bool asked; /* the program has its say before the next key */
  line_answer answer;
  line_bytes in;    /* read, and not yet given to readline */
  size_t given;     /* bytes in front of it that readline may take now */
  unsigned starved; /* how often it wanted more */
  line_bytes paste; /* what was pasted so far, or of it what is not in the line yet: */
  bool pasting, inserting;
  bool ended;
  unsigned char interrupt_key, suspend_key, end_key; /* _POSIX_VDISABLE: none */
  size_t ahead; /* of what is to be read, was typed before the line was begun; 0: all the same */

  /* screen.c */
  FILE *screen; /* readline's output: into memory */
  char *shown;
  size_t shown_len;
  line_bytes out;  /* on its way to the terminal */
  size_t lost;     /* bytes for above the line, for which there was no room */
  line_bytes tail; /* the last row above the line, when it has no end yet */
  int out_fd;      /* the terminal, opened anew where that can be: not blocking */
  bool lazy;       /* what is to be shown is shown a little later */
  bool dirty;
  int broken; /* errno value: the terminal takes nothing any more; 0 */

  /* background.c */
  atomic_uintptr_t host; /* the main thread of the state whose loop runs there; 0: none */
  pid_t host_pid;
  rl_getc_func_t *host_getc; /* what readline had before */
  int64_t turn;              /* when the loop had its last turn, in ns */
} line_process;

extern line_process process;

/* bytes.c. False: no memory. */
bool line_bytes_reserve(line_bytes *b, size_t more);
bool line_bytes_add(line_bytes *b, const char *bytes, size_t n);
void line_bytes_take(line_bytes *b, size_t n);
void line_bytes_free(line_bytes *b);

static inline char *line_bytes_at(const line_bytes *b) {
  return b->at + b->from;
}

/* screen.c */
bool line_screen_open(void);
void line_screen_redisplay(void); /* for rl_redisplay_function */
void line_screen_update(void);    /* what is late */
void line_screen_hide(void);
void line_screen_show(void);
void line_screen_leave(const char *mark); /* the cursor goes to a row of its own, behind the line */
bool line_screen_full(void);              /* what is printed now may be lost */
void line_screen_put(const char *text, size_t n); /* while there is no line */
void line_screen_above(const char *text, size_t n);
void line_screen_resize(void);
void line_screen_collect(void); /* takes over what readline has written */
bool line_screen_flush(void);   /* false: the terminal does not take it all now */
void line_screen_drain(int milliseconds);
int line_screen_columns(void);

/* input.c */
void line_input_prepare(int meta); /* for rl_prep_term_function */
line_outcome line_input_run(bool late);
int line_input_getc(FILE *stream); /* for rl_getc_function */
int line_input_available(void);    /* for rl_input_available_hook */
void line_input_drop_paste(void);

/* complete.c */
char **line_complete(const char *text, int first, int last);
char *line_complete_breaks(void);
int line_complete_first(void); /* where the word in front of the cursor begins */
bool line_complete_is_key(const char *key, size_t n);
void line_complete_answer(line_answer *a); /* takes it over */

/* history.c, background.c */
extern const luaL_Reg line_history_functions[], line_background_functions[];

#endif

/* screen.c: what is shown: readline's line, and the program's text above it.
 *
 * Readline writes into memory. From there its bytes and the program's go to the terminal in one
 * order, as fast as it takes them: one that is stopped (Ctrl-S) or slow does not stop the program.
 * The terminal is opened anew for this, since O_NONBLOCK on standard output would be every other
 * process's that has it as well. */
#include "readline.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <wchar.h>

#define CLEAR_BELOW "\033[J"          /* (readline does not ask for this capability) */
#define TURN        ((size_t)1 << 16) /* bytes: with more than that the program goes on first */
#define OUT_MOST    ((size_t)1 << 20) /* bytes on their way: when there are more, ... */
#define OUT_WAIT    20                /* ... the terminal has so many ms to take some */

bool line_screen_open(void) {
  char name[128];
  if (process.screen == NULL) process.screen = open_memstream(&process.shown, &process.shown_len);
  if (process.screen == NULL) return false;
  process.out_fd = -1;
  if (ttyname_r(STDOUT_FILENO, name, sizeof name) == 0)
    process.out_fd = open(name, O_WRONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
  if (process.out_fd < 0) process.out_fd = fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 3);
  return process.out_fd >= 0;
}

/* --- to the terminal --- */

static void put(const char *bytes, size_t n) {
  if (process.broken == 0 && !line_bytes_add(&process.out, bytes, n)) process.broken = ENOMEM;
}

void line_screen_collect(void) {
  fflush(process.screen);
  off_t n = ftello(process.screen);
  if (n <= 0) return;
  put(process.shown, (size_t)n);
  rewind(process.screen);
}

bool line_screen_flush(void) {
  line_bytes *out = &process.out;
  size_t sent = 0;
  while (out->len > 0 && process.broken == 0) {
    if (sent > TURN) return false; /* a terminal that is fast would take all of the turn */
    ssize_t n = write(process.out_fd, line_bytes_at(out), out->len < TURN ? out->len : TURN);
    if (n > 0) {
      line_bytes_take(out, (size_t)n);
      sent += (size_t)n;
    } else if (errno == EAGAIN)
      return false;
    else if (errno != EINTR)
      process.broken = errno;
  }
  if (process.broken != 0) line_bytes_free(out);
  return true;
}

bool line_screen_full(void) {
  return process.out.len > OUT_MOST;
}

/* Whether there is room for more; one text is taken as a whole, however long it is. A terminal that
   is slow is waited for a little; one that takes nothing must not stop the program. */
static bool has_room(void) {
  struct pollfd p = {.fd = process.out_fd, .events = POLLOUT};
  while (line_screen_full() && !line_screen_flush() && line_screen_full())
    if (poll(&p, 1, process.lost > 0 ? 0 : OUT_WAIT) == 0) return false;
  return true;
}

static void say_what_was_lost(void) {
  char text[64];
  if (process.lost == 0) return;
  int n = snprintf(text, sizeof text, "\n[%zu bytes were not shown]\n", process.lost);
  process.lost = 0;
  put(text, (size_t)n);
  process.tail.len = 0;
}

void line_screen_put(const char *text, size_t n) {
  if (!has_room()) {
    process.lost += n;
    return;
  }
  say_what_was_lost();
  put(text, n);
}

void line_screen_drain(int milliseconds) {
  struct pollfd p = {.fd = process.out_fd, .events = POLLOUT};
  while (!line_screen_flush())
    if (poll(&p, 1, milliseconds) == 0) return;
}

int line_screen_columns(void) {
  struct winsize size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 80;
}

static bool is_dumb(void) {
  return rl_get_termcap("up") == NULL;
}

static void put_capability(const char *name) {
  const char *text = rl_get_termcap(name);
  if (text != NULL) put(text, strlen(text));
}

/* --- the part of the line that is shown --- */

/* Of a line that would fill the screen only what is around the cursor: readline shows nothing below
   the screen, and would take its time for each key. */
typedef struct view {
  char *text; /* malloc; NULL: the whole line */
  int point, end;
} view;

/* How many bytes from `at` on, in the direction, fill about so many cells. */
static int stretch(int at, int step, int cells, int columns) {
  int n = 0;
  while (cells > 0 && at + n * step >= (step < 0 ? 1 : 0) && at + n * step < rl_end + (step < 0)) {
    cells -= rl_line_buffer[at + n * step - (step < 0)] == '\n' ? columns : 1;
    n++;
  }
  while (n > 0 && at + n * step < rl_end && (rl_line_buffer[at + n * step] & 0xc0) == 0x80) n--;
  return n;
}

static view look(void) {
  view v = {NULL, rl_point, rl_end};
  int rows, columns;
  rl_get_screen_size(&rows, &columns);
  if (rows < 4) rows = 4;
  int cells = (rows - 2) * columns;
  if (stretch(0, 1, cells, columns) == rl_end) return v;
  int before = stretch(rl_point, -1, cells / 2, columns);
  int behind = stretch(rl_point, 1, cells / 3, columns);
  char mark[64];
  int n = snprintf(mark, sizeof mark, "[%d bytes] %s", rl_end, before < rl_point ? "..." : "");
  v.text = malloc((size_t)(n + before + behind) + 4);
  if (v.text == NULL) return v;
  memcpy(v.text, mark, (size_t)n);
  memcpy(v.text + n, rl_line_buffer + rl_point - before, (size_t)(before + behind));
  v.point = n + before;
  v.end = v.point + behind;
  memcpy(v.text + v.end, "...", 4);
  if (rl_point + behind < rl_end)
    v.end += 3;
  else
    v.text[v.end] = '\0';
  return v;
}

void line_screen_update(void) {
  bool lazy = process.lazy;
  if (!process.dirty) return;
  process.lazy = false;
  line_screen_redisplay();
  process.lazy = lazy;
}

void line_screen_redisplay(void) {
  process.dirty = process.lazy;
  if (process.lazy) return;
  view v = look();
  if (v.text == NULL) {
    rl_redisplay();
    return;
  }
  char *text = rl_line_buffer;
  int point = rl_point, end = rl_end, mark = rl_mark;
  rl_line_buffer = v.text;
  rl_point = rl_mark = v.point;
  rl_end = v.end;
  rl_redisplay();
  rl_line_buffer = text;
  rl_point = point;
  rl_end = end;
  rl_mark = mark;
  free(v.text);
}

/* --- hiding and showing --- */

void line_screen_hide(void) {
  if (!process.running || process.hidden || process.suspended) return;
  process.hidden = true;
  rl_clear_visible_line();
  line_screen_collect();
}

void line_screen_show(void) {
  if (!process.running || !process.hidden || process.suspended) return;
  process.hidden = process.dirty = false;
  rl_forced_update_display();
  line_screen_collect();
}

void line_screen_leave(const char *mark) {
  if (process.hidden) line_screen_show();
  int point = rl_point;
  rl_point = rl_end;
  line_screen_redisplay();
  rl_point = point;
  line_screen_collect();
  put(mark, strlen(mark));
  put("\n", 1);
  process.tail.len = 0;
}

/* The cells that the text takes; -1: that cannot be said. */
static int width(const char *text, size_t n) {
  mbstate_t state = {0};
  int cells = 0;
  for (size_t i = 0; i < n;) {
    wchar_t c;
    size_t len = mbrtowc(&c, text + i, n - i, &state);
    int wide = len == 0 || len > n ? -1 : wcwidth(c);
    if (wide < 0) return -1;
    cells += wide;
    i += len;
  }
  return cells;
}

void line_screen_above(const char *text, size_t n) {
  line_bytes *tail = &process.tail;
  if (!has_room()) {
    process.lost += n;
    return;
  }
  line_screen_hide();
  say_what_was_lost();
  if (tail->len > 0) { /* it goes on where it ended */
    put_capability("up");
    put_capability("ce");
    put(line_bytes_at(tail), tail->len);
  }
  put(text, n);
  size_t rest = 0; /* bytes behind the last line's end */
  while (rest < n && text[n - 1 - rest] != '\n') rest++;
  if (rest < n) tail->len = 0;
  if (rest > 0 || tail->len > 0) put("\n", 1);
  int cells = rest > 4096 || !line_bytes_add(tail, text + n - rest, rest) || is_dumb()
                  ? -1
                  : width(line_bytes_at(tail), tail->len);
  if (cells < 0 || cells >= line_screen_columns()) tail->len = 0;
}

/* --- another size --- */

/* The cells of the prompt, in which readline passes over what is between \001 and \002. */
static int prompt_width(void) {
  int cells = 0;
  for (const char *at = process.prompt; *at != '\0';) {
    size_t n = strcspn(at, "\001");
    int wide = width(at, n);
    cells += wide < 0 ? (int)n : wide;
    at += n;
    if (*at != '\0') at += strcspn(at, "\002");
    if (*at != '\0') at++;
  }
  return cells;
}

/* Terminals let the rows of a line flow anew. The cursor is then on another row of the line than
   readline knows. */
void line_screen_resize(void) {
  if (!process.running || process.suspended) return;
  if (process.hidden || is_dumb()) {
    rl_reset_screen_size();
    return;
  }
  view v = look();
  const char *text = v.text == NULL ? rl_line_buffer : v.text;
  int columns = line_screen_columns(), rows = 0;
  int cells = prompt_width();
  for (const char *at = text, *end = text + v.point; at < end;) {
    const char *stop = memchr(at, '\n', (size_t)(end - at));
    size_t n = (size_t)((stop == NULL ? end : stop) - at);
    int wide = width(at, n);
    cells += wide < 0 ? (int)n : wide;
    at += n;
    if (stop != NULL) {
      rows += cells / columns + 1;
      cells = 0;
      at++;
    }
  }
  free(v.text);
  rows += cells / columns;
  put("\r", 1);
  while (rows-- > 0) put_capability("up");
  put(CLEAR_BELOW, sizeof CLEAR_BELOW - 1);
  process.hidden = true; /* so that readline takes the cursor to be where it begins */
  rl_reset_screen_size();
  line_screen_show();
}

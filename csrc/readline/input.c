/* input.c: what the terminal sends, given to readline in pieces.
 *
 * Readline reads as much as it wants for a key: the rest of an escape sequence, of a character, of
 * a paste. So it is given what is complete. Outside of pastes one byte is read at a time, as
 * readline does it: what was typed after the line's end is left to the program. */
#include "readline.h"

#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#define PASTE_BEGIN  "\033[200~"
#define PASTE_END    "\033[201~"
#define PASTE_MARK   6                  /* bytes of either */
#define PASTE_MOST   ((size_t)16 << 20) /* bytes; what is beyond is lost */
#define PASTE_STEP   ((size_t)1 << 14)  /* bytes that are inserted at once */
#define SEARCH_MOST  ((size_t)1 << 12)  /* bytes of one that a search takes */
#define SEQUENCE_MAX 64                 /* bytes; what is longer is none */
#define TURN_NS      8000000            /* how long a call may take, if each key takes no longer */
#define ABORT        7                  /* Ctrl-G: readline gives up what it is at */

int line_input_getc(FILE *stream) {
  (void)stream;
  if (process.given == 0) return process.starved++ == 0 ? ABORT : EOF; /* it must not wait */
  unsigned char c = (unsigned char)*line_bytes_at(&process.in);
  line_bytes_take(&process.in, 1);
  process.given--;
  return c;
}

int line_input_available(void) {
  return process.given > 0;
}

static int waiting(void) {
  int n = 0;
  return ioctl(STDIN_FILENO, FIONREAD, &n) == 0 ? n : 0;
}

/* The keys that interrupt and stop are keys like others while a line is typed: they are seen in
   their place among what is typed. The key that ends the input has become a zero byte, which
   FIONREAD does not count before, where it was typed when the terminal was not readline's yet. */
void line_input_prepare(int meta) {
  struct termios t;
  process.end_key = tcgetattr(STDIN_FILENO, &t) == 0 ? t.c_cc[VEOF] : _POSIX_VDISABLE;
  int before = waiting();
  rl_prep_terminal(meta);
  int behind = waiting();
  process.ahead = behind > before && process.end_key != _POSIX_VDISABLE ? (size_t)behind : 0;
  process.interrupt_key = process.suspend_key = _POSIX_VDISABLE;
  if (tcgetattr(STDIN_FILENO, &t) != 0) return;
  process.interrupt_key = t.c_cc[VINTR];
  process.suspend_key = t.c_cc[VSUSP];
  t.c_cc[VINTR] = t.c_cc[VSUSP] = _POSIX_VDISABLE;
  tcsetattr(STDIN_FILENO, TCSANOW, &t);
}

/* LINE_INTERRUPT, LINE_SUSPEND, or LINE_NOTHING. In a paste whose end does not come the one that
   interrupts is still that. */
static line_outcome control(void) {
  line_bytes *in = &process.in;
  if (in->len == 0) return LINE_NOTHING;
  unsigned char c = (unsigned char)*line_bytes_at(in);
  if (process.interrupt_key != _POSIX_VDISABLE &&
      memchr(line_bytes_at(in), process.interrupt_key, process.pasting ? in->len : 1) != NULL)
    return LINE_INTERRUPT;
  if (c != process.suspend_key || c == _POSIX_VDISABLE || process.pasting) return LINE_NOTHING;
  line_bytes_take(in, 1);
  return LINE_SUSPEND;
}

/* --- pieces --- */

static size_t character(const unsigned char *p) {
  return *p < 0xc2 ? 1 : *p < 0xe0 ? 2 : *p < 0xf0 ? 3 : *p < 0xf5 ? 4 : 1;
}

/* The length of the first piece; 0: it is not complete. */
static size_t piece(const unsigned char *p, size_t n) {
  size_t len;
  if (n == 0) return 0;
  if (*p != 033) {
    len = character(p);
    for (size_t i = 1; i < len && i < n; i++)
      if ((p[i] & 0xc0) != 0x80) return i; /* it is no character */
  } else if (n == 1) {
    return 0;
  } else if (p[1] == 'O') {
    len = 3;
  } else if (p[1] == '[') {
    len = n > 2 && p[2] == '[' ? 4 : 3; /* "\033[[A": a function key of Linux's console */
    while (len <= n && len < SEQUENCE_MAX && p[len - 1] >= 0x20 && p[len - 1] < 0x40) len++;
  } else {
    len = piece(p + 1, n - 1); /* a key with Meta */
    return len == 0 ? 0 : len + 1;
  }
  return len <= n ? len : 0;
}

/* --- pastes --- */

/* In the midst of a search, a count, a key that has more to come. */
static bool is_elsewhere(void) {
  return RL_ISSTATE(RL_STATE_ISEARCH | RL_STATE_NSEARCH | RL_STATE_NUMERICARG | RL_STATE_MULTIKEY |
                    RL_STATE_METANEXT | RL_STATE_VIMOTION | RL_STATE_CHARSEARCH) != 0;
}

/* Lets readline have the piece in front. What is only typed is shown when nothing more comes. */
static void give(size_t n) {
  unsigned char first = (unsigned char)*line_bytes_at(&process.in);
  if (first < 0x20 || first == 0x7f) line_screen_update();
  process.given = n;
  process.starved = 0;
  while (process.given > 0 && !process.finished) rl_callback_read_char();
  process.given = 0;
  if (process.asked) line_complete_answer(&(line_answer){0});
  process.asked = false;
}

/* As text in a line: LF for each line's end, which terminals send as CR. */
static size_t clean(char *text, size_t n) {
  size_t to = 0;
  bool after_cr = false;
  for (size_t i = 0; i < n; i++) {
    char c = text[i];
    bool second = c == '\n' && after_cr; /* of CR LF, which is one end */
    after_cr = c == '\r';
    if (c != '\0' && !second) text[to++] = after_cr ? '\n' : c;
  }
  return to;
}

/* A search takes it as well, and by readline's own function: with its marks, and all at once. */
static void hand_over(const line_bytes *paste) {
  line_bytes whole = {0}, *in = &process.in;
  size_t most = paste->len < SEARCH_MOST ? paste->len : SEARCH_MOST;
  if (line_bytes_add(&whole, PASTE_BEGIN, PASTE_MARK) &&
      line_bytes_add(&whole, line_bytes_at(paste), most) &&
      line_bytes_add(&whole, PASTE_END, PASTE_MARK)) {
    size_t n = whole.len;
    if (line_bytes_add(&whole, in->at == NULL ? "" : line_bytes_at(in), in->len)) {
      line_bytes_free(in);
      *in = whole;
      give(n);
      return;
    }
  }
  line_bytes_free(&whole);
}

void line_input_drop_paste(void) {
  if (process.inserting) rl_end_undo_group();
  process.pasting = process.inserting = false;
  line_bytes_free(&process.paste);
}

/* The whole paste is there. */
static void begin_inserting(void) {
  process.pasting = false;
  if (!is_elsewhere()) {
    process.inserting = true;
    rl_begin_undo_group();
  } else {
    hand_over(&process.paste);
    line_input_drop_paste();
  }
}

/* The bytes of the next step: neither a character nor CR LF is cut. */
static size_t step(const line_bytes *paste) {
  const char *text = line_bytes_at(paste);
  size_t n = PASTE_STEP;
  if (paste->len <= n + 4) return paste->len;
  if (text[n - 1] == '\r' && text[n] == '\n') return n + 1;
  while (n < PASTE_STEP + 4 && (text[n] & 0xc0) == 0x80) n++;
  return n;
}

/* Readline lets its line grow by a little at a time, which may copy it each time: so a long paste
   goes into it step by step, between which the program has its turns. */
static void insert_on(void) {
  line_bytes *paste = &process.paste;
  size_t n = paste->len == 0 ? 0 : step(paste);
  if (n > 0) {
    char text[PASTE_STEP + 5];
    memcpy(text, line_bytes_at(paste), n);
    text[clean(text, n)] = '\0';
    rl_insert_text(text);
    line_bytes_take(paste, n);
  }
  if (paste->len > 0) return;
  line_input_drop_paste();
  line_screen_redisplay();
}

/* Takes what belongs to the paste out of `in`. False: its end has not come yet. */
static bool paste_on(void) {
  line_bytes *in = &process.in, *paste = &process.paste;
  const size_t part = PASTE_MARK - 1; /* that much of its end may be there already */
  size_t from = paste->len < part ? 0 : paste->len - part, taken = in->len;
  if (!line_bytes_add(paste, line_bytes_at(in), in->len)) {
    line_bytes_free(paste);
    line_bytes_take(in, taken);
    return false;
  }
  char *text = line_bytes_at(paste);
  char *end = memmem(text + from, paste->len - from, PASTE_END, PASTE_MARK);
  if (end != NULL) {
    taken -= (size_t)(text + paste->len - end) - PASTE_MARK; /* what is behind it */
    paste->len = (size_t)(end - text);
  } else if (paste->len > PASTE_MOST) {
    memmove(text + PASTE_MOST - part, text + paste->len - part, part);
    paste->len = PASTE_MOST;
  }
  line_bytes_take(in, taken);
  return end != NULL;
}

/* --- reading --- */

/* How many bytes came: 0: none yet; -1: the end, or nobody is there any more. */
static ssize_t receive(size_t most) {
  struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
  if (poll(&p, 1, 0) <= 0) return 0;
  if (!line_bytes_reserve(&process.in, most)) return 0;
  char *to = line_bytes_at(&process.in) + process.in.len;
  ssize_t n = read(STDIN_FILENO, to, most);
  if (n > 0) {
    if (process.ahead > 0 && *to == '\0' && !process.pasting) *to = (char)process.end_key;
    process.ahead -= (size_t)n < process.ahead ? (size_t)n : process.ahead;
    process.in.len += (size_t)n;
    return n;
  }
  return n < 0 && (errno == EAGAIN || errno == EINTR) ? 0 : -1;
}

static int64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static line_outcome run(bool late) {
  line_bytes *in = &process.in;
  int64_t end = now() + TURN_NS;
  for (;;) {
    line_outcome special = control();
    if (special != LINE_NOTHING) return special;
    size_t n = process.pasting ? 0 : piece((unsigned char *)line_bytes_at(in), in->len);
    if (process.inserting) {
      insert_on();
    } else if (process.pasting && in->len > 0) {
      if (paste_on()) begin_inserting();
    } else if (n == PASTE_MARK && memcmp(line_bytes_at(in), PASTE_BEGIN, PASTE_MARK) == 0) {
      line_bytes_take(in, n);
      process.pasting = true;
    } else if (n > 0 && !process.asked && !is_elsewhere() &&
               line_complete_is_key(line_bytes_at(in), n)) {
      line_screen_update();
      process.asked = true;
      return LINE_COMPLETE;
    } else if (n > 0 || (late && in->len > 0)) {
      give(n > 0 ? n : in->len);
      if (process.finished) return process.line == NULL ? LINE_EOF : LINE_DONE;
    } else if (process.ended) {
      return LINE_EOF;
    } else {
      ssize_t got = receive(process.pasting ? 1 << 16 : 1);
      if (got == 0) return in->len > 0 ? LINE_HELD : LINE_NOTHING;
      process.ended = got < 0;
      late = process.ended; /* what is there is all that comes */
    }
    if (now() > end) return LINE_MORE;
  }
}

line_outcome line_input_run(bool late) {
  process.lazy = true;
  line_outcome outcome = run(late);
  process.lazy = false;
  if (!process.finished) line_screen_update();
  return outcome;
}

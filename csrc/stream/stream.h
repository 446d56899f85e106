/* stream.h: the stream object, for the files that hold its methods: life.c,
   read.c, write.c; and for select and poll. */
#ifndef CS_STREAM_H
#define CS_STREAM_H

#include "../socket/transport.h"
#include "../wait/turn_end.h"
#include "../sys/bytes.h"
#include "../sys/rw.h"

/* Where a stream's bytes come from when it is not the descriptor itself: what is received there is
   decoded first. */
typedef struct cs_stream_source cs_stream_source;
struct cs_stream_source {
  const char *kind;             /* of its errors */
  const struct cs_stream *over; /* the stream that it reads from */
  /* As cs_stream_receive. */
  int (*receive)(cs_stream_source *source, char *bytes, size_t n, size_t *got);
  /* Whether that needs nothing from the kernel. */
  bool (*ready)(const cs_stream_source *source);
  /* The words for an errno value that it gave last; as a transport's. */
  void (*explain)(const cs_stream_source *source, int err, cs_words *words);
  /* NULL, or: the source begins to wait, until when at most: a deadline instead of the call's own;
     0: the call's own. */
  int64_t (*wait)(cs_stream_source *source);
};

typedef struct cs_stream {
  const cs_class *cls;
  cs_watched *w;            /* the socket's, or `own` */
  cs_watched own;           /* over anything but a socket object */
  cs_sock *sock;            /* NULL, or the socket; uservalue 1 keeps it alive */
  cs_stream_source *source; /* NULL, or what is read; uservalue 2 keeps it alive */
  int64_t timeout;          /* ns; without a socket object, whose timeout it would be */
  cs_bytes in;              /* received, not yet read */
  cs_bytes out;             /* written, not yet sent */
  size_t want;              /* room to make for receiving: more where more comes */
  size_t scanned;           /* in the first bytes of `in` no delimiter `scanned_for` begins */
  uint64_t scanned_for;
  size_t limit;    /* the most bytes of a line, or of all that is read at once */
  size_t out_size; /* `out` is sent when it holds so much */
  cs_turn_end end; /* entered when `out` is to be sent at the turn's end: turn.c */
  int failed;      /* errno of such a sending, until it has been reported */
  unsigned taken;  /* counts the reads that took bytes: an op that waited can tell */
  cs_rw_kind kind;
  bool closed, readable, writable;
  bool by_line; /* a written LF sends what is there */
  bool by_turn; /* the end of the loop's turn does */
  bool waiting; /* a task sends what did not go then */
  bool owns;    /* the descriptor is closed with the stream */
  bool foreign; /* the descriptor is that of the object in uservalue 1, which may close it */
} cs_stream;

#define CS_STREAM_WANT   (CS_BYTES_IDLE / 2)     /* makes a block of CS_BYTES_IDLE */
#define CS_STREAM_MORE   (CS_BYTES_KEEP / 2 + 1) /* and this one of CS_BYTES_KEEP */
#define CS_STREAM_BUFFER 8192 /* bytes written before they are sent, unless told otherwise */

extern const cs_class cs_stream_class;

cs_stream *cs_stream_check(lua_State *L, int arg);

/* The descriptor as the program may see it: -1 once it is closed. */
int cs_stream_visible_fd(const cs_stream *st);

/* The descriptor of the stream at `idx`: -1 when it is closed, -2 when the value is no stream.
 *buffered: bytes are there to be read without asking the kernel. */
int cs_stream_fd(lua_State *L, int idx, bool *buffered);

/* Takes at most `n` of the bytes that the value at `idx` has received already, if it is a stream;
   returns how many. */
size_t cs_stream_take(lua_State *L, int idx, char *bytes, size_t n);

/* Starts an op of the stream, which is at stack index 1; `able`: its mode allows the call. */
void cs_stream_op(cs_op *op, cs_stream *st, bool able, const char *call, cs_attempt attempt);

/* To be asked by an attempt before it uses the descriptor: 0 or EBADF. Raises what a `fileno`
   method raises. */
int cs_stream_usable(lua_State *L, cs_stream *st);

/* One try to move bytes through the stream's descriptor: 0, an errno value, or the direction that
   it needs. The socket's transport is in it. */
static inline int cs_stream_receive(cs_stream *st, char *bytes, size_t n, size_t *got) {
  if (st->source != NULL) return st->source->receive(st->source, bytes, n, got);
  if (st->sock != NULL) return cs_sock_read(st->sock, bytes, n, 0, NULL, got);
  int err = cs_rw_read(st->w->fd, st->kind, bytes, n, got);
  return err == EAGAIN ? CS_READABLE : err;
}

static inline int cs_stream_transmit(cs_stream *st, size_t *sent) {
  const char *bytes = cs_bytes_at(&st->out, 0);
  if (st->sock != NULL) return cs_sock_write(st->sock, bytes, st->out.len, 0, sent);
  int err = cs_rw_write(st->w->fd, st->kind, bytes, st->out.len, sent);
  return err == EAGAIN ? CS_WRITABLE : err;
}

/* Fails a call of the stream, in the words of its source or its socket's transport where they have
   some. */
static inline int cs_stream_fail(lua_State *L, const cs_op *op, int err) {
  const cs_stream *st = (const cs_stream *)op->ptr;
  cs_words words = {0};
  if (st->source != NULL) st->source->explain(st->source, err, &words);
  if (words.text != NULL) return cs_fail_words(L, op->call, st->source->kind, err, &words);
  return cs_transport_fail(L, st->sock, op->call, err);
}

/* What an attempt returns when such a try did not give 0. */
static inline int cs_stream_failed(lua_State *L, cs_op *op, int err, int line) {
  const cs_stream *st = (const cs_stream *)op->ptr;
  if (err > 0 && op->fail == NULL) return cs_stream_fail(L, op, err);
  return cs_transport_failed(L, st->sock, op, err, line);
}

/* --- reading (read.c) ---
   For attempts that look at `in` until they know all that they will take, and take it then. In the
   op: done and size are the attempt's, 0 at first and when another task has taken bytes meanwhile;
   slot is 2 then; flags has CS_STREAM_AT_END once the stream has ended. */

#define CS_STREAM_AT_END 1
#define CS_STREAM_PACED  2 /* the op's deadline is the source's */

void cs_stream_begin(cs_op *op, cs_stream *st, const char *call, cs_attempt attempt);

/* To be called first in each attempt. */
cs_stream *cs_stream_begun(cs_op *op);

/* Receives once: 0, or what the attempt has to return. When it needs still more then, it returns
   CS_AGAIN: the driver looks at the deadline. */
int cs_stream_more(lua_State *L, cs_op *op);

/* Takes the first `n` bytes of `in`. */
void cs_stream_drop(cs_stream *st, size_t n);

/* Pushes a stream that reads from `source`, which is the userdata on the top and takes its bytes
   from the stream at `idx`. It replaces the userdata, has the other one's limit, waits as that one
   does, and never closes its descriptor. */
void cs_stream_push_over(lua_State *L, int idx, cs_stream_source *source);

/* Sends what it can without waiting, for an attempt: 0 when `out` is empty, else what the attempt
   has to return. */
int cs_stream_send(lua_State *L, cs_op *op);

/* Makes the stream at `idx` one that sends at the turn's end. */
void cs_stream_by_turn(lua_State *L, int idx, cs_stream *st);

/* Whether what was written will be sent at the turn's end. */
bool cs_stream_send_later(cs_stream *st);

#endif

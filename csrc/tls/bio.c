/* bio.c: how OpenSSL comes by a connection's bytes, and gets rid of them.
 *
 * OpenSSL asks for the five bytes of a record's head, then for its body. What is received for a
 * head is more than that: a small record comes with one call to the kernel, and of large ones, once
 * they come, several do. The rest of a body is received straight to where it belongs.
 */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Records without data in one call. The longest chain of certificates that OpenSSL takes (100 KiB),
   in the shortest fragments that a peer may ask for (RFC 6066 section 4), has 200. */
#define RECORDS_MAX 512

#define HEAD  5                                   /* bytes of a record's head */
#define AHEAD 4096                                /* bytes that are received for a head */
#define MANY  (4 * (HEAD + TLS_RECORD_MAX + 256)) /* ... while records are larger than that */

/* --- bytes that are kept --- */

/* Room for so many bytes as a whole. 0 or ENOMEM. */
int tls_bytes_reserve(tls_bytes *b, size_t room) {
  if (room <= b->room) return 0;
  char *at = realloc(b->at, room);
  if (at == NULL) return ENOMEM;
  b->at = at;
  b->room = room;
  return 0;
}

int tls_bytes_add(tls_bytes *b, const char *data, size_t n) {
  if (b->from + b->len + n > b->room) {
    if (b->from > 0) memmove(b->at, b->at + b->from, b->len);
    b->from = 0;
    if (b->len + n > b->room &&
        tls_bytes_reserve(b, b->len + n > 2 * b->room ? b->len + n : 2 * b->room) != 0)
      return ENOMEM;
  }
  memcpy(b->at + b->from + b->len, data, n);
  b->len += n;
  return 0;
}

/* What is empty holds no memory: most connections are idle most of the time. */
void tls_bytes_drop(tls_bytes *b, size_t n) {
  b->from += n;
  b->len -= n;
  if (b->len == 0) tls_bytes_free(b);
}

void tls_bytes_free(tls_bytes *b) {
  free(b->at);
  *b = (tls_bytes){NULL, 0, 0, 0};
}

size_t tls_bio_take(tls_conn *c, char *bytes, size_t n) {
  if (n > c->in.len) n = c->in.len;
  if (n == 0) return 0;
  memcpy(bytes, c->in.at + c->in.from, n);
  tls_bytes_drop(&c->in, n);
  return n;
}

/* --- for OpenSSL --- */

static int receive(tls_conn *c, char *bytes, size_t n, size_t *got) {
  c->io = c->carrier->receive(c, bytes, n, got);
  if (c->io == 0 && *got == 0) c->eof = true;
  return c->io;
}

/* A head: with what comes behind it, kept for the next call. */
static int receive_head(tls_conn *c, char *bytes, size_t n, size_t *got) {
  char ahead[AHEAD];
  int err = receive(c, ahead, sizeof ahead, got);
  if (err != 0) return err;
  size_t all = *got;
  if (all < n) n = all;
  memcpy(bytes, ahead, n);
  *got = n;
  if (all > n && tls_bytes_add(&c->in, ahead + n, all - n) != 0) return c->io = c->broken = ENOMEM;
  return 0;
}

/* The same where much is expected. `in` is empty. */
static int receive_many(tls_conn *c, char *bytes, size_t n, size_t *got) {
  char *at = malloc(MANY);
  if (at == NULL) return c->io = c->broken = ENOMEM;
  c->in = (tls_bytes){.at = at, .room = MANY};
  int err = receive(c, at, MANY, &c->in.len);
  if (err == 0 && c->in.len > 0)
    *got = tls_bio_take(c, bytes, n);
  else
    tls_bytes_free(&c->in);
  return err;
}

int tls_bio_fill(tls_conn *c) {
  char ahead[AHEAD];
  size_t got;
  int err = receive(c, ahead, sizeof ahead, &got);
  return err == 0 && got > 0 ? tls_bytes_add(&c->in, ahead, got) : err;
}

/* OpenSSL goes on by itself as long as there are records without data: keys and tickets, which cost
   the one who sends them little. What comes in one call is limited, or it would not come back. */
static int bio_read(BIO *b, char *bytes, size_t n, size_t *got) {
  tls_conn *c = BIO_get_data(b);
  BIO_clear_retry_flags(b);
  *got = 0;
  if (n <= HEAD && ++c->records > RECORDS_MAX) {
    ERR_raise(ERR_LIB_SSL, SSL_R_TOO_MANY_KEY_UPDATES);
    return 0;
  }
  *got = tls_bio_take(c, bytes, n);
  if (*got > 0) return 1;
  int err = n > HEAD          ? receive(c, bytes, n, got)
            : c->last < AHEAD ? receive_head(c, bytes, n, got)
                              : receive_many(c, bytes, n, got);
  if (n > HEAD) c->last = (uint16_t)(n < UINT16_MAX ? n : UINT16_MAX);
  if (err < 0) BIO_set_retry_read(b);
  return err == 0 && *got > 0;
}

/* Takes all: see conn.c. */
static int bio_write(BIO *b, const char *bytes, size_t n, size_t *written) {
  tls_conn *c = BIO_get_data(b);
  size_t at = 0;
  BIO_clear_retry_flags(b);
  while (!c->gathers && c->out.len == 0 && c->silent == 0 && at < n) {
    size_t sent;
    int err = c->carrier->transmit(c, bytes + at, n - at, &sent);
    if (err < 0) break;
    if (err > 0) c->silent = err;
    if (err == 0) at += sent;
  }
  if (at < n && c->silent == 0 && tls_bytes_add(&c->out, bytes + at, n - at) != 0)
    c->silent = ENOMEM;
  *written = n;
  return 1;
}

int tls_bio_flush(tls_conn *c) {
  while (c->out.len > 0 && c->silent == 0) {
    size_t sent;
    int err = c->carrier->transmit(c, c->out.at + c->out.from, c->out.len, &sent);
    if (err < 0) return err;
    if (err > 0) c->silent = err;
    if (err == 0) tls_bytes_drop(&c->out, sent);
  }
  if (c->silent != 0 || c->out.len == 0) tls_bytes_free(&c->out);
  return c->silent;
}

static long bio_ctrl(BIO *b, int cmd, long num, void *ptr) {
  const tls_conn *c = BIO_get_data(b);
  (void)num;
  (void)ptr;
  switch (cmd) {
  case BIO_CTRL_FLUSH:
    return 1;
  case BIO_CTRL_EOF:
    return c->eof;
  case BIO_CTRL_PENDING:
    return (long)c->in.len;
  default:
    return 0;
  }
}

static BIO_METHOD *method; /* constant once made, by module.c */

bool tls_bio_once(void) {
  if (method != NULL) return true;
  int type = BIO_get_new_index();
  BIO_METHOD *m = type > 0 ? BIO_meth_new(type | BIO_TYPE_SOURCE_SINK, "csock") : NULL;
  if (m == NULL) return false;
  BIO_meth_set_read_ex(m, bio_read);
  BIO_meth_set_write_ex(m, bio_write);
  BIO_meth_set_ctrl(m, bio_ctrl);
  method = m;
  return true;
}

BIO *tls_bio_new(tls_conn *c) {
  BIO *b = BIO_new(method);
  if (b == NULL) return NULL;
  BIO_set_data(b, c);
  BIO_set_init(b, 1);
  return b;
}

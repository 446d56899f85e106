/* conn.c: one OpenSSL connection: handshake, bytes, end. Each function tries once.
 *
 * OpenSSL never hears that something cannot be sent: what the carrier does not take is kept in
 * `out` (bio.c), and no further record is sealed while something is there. So there is no repeated
 * SSL_write, whose bytes would have to be the same; an answer to the peer (a key update) can be
 * sealed at any time, also behind half a record; and what the peer still says (an alert that tells
 * why) can be read after it has stopped to listen.
 */
#include "tls.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define OWED_MAX 65536 /* bytes of answers that a peer which does not read may cause */

static int conn_index; /* constant once made, by module.c */

bool tls_conn_once(void) {
  if (conn_index <= 0) conn_index = SSL_get_ex_new_index(0, NULL, NULL, NULL, NULL);
  return conn_index > 0;
}

tls_conn *tls_conn_of(const SSL *ssl) {
  return SSL_get_ex_data(ssl, conn_index);
}

/* Whether the name is still among what a certificate is verified for. OpenSSL copies that for each
   chain, and goes on without the name when it has no memory for the copy. */
static bool has_name(const tls_conn *c, X509_VERIFY_PARAM *param) {
  if (c->verifies == TLS_VERIFIES_HOST) return X509_VERIFY_PARAM_get0_host(param, 0) != NULL;
  if (c->verifies != TLS_VERIFIES_IP) return true;
  char *ip = X509_VERIFY_PARAM_get1_ip_asc(param);
  OPENSSL_free(ip);
  return ip != NULL;
}

/* Sees each certificate of the chain; says nothing, but remembers what was wrong. */
int tls_conn_verified(int ok, X509_STORE_CTX *store) {
  const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
  tls_conn *c = ssl != NULL ? tls_conn_of(ssl) : NULL;
  if (ok && c != NULL && has_name(c, X509_STORE_CTX_get0_param(store))) return 1;
  if (ok) X509_STORE_CTX_set_error(store, X509_V_ERR_OUT_OF_MEM);
  if (c != NULL) tls_failure_certificate(c, store, X509_STORE_CTX_get_error(store));
  return 0;
}

int tls_conn_init(tls_conn *c, SSL_CTX *ctx, const tls_carrier *carrier) {
  const tls_context *t = tls_context_of(ctx);
  ERR_clear_error();
  c->carrier = carrier;
  c->server = t->server;
  c->ssl = SSL_new(ctx);
  BIO *bio = c->ssl != NULL ? tls_bio_new(c) : NULL;
  if (bio == NULL || SSL_set_ex_data(c->ssl, conn_index, c) != 1) {
    BIO_free(bio);
    ERR_clear_error();
    return ENOMEM;
  }
  SSL_set_bio(c->ssl, bio, bio);
  c->ragged = t->ragged;
  if (SSL_get_verify_mode(c->ssl) != SSL_VERIFY_NONE)
    SSL_set_verify(c->ssl, SSL_get_verify_mode(c->ssl), tls_conn_verified);
  if (c->server)
    SSL_set_accept_state(c->ssl);
  else
    SSL_set_connect_state(c->ssl);
  return 0;
}

void tls_conn_free(tls_conn *c) {
  SSL_free(c->ssl);
  c->ssl = NULL;
  tls_bytes_free(&c->in);
  tls_bytes_free(&c->out);
  tls_bytes_free(&c->held);
  free(c->server_name);
  c->server_name = NULL;
  tls_failure_free(c->failure);
  c->failure = NULL;
  ERR_clear_error();
}

/* --- results --- */

static int wants(tls_conn *c, int direction) {
  c->want = (int8_t)direction;
  return direction;
}

/* What an SSL function's failure means; nothing may come between it and this. */
static int failed(tls_conn *c, int r) {
  switch (SSL_get_error(c->ssl, r)) {
  case SSL_ERROR_WANT_READ:
    /* The carrier said so, or why it gave nothing. */
    ERR_clear_error();
    return wants(c, c->io < 0 ? c->io : CS_READABLE);
  case SSL_ERROR_WANT_CLIENT_HELLO_CB:
    ERR_clear_error();
    return TLS_ASK;
  case SSL_ERROR_ZERO_RETURN:
    ERR_clear_error();
    c->ended = true;
    return 0;
  case SSL_ERROR_SYSCALL:
    if (c->io > 0) {
      ERR_clear_error();
      return c->broken = c->io;
    }
    return tls_failure_take(c);
  default:
    return tls_failure_take(c);
  }
}

/* Before each use. 0, or why there is none. */
static int enter(tls_conn *c) {
  c->want = 0;
  if (c->broken != 0) return c->broken;
  c->io = 0;
  c->records = 0;
  ERR_clear_error();
  return 0;
}

/* --- the handshake --- */

/* Whether the handshake may begin: 0, an errno value or a direction. OpenSSL makes 40 KB of buffers
   for it at once, which a client that has connected and says nothing is not worth. And a socket
   that is not connected yet must not remember that it was used too early. */
static int begin(tls_conn *c) {
  if (c->in.len > 0 || c->eof || !SSL_in_before(c->ssl)) return 0;
  int err = tls_bio_fill(c);
  if (err < 0) return c->server ? wants(c, err) : 0;
  return err == ENOTCONN ? err : (c->broken = err);
}

int tls_conn_handshake(tls_conn *c) {
  int err = enter(c);
  if (err != 0 || (err = begin(c)) != 0) return err;
  if (!SSL_is_init_finished(c->ssl)) {
    c->gathers = true; /* tickets follow each other */
    int r = SSL_do_handshake(c->ssl);
    c->gathers = false;
    err = r == 1 ? 0 : failed(c, r);
    if (err == 0 && r != 1) err = tls_failure_take(c); /* the peer's end in the middle of it */
  }
  /* What it has to say (an alert, too) goes first: the peer waits for that. */
  int sent = tls_bio_flush(c);
  if (sent < 0 && err <= 0 && err != TLS_ASK) return wants(c, sent);
  tls_errors_none();
  return err;
}

/* --- bytes --- */

/* Whether a record is there as a whole; `in` begins where one does, or nobody asks (bio.c). */
static bool whole_record(const tls_conn *c) {
  const unsigned char *head = (const unsigned char *)c->in.at + c->in.from;
  return c->in.len >= 5 && c->in.len >= 5 + ((size_t)head[3] << 8 | head[4]);
}

/* Adds what has come together with the first of `n` bytes, as a plain socket gives it. What else is
   found out in doing so, the next call says. */
static void read_more(tls_conn *c, char *bytes, size_t n, size_t *got) {
  while (*got < n && whole_record(c)) {
    size_t more = 0;
    c->records = 0;
    int r = SSL_read_ex(c->ssl, bytes + *got, n - *got, &more);
    *got += more;
    if (r == 1) continue;
    (void)failed(c, r);
    c->want = 0;
    return;
  }
}

int tls_conn_read(tls_conn *c, char *bytes, size_t n, bool peek, size_t *got) {
  *got = 0;
  if (c->ended) return 0;
  int err = enter(c);
  if (err != 0) return c->ragged && c->cut ? 0 : err;
  if ((err = begin(c)) != 0) return err;
  if (c->out.len > 0 && (err = tls_bio_flush(c)) < 0 && c->out.len > OWED_MAX) return wants(c, err);
  int r = peek ? SSL_peek_ex(c->ssl, bytes, n, got) : SSL_read_ex(c->ssl, bytes, n, got);
  if (r == 1) {
    if (!peek) read_more(c, bytes, n, got);
    return 0;
  }
  *got = 0;
  err = failed(c, r);
  if (c->out.len > 0) {
    int sent = tls_bio_flush(c);
    /* A handshake under way: the peer says nothing before it has heard this. */
    if (sent < 0 && err == CS_READABLE && !SSL_is_init_finished(c->ssl)) return wants(c, sent);
  }
  tls_errors_none();
  return c->ragged && c->cut ? 0 : err;
}

/* Whether these bytes are what the last call has sealed, and could not tell to be sent: as many of
   them as are given. (Where somebody has given up a write in the middle, others' bytes follow it,
   as with a plain socket.) */
static bool was_held(tls_conn *c, const char *bytes, size_t n, size_t *sent) {
  tls_bytes *held = &c->held;
  size_t both = n < held->len ? n : held->len;
  if (both == 0) return false;
  if (memcmp(bytes, held->at + held->from, both) != 0) {
    tls_bytes_free(held);
    return false;
  }
  tls_bytes_drop(held, both);
  *sent = both;
  return true;
}

/* Seals some of `n` bytes, as records for one send: the kernel's way to the peer costs as much as
   the sealing. Of more than two, the first would no longer be in the cache. OpenSSL's result. */
static int seal(tls_conn *c, const char *bytes, size_t n, size_t *sealed) {
  const size_t most = 2 * TLS_RECORD_MAX, room = 2 * (TLS_RECORD_MAX + 256);
  int r = 1;
  *sealed = 0;
  if (n > most) n = most;
  if (n > TLS_RECORD_MAX && tls_bytes_reserve(&c->out, room) != 0) n = TLS_RECORD_MAX;
  while (r == 1 && *sealed < n) {
    size_t record = n - *sealed < TLS_RECORD_MAX ? n - *sealed : TLS_RECORD_MAX, took = 0;
    c->gathers = *sealed + record < n;
    r = SSL_write_ex(c->ssl, bytes + *sealed, record, &took);
    *sealed += took;
  }
  c->gathers = false;
  return r;
}

int tls_conn_write(tls_conn *c, const char *bytes, size_t n, size_t *sent) {
  *sent = 0;
  int err = enter(c);
  if (err != 0) return err;
  if (c->said_end) return EPIPE;
  if ((err = begin(c)) != 0) return err;
  if ((err = tls_bio_flush(c)) != 0) return err < 0 ? wants(c, err) : err;
  if (was_held(c, bytes, n, sent)) return 0;
  size_t sealed;
  int r = seal(c, bytes, n, &sealed);
  if (r != 1) err = failed(c, r); /* after the first of two: the next call says it */
  if (sealed == 0) {
    int flushed = tls_bio_flush(c);
    if (c->ended && err == 0) return EPIPE;
    return flushed < 0 && err == CS_READABLE ? wants(c, flushed) : err;
  }
  if ((err = tls_bio_flush(c)) == 0) {
    *sent = sealed;
    return 0;
  }
  if (err > 0) return err;
  if (tls_bytes_add(&c->held, bytes, sealed) != 0) return c->broken = ENOMEM;
  return wants(c, err);
}

/* --- the end --- */

/* Takes tickets that nobody has read from the kernel: it would not send what is still on its way,
   but reset the connection, when that is closed over them. (What the peer says stays to be read.)
 */
static void take_tickets(tls_conn *c) {
  char byte;
  size_t got;
  (void)tls_conn_read(c, &byte, 1, true, &got);
  c->want = 0;
}

int tls_conn_shutdown(tls_conn *c) {
  int err = enter(c);
  if (err != 0 || !SSL_is_init_finished(c->ssl)) return err;
  if (!c->said_end) {
    if (SSL_shutdown(c->ssl) < 0) {
      ERR_clear_error();
      return 0; /* there is nobody to say it to */
    }
    c->said_end = true;
  }
  err = tls_bio_flush(c);
  tls_errors_none();
  if (err < 0) return wants(c, err);
  take_tickets(c);
  return 0;
}

int tls_conn_unwrap(tls_conn *c) {
  if (c->broken == 0 && !SSL_is_init_finished(c->ssl)) return ENOTCONN;
  int err = tls_conn_shutdown(c);
  if (err != 0) return err;
  char byte;
  size_t got;
  err = tls_conn_read(c, &byte, 1, true, &got);
  if (err == 0 && got > 0) return EBUSY; /* there is something to be read first */
  return err;
}

/* --- what is there --- */

size_t tls_conn_buffered(const tls_conn *c) {
  int n = SSL_pending(c->ssl);
  return n > 0 ? (size_t)n : 0;
}

bool tls_conn_pending(const tls_conn *c) {
  return c->broken != 0 || c->ended || c->eof || SSL_pending(c->ssl) > 0 || whole_record(c) ||
         (c->opens && SSL_in_before(c->ssl));
}

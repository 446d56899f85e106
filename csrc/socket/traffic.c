/* traffic.c: bytes are noted as they pass, for the taps of a socket. */
#include "traffic.h"
#include "../wait/unpark.h"

/* --- taps and sockets --- */

void cs_traffic_begin(cs_tap *tap, cs_sock *s) {
  tap->sock = s;
  cs_list_append(&tap->state->taps, &tap->link);
  s->tapped = true;
}

static cs_tap *first_tap(const cs_sock *s) {
  const cs_list *taps = &s->w.state->taps;
  for (cs_link *link = cs_list_first(taps); link != NULL; link = cs_list_next(taps, link)) {
    cs_tap *tap = CS_MEMBER_OF(link, cs_tap, link);
    if (tap->sock == s) return tap;
  }
  return NULL;
}

void cs_traffic_leave(cs_tap *tap) {
  cs_sock *s = tap->sock;
  if (s == NULL) return;
  tap->sock = NULL;
  cs_list_remove(&tap->state->taps, &tap->link);
  s->tapped = first_tap(s) != NULL;
  cs_unpark_end(tap->state->loop, &tap->readers);
}

void cs_traffic_end(cs_sock *s) {
  while (s->tapped) cs_traffic_leave(first_tap(s));
}

/* --- noting --- */

/* What is lost is counted for each direction and layer, from the first loss on. */
static void lose(cs_tap *tap, const cs_passed *passed, size_t count) {
  cs_passed *lost = &tap->lost[(passed->direction == '>') + 2 * passed->wire];
  if (lost->count == 0) {
    *lost = *passed;
    lost->count = 0;
  }
  lost->count += count;
  tap->losing = true;
}

static void copy_pieces(char *to, const struct iovec *pieces, size_t count, size_t n) {
  for (size_t i = 0; i < count && n > 0; i++) {
    size_t len = pieces[i].iov_len < n ? pieces[i].iov_len : n;
    if (len > 0) memcpy(to, pieces[i].iov_base, len);
    to += len;
    n -= len;
  }
}

/* Keeps what there is room for; the rest, and all that comes after it, is lost until the queue has
   been read. */
static void keep_passed(cs_tap *tap, cs_passed passed, const struct iovec *pieces, size_t count) {
  size_t n = passed.counted ? 0 : (size_t)passed.count, used = tap->queue.len + sizeof passed;
  size_t kept = used >= tap->limit ? 0 : tap->limit - used < n ? tap->limit - used : n, room;
  char *space;
  if (tap->losing || (kept == 0 && n > 0) ||
      cs_bytes_reserve(&tap->queue, sizeof passed + kept, &space, &room) != 0) {
    lose(tap, &passed, (size_t)passed.count);
    return;
  }
  if (kept < n) lose(tap, &passed, n - kept);
  if (!passed.counted) passed.count = kept;
  memcpy(space, &passed, sizeof passed);
  copy_pieces(space + sizeof passed, pieces, count, kept);
  cs_bytes_commit(&tap->queue, sizeof passed + kept);
}

static void pass(const cs_sock *s, const cs_passed *passed, const struct iovec *pieces,
                 size_t count) {
  const cs_list *taps = &s->w.state->taps;
  for (cs_link *link = cs_list_first(taps); link != NULL; link = cs_list_next(taps, link)) {
    cs_tap *tap = CS_MEMBER_OF(link, cs_tap, link);
    if (tap->sock != s) continue;
    keep_passed(tap, *passed, pieces, count);
    cs_unpark_all(&tap->readers);
  }
}

void cs_traffic_pieces(cs_sock *s, char direction, bool wire, const struct iovec *pieces,
                       size_t count, size_t n) {
  size_t total = 0;
  for (size_t i = 0; i < count; i++) total += pieces[i].iov_len;
  cs_passed passed = {.when = cs_clock_now(&s->w.state->clock), .count = n < total ? n : total};
  passed.direction = direction;
  passed.wire = wire;
  pass(s, &passed, pieces, count);
}

void cs_traffic_bytes(cs_sock *s, char direction, bool wire, const char *bytes, size_t n) {
  struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = n};
  cs_traffic_pieces(s, direction, wire, &piece, 1, n);
}

void cs_traffic_file(cs_sock *s, size_t n) {
  cs_passed passed = {
      .when = cs_clock_now(&s->w.state->clock), .count = n, .direction = '>', .counted = true};
  pass(s, &passed, NULL, 0);
}

/* --- reading --- */

static cs_passed *first_loss(cs_tap *tap) {
  for (size_t i = 0; i < sizeof tap->lost / sizeof *tap->lost; i++)
    if (tap->lost[i].count > 0) return &tap->lost[i];
  return NULL;
}

bool cs_traffic_next(cs_tap *tap, cs_passed *passed, const char **bytes) {
  const cs_passed *loss;
  *bytes = NULL;
  if (tap->queue.len > 0) {
    memcpy(passed, cs_bytes_at(&tap->queue, 0), sizeof *passed);
    *bytes = cs_bytes_at(&tap->queue, sizeof *passed);
  } else if ((loss = first_loss(tap)) != NULL) {
    *passed = *loss;
  } else {
    tap->losing = false;
    return false;
  }
  return true;
}

void cs_traffic_take(cs_tap *tap, const cs_passed *passed) {
  if (tap->queue.len > 0)
    cs_bytes_consume(&tap->queue, sizeof *passed + (passed->counted ? 0 : (size_t)passed->count));
  else
    first_loss(tap)->count = 0;
}

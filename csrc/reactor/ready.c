/* ready.c: the handles that the loop's hub has to serve: see hub.c. */
#include "../wait/records.h"

#include <stdlib.h>

#define SPARES 256 /* at the most: 1 MiB */

/* --- the list of those that are ready --- */

void cs_hub_append(cs_hub *hub, cs_watched *w) {
  if (w->next != NULL) return; /* it is in the list */
  if (hub->last == NULL) {
    w->next = w;
  } else {
    w->next = hub->last->next;
    hub->last->next = w;
  }
  hub->last = w;
  hub->count++;
}

cs_watched *cs_hub_take(cs_hub *hub) {
  cs_watched *last = hub->last, *first = last->next;
  if (first == last)
    hub->last = NULL;
  else
    last->next = first->next;
  first->next = NULL;
  hub->count--;
  return first;
}

void cs_hub_unlist(cs_hub *hub, cs_watched *w) {
  if (w->next == NULL) return;
  cs_watched *before = hub->last;
  while (before->next != w) before = before->next;
  before->next = w->next;
  if (hub->last == w) hub->last = before == w ? NULL : before;
  w->next = NULL;
  hub->count--;
  if (hub->turn > hub->count) hub->turn = hub->count;
}

void cs_hub_forget(cs_hub *hub, cs_watched *w) {
  if (hub->served == w) hub->served = NULL;
  cs_hub_unlist(hub, w);
  cs_out_drop(hub, w);
}

/* --- readiness --- */

static bool reads(const cs_watched *w) {
  return (w->flags & CS_W_HUB_READ) && (w->out == NULL || !w->out->held);
}

unsigned cs_hub_wants(const cs_watched *w) {
  unsigned wants = 0;
  if (reads(w) && !(w->flags & CS_W_READ)) wants |= CS_READ;
  if ((w->flags & (CS_W_HUB_WRITE | CS_W_WRITE)) == CS_W_HUB_WRITE) wants |= CS_WRITE;
  return wants;
}

unsigned cs_hub_due(const cs_watched *w) {
  unsigned ready = 0;
  if (reads(w) && (w->flags & CS_W_READ)) ready |= CS_READ;
  if ((w->flags & CS_W_HUB_WRITE) && (w->flags & CS_W_WRITE)) ready |= CS_WRITE;
  if (w->out != NULL ? w->out->failed != 0 : (w->flags & CS_W_HUB_SENT) != 0) ready |= CS_HANGUP;
  return ready;
}

void cs_hub_ready(cs_loop *loop, cs_watched *w) {
  if (w == loop->hub.served || cs_hub_due(w) == 0) return;
  cs_hub_append(&loop->hub, w);
  cs_waitq_wake(&loop->hub.waiters, false);
}

/* --- what is to be sent --- */

/* An idle connection has none, and a busy one no new one for each message. */
cs_out *cs_out_make(cs_hub *hub, cs_watched *w) {
  cs_out *out = hub->spares;
  if (out != NULL) {
    hub->spares = out->spare;
    hub->nspares--;
  } else {
    out = calloc(1, sizeof *out);
  }
  if (out != NULL) out->w = w;
  w->out = out;
  return out;
}

void cs_out_drop(cs_hub *hub, cs_watched *w) {
  cs_out *out = w->out;
  if (out == NULL) return;
  w->out = NULL;
  cs_turn_end_leave(&out->end);
  out->failed = 0;
  out->sent = 0;
  out->held = false;
  out->bytes.len = out->bytes.head = 0;
  if (out->bytes.capacity > CS_BYTES_IDLE) cs_bytes_free(&out->bytes);
  if (hub->nspares < SPARES) {
    out->spare = hub->spares;
    hub->spares = out;
    hub->nspares++;
  } else {
    cs_bytes_free(&out->bytes);
    free(out);
  }
}

void cs_out_free_spares(cs_hub *hub) {
  while (hub->spares != NULL) {
    cs_out *out = hub->spares;
    hub->spares = out->spare;
    cs_bytes_free(&out->bytes);
    free(out);
  }
  hub->nspares = SPARES; /* the sockets that are closed after this keep none */
}

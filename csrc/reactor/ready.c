/* ready.c: the handles that the loop's hub has to serve: see loop_hub.c. */
#include "../wait/records.h"

#include <stdlib.h>

#define SPARES 256 /* at the most: 1 MiB */

/* --- the list of those that are ready --- */

void cs_hub_append(cs_hub *hub, cs_handle *h) {
  if (h->next != NULL) return; /* it is in the list */
  if (hub->last == NULL) {
    h->next = h;
  } else {
    h->next = hub->last->next;
    hub->last->next = h;
  }
  hub->last = h;
  hub->count++;
}

cs_handle *cs_hub_take(cs_hub *hub) {
  cs_handle *last = hub->last, *first = last->next;
  if (first == last)
    hub->last = NULL;
  else
    last->next = first->next;
  first->next = NULL;
  hub->count--;
  return first;
}

void cs_hub_unlist(cs_hub *hub, cs_handle *h) {
  if (h->next == NULL) return;
  cs_handle *before = hub->last;
  while (before->next != h) before = before->next;
  before->next = h->next;
  if (hub->last == h) hub->last = before == h ? NULL : before;
  h->next = NULL;
  hub->count--;
  if (hub->turn > hub->count) hub->turn = hub->count;
}

void cs_hub_forget(cs_hub *hub, cs_handle *h) {
  if (hub->served == h) hub->served = NULL;
  cs_hub_unlist(hub, h);
  cs_out_drop(hub, h);
}

/* --- readiness --- */

unsigned cs_hub_wants(const cs_handle *h) {
  unsigned wants = 0;
  if ((h->flags & (CS_H_HUB_READ | CS_H_READ)) == CS_H_HUB_READ) wants |= CS_READ;
  if ((h->flags & (CS_H_HUB_WRITE | CS_H_WRITE)) == CS_H_HUB_WRITE) wants |= CS_WRITE;
  return wants;
}

unsigned cs_hub_due(const cs_handle *h) {
  unsigned ready = 0;
  if ((h->flags & CS_H_HUB_READ) && (h->flags & CS_H_READ)) ready |= CS_READ;
  if ((h->flags & CS_H_HUB_WRITE) && (h->flags & CS_H_WRITE)) ready |= CS_WRITE;
  if (h->out != NULL ? h->out->failed != 0 : (h->flags & CS_H_HUB_SENT) != 0) ready |= CS_HANGUP;
  return ready;
}

void cs_hub_ready(cs_loop *loop, cs_handle *h) {
  if (h == loop->hub.served || cs_hub_due(h) == 0) return;
  cs_hub_append(&loop->hub, h);
  cs_wake(&loop->hub.waiters, false);
}

/* --- what is to be sent --- */

/* An idle connection has none, and a busy one no new one for each message. */
cs_out *cs_out_make(cs_hub *hub, cs_handle *h) {
  cs_out *out = hub->spares;
  if (out != NULL) {
    hub->spares = out->spare;
    hub->nspares--;
  } else {
    out = calloc(1, sizeof *out);
  }
  if (out != NULL) out->h = h;
  h->out = out;
  return out;
}

void cs_out_drop(cs_hub *hub, cs_handle *h) {
  cs_out *out = h->out;
  if (out == NULL) return;
  h->out = NULL;
  cs_turn_leave(&out->end);
  out->failed = 0;
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

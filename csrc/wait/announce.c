/* announce.c: when the loop has something to do, and a host that is told so. */
#include "announce.h"

/* Whether a host has seen something, which the poller gives in the next turn. */
static bool is_fed(const cs_loop *loop) {
  return loop->ops == &cs_poller_of_host && loop->poller != NULL &&
         cs_poller_host_fed(loop->poller);
}

/* The instant of it; 0: now. */
static int64_t due_at(const cs_loop *loop) {
  if (!cs_waitq_empty(&loop->ready) || loop->next < loop->count || is_fed(loop)) return 0;
  const cs_timer *timer = cs_timers_first(&loop->timers);
  return timer != NULL ? timer->when : CS_FOREVER;
}

int64_t cs_announce_due(const cs_loop *loop) {
  int64_t at = due_at(loop);
  return at == 0 ? 0 : cs_clock_left(&loop->state->clock, at);
}

void cs_announce(cs_loop *loop) {
  cs_state *state = loop->state;
  if (state->timer == NULL) return;
  int64_t at = due_at(loop);
  if (at == state->due_told) return;
  state->due_told = at;
  int64_t left = cs_announce_due(loop);
  state->timer(state->watcher.ud, left == CS_FOREVER ? -1 : cs_clock_to_seconds(left));
}

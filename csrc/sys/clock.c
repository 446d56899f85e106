/* clock.c: monotonic time. Seconds exist only where Lua meets C; inside, all times are int64_t
   nanoseconds. */
#include "clock.h"

#include <math.h>

#define NS_PER_S 1000000000

const cs_clock cs_clock_system = {0};

int64_t cs_clock_now(const cs_clock *clock) {
  struct timespec t;
  if (clock->stands != 0) return clock->stands;
  clock_gettime(CLOCK_MONOTONIC, &t); /* cannot fail: the clock exists and t is ours */
  return (int64_t)t.tv_sec * NS_PER_S + t.tv_nsec + clock->ahead;
}

void cs_clock_stop(cs_clock *clock) {
  int64_t now = cs_clock_now(clock);
  clock->stands = now + NS_PER_S - now % NS_PER_S;
}

void cs_clock_go(cs_clock *clock) {
  clock->ahead = clock->stands - cs_clock_now(&cs_clock_system);
  clock->stands = 0;
}

void cs_clock_move(cs_clock *clock, int64_t instant) {
  if (instant > clock->stands) clock->stands = instant;
}

int cs_clock_from_seconds(double seconds, int64_t *ns) {
  if (!(seconds >= 0)) return EINVAL; /* catches NaN too */
  double exact = ceil(seconds * NS_PER_S);
  *ns = exact < 9.2e18 ? (int64_t)exact : CS_FOREVER;
  return 0;
}

double cs_clock_to_seconds(int64_t ns) {
  return (double)ns / NS_PER_S;
}

int64_t cs_clock_deadline(const cs_clock *clock, int64_t timeout_ns) {
  if (timeout_ns == CS_FOREVER) return CS_FOREVER; /* most waits: without asking for the time */
  int64_t now = cs_clock_now(clock);
  return timeout_ns < CS_FOREVER - now ? now + timeout_ns : CS_FOREVER;
}

int64_t cs_clock_left(const cs_clock *clock, int64_t deadline_ns) {
  if (deadline_ns == CS_FOREVER) return CS_FOREVER;
  int64_t left = deadline_ns - cs_clock_now(clock);
  return left > 0 ? left : 0;
}

struct timespec cs_clock_timespec(int64_t ns) {
  return (struct timespec){.tv_sec = (time_t)(ns / NS_PER_S), .tv_nsec = (long)(ns % NS_PER_S)};
}

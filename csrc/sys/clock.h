/* clock.h: monotonic time in nanoseconds, and deadlines. Each Lua state has a clock of its own, on
   which its waits are timed. */
#ifndef CS_CLOCK_H
#define CS_CLOCK_H

#include "port.h"

#define CS_FOREVER INT64_MAX /* a timeout or a deadline that never passes */

typedef struct cs_clock {
  int64_t stands; /* the instant at which it stands still; 0: it goes, as the system's */
  int64_t ahead;  /* of the system's, while it goes */
} cs_clock;

/* The system's, CLOCK_MONOTONIC: for what is about real time, whatever a state's clock shows. */
extern const cs_clock cs_clock_system;

int64_t cs_clock_now(const cs_clock *clock);

/* It stands still from now on, at a whole second, so that Lua's numbers are exact; it goes on from
   where it stands. */
void cs_clock_stop(cs_clock *clock);
void cs_clock_go(cs_clock *clock);

/* Of one that stands still: it stands at a later instant now. */
void cs_clock_move(cs_clock *clock, int64_t instant);

/* Seconds to nanoseconds, rounded up so that no wait ends early; a time beyond 292 years is
   CS_FOREVER. 0, or EINVAL for a negative number or NaN. */
int cs_clock_from_seconds(double seconds, int64_t *ns);

double cs_clock_to_seconds(int64_t ns);

/* The instant `timeout_ns` from now; CS_FOREVER stays CS_FOREVER. */
int64_t cs_clock_deadline(const cs_clock *clock, int64_t timeout_ns);

/* What is left until the deadline: >= 0, or CS_FOREVER. */
int64_t cs_clock_left(const cs_clock *clock, int64_t deadline_ns);

/* The same for system calls. */
struct timespec cs_clock_timespec(int64_t ns);

#endif

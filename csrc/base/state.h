/* state.h: the record of one Lua state. */
#ifndef CS_STATE_H
#define CS_STATE_H

#include "class.h"
#include "../csock.h"
#include "../sys/clock.h"
#include "../sys/list.h"
#include "../sys/poller.h"

struct cs_resolver;
struct cs_loop;
struct cs_loop_calls;

/* One for each Lua state; it lives until the state closes. */
typedef struct cs_state {
  const cs_class *cls;
  char *scratch;                /* CS_SCRATCH bytes to receive into, before they become a string */
  cs_clock clock;               /* on which its waits are timed */
  int64_t default_timeout;      /* ns; Python's setdefaulttimeout; CS_FOREVER = blocking */
  struct cs_resolver *resolver; /* lookup.c's; NULL once the state closes */
  struct cs_loop *loop;         /* made on first use by loop.c */
  const struct cs_loop_calls *loop_calls; /* how waiting reaches it: loop.c's */
  unsigned transports;                    /* how many sockets have one: transport.c */
  unsigned held; /* descriptors that objects hold (forgotten objects too), and those that follow */
  unsigned char *given; /* given.c's: the numbers that the program has, a bit for each */
  size_t given_size;
  unsigned held_then;                /* ... after the collection of garbage for their sake, */
  int64_t collected;                 /* ... the last one, of this time; 0: there was none */
  cs_list taps;                      /* of its sockets: traffic.c */
  bool debug;                        /* sockets that are made are listed: ledger.c; */
  unsigned listed;                   /* ... so many were */
  uint64_t received, sent, accepted; /* bytes and connections, by all of its sockets */
  /* NULL, or what tells who is to blame for an error: pushes a sequence of rows (their `made` is a
     place), or pushes nothing: false. `address`: a stack index, or 0. */
  bool (*holders)(lua_State *L, int err, int address);
  unsigned forks; /* csock.fork in this process, and in those that it comes from */
  /* A host's choices (csock.h); zero: none. */
  void *host;
  void (*log)(void *host, const char *what, const char *text);
  int (*pcall)(lua_State *L, int nargs, int nresults, void *host);
  unsigned max_held;
  unsigned step_tasks;
  cs_poller_host watcher;                    /* its loop watches the descriptors, */
  void (*timer)(void *host, double seconds); /* ... and is told when the next step is due, */
  int64_t due_told;                          /* ... the last time for then; CS_FOREVER: never */
  /* What policy.c asks, and how it stands. */
  csock_policy policy;
  bool policed;         /* somebody is to be asked: it, or a function, or both; */
  lua_State *judge;     /* ... a thread, the record's user value: policy.c; or NULL */
  bool asking;          /* somebody is being asked */
  bool kept;            /* by the registry: state.c */
  unsigned char *known; /* malloc; the numbers of descriptors that objects hold: a bit for each */
  size_t known_size;
  char reason[200]; /* why something was denied last */
} cs_state;

/* The record's user values. */
enum {
  CS_STATE_SCRATCH = 1,
  CS_STATE_POLICY,
  CS_STATE_LOOP,
  CS_STATE_HUB,
  CS_STATE_VALUES = CS_STATE_HUB
};

#define CS_SCRATCH 65536

/* NULL: there is none (yet). Needs room for a value on the stack; raises nothing. */
cs_state *cs_state_find(lua_State *L);

/* The same, or raises: a program has taken it out of the registry. */
cs_state *cs_state_get(lua_State *L);

/* Once, by luaopen_csock_core. */
void cs_state_make(lua_State *L);

/* The same for a host, before it. Nothing has used csock here yet, so what is known of a Lua state
   at this place is of one that was closed after a program had taken its record away. */
void cs_state_begin(lua_State *L);

/* Makes the value on the top the record's, as well, at CS_STATE_*: what the record points at. */
void cs_state_keep(lua_State *L, int value);

/* From now on somebody is asked; the Lua state can be given no other record. 0 or an errno value.
 */
int cs_state_police(lua_State *L, cs_state *state);

/* Whether `n` more descriptors may be held: 0, or EMFILE. */
static inline int cs_state_room(const cs_state *state, unsigned n) {
  return state->max_held != 0 && state->held + n > state->max_held ? EMFILE : 0;
}

/* An error that nobody else hears of: to the host, or to standard error. */
void cs_state_log(lua_State *L, const char *what, const char *text);

/* Whether a call that gave `err` is worth another try: out of descriptors, once for each `tried`,
   since garbage has been collected, with the forgotten objects that held some. That takes as long
   as the heap is large, so it happens once a second at most, and where none is held that was not
   there after the last time, once in ten. */
bool cs_may_retry(lua_State *L, int err, bool *tried);

#endif

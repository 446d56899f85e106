/* policy.c: what a policy that allows costs: nanoseconds of an ask with nobody to be asked, and of
   one that a C function allows: for a connect (an IPv4 and an IPv6 address), and for fork. */
#define _POSIX_C_SOURCE 200809L
#include "../../../csrc/base/policy.h"

#include <lualib.h>

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define CALLS  1000000
#define ROUNDS 21

static int allow(void *ud, const csock_ask *ask, const char **reason) {
  (void)reason;
  *(long *)ud += ask->what;
  return 0;
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static lua_State *open_state(csock_policy policy, long *asked) {
  csock_options options = {.size = sizeof options, .ud = asked, .policy = policy};
  lua_State *L = luaL_newstate();
  luaL_openlibs(L);
  if (csock_setup(L, &options) != 0) exit(1);
  return L;
}

static double measure(lua_State *L, const struct sockaddr *address, socklen_t len) {
  cs_state *state = cs_state_get(L);
  const cs_policy_place place = {CSOCK_ASK_CONNECT, AF_INET, SOCK_STREAM, 0, address, len};
  double begin = now();
  for (int i = 0; i < CALLS; i++) {
    int err = address != NULL ? cs_policy_address(L, state, "connect", &place)
                              : cs_policy_process(L, state, "fork");
    if (err != 0) exit(1);
  }
  return (now() - begin) / CALLS;
}

static int compare(const void *a, const void *b) {
  double x = *(const double *)a, y = *(const double *)b;
  return (x > y) - (x < y);
}

int main(void) {
  long asked = 0;
  struct sockaddr_in in = {.sin_family = AF_INET, .sin_port = htons(80)};
  struct sockaddr_in6 in6 = {.sin6_family = AF_INET6, .sin6_port = htons(80)};
  inet_pton(AF_INET, "192.0.2.1", &in.sin_addr);
  inet_pton(AF_INET6, "2001:db8::1", &in6.sin6_addr);
  const struct sockaddr *addresses[] = {(struct sockaddr *)&in, (struct sockaddr *)&in6, NULL};
  const socklen_t sizes[] = {sizeof in, sizeof in6, 0};
  lua_State *without = open_state(NULL, NULL), *with = open_state(allow, &asked);
  for (int which = 0; which < 3; which++) {
    double a[ROUNDS], b[ROUNDS];
    for (int i = 0; i < ROUNDS; i++) {
      a[i] = measure(without, addresses[which], sizes[which]);
      b[i] = measure(with, addresses[which], sizes[which]);
    }
    qsort(a, ROUNDS, sizeof *a, compare);
    qsort(b, ROUNDS, sizeof *b, compare);
    printf("%.1f %.1f\n", a[ROUNDS / 2], b[ROUNDS / 2]);
  }
  lua_close(without);
  lua_close(with);
  return asked > 0 ? 0 : 1;
}

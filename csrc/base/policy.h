/* policy.h: what a host allows its scripts (csock.h), asked at the moment of each action.
 *
 * Each function gives 0, at once where nobody is to be asked; or CS_DENIED, an errno value of our
 * own of which error.c makes EPERM, with the reason in its text. `call` is a literal, as for
 * errors. Whoever makes a system call with an effect outside of the Lua state asks first: a spec
 * knows the files that may make some (spec/policy/calls_spec.lua). */
#ifndef CS_POLICY_H
#define CS_POLICY_H

#include "given.h"

/* A socket is to be made. */
int cs_policy_socket(lua_State *L, cs_state *state, const char *call, int family, int type,
                     int proto);

/* CSOCK_ASK_BIND, CONNECT, LISTEN or SEND. `family` is the socket's. */
typedef struct cs_policy_place {
  int what;
  int family, type, proto;
  const struct sockaddr *address;
  socklen_t len;
} cs_policy_place;
int cs_policy_address(lua_State *L, cs_state *state, const char *call,
                      const cs_policy_place *place);

/* A name, or an address (NULL: none), is to be looked up. */
int cs_policy_lookup(lua_State *L, cs_state *state, const char *call, const char *host,
                     const char *service, const struct sockaddr *address, socklen_t len);

/* The socket's option; an ioctl has the level -1, and -1 for the rest where it is no socket. */
int cs_policy_option(lua_State *L, cs_state *state, const char *call, int family, int type,
                     int level, int option);

int cs_policy_process(lua_State *L, cs_state *state, const char *call);
int cs_policy_file(lua_State *L, cs_state *state, const char *call, const char *path);
int cs_policy_insecure(lua_State *L, cs_state *state, const char *call);

/* --- descriptors by their numbers --- */

/* A number that one of the state's objects has now, or that a call has given to the script
   (given.h) is its own. But what an object has may be another's tomorrow: so it may be copied and
   read from, but not taken over or closed behind the object's back; and whoever goes on to use a
   number that he does not own (cs_policy_follow) asks in any case. -1 is nobody's. */
int cs_policy_use(lua_State *L, cs_state *state, const char *call, int fd);
int cs_policy_take(lua_State *L, cs_state *state, const char *call, int fd);
int cs_policy_follow(lua_State *L, cs_state *state, const char *call, int fd);

/* Open descriptors are to be handed to another process, or (fd -1) may be received. */
int cs_policy_pass(lua_State *L, cs_state *state, const char *call, int fd);

void cs_policy_note(cs_state *state, int fd, bool held); /* without memory it stays foreign */

/* For whoever makes or closes an object's. */
static inline void cs_policy_know(cs_state *state, int fd, bool held) {
  if (state->policed) cs_policy_note(state, fd, held);
}

#endif

/* policy.c: asks the host's C function, or a function of Lua's, or both.
 *
 * The function of Lua's lies on the stack of a thread, the judge, which is a user value of the
 * state's record (state.c): programs get at neither. It runs there without a hook, so that
 * debug.sethook sees nothing of it. No garbage is collected meanwhile: a finalizer would run on
 * that thread, and find the function by debug.getinfo. What it is given is made of plain tables,
 * numbers and strings, and while it runs those, and all values that share a metatable, are as they
 * were when the policy was set: a script could answer for ("path").host by string.host. */
#include "policy.h"
#include "error.h"
#include "parts.h"
#include "../sys/sockaddr.h"

#include <stdio.h>
#include <stdlib.h>

static void say(cs_state *state, const char *reason) {
  snprintf(state->reason, sizeof state->reason, "%s", reason);
}

/* --- a function of Lua's --- */

typedef struct judgement {
  cs_state *state;
  const csock_ask *ask;
  bool allowed;
} judgement;

static void set_number(lua_State *L, const char *field, int number) {
  if (number != -1) cs_set_int(L, field, number);
}

/* Pushes a table of the address's parts, by their places and by name; or AF_UNIX's path. */
static void push_place(lua_State *L, const csock_ask *ask) {
  const struct sockaddr *address = ask->address;
  socklen_t len = (socklen_t)ask->address_len;
  int family = cs_sockaddr_family(address, len);
  if (family == AF_UNIX) {
    size_t path_len;
    const char *path = cs_unix_get(address, len, &path_len);
    lua_pushlstring(L, path, path_len);
    return;
  }
  lua_newtable(L);
  cs_set_int(L, "family", family);
  const cs_layout *layout = cs_layout_of(address, len, ask->protocol);
  if (layout == NULL) layout = cs_layout_of(address, len, 0);
  for (unsigned i = 0; layout != NULL && i < layout->count; i++) {
    cs_value value;
    cs_part_get(&layout->parts[i], address, len, &value);
    if (value.is_number)
      lua_pushinteger(L, (lua_Integer)value.number);
    else
      lua_pushlstring(L, value.bytes, value.len);
    lua_pushvalue(L, -1);
    lua_setfield(L, -3, layout->parts[i].name);
    lua_rawseti(L, -2, (lua_Integer)i + 1);
  }
}

static void push_ask(lua_State *L, const csock_ask *ask) {
  lua_createtable(L, 0, 8);
  cs_set_string(L, "what", ask->name);
  cs_set_string(L, "call", ask->call);
  set_number(L, "family", ask->family);
  set_number(L, "type", ask->type);
  set_number(L, "proto", ask->protocol);
  cs_set_string(L, "host", ask->host);
  cs_set_string(L, "service", ask->service);
  cs_set_string(L, "path", ask->path);
  set_number(L, "fd", ask->fd);
  set_number(L, "level", ask->level);
  set_number(L, "option", ask->option);
  if (ask->address != NULL) {
    push_place(L, ask);
    lua_setfield(L, -2, "address");
  }
}

/* What lies on the judge's stack, for as long as the state is open. */
enum { JUDGE_FUNCTION = 1, JUDGE_STRING, JUDGE_STRING_META, JUDGE_TOP = JUDGE_STRING_META };

static const int sharing[] = {LUA_TNIL,    LUA_TBOOLEAN,  LUA_TLIGHTUSERDATA, LUA_TNUMBER,
                              LUA_TSTRING, LUA_TFUNCTION, LUA_TTHREAD};

/* Pushes a value of the type. No memory is needed. */
static void push_sample(lua_State *judge, int type) {
  switch (type) {
  case LUA_TBOOLEAN:
    lua_pushboolean(judge, 0);
    break;
  case LUA_TLIGHTUSERDATA:
    lua_pushlightuserdata(judge, NULL);
    break;
  case LUA_TNUMBER:
    lua_pushinteger(judge, 0);
    break;
  case LUA_TSTRING:
    lua_pushvalue(judge, JUDGE_STRING);
    break;
  case LUA_TFUNCTION:
    lua_pushvalue(judge, JUDGE_FUNCTION);
    break;
  case LUA_TTHREAD:
    lua_pushthread(judge);
    break;
  default:
    lua_pushnil(judge);
  }
}

/* Pushes the metatables that types share, and puts those in their place that the policy is to see:
   strings' own, and none for the others. */
static void hide_metatables(lua_State *judge) {
  for (size_t i = 0; i < CS_COUNT(sharing); i++) {
    push_sample(judge, sharing[i]);
    if (!lua_getmetatable(judge, -1)) lua_pushnil(judge);
    lua_insert(judge, -2);
    if (sharing[i] == LUA_TSTRING)
      lua_pushvalue(judge, JUDGE_STRING_META);
    else
      lua_pushnil(judge);
    lua_setmetatable(judge, -2);
    lua_pop(judge, 1);
  }
}

/* Puts them back, and leaves nothing above the judge's own. */
static void restore_metatables(lua_State *judge) {
  for (size_t i = 0; i < CS_COUNT(sharing); i++) {
    push_sample(judge, sharing[i]);
    lua_pushvalue(judge, JUDGE_TOP + 1 + (int)i);
    lua_setmetatable(judge, -2);
    lua_pop(judge, 1);
  }
  lua_settop(judge, JUDGE_TOP);
}

/* Pushes a copy of the table at `idx`. */
static void push_copy(lua_State *L, int idx) {
  idx = lua_absindex(L, idx);
  lua_newtable(L);
  for (lua_pushnil(L); lua_next(L, idx) != 0;) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -4);
  }
}

/* Pushes a string, and a copy of strings' metatable and methods: nil where they have none. */
static void push_strings(lua_State *L) {
  lua_pushliteral(L, "");
  if (!lua_getmetatable(L, -1)) {
    lua_pushnil(L);
    return;
  }
  push_copy(L, -1);
  lua_replace(L, -2);
  lua_pushliteral(L, "__index");
  if (lua_rawget(L, -2) == LUA_TTABLE) {
    push_copy(L, -1);
    lua_setfield(L, -3, "__index");
  }
  lua_pop(L, 1);
}

/* judge_in_lua(judgement, function), in protected mode on the judge. */
static int judge_in_lua(lua_State *L) {
  judgement *j = (judgement *)lua_touserdata(L, 1);
  push_ask(L, j->ask);
  lua_call(L, 1, 2);
  j->allowed = lua_isboolean(L, -2) && lua_toboolean(L, -2);
  if (!j->allowed)
    say(j->state, lua_type(L, -1) == LUA_TSTRING ? lua_tostring(L, -1) : "denied by policy");
  return 0;
}

static bool is_allowed_by_lua(lua_State *L, cs_state *state, const csock_ask *ask) {
  judgement j = {.state = state, .ask = ask};
  lua_State *thread = state->judge;
  bool collects = lua_gc(L, LUA_GCISRUNNING) == 1;
  if (collects) lua_gc(L, LUA_GCSTOP);
  lua_sethook(thread, NULL, 0, 0);
  hide_metatables(thread);
  lua_pushcfunction(thread, judge_in_lua);
  lua_pushlightuserdata(thread, &j);
  lua_pushvalue(thread, JUDGE_FUNCTION);
  if (lua_pcall(thread, 2, 0, 0) != LUA_OK) {
    j.allowed = false;
    say(state,
        lua_type(thread, -1) == LUA_TSTRING ? lua_tostring(thread, -1) : "the policy failed");
  }
  restore_metatables(thread);
  if (collects) lua_gc(L, LUA_GCRESTART);
  return j.allowed;
}

/* --- asking --- */

static int ask_host(lua_State *L, cs_state *state, const csock_ask *ask) {
  const char *reason = "denied by policy";
  bool allowed = true;
  if (state->asking) { /* what it wants to do itself, nobody could judge */
    say(state, "asked for by the policy itself");
    return CS_DENIED;
  }
  state->asking = true;
  if (state->policy != NULL && state->policy(state->host, ask, &reason) != 0) {
    allowed = false;
    say(state, reason != NULL ? reason : "denied by policy");
  }
  if (allowed && state->judge != NULL) allowed = is_allowed_by_lua(L, state, ask);
  state->asking = false;
  return allowed ? 0 : CS_DENIED;
}

static inline csock_ask new_ask(int what, const char *name, const char *call) {
  csock_ask ask = {.size = sizeof ask, .what = what, .name = name, .call = call};
  ask.family = ask.type = ask.protocol = ask.fd = ask.level = ask.option = -1;
  return ask;
}

int cs_policy_socket(lua_State *L, cs_state *state, const char *call, int family, int type,
                     int proto) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_SOCKET, "socket", call);
  ask.family = family;
  ask.type = type;
  ask.protocol = proto;
  return ask_host(L, state, &ask);
}

/* The address as the system takes it: one of no family is of the socket's, except where connect(2)
   is told by it to disconnect; and what it lacks at its end is zero. */
static const struct sockaddr *whole_address(const cs_policy_place *place, socklen_t *len,
                                            cs_sockaddr *room) {
  int family = cs_sockaddr_family(place->address, *len);
  bool anonymous = family == AF_UNSPEC && place->what != CSOCK_ASK_CONNECT;
  if (anonymous) family = place->family;
  const cs_layout *layout = cs_layout_find(family, place->proto, 0);
  if (layout == NULL) layout = cs_layout_find(family, 0, 0);
  socklen_t size = layout != NULL && layout->size > *len ? layout->size : *len;
  if ((!anonymous && size == *len) || *len == 0 || size > sizeof *room) return place->address;
  memset(room, 0, sizeof *room);
  memcpy(room, place->address, *len);
  room->any.sa_family = (sa_family_t)family;
  *len = size;
  return &room->any;
}

int cs_policy_address(lua_State *L, cs_state *state, const char *call,
                      const cs_policy_place *place) {
  static const char *const names[] = {"bind", "connect", "listen", "send"}; /* csock.h */
  cs_sockaddr whole, room;
  if (!state->policed) return 0;
  csock_ask ask = new_ask(place->what, names[place->what - CSOCK_ASK_BIND], call);
  ask.family = place->family;
  ask.type = place->type;
  ask.protocol = place->proto;
  bool destination = place->what == CSOCK_ASK_CONNECT || place->what == CSOCK_ASK_SEND;
  socklen_t len = place->len;
  ask.address = cs_sockaddr_meant(whole_address(place, &len, &whole), &len, destination, &room);
  ask.address_len = len;
  return ask_host(L, state, &ask);
}

int cs_policy_lookup(lua_State *L, cs_state *state, const char *call, const char *host,
                     const char *service, const struct sockaddr *address, socklen_t len) {
  cs_sockaddr room;
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_LOOKUP, "lookup", call);
  ask.host = host;
  ask.service = service;
  if (address != NULL) {
    ask.address = cs_sockaddr_meant(address, &len, false, &room);
    ask.address_len = len;
  }
  return ask_host(L, state, &ask);
}

int cs_policy_option(lua_State *L, cs_state *state, const char *call, int family, int type,
                     int level, int option) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_OPTION, "option", call);
  ask.family = family;
  ask.type = type;
  ask.level = level;
  ask.option = option;
  return ask_host(L, state, &ask);
}

int cs_policy_process(lua_State *L, cs_state *state, const char *call) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_PROCESS, "process", call);
  return ask_host(L, state, &ask);
}

int cs_policy_file(lua_State *L, cs_state *state, const char *call, const char *path) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_FILE, "file", call);
  ask.path = path;
  return ask_host(L, state, &ask);
}

int cs_policy_insecure(lua_State *L, cs_state *state, const char *call) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_INSECURE, "insecure", call);
  return ask_host(L, state, &ask);
}

/* --- descriptors by their numbers --- */

void cs_policy_note(cs_state *state, int fd, bool held) {
  if (fd < 0 || !state->kept) return;
  size_t byte = (size_t)fd / 8;
  unsigned char bit = (unsigned char)(1u << (fd % 8));
  if (byte >= state->known_size) {
    size_t size = byte < 32 ? 32 : byte * 2;
    unsigned char *bits = held ? (unsigned char *)realloc(state->known, size) : NULL;
    if (bits == NULL) return;
    memset(bits + state->known_size, 0, size - state->known_size);
    state->known = bits;
    state->known_size = size;
  }
  state->known[byte] &= (unsigned char)~bit;
  if (held) state->known[byte] |= bit;
}

static bool is_held(const cs_state *state, int fd) {
  size_t byte = (size_t)fd / 8;
  return byte < state->known_size && (state->known[byte] >> (fd % 8) & 1) != 0;
}

int cs_policy_pass(lua_State *L, cs_state *state, const char *call, int fd) {
  if (!state->policed) return 0;
  csock_ask ask = new_ask(CSOCK_ASK_DESCRIPTOR, "descriptor", call);
  ask.fd = fd;
  return ask_host(L, state, &ask);
}

int cs_policy_use(lua_State *L, cs_state *state, const char *call, int fd) {
  if (!state->policed || fd < 0 || is_held(state, fd) || cs_given_has(state, fd)) return 0;
  return cs_policy_pass(L, state, call, fd);
}

int cs_policy_take(lua_State *L, cs_state *state, const char *call, int fd) {
  if (!state->policed || fd < 0 || cs_given_has(state, fd)) return 0;
  return cs_policy_pass(L, state, call, fd);
}

int cs_policy_follow(lua_State *L, cs_state *state, const char *call, int fd) {
  return fd < 0 ? 0 : cs_policy_pass(L, state, call, fd);
}

/* --- from Lua --- */

/***
Has a function asked before anything is done outside of this Lua state: for a program that runs
scripts of others. It is set once, and stays. Where a host has a policy of its own (in C), both must
allow. What is denied gives `nil, err, EPERM` with the reason in the error's text.

The function is given a table: `what` is `"socket"`, `"bind"`, `"connect"`, `"listen"`, `"send"` (a
datagram to an address), `"lookup"`, `"descriptor"` (one that is known by its number, is handed to
another process, or may be received), `"option"` (that does more than change how the socket's own
bytes travel), `"process"`, `"file"`, or `"insecure"` (TLS without verification); `call` is the
function's name as in errors. Where they mean something: `family`, `type`, `proto` of the socket;
`address`, a table of its parts (`host`, `port`, `family` ...), for `AF_UNIX` the path; `host` and
`service` to be looked up; `path`; `fd`; `level`, `option` (an ioctl's has no level).

The address is the one that the system gets, after all look-ups. An IPv4 address in IPv6's notation
(`::ffff:127.0.0.1`) is given as the IPv4 address, and a destination `0.0.0.0` or `::` as the
`127.0.0.1` or `::1` that it is; one of no family that a datagram goes to is of the socket's family.

It runs apart from all tasks and must not wait. An error in it, and anything but true as its result,
denies; what it calls of csock that would be asked for is denied. No hook, coroutine or `debug`
function of a script gets at it, and the methods of strings (`ask.path:match`) are for it what they
were when it was set; but it is an ordinary function otherwise: keep what else it uses in local
variables (`local match = string.match`) or in an environment that scripts cannot change. What
it does not know, it should deny. What it does not cover: what `io`, `os`, `package.loadlib` and
other libraries in C do. Not in Python, where `sys.addaudithook` is alike.
@function policy
@tparam function f f(ask): true; or false or nil, and a reason
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBUSY`: there is one already; `ENOMEM`)
@usage
local denied = {["192.0.2.1"] = true}
csock.policy(function(ask)
  if ask.what == "connect" and denied[ask.address.host] then return false, "not this host" end
  return true
end)
print(csock.socket():connect {"192.0.2.1", 80})
--> nil connect ('192.0.2.1', 80): not this host [EPERM] 1
*/
static int policy_policy(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  cs_state *state = cs_state_get(L);
  if (state->judge != NULL) return cs_fail(L, "policy", EBUSY);
  int err = cs_state_police(L, state);
  if (err != 0) return cs_fail(L, "policy", err);
  lua_settop(L, 1);
  lua_State *judge = lua_newthread(L);
  lua_insert(L, 1);
  push_strings(L);
  lua_xmove(L, judge, JUDGE_TOP);
  cs_state_keep(L, CS_STATE_POLICY);
  state->judge = judge;
  lua_pushboolean(L, 1);
  return 1;
}

void cs_open_policy(lua_State *L) {
  lua_pushcfunction(L, policy_policy);
  lua_setfield(L, -2, "policy");
}

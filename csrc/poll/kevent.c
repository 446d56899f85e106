/* kevent.c: kevent objects: what kqueue objects are told, and what they tell. */
#include "kevent.h"
#include "../base/error.h"
#include "../base/parts.h"

#include <stdio.h>

#if CS_HAVE_KQUEUE

typedef struct kevent_object {
  const cs_class *cls;
  struct kevent e;
} kevent_object;

static const cs_class kevent_class = {"csock.kevent"};

struct kevent *cs_kevent_push(lua_State *L) {
  kevent_object *object = (kevent_object *)cs_object_new(L, &kevent_class, sizeof *object, 0);
  return &object->e;
}

struct kevent *cs_kevent_test(lua_State *L, int idx) {
  kevent_object *object = (kevent_object *)cs_object_test(L, idx, &kevent_class);
  return object == NULL ? NULL : &object->e;
}

static struct kevent *check_kevent(lua_State *L, int arg) {
  kevent_object *object = (kevent_object *)cs_object_check(L, arg, &kevent_class);
  return &object->e;
}

/* --- fields --- */

enum { IDENT, FILTER, FLAGS, FFLAGS, DATA, UDATA, FIELDS };

static const char *const names[] = {"ident", "filter", "flags", "fflags", "data", "udata"};

/* The systems' types differ in these fields; their values fit into ours. */
static lua_Integer kevent_get(const struct kevent *e, int field) {
  switch (field) {
  case IDENT:
    return (lua_Integer)e->ident;
  case FILTER:
    return (lua_Integer)e->filter;
  case FLAGS:
    return (lua_Integer)e->flags;
  case FFLAGS:
    return (lua_Integer)e->fflags;
  case DATA:
    return (lua_Integer)e->data;
  default:
    return (lua_Integer)(uintptr_t)e->udata;
  }
}

/* The field := the argument; raises when it does not fit. */
static void set(lua_State *L, struct kevent *e, int field, int arg) {
  switch (field) {
  case IDENT:
    e->ident = (uintptr_t)luaL_checkinteger(L, arg);
    break;
  case FILTER:
    e->filter = (short)cs_check_int(L, arg, SHRT_MIN, SHRT_MAX);
    break;
  case FLAGS:
    e->flags = (unsigned short)cs_check_int(L, arg, 0, USHRT_MAX);
    break;
  case FFLAGS:
    e->fflags = (unsigned)cs_check_int(L, arg, 0, UINT_MAX);
    break;
  case DATA:
    e->data = (intptr_t)luaL_checkinteger(L, arg);
    break;
  default:
    e->udata = (void *)(uintptr_t)luaL_checkinteger(L, arg);
    break;
  }
}

static int field_of(lua_State *L, int arg) {
  int field = 0;
  while (field < FIELDS && !cs_is_text(L, arg, names[field])) field++;
  return field;
}

/***
Makes a kevent object: a change for a kqueue object, or an event of one. It has the fields `ident`,
`filter`, `flags`, `fflags`, `data` and `udata`, all integers that can be changed. Two are equal
when all fields are; `<` and `<=` compare field by field.

On systems that have kqueue(2) alone; nil on others.
Source: kqueue(2), Python's `select.kevent`.
@function kevent
@param ident what is watched: a socket, stream, descriptor, or anything with a `fileno` method, of
which the descriptor is taken; to some filters another number (a process, a signal)
@tparam[opt=KQ_FILTER_READ] int filter `KQ_FILTER_*`
@tparam[opt=KQ_EV_ADD] int flags `KQ_EV_*`
@tparam[opt=0] int fflags `KQ_NOTE_*`, as the filter has them
@tparam[opt=0] int data as the filter has it
@tparam[opt=0] int udata comes back with the events
@treturn[1] kevent
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EBADF`: the object is closed)
@usage
local event = csock.kevent(a, csock.KQ_FILTER_READ, csock.KQ_EV_ADD)
print(event.filter == csock.KQ_FILTER_READ) --> true
*/
static int new_kevent(lua_State *L) {
  bool number = lua_type(L, 1) == LUA_TNUMBER;
  int fd = number ? 0 : cs_check_fd(L, 1);
  if (fd < 0) return cs_fail_at(L, "kevent", EBADF, 1);
  struct kevent *e = cs_kevent_push(L);
  if (number)
    set(L, e, IDENT, 1);
  else
    e->ident = (uintptr_t)fd;
  e->filter = EVFILT_READ;
  e->flags = EV_ADD;
  for (int field = FILTER; field < FIELDS; field++)
    if (lua_gettop(L) > field + 1 && !lua_isnil(L, field + 1)) set(L, e, field, field + 1);
  return 1;
}

static int kevent_index(lua_State *L) {
  const struct kevent *e = check_kevent(L, 1);
  int field = field_of(L, 2);
  if (field == FIELDS) return 0;
  lua_pushinteger(L, kevent_get(e, field));
  return 1;
}

static int kevent_newindex(lua_State *L) {
  struct kevent *e = check_kevent(L, 1);
  int field = field_of(L, 2);
  if (field == FIELDS)
    return luaL_error(L, "a kevent has no field '%s'", luaL_tolstring(L, 2, NULL));
  set(L, e, field, 3);
  return 0;
}

/* <0, 0, >0, as Python's: the first field that differs counts. */
static int kevent_compare(lua_State *L) {
  const struct kevent *a = check_kevent(L, 1), *b = check_kevent(L, 2);
  for (int field = 0; field < FIELDS; field++) {
    lua_Integer x = kevent_get(a, field), y = kevent_get(b, field);
    if (x != y) return x < y ? -1 : 1;
  }
  return 0;
}

static int kevent_eq(lua_State *L) {
  bool both = cs_kevent_test(L, 1) != NULL && cs_kevent_test(L, 2) != NULL;
  lua_pushboolean(L, both && kevent_compare(L) == 0);
  return 1;
}

static int kevent_lt(lua_State *L) {
  lua_pushboolean(L, kevent_compare(L) < 0);
  return 1;
}

static int kevent_le(lua_State *L) {
  lua_pushboolean(L, kevent_compare(L) <= 0);
  return 1;
}

static int kevent_tostring(lua_State *L) {
  const struct kevent *e = check_kevent(L, 1);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addstring(&b, "<csock.kevent");
  for (int field = 0; field < FIELDS; field++) {
    bool bits = field == FLAGS || field == FFLAGS;
    char text[40];
    int len = snprintf(text, sizeof text, bits ? " %s=0x%llx" : " %s=%lld", names[field],
                       (long long)kevent_get(e, field));
    luaL_addlstring(&b, text, (size_t)len);
  }
  luaL_addchar(&b, '>');
  luaL_pushresult(&b);
  return 1;
}

static const luaL_Reg kevent_meta[] = {
    {"__eq", kevent_eq}, {"__index", kevent_index},       {"__le", kevent_le},
    {"__lt", kevent_lt}, {"__newindex", kevent_newindex}, {"__tostring", kevent_tostring},
    {NULL, NULL},
};

static const luaL_Reg kevent_functions[] = {{"kevent", new_kevent}, {NULL, NULL}};

void cs_open_kevent(lua_State *L) {
  cs_class_make(L, &kevent_class, NULL, kevent_meta);
  cs_setfuncs(L, kevent_functions);
}

#else

void cs_open_kevent(lua_State *L) {
  (void)L;
}

#endif

/* error.c: error values, and csock's four exception classes.
 *
 * An error value's fields are in a table that only this file sees, since the values are shared:
 * those without an address are made once for each (call, errno) and kept, so that a would-block or
 * a time-out allocates nothing. */
#include "error.h"
#include "errnos.h"
#include "parts.h"
#include "quote.h"
#include "rows.h"
#include "../sys/errtext.h"

#include <netdb.h>

static const char cache_key = 'c'; /* registry: key of (call, errno) -> error value */

static const cs_class error_class = {"csock.error"};

/* --- making --- */

/* Pushes a new error value; `address` is a stack index, or 0. */
static void push_new_error(lua_State *L, const char *call, const char *kind, int code,
                           const char *name, const char *text, int address) {
  if (address != 0) address = lua_absindex(L, address);
  luaL_checkstack(L, 5, NULL);
  cs_object_new(L, &error_class, sizeof(cs_class *), 1);
  lua_createtable(L, 0, 6);
  cs_set_int(L, "errno", code);
  cs_set_string(L, "name", name);
  cs_set_string(L, "strerror", text);
  cs_set_string(L, "call", call);
  cs_set_string(L, "kind", kind);
  if (address != 0 && !lua_isnoneornil(L, address)) {
    lua_pushvalue(L, address);
    lua_setfield(L, -2, "address");
  }
  lua_setiuservalue(L, -2, 1);
}

static int number_of(int err) {
  return err == CS_DENIED ? EPERM : err;
}

static void push_errno(lua_State *L, const char *call, int err, int address) {
  char text[128], unknown[32];
  if (err == CS_DENIED) {
    push_new_error(L, call, "error", EPERM, "EPERM", cs_state_get(L)->reason, address);
    return;
  }
  const char *name = cs_errno_name(err);
  if (name == NULL) {
    snprintf(unknown, sizeof unknown, "errno %d", err);
    name = unknown;
  }
  push_new_error(L, call, err == ETIMEDOUT ? "timeout" : "error", err, name,
                 cs_strerror(err, text, sizeof text), address);
}

/* Whether it is known who has taken what is missing: `holders` of the error value on the top. */
static bool blame(lua_State *L, int err, int address) {
  if (err != EMFILE && err != ENFILE && err != EADDRINUSE) return false;
  const cs_state *state = cs_state_get(L);
  if (state->holders == NULL || !state->holders(L, err, address)) return false;
  lua_getiuservalue(L, -2, 1);
  lua_insert(L, -2);
  lua_setfield(L, -2, "holders");
  lua_pop(L, 1);
  return true;
}

int cs_fail(lua_State *L, const char *call, int err) {
  /* One integer for the pair: errno values are below 4096, addresses below 2^52. */
  lua_Integer key = (lua_Integer)(((uintptr_t)call << 12) + (uintptr_t)err);
  luaL_checkstack(L, 6, NULL);
  lua_pushnil(L);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &cache_key);
  if (lua_rawgeti(L, -1, key) == LUA_TNIL) {
    lua_pop(L, 1);
    push_errno(L, call, err, 0);
    if (err != CS_DENIED && !blame(L, err, 0)) {
      lua_pushvalue(L, -1);
      lua_rawseti(L, -3, key);
    }
  }
  lua_remove(L, -2);
  lua_pushinteger(L, number_of(err));
  return 3;
}

int cs_fail_at(lua_State *L, const char *call, int err, int address) {
  address = lua_absindex(L, address);
  luaL_checkstack(L, 6, NULL);
  lua_pushnil(L);
  push_errno(L, call, err, address);
  blame(L, err, address);
  lua_pushinteger(L, number_of(err));
  return 3;
}

int cs_fail_words(lua_State *L, const char *call, const char *kind, int err,
                  const cs_words *words) {
  static const cs_words none = {.name = NULL};
  if (words == NULL) words = &none;
  luaL_checkstack(L, 6, NULL);
  lua_pushnil(L);
  push_errno(L, call, err, 0);
  lua_getiuservalue(L, -1, 1);
  cs_set_string(L, "kind", kind);
  if (words->text != NULL) cs_set_string(L, "strerror", words->text);
  if (words->name != NULL) cs_set_string(L, "name", words->name);
  for (size_t i = 0; i < CS_COUNT(words->more) && words->more[i].name != NULL; i++) {
    if (!words->more[i].integer || lua_stringtonumber(L, words->more[i].value) == 0)
      lua_pushstring(L, words->more[i].value);
    lua_setfield(L, -2, words->more[i].name);
  }
  lua_pop(L, 1);
  lua_pushinteger(L, number_of(err));
  return 3;
}

static const cs_constant gai_names[] = {
    CS_K(EAI_AGAIN),      CS_K(EAI_BADFLAGS), CS_K(EAI_FAIL),    CS_K(EAI_FAMILY),
    CS_K(EAI_MEMORY),     CS_K(EAI_NONAME),   CS_K(EAI_SERVICE), CS_K(EAI_SOCKTYPE),
    CS_K(EAI_SYSTEM),     CS_K(EAI_OVERFLOW),
#ifdef EAI_ADDRFAMILY
    CS_K(EAI_ADDRFAMILY),
#endif
#ifdef EAI_NODATA
    CS_K(EAI_NODATA),
#endif
};

static const cs_constant host_names[] = {
    CS_K(HOST_NOT_FOUND),
    CS_K(TRY_AGAIN),
    CS_K(NO_RECOVERY),
    CS_K(NO_DATA),
};

int cs_fail_gai(lua_State *L, const char *call, int code, int saved_errno, int address) {
  if (address != 0) address = lua_absindex(L, address);
  const char *name = "EAI";
  for (size_t i = 0; i < CS_COUNT(gai_names); i++)
    if (cs_constant_value(&gai_names[i]) == code) name = gai_names[i].name;
  luaL_checkstack(L, 6, NULL);
  lua_pushnil(L);
  if (code == EAI_SYSTEM) {
    push_errno(L, call, saved_errno, address);
    code = saved_errno;
  } else {
    push_new_error(L, call, "gaierror", code, name, gai_strerror(code), address);
  }
  lua_pushinteger(L, code);
  return 3;
}

int cs_fail_host(lua_State *L, const char *call, int code, int address) {
  if (address != 0) address = lua_absindex(L, address);
  const char *name = "HOST";
  for (size_t i = 0; i < CS_COUNT(host_names); i++)
    if (cs_constant_value(&host_names[i]) == code) name = host_names[i].name;
  luaL_checkstack(L, 6, NULL);
  lua_pushnil(L);
  push_new_error(L, call, "herror", code, name, hstrerror(code), address);
  lua_pushinteger(L, code);
  return 3;
}

int cs_result(lua_State *L, const char *call, int err) {
  if (err != 0) return cs_fail(L, call, err);
  lua_pushboolean(L, 1);
  return 1;
}

/* --- reading --- */

/***
What a failed call gives as its second result. `tostring(err)` reads
`connect ('127.0.0.1', 1): Connection refused [ECONNREFUSED]`, and `..` takes an error for its text.

Its fields cannot be changed. Those of a server's reply (`code`, `text`, `response`, `recipients`)
and of TLS (see @{csock.ssl}) are there where they mean something.
@type error
*/

/***
The number: errno, `EAI_*`, or `HOST_NOT_FOUND` and its like; nil where there is none.
@field error:errno
*/

/***
The name: `"ECONNREFUSED"`.
@field error:name
*/

/***
The system's words: `"Connection refused"`.
@field error:strerror
*/

/***
The call that has failed: `"connect"`.
@field error:call
*/

/***
`"error"`, `"timeout"`, `"gaierror"`, `"herror"`; or another family's: `"ssl"`, `"http"`, `"redis"`
...
@field error:kind
*/

/***
The address of what was looked up or connected to; nil where there is none.
@field error:address
*/

/***
What the call was a part of, in words: `"GET http://localhost/"`, as `within` has said it; otherwise
nil.
@field error:during
*/

/***
Of an error that has several causes: their errors, in order; otherwise nil.
@field error:errors
*/

/***
While `debug` is on: the rows of the sockets that have what is missing, as `sockets` gives them;
otherwise nil.
@field error:holders
*/

/* The fields of the error value that is argument 1. */
static void push_fields(lua_State *L) {
  cs_object_check(L, 1, &error_class);
  lua_getiuservalue(L, 1, 1);
}

/* __index; upvalue 1: the methods. */
static int error_index(lua_State *L) {
  push_fields(L);
  lua_pushvalue(L, 2);
  if (lua_rawget(L, -2) != LUA_TNIL) return 1;
  lua_pushvalue(L, 2);
  lua_rawget(L, lua_upvalueindex(1));
  return 1;
}

#define NAMED_PLACES 4 /* that are named */

/* Counts the rows of the sequence on the top by their `made`: pushes a table. */
static void count_places(lua_State *L) {
  int rows = lua_gettop(L), counts = rows + 1;
  lua_newtable(L);
  for (lua_Integer i = 1, n = (lua_Integer)lua_rawlen(L, rows); i <= n; i++) {
    lua_rawgeti(L, rows, i);
    if (lua_istable(L, -1) && lua_getfield(L, -1, "made") == LUA_TSTRING) {
      lua_pushvalue(L, -1);
      lua_rawget(L, counts);
      lua_pushinteger(L, lua_tointeger(L, -1) + 1);
      lua_replace(L, -2);
      lua_rawset(L, counts);
    }
    lua_settop(L, counts);
  }
}

/* In the place of the sequence of rows on the top: where these sockets were made, the places with
   most of them first. */
static void push_places(lua_State *L) {
  count_places(L);
  int counts = lua_gettop(L);
  lua_pushliteral(L, "");
  for (int i = 0;; i++) {
    lua_Integer most = 0;
    lua_pushnil(L); /* the place */
    for (lua_pushnil(L); lua_next(L, counts) != 0; lua_pop(L, 1)) {
      if (lua_tointeger(L, -1) <= most) continue;
      most = lua_tointeger(L, -1);
      lua_pushvalue(L, -2);
      lua_replace(L, counts + 2);
    }
    if (most == 0 || i == NAMED_PLACES) {
      lua_settop(L, counts + 1);
      if (most > 0) lua_pushliteral(L, ", ...");
      if (most > 0) lua_concat(L, 2);
      break;
    }
    lua_pushfstring(L, "%s%s%s (%I)", lua_tostring(L, counts + 1), i > 0 ? ", " : "",
                    lua_tostring(L, counts + 2), (LUAI_UACINT)most);
    lua_replace(L, counts + 1);
    lua_pushnil(L);
    lua_rawset(L, counts);
  }
  lua_replace(L, counts - 1);
  lua_settop(L, counts - 1);
}

/* The words: a `message` of its own, or "call address: strerror [name]". */
static void push_words(lua_State *L) {
  luaL_Buffer b;
  if (lua_getfield(L, 1, "message") == LUA_TSTRING) return;
  lua_getfield(L, 1, "call");
  lua_getfield(L, 1, "strerror");
  lua_getfield(L, 1, "name");
  lua_getfield(L, 1, "address");
  if (lua_type(L, 6) != LUA_TSTRING && !lua_isnil(L, 6)) luaL_tolstring(L, 6, NULL);
  luaL_buffinit(L, &b);
  lua_pushvalue(L, 3);
  luaL_addvalue(&b);
  if (!lua_isnil(L, 6)) {
    size_t len;
    luaL_addchar(&b, ' ');
    if (lua_type(L, 6) == LUA_TSTRING) {
      const char *s = lua_tolstring(L, 6, &len);
      cs_quote_add(&b, s, len);
    } else {
      lua_pushvalue(L, 7);
      luaL_addvalue(&b);
    }
  }
  luaL_addstring(&b, ": ");
  lua_pushvalue(L, 4);
  luaL_addvalue(&b);
  luaL_addstring(&b, " [");
  lua_pushvalue(L, 5);
  luaL_addvalue(&b);
  luaL_addchar(&b, ']');
  luaL_pushresult(&b);
}

static int error_tostring(lua_State *L) {
  push_fields(L);
  lua_replace(L, 1);
  lua_settop(L, 1);
  push_words(L);
  lua_copy(L, -1, 2);
  lua_settop(L, 2);
  if (lua_getfield(L, 1, "during") == LUA_TSTRING) {
    lua_pushliteral(L, ": ");
    lua_pushvalue(L, 2);
    lua_concat(L, 3);
  } else {
    lua_pop(L, 1);
  }
  if (lua_getfield(L, 1, "holders") != LUA_TTABLE) {
    lua_pop(L, 1);
    return 1;
  }
  push_places(L);
  lua_pushfstring(L, "%s\nheld by sockets made at: %s", lua_tostring(L, -2), lua_tostring(L, -1));
  return 1;
}

static int error_concat(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

static int error_readonly(lua_State *L) {
  return luaL_error(L, "error values are shared and read-only");
}

/***
Whether the error belongs to a class. Every error is a `csock.error`; a failed look-up is also a
`csock.gaierror` (getaddrinfo, getnameinfo) or a `csock.herror` (gethostbyname and its kin); a
time-out is also a `csock.timeout`.
Source: `isinstance` of an exception in Python.
@function error:is
@param class `csock.error`, `csock.herror`, `csock.gaierror` or `csock.timeout`
@treturn boolean
@usage
s:settimeout(0.01)
local data, err = s:recv(100)
print(err:is(csock.timeout)) --> true
*/
static int error_is(lua_State *L) {
  lua_settop(L, 2);
  push_fields(L);
  luaL_checktype(L, 2, LUA_TTABLE);
  lua_rawgeti(L, 2, 1); /* the class's kind */
  const char *wanted = lua_tostring(L, -1);
  if (wanted == NULL) return luaL_argerror(L, 2, "error class expected");
  lua_getfield(L, 3, "kind");
  const char *kind = lua_tostring(L, -1);
  lua_pushboolean(L, strcmp(wanted, "error") == 0 || (kind != NULL && strcmp(wanted, kind) == 0));
  return 1;
}

/***
The same error, of which is said what it came in the way of: `during` of the new one is those words,
before what it was; its text begins with them.
@function error:within
@tparam string words
@treturn error
@usage
local _, err = csock.create_connection("127.0.0.1", 1)
print(err:within "asking the printer")
--> asking the printer: create_connection ('127.0.0.1', 1): Connection refused [ECONNREFUSED]
*/
static int error_within(lua_State *L) {
  lua_settop(L, 2);
  luaL_checkstring(L, 2);
  push_fields(L);
  cs_object_new(L, &error_class, sizeof(cs_class *), 1);
  lua_createtable(L, 0, 8);
  for (lua_pushnil(L); lua_next(L, 3) != 0; lua_pop(L, 1)) {
    lua_pushvalue(L, -2);
    lua_pushvalue(L, -2);
    lua_rawset(L, 5);
  }
  lua_pushvalue(L, 2);
  if (lua_getfield(L, 3, "during") == LUA_TSTRING) {
    lua_pushliteral(L, ": ");
    lua_insert(L, -2);
    lua_concat(L, 3);
  } else {
    lua_pop(L, 1);
  }
  lua_setfield(L, 5, "during");
  lua_setiuservalue(L, 4, 1);
  return 1;
}

static int class_tostring(lua_State *L) {
  lua_rawgeti(L, 1, 1);
  lua_pushfstring(L, "csock.%s", lua_tostring(L, -1));
  return 1;
}

/***
Makes an error value, for code that reports failures in csock's way.
@function make_error
@tparam table fields
@tparam string fields.call
@tparam int fields.errno
@tparam[opt] string fields.kind
@tparam[opt] string fields.name
@tparam[opt] string fields.strerror
@param[opt] fields.address
@tparam[opt] string fields.message the whole text, instead of the usual one
@tparam[opt] {error,...} fields.errors what led to it
@tparam[opt] table fields.holders see `error`
@tparam[opt] int fields.code of a server's reply
@tparam[opt] string fields.text of a server's reply
@param[opt] fields.response a server's reply
@tparam[opt] table fields.recipients of a mail that a server has refused
@treturn nil always, so that it can be returned as a failure's results
@treturn error the value
@treturn int errno
@usage
local function fail() return csock.make_error {call = "greet", errno = csock.errno.EPROTO} end
print(select(2, fail()).name) --> EPROTO
*/
static int make_error(lua_State *L) {
  static const char *const copied[] = {"call",    "kind",     "name",       "strerror",
                                       "address", "message",  "errors",     "code",
                                       "text",    "response", "recipients", "holders"};
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 1);
  lua_getfield(L, 1, "call");
  const char *call = lua_tostring(L, -1);
  luaL_argcheck(L, call != NULL, 1, "field 'call': string expected");
  lua_getfield(L, 1, "errno");
  int isnum;
  lua_Integer err = lua_tointegerx(L, -1, &isnum);
  luaL_argcheck(L, isnum && err >= INT_MIN && err <= INT_MAX, 1, "field 'errno': int expected");
  lua_pushnil(L);
  push_errno(L, call, (int)err, 0);
  lua_getiuservalue(L, -1, 1);
  for (size_t i = 0; i < CS_COUNT(copied); i++) {
    lua_pushstring(L, copied[i]);
    lua_getfield(L, 1, copied[i]);
    if (lua_isnil(L, -1))
      lua_pop(L, 2);
    else
      lua_rawset(L, -3);
  }
  lua_pop(L, 1);
  lua_pushinteger(L, err);
  return 3;
}

/***
The class of every error: `err:is(csock.error)`.
Source: Python's `socket.error`, that is `OSError`.
@field error
*/

/***
The class of errors of `gethostbyname` and its kin: `err:is(csock.herror)`.
Source: Python's `socket.herror`.
@field herror
*/

/***
The class of errors of `getaddrinfo` and `getnameinfo`: `err:is(csock.gaierror)`.
Source: Python's `socket.gaierror`.
@field gaierror
*/

/***
The class of time-outs: `err:is(csock.timeout)`.
Source: Python's `socket.timeout`.
@field timeout
*/

static const luaL_Reg error_meta[] = {
    {"__tostring", error_tostring},
    {"__concat", error_concat},
    {"__newindex", error_readonly},
    {NULL, NULL},
};

static const luaL_Reg error_methods[] = {{"is", error_is}, {"within", error_within}, {NULL, NULL}};

static const luaL_Reg error_functions[] = {{"make_error", make_error}, {NULL, NULL}};

void cs_open_error(lua_State *L) {
  static const char *const classes[] = {"error", "herror", "gaierror", "timeout"};
  cs_setfuncs(L, error_functions);
  lua_newtable(L);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &cache_key);
  cs_class_make(L, &error_class, NULL, error_meta);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &error_class);
  lua_newtable(L);
  cs_setfuncs(L, error_methods);
  lua_pushcclosure(L, error_index, 1);
  lua_setfield(L, -2, "__index");
  lua_pop(L, 1);

  lua_newtable(L); /* the classes' metatable */
  lua_pushcfunction(L, class_tostring);
  lua_setfield(L, -2, "__tostring");
  for (size_t i = 0; i < CS_COUNT(classes); i++) {
    lua_newtable(L);
    lua_pushstring(L, classes[i]);
    lua_rawseti(L, -2, 1);
    lua_pushvalue(L, -2);
    lua_setmetatable(L, -2);
    lua_setfield(L, -3, classes[i]);
  }
  lua_pop(L, 1);
}

/* buffer.c: csock.buffer, mutable bytes. buffer_* = methods. Receiving into one and sending from
   one: transfer.c and message.c. */
#include "buffer.h"
#include "parts.h"

typedef struct cs_buffer {
  const cs_class *cls;
  size_t len;
  char bytes[]; /* inside the object, so that they cannot go while a call waits on them */
} cs_buffer;

/***
Bytes that can be changed. Closed, or at the end of a `<close>` variable's block, a buffer is empty.
@type buffer
*/
static const cs_class buffer_class = {"csock.buffer"};

/* What one system call can move; an allocation beyond it is a mistake of the program. */
#define MAX_SIZE INT_MAX

char *cs_buffer_test(lua_State *L, int idx, size_t *len) {
  cs_buffer *b = (cs_buffer *)cs_object_test(L, idx, &buffer_class);
  if (b == NULL) return NULL;
  *len = b->len;
  return b->bytes;
}

const char *cs_check_bytes(lua_State *L, int arg, size_t *len) {
  const char *s = lua_tolstring(L, arg, len); /* the usual case */
  if (s != NULL) return s;
  char *buffer = cs_buffer_test(L, arg, len);
  return buffer != NULL ? buffer : luaL_checklstring(L, arg, len);
}

static cs_buffer *check_buffer(lua_State *L) {
  return (cs_buffer *)cs_object_check(L, 1, &buffer_class);
}

static cs_buffer *push_new_buffer(lua_State *L, size_t len) {
  cs_buffer *b = (cs_buffer *)cs_object_new(L, &buffer_class, offsetof(cs_buffer, bytes) + len, 0);
  b->len = len;
  return b;
}

/***
Makes a mutable byte buffer, for `recv_into`, `recvfrom_into` and `recvmsg_into`, and for sending
without a copy: whatever sends bytes takes a buffer in place of a string. `#b` is its size in bytes,
which never changes. Positions are those of Lua's strings: the first byte is 1, negative ones count
from the end.
Source: Python's bytearray, as the socket calls use it.
@function buffer
@tparam int|string size how many bytes (0 .. 2^31-1; all are 0 at first), or a string to copy
@treturn buffer
@raise when the size is out of range, and "not enough memory"
@usage
local buffer = csock.buffer(4096)
a:send "hello"
local n = assert(b:recv_into(buffer))
print(buffer:sub(1, n)) --> hello
*/
static int new_buffer(lua_State *L) {
  if (lua_type(L, 1) == LUA_TSTRING) {
    size_t len;
    const char *bytes = lua_tolstring(L, 1, &len);
    if (len > MAX_SIZE) return luaL_argerror(L, 1, "string too long");
    memcpy(push_new_buffer(L, len)->bytes, bytes, len);
  } else {
    push_new_buffer(L, (size_t)cs_check_int(L, 1, 0, MAX_SIZE));
  }
  return 1;
}

/***
Bytes as integers, as `string.byte`.
@function buffer:byte
@int[opt=1] i position of the first byte
@int[opt=i] j position of the last byte
@treturn int... 0 .. 255, as many as there are between the positions
@usage print(csock.buffer("abc"):byte(1, -1)) --> 97 98 99
*/
static int buffer_byte(lua_State *L) {
  cs_buffer *b = check_buffer(L);
  size_t from, to;
  lua_settop(L, 3);
  if (lua_isnil(L, 3)) {
    lua_pushinteger(L, luaL_optinteger(L, 2, 1));
    lua_replace(L, 3);
  }
  cs_opt_range(L, 2, b->len, &from, &to);
  if (to - from > INT_MAX / 2) return luaL_error(L, "buffer slice too long");
  int count = (int)(to - from);
  luaL_checkstack(L, count, "buffer slice too long");
  for (; from < to; from++) lua_pushinteger(L, (unsigned char)b->bytes[from]);
  return count;
}

/***
A part of the buffer as a string, as `string.sub`.
@function buffer:sub
@int[opt=1] i position of the first byte
@int[opt=-1] j position of the last byte
@treturn string
@usage print(csock.buffer("hello"):sub(2, 3)) --> el
*/
static int buffer_sub(lua_State *L) {
  cs_buffer *b = check_buffer(L);
  size_t from, to;
  cs_opt_range(L, 2, b->len, &from, &to);
  lua_pushlstring(L, b->bytes + from, to - from);
  return 1;
}

/***
Overwrites bytes. The data must fit: a buffer does not grow.
@function buffer:set
@int i position of the first byte to write
@tparam string|buffer data the bytes
@treturn boolean true
@raise when the data would not fit
@usage
local b = csock.buffer "hello"
b:set(1, "J")
print(b:sub()) --> Jello
*/
static int buffer_set(lua_State *L) {
  cs_buffer *b = check_buffer(L);
  lua_Integer i = luaL_checkinteger(L, 2);
  size_t len;
  const char *data = cs_check_bytes(L, 3, &len);
  lua_Integer size = (lua_Integer)b->len;
  if (i < 0) i = i < -size ? 0 : size + i + 1;
  luaL_argcheck(L, i >= 1 && i <= size + 1, 2, "position outside the buffer");
  size_t at = (size_t)(i - 1);
  luaL_argcheck(L, len <= b->len - at, 3, "data does not fit into the buffer");
  memmove(b->bytes + at, data, len); /* the data may be a part of this very buffer */
  lua_pushboolean(L, 1);
  return 1;
}

/***
Sets every byte, or those of a part, to one value.
@function buffer:fill
@int value 0 .. 255
@int[opt=1] i position of the first byte
@int[opt=-1] j position of the last byte
@treturn boolean true
@usage
local b = csock.buffer "abc"
b:fill(0x78, 2)
print(b:sub()) --> axx
*/
static int buffer_fill(lua_State *L) {
  cs_buffer *b = check_buffer(L);
  int value = (int)cs_check_int(L, 2, 0, 255);
  size_t from, to;
  cs_opt_range(L, 3, b->len, &from, &to);
  memset(b->bytes + from, value, to - from);
  lua_pushboolean(L, 1);
  return 1;
}

/***
All bytes as a string. (`tostring(b)` only describes the buffer: `<csock.buffer 4096>`.)
@function buffer:tostring
@treturn string
@usage print(csock.buffer("abc"):tostring()) --> abc
*/
static int buffer_tostring(lua_State *L) {
  cs_buffer *b = check_buffer(L);
  lua_pushlstring(L, b->bytes, b->len);
  return 1;
}

/***
Makes the buffer empty, also at the end of a `<close>` variable's block. The memory goes with the
object itself.
@function buffer:close
@treturn boolean true
@usage
local b = csock.buffer(4096)
b:close()
print(#b) --> 0
*/
static int buffer_close(lua_State *L) {
  check_buffer(L)->len = 0;
  lua_pushboolean(L, 1);
  return 1;
}

static int buffer_len(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)check_buffer(L)->len);
  return 1;
}

static int buffer_describe(lua_State *L) {
  lua_pushfstring(L, "<csock.buffer %I>", (LUAI_UACINT)check_buffer(L)->len);
  return 1;
}

void cs_open_buffer(lua_State *L) {
  static const luaL_Reg methods[] = {
      {"byte", buffer_byte}, {"sub", buffer_sub},           {"set", buffer_set},
      {"fill", buffer_fill}, {"tostring", buffer_tostring}, {"close", buffer_close},
      {NULL, NULL},
  };
  static const luaL_Reg meta[] = {
      {"__len", buffer_len},
      {"__tostring", buffer_describe},
      {"__close", buffer_close},
      {NULL, NULL},
  };
  static const luaL_Reg functions[] = {{"buffer", new_buffer}, {NULL, NULL}};
  cs_class_make(L, &buffer_class, methods, meta);
  cs_setfuncs(L, functions);
}

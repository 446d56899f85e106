/* address_read.c: from arguments to an address. The values themselves: address.c. */
#include "address.h"
#include "../base/keywords.h"
#include "../base/parts.h"

#include <netdb.h>

/* Where the parts are found: in arguments (`table` is false), or in the table at `arg`. */
typedef struct reader {
  int arg, last;
  bool table;
} reader;

/* --- one part ----------------------------------------------------------------------------- */

/* Pushes the part as it was given, or nil; returns its type. A table has it by number or by name.
 */
static int push_read_part(lua_State *L, const reader *r, unsigned n, const cs_part *part) {
  if (r->table) {
    if (lua_geti(L, r->arg, (lua_Integer)n + 1) != LUA_TNIL) return lua_type(L, -1);
    lua_pop(L, 1);
    return lua_getfield(L, r->arg, part->name);
  }
  if (r->arg + (int)n <= r->last)
    lua_pushvalue(L, r->arg + (int)n);
  else
    lua_pushnil(L);
  return lua_type(L, -1);
}

static int part_arg(const reader *r, unsigned n) {
  return r->table ? r->arg : r->arg + (int)n;
}

static void wrong_type(lua_State *L, int arg, const char *name, const char *expected) {
  luaL_argerror(L, arg,
                lua_pushfstring(L, "%s: %s expected, got %s", name, expected,
                                lua_isnil(L, -1) ? "no value" : luaL_typename(L, -1)));
}

static void check_number(lua_State *L, int arg, const cs_part *part, cs_value *value) {
  int is_integer;
  lua_Integer n = lua_tointegerx(L, -1, &is_integer);
  if (!is_integer) {
    if (lua_type(L, -1) == LUA_TNUMBER)
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "%s: number has no integer representation", part->name));
    wrong_type(L, arg, part->name, "integer");
  }
  /* Sixty-four bits wide: any integer is meant as its bits. */
  bool fits =
      part->max == UINT64_MAX || (n >= (lua_Integer)part->min && n <= (lua_Integer)part->max);
  if (!fits)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%s: %I to %I expected, got %I", part->name,
                                  (LUAI_UACINT)part->min, (LUAI_UACINT)part->max, (LUAI_UACINT)n));
  value->is_number = true;
  value->number = (uint64_t)n;
}

static void check_string(lua_State *L, int arg, const char *name, const char *expected,
                         cs_value *value) {
  if (lua_type(L, -1) != LUA_TSTRING) wrong_type(L, arg, name, expected);
  value->bytes = lua_tolstring(L, -1, &value->len);
}

static void check_text(lua_State *L, int arg, const char *name, const char *expected,
                       cs_value *value) {
  check_string(L, arg, name, expected, value);
  if (strlen(value->bytes) != value->len)
    luaL_argerror(L, arg, lua_pushfstring(L, "%s: string contains a zero byte", name));
}

/* The value on the top, as this part. */
static void check_part(lua_State *L, int arg, const cs_part *part, cs_value *value) {
  *value = (cs_value){.is_number = false};
  switch (part->kind) {
  case CS_PART_NUMBER:
  case CS_PART_NETWORK:
  case CS_PART_SCOPE:
  case CS_PART_TIPC:
    check_number(L, arg, part, value);
    break;
  case CS_PART_INTERFACE:
    if (lua_type(L, -1) == LUA_TNUMBER)
      check_number(L, arg, part, value);
    else
      check_text(L, arg, part->name, "interface name or index", value);
    break;
  case CS_PART_HOST:
  case CS_PART_TEXT:
  case CS_PART_BLUETOOTH:
    check_text(L, arg, part->name, "string", value);
    break;
  case CS_PART_BYTES:
    check_string(L, arg, part->name, "string", value);
    if (value->len > part->size)
      luaL_argerror(L, arg,
                    lua_pushfstring(L, "%s: at most %d bytes expected, got %d", part->name,
                                    (int)part->size, (int)value->len));
    break;
  }
}

/* --- whole addresses ---------------------------------------------------------------------- */

static int read_parts(lua_State *L, const reader *r, const cs_layout *layout, int proto) {
  int top = lua_gettop(L);
  bool is_name = false; /* then the host, which is the first part, stays on the stack */
  cs_sockaddr addr;
  cs_sockaddr_init(&addr, layout);
  for (unsigned n = 0; n < layout->count; n++) {
    const cs_part *part = &layout->parts[n];
    if (push_read_part(L, r, n, part) != LUA_TNIL || n < layout->required) {
      cs_value value;
      check_part(L, part_arg(r, n), part, &value);
      int err = cs_part_put(part, &addr, &value);
      if (err == CS_PART_NAME) {
        is_name = true;
        continue;
      }
      if (err != 0) {
        lua_settop(L, top);
        return err;
      }
    }
    lua_pop(L, 1);
  }
  if (!is_name) {
    cs_address_push_object(L, &addr.any, layout->size, proto);
    return 0;
  }
  for (unsigned n = 1; n < 4; n++) { /* port, flowinfo, scope_id */
    cs_value value = {.number = 0};
    if (n < layout->count) cs_part_get(&layout->parts[n], &addr.any, layout->size, &value);
    lua_pushinteger(L, (lua_Integer)value.number);
  }
  return CS_ADDRESS_NAME;
}

static int read_unix(lua_State *L, const reader *r) {
  static const cs_part part = {.name = "path"};
  int top = lua_gettop(L);
  cs_value value;
  push_read_part(L, r, 0, &part);
  check_string(L, r->arg, part.name, "string", &value);
  /* Only an abstract name may have zero bytes, of which one is its first. */
  if (value.bytes[0] != '\0' && strlen(value.bytes) != value.len)
    luaL_argerror(L, r->arg, "path: string contains a zero byte");
  cs_sockaddr addr;
  socklen_t len;
  int err = cs_unix_put(&addr, &len, value.bytes, value.len);
  lua_settop(L, top);
  if (err == 0) cs_address_push_object(L, &addr.any, len, 0);
  return err;
}

static int read_address_value(lua_State *L, int arg, const cs_address *a, int family) {
  int its = cs_sockaddr_family(&a->sa, a->len);
  /* Connecting to AF_UNSPEC dissolves a datagram socket's association. */
  if (its != family && its != AF_UNSPEC) return EAFNOSUPPORT;
  lua_pushvalue(L, arg);
  return 0;
}

int cs_address_read(lua_State *L, int arg, int last, int family, int proto) {
  reader r = {.arg = arg, .last = last};
  if (arg > last) luaL_argerror(L, arg, "address expected, got no value");
  const cs_address *a = cs_address_test(L, arg);
  if (a != NULL) return read_address_value(L, arg, a, family);
  r.table = lua_istable(L, arg);
  if (family == AF_UNIX) return read_unix(L, &r);
  const cs_layout *layout = cs_layout_find(family, proto, 0);
  return layout != NULL ? read_parts(L, &r, layout, proto) : EAFNOSUPPORT;
}

bool cs_address_begins(lua_State *L, int arg, int last, int family, int proto) {
  const cs_layout *layout = family == AF_UNIX ? NULL : cs_layout_find(family, proto, 0);
  if (layout == NULL || last - arg + 1 > layout->required) return false;
  for (int i = arg; i <= last; i++)
    if (lua_istable(L, i) || lua_isuserdata(L, i)) return false; /* the whole address */
  switch (layout->parts[0].kind) {
  case CS_PART_NUMBER:
  case CS_PART_NETWORK:
  case CS_PART_INTERFACE:
  case CS_PART_TIPC:
    return lua_type(L, arg) == LUA_TNUMBER;
  default:
    return false;
  }
}

/* --- csock.address ------------------------------------------------------------------------ */

/* csock.address{raw = bytes} */
static int from_raw(lua_State *L) {
  cs_sockaddr addr;
  int proto = 0;
  cs_keyword_bytes raw = {.data = NULL};
  const cs_keyword rows[] = {
      {"raw", CS_KEYWORD_BYTES, &raw, 0, 0},
      {"proto", CS_KEYWORD_INT, &proto, 0, INT_MAX},
  };
  lua_settop(L, 1);
  cs_keywords_read(L, 1, rows, CS_COUNT(rows));
  luaL_argcheck(L, raw.data != NULL, 1, "raw: string expected, got no value");
  if (raw.len == 0 || raw.len > sizeof addr)
    luaL_argerror(
        L, 1,
        lua_pushfstring(L, "raw: 1 to %d bytes expected, got %d", (int)sizeof addr, (int)raw.len));
  memcpy(&addr, raw.data, raw.len); /* a string may be less aligned than a sockaddr */
  cs_address_push(L, &addr.any, (socklen_t)raw.len, proto);
  return 1;
}

static bool has_required(lua_State *L, const reader *r, const cs_layout *layout) {
  for (unsigned n = 0; n < layout->required; n++) {
    int type = push_read_part(L, r, n, &layout->parts[n]);
    lua_pop(L, 1);
    if (type == LUA_TNIL) return false;
  }
  return true;
}

/* The protocol, where the family's parts depend on it: the table's `proto`, else one whose parts
   have all been given. */
static int guess_proto(lua_State *L, int family, int arg, int last) {
  reader r = {.arg = arg, .last = last, .table = lua_istable(L, arg)};
  const cs_layout *layout = cs_layout_find(family, CS_ANY_PROTO, 0);
  if (layout == NULL || layout->proto == CS_ANY_PROTO) return 0;
  if (r.table && lua_getfield(L, arg, "proto") != LUA_TNIL) {
    int is_integer;
    lua_Integer proto = lua_tointegerx(L, -1, &is_integer);
    if (!is_integer || proto < 0 || proto > INT_MAX)
      luaL_argerror(L, arg, "proto: non-negative integer expected");
    lua_pop(L, 1);
    return (int)proto;
  }
  lua_settop(L, last);
  for (unsigned n = 0; layout != NULL; layout = cs_layout_find(family, CS_ANY_PROTO, ++n))
    if (layout->proto != CS_ANY_PROTO && has_required(L, &r, layout)) return layout->proto;
  return 0;
}

/***
Makes an address of any family that csock knows, also of one that this machine's kernel lacks.
Nothing is looked up: a host is a literal address (`%` and a zone may follow an IPv6 one:
`fe80::1%eth0`, `fe80::1%2`), `""` for any address or, for AF_INET, `"<broadcast>"`.
The type `address` has the names and the order of the parts. Optional are: `flowinfo` and
`scope_id`, all after `proto` of AF_PACKET, `scope` of AF_TIPC (TIPC_CLUSTER_SCOPE), `feat` and
`mask`. The parts of AF_CAN (1, 3 or 4 of them) tell the protocol; in a table, and for AF_BLUETOOTH,
the field `proto` may say it.

    csock.address(csock.AF_INET6, "fe80::1%eth0", 80)
    csock.address(csock.AF_NETLINK, {pid = 0, groups = 1})
    csock.address(csock.AF_BLUETOOTH, {"00:11:22:33:44:55", 3, proto = csock.BTPROTO_RFCOMM})
    csock.address{raw = s:getsockopt(csock.SOL_IP, 80, 16)}    -- Linux's SO_ORIGINAL_DST

Source: the address tuples of Python's socket module.
@function address
@tparam int|table family a `csock.AF_*` constant; or a table `{raw = bytes, proto = protocol}` with
the bytes (1 to 128 of them) of a `struct sockaddr` as the system uses it: one that is cut or of a
family that csock does not know becomes an address with just `family`, `raw` and `data`
@param ... the parts, a table of them, or an address of that family (which is returned)
@treturn[1] address|string the address; a string for AF_UNIX
@treturn[2] nil
@treturn[2] error EAI_NONAME for a host that is no literal address (kind `gaierror`), ENODEV for an
interface that is not there, ENAMETOOLONG for a path of 108 bytes and more, an abstract name of more
than 108 or an algorithm's name that is too long, EINVAL for a Bluetooth address that is none,
EAFNOSUPPORT for a family that csock does not know here
@treturn[2] int errno
@raise a part that is missing, of a wrong type or out of range
@usage
local address = assert(csock.address(csock.AF_INET, "127.0.0.1", 80))
print(address.host, address.port, address) --> 127.0.0.1 80 ('127.0.0.1', 80)
*/
static int address(lua_State *L) {
  if (lua_istable(L, 1)) return from_raw(L);
  int family = cs_check_cint(L, 1);
  int last = lua_gettop(L);
  int proto = last >= 2 ? guess_proto(L, family, 2, last) : 0;
  int err = cs_address_read(L, 2, last, family, proto);
  if (err == CS_ADDRESS_NAME) return cs_fail_gai(L, "address", EAI_NONAME, 0, last + 1);
  if (err != 0) return cs_fail(L, "address", err);
  const cs_address *a = cs_address_test(L, -1);
  cs_address_push(L, &a->sa, a->len, a->proto);
  return 1;
}

static const luaL_Reg address_functions[] = {{"address", address}, {NULL, NULL}};

void cs_open_address_read(lua_State *L) {
  cs_setfuncs(L, address_functions);
}

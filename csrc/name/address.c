/* address.c: address values, as a Lua program sees them. Making them from arguments:
   address_read.c; what is in a sockaddr: sys/sockaddr.c. */
#include "address.h"
#include "../base/parts.h"
#include "../base/quote.h"

#include <inttypes.h>
#include <netinet/in.h>
#include <stdio.h>

const cs_class cs_address_class = {"csock.address"};

/* Registry key of the weak-valued table of all addresses. The key in it is (port, host) as an
   integer for AF_INET, whose addresses are made for every datagram; for others the raw bytes.

   Strangers choose these, and Lua puts an integer in its place by a remainder. So that nobody can
   choose many for one place, integers are multiplied by an odd number, which keeps them distinct:
   one made of the table's address, as Lua itself seeds the places of strings. */
static const char interned = 'a';

/* --- making ------------------------------------------------------------------------------- */

static void push_new_address(lua_State *L, const cs_sockaddr *addr, socklen_t len, int proto) {
  size_t room = len < sizeof(struct sockaddr) ? sizeof(struct sockaddr) : len;
  cs_address *a =
      (cs_address *)cs_object_new(L, &cs_address_class, offsetof(cs_address, sa) + room, 0);
  a->proto = proto;
  a->len = len;
  memcpy((char *)a + offsetof(cs_address, sa), addr, len);
}

static void push_inet(lua_State *L, const struct sockaddr_in *in) {
  uint64_t seed = (uint64_t)(uintptr_t)lua_topointer(L, -1) * UINT64_C(0x9e3779b97f4a7c15) | 1;
  uint64_t both = (uint64_t)in->sin_port << 32 | in->sin_addr.s_addr;
  lua_Integer key = (lua_Integer)(both * seed);
  if (lua_rawgeti(L, -1, key) != LUA_TNIL) return;
  cs_sockaddr clean;
  socklen_t len = cs_sockaddr_clean(&clean, (const struct sockaddr *)in, sizeof *in,
                                    cs_layout_find(AF_INET, 0, 0));
  lua_pop(L, 1);
  push_new_address(L, &clean, len, 0);
  lua_pushvalue(L, -1);
  lua_rawseti(L, -3, key);
}

static void push_other(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto) {
  cs_sockaddr clean;
  char key[sizeof clean + sizeof proto];
  const cs_layout *layout = cs_layout_of(addr, len, proto);
  /* Cut before its protocol's parts end, it is one of protocol 0: whole, or foreign. */
  if (layout == NULL) layout = cs_layout_of(addr, len, proto = 0);
  if (layout != NULL && layout->proto == CS_ANY_PROTO) proto = 0;
  len = cs_sockaddr_clean(&clean, addr, len, layout);
  memcpy(key, &clean, len);
  memcpy(key + len, &proto, sizeof proto);
  lua_pushlstring(L, key, len + sizeof proto);
  lua_pushvalue(L, -1);
  if (lua_rawget(L, -3) != LUA_TNIL) {
    lua_remove(L, -2);
    return;
  }
  lua_pop(L, 1);
  push_new_address(L, &clean, len, proto);
  lua_insert(L, -2);
  lua_pushvalue(L, -2);
  lua_rawset(L, -4);
}

void cs_address_push_object(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto) {
  if (len > sizeof(cs_sockaddr)) len = sizeof(cs_sockaddr);
  size_t inet = offsetof(struct sockaddr_in, sin_addr) + sizeof(struct in_addr);
  lua_rawgetp(L, LUA_REGISTRYINDEX, &interned);
  if (cs_sockaddr_family(addr, len) == AF_INET && len >= inet)
    push_inet(L, (const struct sockaddr_in *)addr);
  else
    push_other(L, addr, len, proto);
  lua_remove(L, -2);
}

void cs_address_push(lua_State *L, const struct sockaddr *addr, socklen_t len, int proto) {
  if (len > sizeof(cs_sockaddr)) len = sizeof(cs_sockaddr);
  if (len == 0) {
    lua_pushnil(L);
  } else if (cs_sockaddr_family(addr, len) == AF_UNIX) {
    size_t path_len;
    const char *path = cs_unix_get(addr, len, &path_len);
    lua_pushlstring(L, path, path_len);
  } else {
    cs_address_push_object(L, addr, len, proto);
  }
}

int cs_fail_address(lua_State *L, const char *call, int err, const cs_address *addr) {
  cs_address_push(L, &addr->sa, addr->len, addr->proto);
  return cs_fail_at(L, call, err, -1);
}

/* --- looking inside ----------------------------------------------------------------------- */

const cs_address *cs_address_test(lua_State *L, int idx) {
  return (const cs_address *)cs_object_test(L, idx, &cs_address_class);
}

static const cs_address *check_address(lua_State *L, int arg, const cs_layout **layout) {
  const cs_address *a = (const cs_address *)cs_object_check(L, arg, &cs_address_class);
  *layout = cs_layout_of(&a->sa, a->len, a->proto);
  return a;
}

/* A foreign address has two parts, as in Python: its family, and the bytes that follow it. */
#define FOREIGN_PARTS 2

static unsigned count_parts(const cs_layout *layout) {
  return layout != NULL ? layout->count : FOREIGN_PARTS;
}

/* The n-th part (from 0) of any address. */
static void get_part(const cs_address *a, const cs_layout *layout, unsigned n, cs_value *value) {
  if (layout != NULL) {
    cs_part_get(&layout->parts[n], &a->sa, a->len, value);
  } else if (n == 0) {
    *value = (cs_value){.is_number = true};
    value->number = (uint64_t)cs_sockaddr_family(&a->sa, a->len);
  } else {
    size_t at = offsetof(struct sockaddr, sa_data);
    *value = (cs_value){.bytes = (const char *)&a->sa + at};
    value->len = a->len > at ? a->len - at : 0;
  }
}

static int push_address_part(lua_State *L, const cs_address *a, const cs_layout *layout,
                             unsigned n) {
  cs_value value;
  get_part(a, layout, n, &value);
  if (value.is_number)
    lua_pushinteger(L, (lua_Integer)value.number);
  else
    lua_pushlstring(L, value.bytes, value.len);
  return 1;
}

static int index_name(lua_State *L, const cs_address *a, const cs_layout *layout) {
  size_t len;
  const char *name = lua_tolstring(L, 2, &len);
  if (strlen(name) != len) return 0;
  if (strcmp(name, "family") == 0) {
    lua_pushinteger(L, cs_sockaddr_family(&a->sa, a->len));
    return 1;
  }
  if (strcmp(name, "raw") == 0) {
    lua_pushlstring(L, (const char *)&a->sa, a->len);
    return 1;
  }
  if (layout == NULL && strcmp(name, "data") == 0) return push_address_part(L, a, layout, 1);
  for (unsigned i = 0; layout != NULL && i < layout->count; i++)
    if (strcmp(name, layout->parts[i].name) == 0) return push_address_part(L, a, layout, i);
  return 0;
}

/***
A socket address: what `getsockname`, `accept`, `recvfrom`, `getaddrinfo` and the like give, and
what `csock.address` makes. It is Python's address tuple: `addr[1]`, `addr[2]` ... are its parts,
`#addr` their number, `table.unpack(addr)` gives them all and `tostring(addr)` is the tuple's text,
`('127.0.0.1', 1040)`. There is one value for each distinct address, so that `==` compares them and
they work as keys of a table; it cannot be changed.

`addr.family` is the `csock.AF_*` constant. `addr.raw` is the C library's `struct sockaddr` as a
string, for `ioctl`, `setsockopt` and the like (and `csock.address{raw = bytes}` the way back). The
parts have names, too, which are also the fields of a table given as an address:

* AF_INET: `host`, `port`
* AF_INET6: `host`, `port`, `flowinfo`, `scope_id`
* AF_NETLINK: `pid`, `groups`
* AF_PACKET: `ifname`, `proto`, `pkttype`, `hatype`, `addr` (the hardware address: bytes)
* AF_CAN: `interface`; for CAN_ISOTP `interface`, `rx_addr`, `tx_addr`; for CAN_J1939 `interface`,
  `name`, `pgn`, `addr`
* AF_TIPC: `addr_type`, `v1`, `v2`, `v3`, `scope`
* AF_VSOCK: `cid`, `port`
* AF_ALG: `type`, `name`, `feat`, `mask`
* AF_QIPCRTR: `node`, `port`
* AF_BLUETOOTH: `bdaddr`, `psm` (L2CAP); `bdaddr`, `channel` (RFCOMM); `device_id` (HCI);
  `bdaddr` (SCO)
* an address that is of no known family, or cut: `family`, `data` (the bytes after the family)

An interface is given as a name or an index, and read as its name (an index that has no name at
present reads as the number; `""` is no interface in particular). J1939's 64-bit `name` is a Lua
integer, so names from 2^63 on are negative.

An address of AF_UNIX is a plain string instead: a path, a name in Linux's abstract namespace
(beginning with a zero byte), or `""` for an unnamed socket.
@type address
*/

/***
The host: a name is never looked up for it; nil where the family has none.
@field address:host
*/

/***
The port, an integer; nil where the family has none.
@field address:port
*/

/***
The `csock.AF_*` constant.
@field address:family
*/

/***
The C library's `struct sockaddr`: bytes.
@field address:raw
*/
static int address_index(lua_State *L) {
  const cs_layout *layout;
  const cs_address *a = check_address(L, 1, &layout);
  if (lua_type(L, 2) == LUA_TSTRING) return index_name(L, a, layout);
  int is_integer;
  lua_Integer n = lua_tointegerx(L, 2, &is_integer);
  if (!is_integer || n < 1 || n > (lua_Integer)count_parts(layout)) return 0;
  return push_address_part(L, a, layout, (unsigned)n - 1);
}

static int address_newindex(lua_State *L) {
  return luaL_error(L, "an address cannot be changed");
}

static int address_len(lua_State *L) {
  const cs_layout *layout;
  check_address(L, 1, &layout);
  lua_pushinteger(L, (lua_Integer)count_parts(layout));
  return 1;
}

/* --- text --------------------------------------------------------------------------------- */

/* Whether the part is bytes rather than text: Python writes b'...' for them. */
static bool is_bytes(const cs_layout *layout, unsigned n) {
  return layout == NULL || layout->parts[n].kind == CS_PART_BYTES;
}

/* Python's tuple. */
static int address_tostring(lua_State *L) {
  const cs_layout *layout;
  const cs_address *a = check_address(L, 1, &layout);
  unsigned count = count_parts(layout);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  luaL_addchar(&b, '(');
  for (unsigned i = 0; i < count; i++) {
    cs_value value;
    get_part(a, layout, i, &value);
    if (i > 0) luaL_addstring(&b, ", ");
    if (value.is_number) {
      char digits[24];
      snprintf(digits, sizeof digits, "%" PRIu64, value.number);
      luaL_addstring(&b, digits);
    } else {
      if (is_bytes(layout, i)) luaL_addchar(&b, 'b');
      cs_quote_add(&b, value.bytes, value.len);
    }
  }
  luaL_addstring(&b, count == 1 ? ",)" : ")");
  luaL_pushresult(&b);
  return 1;
}

/* `..` works as it does on the strings that AF_UNIX has for addresses. */
static int address_concat(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  luaL_tolstring(L, 2, NULL);
  lua_concat(L, 2);
  return 1;
}

/* ------------------------------------------------------------------------------------------ */

static const luaL_Reg address_meta[] = {
    {"__index", address_index},       {"__newindex", address_newindex}, {"__len", address_len},
    {"__tostring", address_tostring}, {"__concat", address_concat},     {NULL, NULL},
};

void cs_open_address(lua_State *L) {
  cs_class_make(L, &cs_address_class, NULL, address_meta);
  lua_newtable(L);
  lua_createtable(L, 0, 1);
  lua_pushliteral(L, "v");
  lua_setfield(L, -2, "__mode");
  lua_setmetatable(L, -2);
  lua_rawsetp(L, LUA_REGISTRYINDEX, &interned);
}

/* convert.c: addresses and numbers to text and back, names of interfaces, services, protocols and
   of this host. Nothing here asks a name server; that is netdb.c. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/buffer.h"
#include "../base/parts.h"
#include "../sys/services.h"

#include <arpa/inet.h>
#include <net/if.h>
#include <netinet/in.h>

/* --- byte order --- */

/***
Turns a 32-bit number from the host's byte order to the network's.
Source: htonl(3), Python's `socket.htonl`.
@function htonl
@tparam int n 0 .. 2^32-1
@treturn int
@usage print(csock.ntohl(csock.htonl(1))) --> 1
*/
static int convert_htonl(lua_State *L) {
  lua_pushinteger(L, htonl((uint32_t)cs_check_int(L, 1, 0, UINT32_MAX)));
  return 1;
}

/***
Turns a 32-bit number from the network's byte order to the host's.
Source: ntohl(3), Python's `socket.ntohl`.
@function ntohl
@tparam int n 0 .. 2^32-1
@treturn int
@usage print(csock.ntohl(csock.htonl(1))) --> 1
*/
static int convert_ntohl(lua_State *L) {
  lua_pushinteger(L, ntohl((uint32_t)cs_check_int(L, 1, 0, UINT32_MAX)));
  return 1;
}

/***
Turns a 16-bit number from the host's byte order to the network's.
Source: htons(3), Python's `socket.htons`.
@function htons
@tparam int n 0 .. 65535
@treturn int
@usage print(csock.ntohs(csock.htons(80))) --> 80
*/
static int convert_htons(lua_State *L) {
  lua_pushinteger(L, htons((uint16_t)cs_check_int(L, 1, 0, UINT16_MAX)));
  return 1;
}

/***
Turns a 16-bit number from the network's byte order to the host's.
Source: ntohs(3), Python's `socket.ntohs`.
@function ntohs
@tparam int n 0 .. 65535
@treturn int
@usage print(csock.ntohs(csock.htons(80))) --> 80
*/
static int convert_ntohs(lua_State *L) {
  lua_pushinteger(L, ntohs((uint16_t)cs_check_int(L, 1, 0, UINT16_MAX)));
  return 1;
}

/* --- addresses --- */

/* The bytes of an address of `size` bytes; raises when there are more or less. */
static const char *check_packed(lua_State *L, int arg, size_t size) {
  size_t len;
  const char *packed = cs_check_bytes(L, arg, &len);
  if (len != size)
    luaL_argerror(L, arg,
                  lua_pushfstring(L, "%d bytes expected, got %I", (int)size, (LUAI_UACINT)len));
  return packed;
}

static int push_packed_text(lua_State *L, const char *call, int family, const char *packed) {
  char text[INET6_ADDRSTRLEN];
  if (inet_ntop(family, packed, text, sizeof text) == NULL) return cs_fail(L, call, errno);
  lua_pushstring(L, text);
  return 1;
}

/***
The four bytes of an IPv4 address in any form that the C library knows: `"127.0.0.1"`, `"127.1"`,
`"0x7f000001"`, `"2130706433"`.
Source: inet_aton(3), Python's `socket.inet_aton`.
@function inet_aton
@tparam string text
@treturn[1] string 4 bytes
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EINVAL`: not an address)
@usage print(csock.inet_aton("127.0.0.1"):byte(1, -1)) --> 127 0 0 1
*/
static int convert_inet_aton(lua_State *L) {
  struct in_addr packed;
  if (inet_aton(cs_check_cstring(L, 1), &packed) == 0) return cs_fail_at(L, "inet_aton", EINVAL, 1);
  lua_pushlstring(L, (const char *)&packed, sizeof packed);
  return 1;
}

/***
The text of an IPv4 address: `"127.0.0.1"`.
Source: inet_ntoa(3), Python's `socket.inet_ntoa`.
@function inet_ntoa
@param packed a string or buffer of 4 bytes
@treturn string
@usage print(csock.inet_ntoa "\127\0\0\1") --> 127.0.0.1
*/
static int convert_inet_ntoa(lua_State *L) {
  return push_packed_text(L, "inet_ntoa", AF_INET, check_packed(L, 1, sizeof(struct in_addr)));
}

/***
The bytes of an address: 4 of `"127.0.0.1"` (this form alone), 16 of `"::1"` (without a scope).
Source: inet_pton(3), Python's `socket.inet_pton`.
@function inet_pton
@tparam int family `AF_INET` or `AF_INET6`
@tparam string text
@treturn[1] string 4 or 16 bytes
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EINVAL`: not an address; `EAFNOSUPPORT`: another family)
@usage print(#assert(csock.inet_pton(csock.AF_INET6, "::1"))) --> 16
*/
static int convert_inet_pton(lua_State *L) {
  struct in6_addr packed;
  int family = cs_check_cint(L, 1);
  const char *text = cs_check_cstring(L, 2);
  int rc = inet_pton(family, text, &packed);
  if (rc < 0) return cs_fail(L, "inet_pton", errno);
  if (rc == 0) return cs_fail_at(L, "inet_pton", EINVAL, 2);
  lua_pushlstring(L, (const char *)&packed,
                  family == AF_INET ? sizeof(struct in_addr) : sizeof packed);
  return 1;
}

/***
The text of an address.
Source: inet_ntop(3), Python's `socket.inet_ntop`.
@function inet_ntop
@tparam int family `AF_INET` or `AF_INET6`
@param packed a string or buffer of 4 or 16 bytes
@treturn[1] string
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EAFNOSUPPORT`: another family)
@usage print(csock.inet_ntop(csock.AF_INET, "\127\0\0\1")) --> 127.0.0.1
*/
static int convert_inet_ntop(lua_State *L) {
  int family = cs_check_cint(L, 1);
  if (family != AF_INET && family != AF_INET6) return cs_fail(L, "inet_ntop", EAFNOSUPPORT);
  size_t size = family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
  return push_packed_text(L, "inet_ntop", family, check_packed(L, 2, size));
}

/* --- interfaces --- */

/* Owns what if_nameindex allocates. */
typedef struct interfaces {
  const cs_class *cls;
  struct if_nameindex *list;
} interfaces;

static const cs_class interfaces_class = {"csock.interfaces"};

static int interfaces_gc(lua_State *L) {
  interfaces *all = (interfaces *)cs_object_check(L, 1, &interfaces_class);
  if (all->list != NULL) if_freenameindex(all->list);
  all->list = NULL;
  return 0;
}

/***
All network interfaces.
Source: if_nameindex(3), Python's `socket.if_nameindex`.
@function if_nameindex
@treturn[1] {{index,name},...} in the system's order
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage
for _, interface in ipairs(assert(csock.if_nameindex())) do print(interface[1], interface[2]) end
*/
static int convert_if_nameindex(lua_State *L) {
  lua_settop(L, 0);
  interfaces *all = (interfaces *)cs_object_new(L, &interfaces_class, sizeof *all, 0);
  all->list = if_nameindex();
  if (all->list == NULL) return cs_fail(L, "if_nameindex", errno);
  lua_newtable(L);
  for (lua_Integer i = 0; all->list[i].if_index != 0; i++) {
    lua_createtable(L, 2, 0);
    lua_pushinteger(L, all->list[i].if_index);
    lua_rawseti(L, -2, 1);
    lua_pushstring(L, all->list[i].if_name);
    lua_rawseti(L, -2, 2);
    lua_rawseti(L, -2, i + 1);
  }
  lua_pushcfunction(L, interfaces_gc); /* now, not when the collector comes by */
  lua_pushvalue(L, 1);
  lua_call(L, 1, 0);
  return 1;
}

/***
The index of an interface.
Source: if_nametoindex(3), Python's `socket.if_nametoindex`.
@function if_nametoindex
@tparam string name `"eth0"`
@treturn[1] int
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENODEV`: no such interface)
@usage
local index, err = csock.if_nametoindex "none"
print(err.name) --> ENODEV
*/
static int convert_if_nametoindex(lua_State *L) {
  unsigned index = if_nametoindex(cs_check_cstring(L, 1));
  if (index == 0) return cs_fail_at(L, "if_nametoindex", errno, 1);
  lua_pushinteger(L, index);
  return 1;
}

/***
The name of an interface.
Source: if_indextoname(3), Python's `socket.if_indextoname`.
@function if_indextoname
@tparam int index 0 .. 2^32-1
@treturn[1] string
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENXIO`: no such interface)
@usage
local first = assert(csock.if_nameindex())[1]
print(csock.if_indextoname(first[1]) == first[2]) --> true
*/
static int convert_if_indextoname(lua_State *L) {
  char name[IF_NAMESIZE];
  unsigned index = (unsigned)cs_check_int(L, 1, 0, UINT_MAX);
  if (if_indextoname(index, name) == NULL) return cs_fail(L, "if_indextoname", errno);
  lua_pushstring(L, name);
  return 1;
}

/* --- this host --- */

/***
This host's name.
Source: gethostname(2), Python's `socket.gethostname`.
@function gethostname
@treturn[1] string
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(csock.gethostname())
*/
static int convert_gethostname(lua_State *L) {
  char name[1024];
  if (gethostname(name, sizeof name - 1) != 0) return cs_fail(L, "gethostname", errno);
  name[sizeof name - 1] = '\0';
  lua_pushstring(L, name);
  return 1;
}

/***
Gives this host another name.
Source: sethostname(2), Python's `socket.sethostname`.
@function sethostname
@tparam string name
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EPERM`; `EINVAL`: too long)
@usage local ok, err = csock.sethostname(csock.gethostname()) -- for the superuser alone
*/
static int convert_sethostname(lua_State *L) {
  const char *name = cs_check_cstring(L, 1);
  size_t len = strlen(name);
  /* The length's type is int here, size_t there. */
  if (len > UINT16_MAX) return cs_fail(L, "sethostname", EINVAL);
  int err = cs_policy_process(L, cs_state_get(L), "sethostname");
  if (err == 0 && sethostname(name, (uint16_t)len) != 0) err = errno;
  return cs_result(L, "sethostname", err);
}

/* --- services and protocols --- */

static const char *opt_cstring(lua_State *L, int arg) {
  return lua_isnoneornil(L, arg) ? NULL : cs_check_cstring(L, arg);
}

/***
The port of a service.
Source: getservbyname(3), Python's `socket.getservbyname`.
@function getservbyname
@tparam string name `"http"`
@tparam[opt] string protocol `"tcp"` or `"udp"`; any when left out
@treturn[1] int
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: no such service)
@usage print(csock.getservbyname("http", "tcp"))
*/
static int convert_getservbyname(lua_State *L) {
  int port;
  int err = cs_service_port(cs_check_cstring(L, 1), opt_cstring(L, 2), &port);
  if (err != 0) return cs_fail_at(L, "getservbyname", err, 1);
  lua_pushinteger(L, port);
  return 1;
}

/***
The name of the service at a port.
Source: getservbyport(3), Python's `socket.getservbyport`.
@function getservbyport
@tparam int port 0 .. 65535
@tparam[opt] string protocol `"tcp"` or `"udp"`; any when left out
@treturn[1] string
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: no such service)
@usage print(csock.getservbyport(80, "tcp"))
*/
static int convert_getservbyport(lua_State *L) {
  char name[256];
  int port = (int)cs_check_int(L, 1, 0, UINT16_MAX);
  int err = cs_service_name(port, opt_cstring(L, 2), name, sizeof name);
  if (err != 0) return cs_fail(L, "getservbyport", err);
  lua_pushstring(L, name);
  return 1;
}

/***
The number of a protocol, for the third argument of `socket`.
Source: getprotobyname(3), Python's `socket.getprotobyname`.
@function getprotobyname
@tparam string name `"icmp"`
@treturn[1] int
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: no such protocol)
@usage print(csock.getprotobyname "tcp")
*/
static int convert_getprotobyname(lua_State *L) {
  int number;
  int err = cs_protocol_number(cs_check_cstring(L, 1), &number);
  if (err != 0) return cs_fail_at(L, "getprotobyname", err, 1);
  lua_pushinteger(L, number);
  return 1;
}

/* --- registration --- */

static const luaL_Reg convert_functions[] = {
    {"getprotobyname", convert_getprotobyname},
    {"getservbyname", convert_getservbyname},
    {"getservbyport", convert_getservbyport},
    {"gethostname", convert_gethostname},
    {"htonl", convert_htonl},
    {"htons", convert_htons},
    {"if_indextoname", convert_if_indextoname},
    {"if_nameindex", convert_if_nameindex},
    {"if_nametoindex", convert_if_nametoindex},
    {"inet_aton", convert_inet_aton},
    {"inet_ntoa", convert_inet_ntoa},
    {"inet_ntop", convert_inet_ntop},
    {"inet_pton", convert_inet_pton},
    {"ntohl", convert_ntohl},
    {"ntohs", convert_ntohs},
    {"sethostname", convert_sethostname},
    {NULL, NULL},
};

void cs_open_convert(lua_State *L) {
  static const luaL_Reg meta[] = {{"__gc", interfaces_gc}, {NULL, NULL}};
  cs_class_make(L, &interfaces_class, NULL, meta);
  cs_setfuncs(L, convert_functions);
}

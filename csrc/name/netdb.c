/* netdb.c: the look-ups that programs ask for: getaddrinfo, getnameinfo, gethostbyname and their
   kin. How they wait: lookup.c. */
#include "lookup.h"
#include "address.h"
#include "../base/keywords.h"
#include "../base/parts.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>

/* --- getaddrinfo -------------------------------------------------------------------------- */

static int addrinfo_results(lua_State *L, const char *call, const cs_answer *answer, int about) {
  lua_Integer n = 0;
  (void)call;
  (void)about;
  lua_newtable(L);
  for (const struct addrinfo *a = answer->list; a != NULL; a = a->ai_next) {
    static const char *const names[] = {"family", "type", "proto", "canonname", "addr"};
    lua_createtable(L, CS_COUNT(names), CS_COUNT(names));
    lua_pushinteger(L, a->ai_family);
    lua_pushinteger(L, a->ai_socktype);
    lua_pushinteger(L, a->ai_protocol);
    lua_pushstring(L, a == answer->list && answer->canonname != NULL ? answer->canonname : "");
    cs_address_push(L, a->ai_addr, a->ai_addrlen, a->ai_protocol);
    for (int i = CS_COUNT(names); i > 0; i--) {
      lua_pushvalue(L, -1);
      lua_setfield(L, -i - 2, names[i - 1]);
      lua_rawseti(L, -i - 1, i);
    }
    lua_rawseti(L, -2, ++n);
  }
  return 1;
}

#define DIGITS "0123456789"

/* The port as getaddrinfo wants it: digits in `room`, a service's name, or NULL. libc takes a
   number with blanks and a sign before it, too, and cuts one that is too large: so digits become a
   number here. */
static const char *check_service(lua_State *L, int arg, char *room, size_t size) {
  if (lua_isnoneornil(L, arg)) return NULL;
  if (lua_type(L, arg) == LUA_TSTRING) {
    const char *text = cs_check_cstring(L, arg);
    if (*text == '\0' || text[strspn(text, DIGITS)] != '\0') return text;
  }
  snprintf(room, size, "%d", (int)cs_check_int(L, arg, 0, 65535));
  return room;
}

/* Whether libc would take for a number what is neither digits alone nor any service's name. */
static bool is_odd_number(const char *service) {
  const char *number = service + strspn(service, " \t\n\v\f\r");
  if (*number == '+' || *number == '-') number++;
  return number > service && number[strspn(number, DIGITS)] == '\0';
}

/***
Looks up the addresses of a host and a service. A numeric host is not looked up anywhere.
Source: getaddrinfo(3), Python's `socket.getaddrinfo`.
@function getaddrinfo
@tparam ?string host a name or a numeric address; nil is this machine (with `AI_PASSIVE`: any
address)
@tparam ?int|string port 0 to 65535, also in digits alone, or a service's name
@tparam[opt=0] int family `AF_*`; 0 is any
@tparam[opt=0] int type `SOCK_*`; 0 is any
@tparam[opt=0] int proto `IPPROTO_*`; 0 is any
@tparam[opt=0] int flags `AI_*`
@tparam[opt] table options
@tparam[opt=0] int options.family as the argument
@tparam[opt=0] int options.type as the argument
@tparam[opt=0] int options.proto as the argument
@tparam[opt=0] int options.flags as the argument
@tparam[opt] number options.timeout seconds
@treturn[1] table a sequence of `{family=, type=, proto=, canonname=, addr=}`, which have these
values as `[1]` to `[5]` as well; `canonname` is `""` but for the first one with `AI_CANONNAME`
@treturn[2] nil
@treturn[2] error a `csock.gaierror` with the host as `address`
@treturn[2] int `EAI_*`, or an errno value (`ETIMEDOUT`, `EMFILE`)
@raise a host with a zero byte, a port out of range
@usage
for _, info in ipairs(assert(csock.getaddrinfo("localhost", 80, {type = csock.SOCK_STREAM}))) do
  print(info.addr)
end
*/
static int netdb_getaddrinfo(lua_State *L) {
  char digits[8];
  int top = lua_gettop(L);
  int options = top > 2 && lua_istable(L, top) ? top : top + 1;
  cs_query query = {.kind = CS_QUERY_ADDRINFO};
  luaL_checkany(L, 1);
  query.host = lua_isnoneornil(L, 1) ? NULL : cs_check_cstring(L, 1);
  query.service = check_service(L, 2, digits, sizeof digits);
  bool is_service = query.service == NULL || !is_odd_number(query.service);
  int *const numbers[] = {&query.family, &query.type, &query.proto, &query.flags};
  for (int i = 0; i < (int)CS_COUNT(numbers) && 3 + i < options; i++)
    *numbers[i] = cs_opt_cint(L, 3 + i, 0);
  int64_t timeout = CS_FOREVER;
  const cs_keyword rows[] = {
      CS_KEYWORD_CINT("family", &query.family),        CS_KEYWORD_CINT("type", &query.type),
      CS_KEYWORD_CINT("proto", &query.proto),          CS_KEYWORD_CINT("flags", &query.flags),
      {"timeout", CS_KEYWORD_TIMEOUT, &timeout, 0, 0},
  };
  cs_keywords_read(L, options, rows, CS_COUNT(rows));
  if (!is_service) return cs_fail_gai(L, "getaddrinfo", EAI_SERVICE, 0, 1);
  return cs_look_up(L, "getaddrinfo", &query, timeout, 1, addrinfo_results);
}

/* --- getnameinfo -------------------------------------------------------------------------- */

static int nameinfo_results(lua_State *L, const char *call, const cs_answer *answer, int about) {
  (void)call;
  (void)about;
  lua_pushstring(L, answer->host);
  lua_pushstring(L, answer->service);
  return 2;
}

/* The family of the IP address whose host is the value at `arg`, or in the table there. */
static int family_of_host(lua_State *L, int arg) {
  if (lua_istable(L, arg)) {
    if (lua_geti(L, arg, 1) == LUA_TNIL) {
      lua_pop(L, 1);
      lua_getfield(L, arg, "host");
    }
  } else {
    lua_pushvalue(L, arg);
  }
  bool v6 = lua_type(L, -1) == LUA_TSTRING && strchr(lua_tostring(L, -1), ':') != NULL;
  lua_pop(L, 1);
  return v6 ? AF_INET6 : AF_INET;
}

/***
Looks up the names of an address: its host's and its port's service.
Source: getnameinfo(3), Python's `socket.getnameinfo`.
@function getnameinfo
@param address an address value, a table or the parts as arguments; see @{address}. Its host is
numeric.
@tparam[opt=0] int flags `NI_*`; after parts given as arguments it must not be left out when there
are more than two of them
@treturn[1] string the host's name; the number if it has none
@treturn[1] string the service's name, or the port's number
@treturn[2] nil
@treturn[2] error a `csock.gaierror` with the `address`
@treturn[2] int `EAI_*`, or an errno value
@usage
local flags = csock.NI_NUMERICHOST | csock.NI_NUMERICSERV
print(csock.getnameinfo({"127.0.0.1", 80}, flags)) --> 127.0.0.1 80
*/
static int netdb_getnameinfo(lua_State *L) {
  const cs_address *addr = cs_address_test(L, 1);
  bool parts = lua_type(L, 1) == LUA_TSTRING;
  int top = lua_gettop(L), last = 1;
  luaL_argexpected(L, addr != NULL || parts || lua_istable(L, 1), 1, "address");
  if (parts) last = top > 3 ? top - 1 : 2;
  if (top < last) lua_settop(L, top = last);
  int flags = cs_opt_cint(L, last + 1, 0);
  if (addr != NULL) {
    lua_pushvalue(L, 1);
  } else {
    int err = cs_address_read(L, 1, last, family_of_host(L, 1), 0);
    if (err == CS_ADDRESS_NAME) return cs_fail_gai(L, "getnameinfo", EAI_NONAME, 0, top + 1);
    if (err != 0) return cs_fail(L, "getnameinfo", err);
    addr = (const cs_address *)lua_touserdata(L, -1);
  }
  cs_query query = {.kind = CS_QUERY_NAMEINFO, .flags = flags, .addr = &addr->sa, .len = addr->len};
  return cs_look_up(L, "getnameinfo", &query, CS_FOREVER, lua_gettop(L), nameinfo_results);
}

/* --- gethostbyname and its kin ------------------------------------------------------------ */

static void push_ip(lua_State *L, int family, const void *ip) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(family, ip, text, sizeof text);
  lua_pushstring(L, text);
}

static int first_address(lua_State *L, const char *call, const cs_answer *answer, int about) {
  (void)call;
  (void)about;
  push_ip(L, AF_INET, &((struct sockaddr_in *)(void *)answer->list->ai_addr)->sin_addr);
  return 1;
}

/***
Looks up the IPv4 address of a host.
Source: Python's `socket.gethostbyname`.
@function gethostbyname
@tparam string name `""` is any address, `"<broadcast>"` the broadcast address
@treturn[1] string `"127.0.0.1"`
@treturn[2] nil
@treturn[2] error a `csock.gaierror` with the name as `address`
@treturn[2] int `EAI_*`, or an errno value
@usage print(csock.gethostbyname "localhost") --> 127.0.0.1
*/
static int netdb_gethostbyname(lua_State *L) {
  cs_query query = {.kind = CS_QUERY_ADDRINFO, .family = AF_INET, .type = SOCK_STREAM};
  query.host = cs_check_cstring(L, 1);
  if (*query.host == '\0') query.host = "0.0.0.0";
  if (strcmp(query.host, "<broadcast>") == 0) query.host = "255.255.255.255";
  return cs_look_up(L, "gethostbyname", &query, CS_FOREVER, 1, first_address);
}

static int entry_results(lua_State *L, const char *call, const cs_answer *answer, int about) {
  const struct hostent *entry = &answer->entry;
  if (answer->host_code == NETDB_INTERNAL) return cs_fail(L, call, answer->err);
  if (answer->host_code != 0) return cs_fail_host(L, call, answer->host_code, about);
  lua_pushstring(L, entry->h_name);
  lua_newtable(L);
  for (int i = 0; entry->h_aliases[i] != NULL; i++) {
    lua_pushstring(L, entry->h_aliases[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_newtable(L);
  for (int i = 0; entry->h_addr_list[i] != NULL; i++) {
    push_ip(L, entry->h_addrtype, entry->h_addr_list[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 3;
}

/***
Looks up a host's true name, its other names and all of its IPv4 addresses.
Source: gethostbyname(3), Python's `socket.gethostbyname_ex`.
@function gethostbyname_ex
@tparam string name
@treturn[1] string the name
@treturn[1] table a sequence of the aliases
@treturn[1] table a sequence of the addresses: strings
@treturn[2] nil
@treturn[2] error a `csock.gaierror` or `csock.herror` with the name as `address`
@treturn[2] int `EAI_*`, `HOST_NOT_FOUND` ..., or an errno value
@usage local name, aliases, addresses = csock.gethostbyname_ex "localhost"
*/
static int netdb_gethostbyname_ex(lua_State *L) {
  cs_query query = {.kind = CS_QUERY_BYNAME, .family = AF_INET, .type = SOCK_STREAM};
  query.host = cs_check_cstring(L, 1);
  return cs_look_up(L, "gethostbyname_ex", &query, CS_FOREVER, 1, entry_results);
}

/***
Looks up the names of a host by its address.
Source: gethostbyaddr(3), Python's `socket.gethostbyaddr`.
@function gethostbyaddr
@tparam string ip an IPv4 or IPv6 address, or a name that has one
@treturn[1] string the name
@treturn[1] table a sequence of the aliases
@treturn[1] table a sequence of the addresses: strings
@treturn[2] nil
@treturn[2] error a `csock.herror` (no name) or `csock.gaierror` (no address) with the argument as
`address`
@treturn[2] int `HOST_NOT_FOUND`, `EAI_*` ..., or an errno value
@usage local name, aliases, addresses = csock.gethostbyaddr "127.0.0.1"
*/
static int netdb_gethostbyaddr(lua_State *L) {
  cs_query query = {.kind = CS_QUERY_BYADDR, .type = SOCK_STREAM};
  query.host = cs_check_cstring(L, 1);
  return cs_look_up(L, "gethostbyaddr", &query, CS_FOREVER, 1, entry_results);
}

static const luaL_Reg netdb_functions[] = {
    {"getaddrinfo", netdb_getaddrinfo},     {"getnameinfo", netdb_getnameinfo},
    {"gethostbyname", netdb_gethostbyname}, {"gethostbyname_ex", netdb_gethostbyname_ex},
    {"gethostbyaddr", netdb_gethostbyaddr}, {NULL, NULL},
};

void cs_open_netdb(lua_State *L) {
  cs_lookup_open(L);
  cs_setfuncs(L, netdb_functions);
}

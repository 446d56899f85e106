/* certificate.c: a certificate as a table, shaped as Python's getpeercert() has it. */
#include "tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int tls_certificate_push_der(lua_State *L, X509 *cert) {
  int len = i2d_X509(cert, NULL);
  if (len <= 0) return tls_no_memory(L);
  luaL_Buffer b;
  unsigned char *p = (unsigned char *)luaL_buffinitsize(L, &b, (size_t)len);
  len = i2d_X509(cert, &p);
  if (len <= 0) return tls_no_memory(L);
  luaL_pushresultsize(&b, (size_t)len);
  return 1;
}

/* --- what OpenSSL makes for us: owned by a userdata while Lua may raise --- */

typedef struct owner {
  void *at;
  void (*free)(void *);
} owner;

static int owner_gc(lua_State *L) {
  owner *o = lua_touserdata(L, 1);
  if (o->at != NULL) o->free(o->at);
  o->at = NULL;
  return 0;
}

static owner *push_owner(lua_State *L, void (*free)(void *)) {
  owner *o = lua_newuserdatauv(L, sizeof *o, 0);
  *o = (owner){NULL, free};
  luaL_newmetatable(L, "csock.ssl.owner");
  lua_pushcfunction(L, owner_gc); /* each time: the first may have failed here */
  lua_setfield(L, -2, "__gc");
  lua_setmetatable(L, -2);
  return o;
}

/* --- pieces --- */

static void push_asn1(lua_State *L, const ASN1_STRING *s) {
  lua_pushlstring(L, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void free_text(void *p) {
  OPENSSL_free(p);
}

/* In UTF-8; what cannot be is left as it is. */
static void push_text(lua_State *L, const ASN1_STRING *s) {
  owner *o = push_owner(L, free_text);
  unsigned char *utf8 = NULL;
  int len = ASN1_STRING_to_UTF8(&utf8, s);
  o->at = utf8;
  if (len >= 0)
    lua_pushlstring(L, (const char *)utf8, (size_t)len);
  else
    tls_no_memory_if(L), push_asn1(L, s);
  lua_remove(L, -2);
}

static void push_object(lua_State *L, const ASN1_OBJECT *object) {
  char text[128];
  if (OBJ_obj2txt(text, sizeof text, object, 0) < 0) tls_no_memory_if(L);
  lua_pushstring(L, text);
}

/* {name, value}, from what is on the top. */
static void pair_up(lua_State *L) {
  lua_createtable(L, 2, 0);
  lua_insert(L, -3);
  lua_rawseti(L, -3, 2);
  lua_rawseti(L, -2, 1);
}

/* A sequence of sequences of {name, value}: a name is made of parts, which are sets. */
static void push_name(lua_State *L, const X509_NAME *name) {
  int count = X509_NAME_entry_count(name), last = -1;
  lua_newtable(L);
  for (int i = 0; i < count; i++) {
    const X509_NAME_ENTRY *e = X509_NAME_get_entry(name, i);
    if (X509_NAME_ENTRY_set(e) != last) {
      last = X509_NAME_ENTRY_set(e);
      lua_newtable(L);
      lua_pushvalue(L, -1);
      lua_rawseti(L, -3, (lua_Integer)lua_rawlen(L, -3) + 1);
    } else {
      lua_rawgeti(L, -1, (lua_Integer)lua_rawlen(L, -1));
    }
    push_object(L, X509_NAME_ENTRY_get_object(e));
    push_text(L, X509_NAME_ENTRY_get_data(e));
    pair_up(L);
    lua_rawseti(L, -2, (lua_Integer)lua_rawlen(L, -2) + 1);
    lua_pop(L, 1);
  }
}

static void free_bio(void *p) {
  BIO_free(p);
}

/* For what OpenSSL prints; `push_printed` takes it from the top. */
static BIO *push_page(lua_State *L) {
  owner *o = push_owner(L, free_bio);
  o->at = BIO_new(BIO_s_mem());
  if (o->at == NULL) tls_no_memory(L);
  return o->at;
}

static void push_printed(lua_State *L, BIO *b) {
  const char *text;
  tls_no_memory_if(L);
  long n = BIO_get_mem_data(b, &text);
  lua_pushlstring(L, text, (size_t)n);
  lua_remove(L, -2);
}

static void push_time(lua_State *L, const ASN1_TIME *time) {
  BIO *b = push_page(L);
  (void)ASN1_TIME_print(b, time); /* "Bad time value" is what it prints, too */
  push_printed(L, b);
}

static void push_serial(lua_State *L, X509 *cert) {
  BIO *b = push_page(L);
  (void)i2a_ASN1_INTEGER(b, X509_get_serialNumber(cert));
  push_printed(L, b);
}

static void push_ip(lua_State *L, const ASN1_OCTET_STRING *ip) {
  char text[INET6_ADDRSTRLEN];
  int len = ASN1_STRING_length(ip);
  int family = len == 4 ? AF_INET : len == 16 ? AF_INET6 : 0;
  if (family == 0 || inet_ntop(family, ASN1_STRING_get0_data(ip), text, sizeof text) == NULL)
    lua_pushliteral(L, "<invalid>");
  else
    lua_pushstring(L, text);
}

static void push_general(lua_State *L, const GENERAL_NAME *name) {
  switch (name->type) {
  case GEN_DNS:
    lua_pushliteral(L, "DNS");
    push_asn1(L, name->d.dNSName);
    break;
  case GEN_EMAIL:
    lua_pushliteral(L, "email");
    push_asn1(L, name->d.rfc822Name);
    break;
  case GEN_URI:
    lua_pushliteral(L, "URI");
    push_asn1(L, name->d.uniformResourceIdentifier);
    break;
  case GEN_IPADD:
    lua_pushliteral(L, "IP Address");
    push_ip(L, name->d.iPAddress);
    break;
  case GEN_DIRNAME:
    lua_pushliteral(L, "DirName");
    push_name(L, name->d.directoryName);
    break;
  case GEN_RID:
    lua_pushliteral(L, "Registered ID");
    push_object(L, name->d.registeredID);
    break;
  default:
    lua_pushliteral(L, "othername");
    lua_pushliteral(L, "<unsupported>");
  }
  pair_up(L);
}

static void free_names(void *p) {
  GENERAL_NAMES_free(p);
}

static void free_access(void *p) {
  AUTHORITY_INFO_ACCESS_free(p);
}

static void free_points(void *p) {
  CRL_DIST_POINTS_free(p);
}

/* NULL: it has none, or none that can be read. */
static void *push_extension(lua_State *L, X509 *cert, int nid, void (*free)(void *)) {
  owner *o = push_owner(L, free);
  o->at = X509_get_ext_d2i(cert, nid, NULL, NULL);
  if (o->at == NULL) tls_no_memory_if(L);
  return o->at;
}

/* table[field] = {{"DNS", "localhost"}, ...} */
static void add_alternatives(lua_State *L, X509 *cert) {
  void *list = push_extension(L, cert, NID_subject_alt_name, free_names);
  if (list != NULL) {
    lua_newtable(L);
    for (int i = 0; i < sk_GENERAL_NAME_num(list); i++) {
      push_general(L, sk_GENERAL_NAME_value(list, i));
      lua_rawseti(L, -2, i + 1);
    }
    lua_setfield(L, -3, "subjectAltName");
  }
  lua_pop(L, 1);
}

static bool push_uri(lua_State *L, const GENERAL_NAME *name) {
  if (name->type != GEN_URI) return false;
  push_asn1(L, name->d.uniformResourceIdentifier);
  return true;
}

static void add_access(lua_State *L, X509 *cert, int nid, const char *field) {
  lua_Integer n = 0;
  void *list = push_extension(L, cert, NID_info_access, free_access);
  lua_newtable(L);
  for (int i = 0; list != NULL && i < sk_ACCESS_DESCRIPTION_num(list); i++) {
    const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(list, i);
    if (OBJ_obj2nid(d->method) == nid && push_uri(L, d->location)) lua_rawseti(L, -2, ++n);
  }
  if (n == 0)
    lua_pop(L, 1);
  else
    lua_setfield(L, -3, field);
  lua_pop(L, 1);
}

static void add_points(lua_State *L, X509 *cert) {
  lua_Integer n = 0;
  void *list = push_extension(L, cert, NID_crl_distribution_points, free_points);
  lua_newtable(L);
  for (int i = 0; list != NULL && i < sk_DIST_POINT_num(list); i++) {
    const DIST_POINT *d = sk_DIST_POINT_value(list, i);
    if (d->distpoint == NULL || d->distpoint->type != 0) continue;
    const GENERAL_NAMES *names = d->distpoint->name.fullname;
    for (int j = 0; j < sk_GENERAL_NAME_num(names); j++)
      if (push_uri(L, sk_GENERAL_NAME_value(names, j))) lua_rawseti(L, -2, ++n);
  }
  if (n == 0)
    lua_pop(L, 1);
  else
    lua_setfield(L, -3, "crlDistributionPoints");
  lua_pop(L, 1);
}

int tls_certificate_push(lua_State *L, X509 *cert) {
  luaL_checkstack(L, 20, NULL);
  ERR_clear_error();
  lua_newtable(L);
  push_name(L, X509_get_subject_name(cert));
  lua_setfield(L, -2, "subject");
  push_name(L, X509_get_issuer_name(cert));
  lua_setfield(L, -2, "issuer");
  lua_pushinteger(L, X509_get_version(cert) + 1);
  lua_setfield(L, -2, "version");
  push_serial(L, cert);
  lua_setfield(L, -2, "serialNumber");
  push_time(L, X509_get0_notBefore(cert));
  lua_setfield(L, -2, "notBefore");
  push_time(L, X509_get0_notAfter(cert));
  lua_setfield(L, -2, "notAfter");
  add_alternatives(L, cert);
  add_access(L, cert, NID_ad_OCSP, "OCSP");
  add_access(L, cert, NID_ad_ca_issuers, "caIssuers");
  add_points(L, cert);
  ERR_clear_error();
  return 1;
}

/* --- for errors: without Lua --- */

/* Anybody may have made the certificate: what could tell a terminal something is left out. */
static void add_name(char *text, size_t room, const char *name, size_t len) {
  size_t at = strlen(text);
  if (at + len + 5 > room) return;
  snprintf(text + at, room - at, "%s'%.*s'", at > 0 ? ", " : "", (int)len, name);
  for (char *p = text + at; *p != '\0'; p++)
    if (*p < ' ' || *p > '~') *p = '?';
}

void tls_certificate_names(X509 *cert, char *text, size_t room) {
  GENERAL_NAMES *names = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  text[0] = '\0';
  for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
    const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);
    char ip[INET6_ADDRSTRLEN];
    if (name->type == GEN_DNS) {
      const ASN1_STRING *s = name->d.dNSName;
      add_name(text, room, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
    } else if (name->type == GEN_IPADD) {
      const ASN1_STRING *s = name->d.iPAddress;
      int len = ASN1_STRING_length(s), family = len == 4 ? AF_INET : AF_INET6;
      if ((len == 4 || len == 16) &&
          inet_ntop(family, ASN1_STRING_get0_data(s), ip, sizeof ip) != NULL)
        add_name(text, room, ip, strlen(ip));
    }
  }
  GENERAL_NAMES_free(names);
}

/* certificate.c: a certificate as a table, shaped as Python's getpeercert() has it. */
#include "tls.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

int tls_certificate_push_der(lua_State *L, X509 *cert) {
  int len = i2d_X509(cert, NULL);
  if (len <= 0) {
    ERR_clear_error();
    lua_pushnil(L);
    return 1;
  }
  luaL_Buffer b;
  unsigned char *p = (unsigned char *)luaL_buffinitsize(L, &b, (size_t)len);
  len = i2d_X509(cert, &p);
  luaL_pushresultsize(&b, len > 0 ? (size_t)len : 0);
  return 1;
}

/* --- pieces --- */

static void push_asn1(lua_State *L, const ASN1_STRING *s) {
  lua_pushlstring(L, (const char *)ASN1_STRING_get0_data(s), (size_t)ASN1_STRING_length(s));
}

static void push_text(lua_State *L, const ASN1_STRING *s) {
  unsigned char *utf8;
  int len = ASN1_STRING_to_UTF8(&utf8, s);
  if (len < 0) {
    ERR_clear_error();
    push_asn1(L, s);
    return;
  }
  char copy[512];
  if ((size_t)len <= sizeof copy) { /* no error of Lua's may come before OPENSSL_free */
    memcpy(copy, utf8, (size_t)len);
    OPENSSL_free(utf8);
    lua_pushlstring(L, copy, (size_t)len);
  } else {
    OPENSSL_free(utf8);
    push_asn1(L, s);
  }
}

static void push_object(lua_State *L, const ASN1_OBJECT *object) {
  char text[128];
  OBJ_obj2txt(text, sizeof text, object, 0);
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

static void push_time(lua_State *L, const ASN1_TIME *time) {
  char text[64];
  BIO *b = BIO_new(BIO_s_mem());
  int n = 0;
  if (b != NULL && ASN1_TIME_print(b, time) == 1) n = BIO_read(b, text, sizeof text);
  BIO_free(b);
  lua_pushlstring(L, text, n > 0 ? (size_t)n : 0);
}

static void push_serial(lua_State *L, X509 *cert) {
  char text[128] = "";
  BIO *b = BIO_new(BIO_s_mem());
  int n = 0;
  if (b != NULL && i2a_ASN1_INTEGER(b, X509_get_serialNumber(cert)) > 0)
    n = BIO_read(b, text, sizeof text);
  BIO_free(b);
  lua_pushlstring(L, text, n > 0 ? (size_t)n : 0);
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

/* --- lists that OpenSSL makes for us: owned by a userdata while Lua may raise --- */

typedef struct list {
  void *at;
  void (*free)(void *);
} list;

static int list_gc(lua_State *L) {
  list *l = lua_touserdata(L, 1);
  if (l->at != NULL) l->free(l->at);
  l->at = NULL;
  return 0;
}

static list *push_list(lua_State *L) {
  list *l = lua_newuserdatauv(L, sizeof *l, 0);
  *l = (list){NULL, NULL};
  if (luaL_newmetatable(L, "csock.ssl.list")) {
    lua_pushcfunction(L, list_gc);
    lua_setfield(L, -2, "__gc");
  }
  lua_setmetatable(L, -2);
  return l;
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

/* table[field] = {{"DNS", "localhost"}, ...} */
static void add_alternatives(lua_State *L, X509 *cert) {
  list *l = push_list(L);
  l->free = free_names;
  l->at = X509_get_ext_d2i(cert, NID_subject_alt_name, NULL, NULL);
  if (l->at != NULL) {
    lua_newtable(L);
    for (int i = 0; i < sk_GENERAL_NAME_num(l->at); i++) {
      push_general(L, sk_GENERAL_NAME_value(l->at, i));
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
  list *l = push_list(L);
  lua_Integer n = 0;
  l->free = free_access;
  l->at = X509_get_ext_d2i(cert, NID_info_access, NULL, NULL);
  lua_newtable(L);
  for (int i = 0; l->at != NULL && i < sk_ACCESS_DESCRIPTION_num(l->at); i++) {
    const ACCESS_DESCRIPTION *d = sk_ACCESS_DESCRIPTION_value(l->at, i);
    if (OBJ_obj2nid(d->method) == nid && push_uri(L, d->location)) lua_rawseti(L, -2, ++n);
  }
  if (n == 0)
    lua_pop(L, 1);
  else
    lua_setfield(L, -3, field);
  lua_pop(L, 1);
}

static void add_points(lua_State *L, X509 *cert) {
  list *l = push_list(L);
  lua_Integer n = 0;
  l->free = free_points;
  l->at = X509_get_ext_d2i(cert, NID_crl_distribution_points, NULL, NULL);
  lua_newtable(L);
  for (int i = 0; l->at != NULL && i < sk_DIST_POINT_num(l->at); i++) {
    const DIST_POINT *d = sk_DIST_POINT_value(l->at, i);
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
  luaL_checkstack(L, 16, NULL);
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

static void add_name(char *text, size_t room, const char *name, size_t len) {
  size_t at = strlen(text);
  if (at + len + 5 > room) return;
  snprintf(text + at, room - at, "%s'%.*s'", at > 0 ? ", " : "", (int)len, name);
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

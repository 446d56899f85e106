/* store.c: the system's authorities, loaded once for the process, since that takes longer than a
 * handshake; and where they are looked for.
 *
 * Order: SSL_CERT_FILE and SSL_CERT_DIR; what OpenSSL was built with; the places of the systems in
 * use. The first of them that holds a certificate is taken, and nothing is mixed. */
#include "tls.h"

#include <dirent.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <ctype.h>
#include <unistd.h>

static const char *const known[] = {
    "/etc/ssl/certs/ca-certificates.crt",                /* Debian, Ubuntu, Gentoo, Arch */
    "/etc/pki/tls/certs/ca-bundle.crt",                  /* Fedora, RHEL 6 */
    "/etc/ssl/ca-bundle.pem",                            /* openSUSE */
    "/etc/pki/tls/cacert.pem",                           /* OpenELEC */
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem", /* RHEL 7 and later */
    "/etc/ssl/cert.pem",                                 /* Alpine, OpenBSD, macOS */
    "/usr/local/share/certs/ca-root-nss.crt",            /* FreeBSD */
};

typedef struct place {
  const char *file, *directory;
} place;

/* An environment that is not the user's own (setuid) is not believed. */
static const char *environment(const char *name) {
  if (getuid() != geteuid() || getgid() != getegid()) return NULL;
  const char *value = getenv(name);
  return value != NULL && value[0] != '\0' ? value : NULL;
}

static size_t places(place *out, size_t room) {
  size_t n = 0;
  const char *file = environment(X509_get_default_cert_file_env());
  const char *directory = environment(X509_get_default_cert_dir_env());
  if (file != NULL || directory != NULL) {
    out[n++] = (place){file, directory};
    return n; /* who names a place means that one */
  }
  out[n++] = (place){X509_get_default_cert_file(), NULL};
  out[n++] = (place){NULL, X509_get_default_cert_dir()};
  for (size_t i = 0; i < sizeof known / sizeof *known && n < room; i++)
    out[n++] = (place){known[i], NULL};
  return n;
}

#define PLACES_MAX 16

bool tls_store_is_hashed(const char *directory) {
  DIR *d = opendir(directory);
  bool found = false;
  const struct dirent *e;
  if (d == NULL) return false;
  while (!found && (e = readdir(d)) != NULL) {
    size_t hex = 0;
    while (isxdigit((unsigned char)e->d_name[hex])) hex++;
    const char *end = e->d_name + hex + 1 + (hex == 8 && e->d_name[9] == 'r');
    found = hex == 8 && e->d_name[8] == '.' && isdigit((unsigned char)*end);
  }
  closedir(d);
  return found;
}

/* 0; ENOENT: it has no certificate; ENOMEM: who knows. */
static int load(X509_STORE *store, const place *p) {
  int before = sk_X509_OBJECT_num(X509_STORE_get0_objects(store));
  bool found = p->file != NULL && X509_STORE_load_file(store, p->file) == 1 &&
               sk_X509_OBJECT_num(X509_STORE_get0_objects(store)) > before;
  bool memory = tls_is_memory(ERR_peek_error());
  ERR_clear_error();
  if (!memory && p->directory != NULL && tls_store_is_hashed(p->directory))
    found = X509_STORE_load_path(store, p->directory) == 1 || found;
  memory = memory || tls_is_memory(ERR_peek_error());
  ERR_clear_error();
  return memory ? ENOMEM : found ? 0 : ENOENT;
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static X509_STORE *loaded; /* under the lock until it is set, constant afterwards */

int tls_store_fill(X509_STORE *store) {
  place all[PLACES_MAX];
  size_t n = places(all, PLACES_MAX);
  int err = ENOENT;
  for (size_t i = 0; i < n && err == ENOENT; i++) err = load(store, &all[i]);
  return err;
}

static int load_new(X509_STORE **into) {
  X509_STORE *store = X509_STORE_new();
  int err = store != NULL ? tls_store_fill(store) : ENOMEM;
  if (err == 0)
    *into = store;
  else
    X509_STORE_free(store);
  ERR_clear_error();
  return err;
}

void tls_store_push_tried(lua_State *L) {
  place all[PLACES_MAX];
  size_t n = places(all, PLACES_MAX);
  luaL_Buffer b;
  luaL_buffinit(L, &b);
  for (size_t i = 0; i < n; i++) {
    if (i > 0) luaL_addstring(&b, ", ");
    if (all[i].file != NULL) luaL_addstring(&b, all[i].file);
    if (all[i].file != NULL && all[i].directory != NULL) luaL_addstring(&b, ", ");
    if (all[i].directory != NULL) luaL_addstring(&b, all[i].directory);
  }
  luaL_pushresult(&b);
}

int tls_store_system(X509_STORE **store) {
  pthread_mutex_lock(&lock);
  int err = loaded == NULL ? load_new(&loaded) : 0;
  *store = loaded;
  pthread_mutex_unlock(&lock);
  return err;
}

static void set_string(lua_State *L, const char *name, const char *value) {
  lua_pushstring(L, value); /* nil for NULL */
  lua_setfield(L, -2, name);
}

/***
Where the system's authorities are looked for: in this order, up to the first that holds any.
Source: Python's `ssl.get_default_verify_paths`.
@function get_default_verify_paths
@treturn table `cafile`, `capath` (strings: what the environment or OpenSSL says and is there),
`openssl_cafile`, `openssl_capath`, `openssl_cafile_env`, `openssl_capath_env` (strings), and
`tried` (a sequence of all the places)
@usage print(ssl.get_default_verify_paths().openssl_cafile)
*/
int tls_store_paths(lua_State *L) {
  place all[PLACES_MAX];
  size_t n = places(all, PLACES_MAX);
  lua_newtable(L);
  set_string(L, "cafile", all[0].file);
  set_string(L, "capath", n == 1 ? all[0].directory : X509_get_default_cert_dir());
  set_string(L, "openssl_cafile", X509_get_default_cert_file());
  set_string(L, "openssl_capath", X509_get_default_cert_dir());
  set_string(L, "openssl_cafile_env", X509_get_default_cert_file_env());
  set_string(L, "openssl_capath_env", X509_get_default_cert_dir_env());
  lua_newtable(L);
  lua_Integer count = 0;
  for (size_t i = 0; i < n; i++) {
    if (all[i].file != NULL) {
      lua_pushstring(L, all[i].file);
      lua_rawseti(L, -2, ++count);
    }
    if (all[i].directory != NULL) {
      lua_pushstring(L, all[i].directory);
      lua_rawseti(L, -2, ++count);
    }
  }
  lua_setfield(L, -2, "tried");
  return 1;
}

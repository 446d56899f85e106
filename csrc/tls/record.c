/* record.c: what belongs to an SSL_CTX: it goes with it, which may be after the userdata.
 *
 * Once a connection has been made under a context, that is frozen: OpenSSL copies some settings
 * into connections and reads others later, so a change would reach an arbitrary part of them. */
#include "tls.h"

#include <stdlib.h>
#include <unistd.h>

static int context_index; /* constant once made, by module.c */

tls_context *tls_context_of(const SSL_CTX *ctx) {
  return SSL_CTX_get_ex_data(ctx, context_index);
}

void tls_record_drop_sni(tls_context *t) {
  for (size_t i = 0; i < t->sni_count; i++) {
    free(t->sni[i].name);
    SSL_CTX_free(t->sni[i].ctx);
  }
  free(t->sni);
  t->sni = NULL;
  t->sni_count = 0;
}

void tls_record_drop_session(tls_context *t, size_t i) {
  free(t->kept[i].name);
  SSL_SESSION_free(t->kept[i].session);
  t->kept_count--;
  memmove(&t->kept[i], &t->kept[i + 1], (t->kept_count - i) * sizeof *t->kept);
}

static void free_record(void *parent, void *ptr, CRYPTO_EX_DATA *ad, int idx, long argl,
                        void *argp) {
  tls_context *t = ptr;
  (void)parent, (void)ad, (void)idx, (void)argl, (void)argp;
  if (t == NULL) return;
  tls_record_drop_sni(t);
  while (t->kept_count > 0) tls_record_drop_session(t, t->kept_count - 1);
  if (t->keylog >= 0) close(t->keylog);
  free(t->kept);
  free(t->alpn);
  free(t->stapled);
  free(t->keylog_name);
  free(t);
}

bool tls_record_once(void) {
  if (context_index <= 0)
    context_index = SSL_CTX_get_ex_new_index(0, NULL, NULL, NULL, free_record);
  return context_index > 0;
}

bool tls_record_attach(SSL_CTX *ctx, tls_context *t) {
  t->ctx = ctx;
  t->keylog = -1;
  return SSL_CTX_set_ex_data(ctx, context_index, t) == 1;
}

tls_context *tls_context_test(lua_State *L, int idx) {
  tls_context **p = luaL_testudata(L, idx, TLS_CONTEXT);
  return p != NULL ? *p : NULL;
}

tls_context *tls_context_check(lua_State *L, int arg) {
  tls_context **p = luaL_checkudata(L, arg, TLS_CONTEXT);
  luaL_argcheck(L, *p != NULL, arg, "the context is at its end");
  return *p;
}

tls_context *tls_context_open(lua_State *L, int arg) {
  tls_context *t = tls_context_check(L, arg);
  if (t->used) luaL_error(L, "the context is in use: it cannot be changed any more");
  return t;
}

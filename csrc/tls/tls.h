/* tls.h: what the files of csock.tls share. csock is known by csrc/api.h alone, OpenSSL by nobody
 * else.
 *
 * conn.c drives one OpenSSL connection, whatever carries its bytes; transport.c puts one under a
 * socket, object.c one between two queues of bytes. context.c and its neighbours make what
 * connections share. failure.c has the words for what goes wrong.
 *
 * No Lua runs inside OpenSSL's functions, and no error of Lua's passes through them.
 */
#ifndef TLS_H
#define TLS_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* O_CLOEXEC */
#endif

#include "../api.h"

#include <openssl/ssl.h>
#include <openssl/err.h>
#include <openssl/x509v3.h>

#include <stdint.h>
#include <stdio.h>

/* --- a connection (conn.c) ------------------------------------------------------------------- */

#define TLS_RECORD_MAX 16384 /* bytes of a record's content, RFC 8446 section 5.1 */

/* A result beside 0, errno values and directions: a function of the program's must say which
   context the name that the client has asked for has (sni.c). */
#define TLS_ASK (-100)

typedef struct tls_conn tls_conn;
typedef struct tls_failure tls_failure;

/* How a connection comes by its bytes: as `receive` and `transmit` of api.h. */
typedef struct tls_carrier {
  int (*receive)(tls_conn *c, char *bytes, size_t n, size_t *got);
  int (*transmit)(tls_conn *c, const char *bytes, size_t n, size_t *sent);
} tls_carrier;

enum { TLS_VERIFIES_NO_NAME, TLS_VERIFIES_HOST, TLS_VERIFIES_IP };

typedef struct tls_bytes {
  char *at; /* malloc */
  size_t from, len, room;
} tls_bytes;

struct tls_conn {
  SSL *ssl;
  const tls_carrier *carrier;
  tls_bytes in;         /* received and not yet asked for */
  tls_bytes out;        /* sealed and not yet sent */
  char *server_name;    /* malloc: what the client wants verified, or what it has asked for */
  tls_failure *failure; /* malloc: of `broken` */
  int broken;           /* errno value: nothing more will come; 0: sound */
  int silent;           /* errno value: nothing more can be sent */
  uint8_t refused;      /* alert: the program's function wants no such connection; 0: it does */
  int io;               /* what the carrier gave last: 0, an errno value, a direction */
  tls_bytes held;   /* bytes of the program's that are sealed, and that it has not been told of */
  unsigned records; /* that the call under way has asked for */
  uint16_t last;    /* length of the last record's body that was asked for */
  int8_t want;      /* direction of the last would-block; 0: none */
  bool opens;       /* it has to speak first, and its carrier can carry that */
  bool gathers;     /* what is sealed is kept in `out`, to be sent with what follows */
  uint8_t verifies; /* TLS_VERIFIES_*: what its certificate must be for */
  bool eof;         /* the carrier is at its end */
  bool ended;       /* the peer has said that it is done */
  bool cut;         /* it is at its end without having said so */
  bool said_end;    /* so have we */
  bool server;
  bool decided; /* the context for the name is chosen */
  bool ragged;  /* the end without a close_notify is an end like any other */
};

/* A record for a connection under the context, whose memory is zeroed. 0 or an errno value. */
int tls_conn_init(tls_conn *c, SSL_CTX *ctx, const tls_carrier *carrier);
void tls_conn_free(tls_conn *c);
tls_conn *tls_conn_of(const SSL *ssl);
bool tls_conn_once(void);
int tls_conn_verified(int ok, X509_STORE_CTX *store); /* for SSL_set_verify */

/* Each tries once and gives 0, an errno value, a direction or TLS_ASK. */
int tls_conn_handshake(tls_conn *c);
int tls_conn_read(tls_conn *c, char *bytes, size_t n, bool peek, size_t *got);
int tls_conn_write(tls_conn *c, const char *bytes, size_t n, size_t *sent);
int tls_conn_shutdown(tls_conn *c); /* says that nothing more will be sent */
int tls_conn_unwrap(tls_conn *c);   /* ... and waits until the peer has said so, too */

bool tls_conn_pending(const tls_conn *c);

/* The number of bytes that read gives without the carrier. */
size_t tls_conn_buffered(const tls_conn *c);

/* --- its bytes (bio.c) ------------------------------------------------------------------------ */

bool tls_bio_once(void);
BIO *tls_bio_new(tls_conn *c);

/* Receives what is there into `in`. 0, an errno value or a direction. */
int tls_bio_fill(tls_conn *c);

/* Sends what is in `out`. */
int tls_bio_flush(tls_conn *c);

/* Takes bytes that were received and belong to nobody any more. */
size_t tls_bio_take(tls_conn *c, char *bytes, size_t n);

int tls_bytes_reserve(tls_bytes *b, size_t room);
int tls_bytes_add(tls_bytes *b, const char *data, size_t n);
void tls_bytes_drop(tls_bytes *b, size_t n);
void tls_bytes_free(tls_bytes *b);

/* --- what went wrong (failure.c) -------------------------------------------------------------- */

/* Why a certificate was refused, and whose. */
void tls_failure_certificate(tls_conn *c, X509_STORE_CTX *store, int code);

/* Takes OpenSSL's queue of errors, and makes the connection broken by it. Returns `broken`. */
int tls_failure_take(tls_conn *c);

/* The words for the connection's state. Lives as long as the connection. */
void tls_failure_words(tls_conn *c, int err, cs_words *words);
void tls_failure_free(tls_failure *f);

/* Pushes nil, an error value in the words of OpenSSL's queue, which is empty afterwards, and its
   number. `what` (may be NULL) is put before the words. */
int tls_failure_push(lua_State *L, const cs_api *api, const char *call, const char *what);

/* Whether an error of the queue says that OpenSSL had no memory. */
static inline bool tls_is_memory(unsigned long e) {
  return ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
}

/* The queue belongs to the thread, and so to the host as well: it is empty before and after each of
   our calls. */
#ifdef CS_DEBUG
#include <assert.h>
#define tls_errors_none() assert(ERR_peek_error() == 0)
#else
#define tls_errors_none() ((void)0)
#endif

/* memory.c: raises what Lua raises when it has no memory; where the queue says that OpenSSL had
   none. The queue is empty afterwards. */
int tls_no_memory(lua_State *L);
void tls_no_memory_if(lua_State *L);

/* --- contexts (record.c, context.c) ----------------------------------------------------------- */

/* A server's name, and the context for it. */
typedef struct tls_sni {
  char *name;   /* malloc: lower case, "*.example.org" */
  SSL_CTX *ctx; /* a reference; NULL: the context itself */
} tls_sni;

/* The last session with a server of this name. */
typedef struct tls_kept {
  char *name; /* malloc */
  SSL_SESSION *session;
} tls_kept;

/* What belongs to an SSL_CTX (record.c). */
typedef struct tls_context {
  SSL_CTX *ctx; /* not owned */
  bool server;
  bool insecure; /* made to verify nothing */
  bool check_hostname;
  bool ragged;
  bool used;         /* frozen */
  bool asks;         /* sni_callback is a function */
  bool trusts;       /* has authorities of its own */
  bool shared_store; /* its certificates are those of the process */
  bool keeps_sessions;
  unsigned char *alpn; /* malloc: what a server takes, in the protocol's form */
  unsigned alpn_len;
  unsigned char *stapled; /* malloc */
  size_t stapled_len;
  tls_sni *sni; /* names and their contexts */
  size_t sni_count;
  int keylog;        /* descriptor; -1: none */
  char *keylog_name; /* malloc */
  tls_kept *kept;    /* sessions, the newest first */
  size_t kept_count;
} tls_context;

#define TLS_CONTEXT     "csock.SSLContext"
#define TLS_SNI_VALUE   1 /* user value: sni_callback, as it was set */
#define TLS_PAIRS_VALUE 2 /* user value: what load_cert_chain was given, for reload */
#define TLS_VALUES      2

/* The record of what is at `arg`: raises for anything else; NULL for anything else. */
tls_context *tls_context_check(lua_State *L, int arg);
tls_context *tls_context_test(lua_State *L, int idx);
bool tls_record_once(void);
bool tls_record_attach(SSL_CTX *ctx, tls_context *t);
void tls_record_drop_sni(tls_context *t); /* lets go of other contexts */
void tls_record_drop_session(tls_context *t, size_t i);
tls_context *tls_context_of(const SSL_CTX *ctx);

/* The same of one that may still be changed: raises for a frozen one. */
tls_context *tls_context_open(lua_State *L, int arg);

/* As Python has them. */
enum { TLS_CERT_NONE, TLS_CERT_OPTIONAL, TLS_CERT_REQUIRED };
enum { TLS_PROTOCOL_CLIENT = 16, TLS_PROTOCOL_SERVER = 17 };

/* Each file brings its methods. */
extern const luaL_Reg tls_context_methods[], tls_material_methods[], tls_names_methods[],
    tls_session_methods[];
extern const luaL_Reg tls_context_functions[];

void tls_context_register(lua_State *L);

/* --- what contexts are made of --------------------------------------------------------------- */

/* The system's authorities (store.c): one store for the process, to which OpenSSL alone adds, what
   it finds in directories. 0; ENOENT: there are none; ENOMEM. */
int tls_store_system(X509_STORE **store);
int tls_store_paths(lua_State *L);
void tls_store_push_tried(lua_State *L); /* the places, as a text */

/* The same: adds them to a store of one's own, read anew. */
int tls_store_fill(X509_STORE *store);

/* Whether the directory has a file whose name is a hash, as OpenSSL looks for: "1a2b3c4d.0", and
   "1a2b3c4d.r0" for what is revoked. */
bool tls_store_is_hashed(const char *directory);

void tls_material_install(tls_context *t);
void tls_session_install(tls_context *t);

/* keylog_filename (keylog.c). 0 or an errno value. */
int tls_keylog_open(tls_context *t, const char *name);
void tls_keylog_close(tls_context *t);

/* Which name is verified and asked for; NULL: none. 0; EINVAL: it is no name; ENOMEM. */
int tls_names_expect(tls_conn *c, const tls_context *t, const char *name);

/* Makes the handshake of the socket or SSLObject at `arg`, and runs the program's function for the
   name where there is one. As tls_conn_handshake; raises that function's error. */
int tls_names_handshake(lua_State *L, int arg, tls_conn *(*find_conn)(lua_State *L, int arg));

void tls_names_set_sni(lua_State *L, tls_context *t, int context, int value);

/* --- Lua's side ------------------------------------------------------------------------------ */

/* Every function has these two upvalues: csock's table, and one that says which context (key: the
   socket or object, weak) something is under. */
#define TLS_API(L)   ((const cs_api *)lua_touserdata((L), lua_upvalueindex(1)))
#define TLS_OWNERS   lua_upvalueindex(2)
#define TLS_UPVALUES 2

/* Registers functions in the table on the top, with the upvalues of the one that runs. */
static inline void tls_setfuncs(lua_State *L, const luaL_Reg *list) {
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, TLS_OWNERS);
  luaL_setfuncs(L, list, TLS_UPVALUES);
}

/* The connection of the socket or SSLObject at `arg`: raises for what has none. */
tls_conn *tls_conn_at(lua_State *L, int arg);
tls_conn *tls_conn_find(lua_State *L, int arg);      /* NULL: it has none */
tls_conn *tls_transport_conn(lua_State *L, int arg); /* NULL: none */
tls_conn *tls_object_conn(lua_State *L, int arg);

extern const luaL_Reg tls_transport_functions[], tls_transport_methods[];
void tls_transport_register(lua_State *L);
extern const luaL_Reg tls_info_methods[]; /* info.c: of both */
void tls_cipher_push(lua_State *L, const SSL_CIPHER *cipher);
extern const luaL_Reg tls_object_functions[], tls_pem_functions[], tls_digest_functions[];
void tls_object_register(lua_State *L, const luaL_Reg *more); /* more methods */
void tls_session_register(lua_State *L);

/* certificate.c */
int tls_certificate_push(lua_State *L, X509 *cert); /* as Python's getpeercert() */
int tls_certificate_push_der(lua_State *L, X509 *cert);
void tls_certificate_names(X509 *cert, char *text, size_t room); /* "'a', 'b'" */

/* session.c: the session at `arg`, or NULL for nil. */

/* The SSLSession at `arg`, or NULL; raises when a connection under the context to that name must
   not take it up. */
SSL_SESSION *tls_session_opt(lua_State *L, int arg, const tls_context *t, const char *name);
int tls_session_push(lua_State *L, const tls_conn *c); /* the one it has, or nil */
void tls_session_resume(tls_conn *c, tls_context *t);  /* one that is kept */

#endif

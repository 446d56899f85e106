/* failure.c: words for what goes wrong: OpenSSL's reason, the alert, what was wrong with which
 * certificate, and what may help. An error's text is never empty. */
#include "tls.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

struct tls_failure {
  char name[64];     /* "CERTIFICATE_VERIFY_FAILED" */
  char text[1024];   /* all of it, for people */
  char subject[256]; /* of the certificate that was refused */
  char names[256];   /* that it is for: "'a', 'b'" */
  char dates[128];   /* "from ... to ..." */
  char code[12], depth[12];
  int verify; /* X509_V_ERR_*; 0: no certificate was refused */
  const char *message, *alert, *hint, *library;
};

static tls_failure *failure_of(tls_conn *c) {
  if (c->failure == NULL) c->failure = calloc(1, sizeof *c->failure);
  return c->failure;
}

void tls_failure_free(tls_failure *f) {
  free(f);
}

/* --- certificates --- */

static void write_name(X509_NAME *name, char *text, size_t room) {
  text[0] = '\0';
  BIO *b = BIO_new(BIO_s_mem());
  if (b == NULL) return;
  if (X509_NAME_print_ex(b, name, 0, XN_FLAG_RFC2253 & ~ASN1_STRFLGS_ESC_MSB) >= 0) {
    int n = BIO_read(b, text, (int)room - 1);
    text[n > 0 ? n : 0] = '\0';
  }
  BIO_free(b);
}

static void write_dates(const X509 *cert, char *text, size_t room) {
  BIO *b = BIO_new(BIO_s_mem());
  text[0] = '\0';
  if (b == NULL) return;
  BIO_puts(b, "from ");
  ASN1_TIME_print(b, X509_get0_notBefore(cert));
  BIO_puts(b, " to ");
  ASN1_TIME_print(b, X509_get0_notAfter(cert));
  int n = BIO_read(b, text, (int)room - 1);
  text[n > 0 ? n : 0] = '\0';
  BIO_free(b);
}

void tls_failure_certificate(tls_conn *c, X509_STORE_CTX *store, int code) {
  tls_failure *f = failure_of(c);
  X509 *cert = X509_STORE_CTX_get_current_cert(store);
  if (f == NULL) return;
  f->verify = code;
  f->message = X509_verify_cert_error_string(code);
  snprintf(f->code, sizeof f->code, "%d", code);
  snprintf(f->depth, sizeof f->depth, "%d", X509_STORE_CTX_get_error_depth(store));
  f->subject[0] = f->names[0] = f->dates[0] = '\0';
  if (cert == NULL) return;
  write_name(X509_get_subject_name(cert), f->subject, sizeof f->subject);
  write_dates(cert, f->dates, sizeof f->dates);
  tls_certificate_names(cert, f->names, sizeof f->names);
}

/* --- hints --- */

static const struct {
  int code;
  const char *hint;
} verify_hints[] = {
    {X509_V_ERR_CERT_HAS_EXPIRED, "is the clock of this machine right?"},
    {X509_V_ERR_CERT_NOT_YET_VALID, "is the clock of this machine right?"},
    {X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT,
     "to trust just this certificate, give it to load_verify_locations"},
    {X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN,
     "to trust that authority, give its certificate to load_verify_locations"},
    {X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY,
     "the authority is not known, or the server does not send the intermediate certificates"},
    {X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE,
     "the authority is not known, or the server does not send the intermediate certificates"},
};

static const struct {
  int reason; /* SSL_R_* */
  const char *hint;
} reason_hints[] = {
    {SSL_R_HTTP_REQUEST, "the peer speaks plain HTTP, not TLS"},
    {SSL_R_HTTPS_PROXY_REQUEST, "the peer takes this for a proxy"},
    {SSL_R_WRONG_VERSION_NUMBER, "the peer does not speak TLS on this port, or not yet"},
    {SSL_R_PACKET_LENGTH_TOO_LONG, "the peer does not speak TLS on this port, or not yet"},
    {SSL_R_UNSUPPORTED_PROTOCOL, "the two have no version of TLS in common"},
    {SSL_R_NO_PROTOCOLS_AVAILABLE, "minimum_version and maximum_version leave no version of TLS"},
    {SSL_R_TLSV1_ALERT_PROTOCOL_VERSION, "the two have no version of TLS in common"},
    {SSL_R_VERSION_TOO_LOW, "the two have no version of TLS in common"},
    {SSL_R_NO_SHARED_CIPHER,
     "no cipher in common: has the server a certificate (load_cert_chain)?"},
    {SSL_R_SSLV3_ALERT_HANDSHAKE_FAILURE,
     "the peer found no cipher or version in common, or misses a certificate"},
    {SSL_R_TLSV1_ALERT_UNKNOWN_CA, "the peer does not trust our certificate's authority"},
    {SSL_R_SSLV3_ALERT_BAD_CERTIFICATE, "the peer refused our certificate"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED, "the peer says that our certificate has expired"},
    {SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN, "the peer refused our certificate"},
    {SSL_R_TLSV13_ALERT_CERTIFICATE_REQUIRED, "the peer wants a certificate: load_cert_chain"},
    {SSL_R_PEER_DID_NOT_RETURN_A_CERTIFICATE, "the context demands a certificate of its clients"},
    {SSL_R_TLSV1_UNRECOGNIZED_NAME, "the server does not know the name that it was asked for"},
    {SSL_R_TOO_MANY_KEY_UPDATES, "the peer floods the connection with what is no data"},
    {SSL_R_NO_APPLICATION_PROTOCOL, "no protocol in common: set_alpn_protocols"},
};

static const char *hint_for_verify(int code) {
  for (size_t i = 0; i < sizeof verify_hints / sizeof *verify_hints; i++)
    if (verify_hints[i].code == code) return verify_hints[i].hint;
  return NULL;
}

static const char *hint_for_reason(unsigned long e) {
  if (ERR_GET_LIB(e) != ERR_LIB_SSL) return NULL;
  for (size_t i = 0; i < sizeof reason_hints / sizeof *reason_hints; i++)
    if (reason_hints[i].reason == ERR_GET_REASON(e)) return reason_hints[i].hint;
  return NULL;
}

/* --- OpenSSL's queue --- */

/* RFC 8446 section 6, RFC 5246 section 7.2, and those of extensions; and what the error is called
   that one of them makes. (The names of OpenSSL's own constants: its words for them differ from
   version to version.) */
static const struct {
  int code;
  const char *name, *reason;
} alerts[] = {
    {0, "close_notify", "ALERT_CLOSE_NOTIFY"},
    {10, "unexpected_message", "SSLV3_ALERT_UNEXPECTED_MESSAGE"},
    {20, "bad_record_mac", "SSLV3_ALERT_BAD_RECORD_MAC"},
    {21, "decryption_failed", "TLSV1_ALERT_DECRYPTION_FAILED"},
    {22, "record_overflow", "TLSV1_ALERT_RECORD_OVERFLOW"},
    {30, "decompression_failure", "SSLV3_ALERT_DECOMPRESSION_FAILURE"},
    {40, "handshake_failure", "SSLV3_ALERT_HANDSHAKE_FAILURE"},
    {41, "no_certificate", "SSLV3_ALERT_NO_CERTIFICATE"},
    {42, "bad_certificate", "SSLV3_ALERT_BAD_CERTIFICATE"},
    {43, "unsupported_certificate", "SSLV3_ALERT_UNSUPPORTED_CERTIFICATE"},
    {44, "certificate_revoked", "SSLV3_ALERT_CERTIFICATE_REVOKED"},
    {45, "certificate_expired", "SSLV3_ALERT_CERTIFICATE_EXPIRED"},
    {46, "certificate_unknown", "SSLV3_ALERT_CERTIFICATE_UNKNOWN"},
    {47, "illegal_parameter", "SSLV3_ALERT_ILLEGAL_PARAMETER"},
    {48, "unknown_ca", "TLSV1_ALERT_UNKNOWN_CA"},
    {49, "access_denied", "TLSV1_ALERT_ACCESS_DENIED"},
    {50, "decode_error", "TLSV1_ALERT_DECODE_ERROR"},
    {51, "decrypt_error", "TLSV1_ALERT_DECRYPT_ERROR"},
    {60, "export_restriction", "TLSV1_ALERT_EXPORT_RESTRICTION"},
    {70, "protocol_version", "TLSV1_ALERT_PROTOCOL_VERSION"},
    {71, "insufficient_security", "TLSV1_ALERT_INSUFFICIENT_SECURITY"},
    {80, "internal_error", "TLSV1_ALERT_INTERNAL_ERROR"},
    {86, "inappropriate_fallback", "TLSV1_ALERT_INAPPROPRIATE_FALLBACK"},
    {90, "user_canceled", "TLSV1_ALERT_USER_CANCELLED"},
    {100, "no_renegotiation", "TLSV1_ALERT_NO_RENEGOTIATION"},
    {109, "missing_extension", "TLSV13_ALERT_MISSING_EXTENSION"},
    {110, "unsupported_extension", "TLSV1_UNSUPPORTED_EXTENSION"},
    {111, "certificate_unobtainable", "TLSV1_CERTIFICATE_UNOBTAINABLE"},
    {112, "unrecognized_name", "TLSV1_UNRECOGNIZED_NAME"},
    {113, "bad_certificate_status_response", "TLSV1_BAD_CERTIFICATE_STATUS_RESPONSE"},
    {114, "bad_certificate_hash_value", "TLSV1_BAD_CERTIFICATE_HASH_VALUE"},
    {115, "unknown_psk_identity", "TLSV1_ALERT_UNKNOWN_PSK_IDENTITY"},
    {116, "certificate_required", "TLSV13_ALERT_CERTIFICATE_REQUIRED"},
    {120, "no_application_protocol", "TLSV1_ALERT_NO_APPLICATION_PROTOCOL"},
};

/* The place in `alerts` of what the peer has sent; -1: the error is none of those. */
static int find_alert(unsigned long e) {
  int code = ERR_GET_REASON(e) - SSL_AD_REASON_OFFSET;
  if (ERR_GET_LIB(e) != ERR_LIB_SSL) return -1;
  for (size_t i = 0; i < sizeof alerts / sizeof *alerts; i++)
    if (alerts[i].code == code) return (int)i;
  return -1;
}

static const char *alert_of(unsigned long e) {
  int i = find_alert(e);
  return i < 0 ? NULL : alerts[i].name;
}

/* "certificate verify failed" -> "CERTIFICATE_VERIFY_FAILED" */
static void write_reason(unsigned long e, char *name, size_t room) {
  int alert = find_alert(e);
  const char *reason = alert < 0 ? ERR_reason_error_string(e) : alerts[alert].reason;
  if (reason == NULL) {
    snprintf(name, room, "OPENSSL_%08lX", e);
    return;
  }
  size_t i = 0;
  for (; reason[i] != '\0' && i + 1 < room; i++)
    name[i] = isalnum((unsigned char)reason[i]) ? (char)toupper((unsigned char)reason[i]) : '_';
  name[i] = '\0';
}

/* The oldest error is the cause; 0: there is none. Among a connection's, the oldest of libssl's
   own: libcrypto's before it say what it stumbled over. */
static unsigned long take_queue(bool connection) {
  unsigned long first = 0, own = 0, e;
  while ((e = ERR_get_error()) != 0) {
    if (first == 0) first = e;
    if (own == 0 && ERR_GET_LIB(e) == ERR_LIB_SSL) own = e;
  }
  return connection && own != 0 ? own : first;
}

static void add(char *text, size_t room, const char *more) {
  size_t len = strlen(text);
  snprintf(text + len, room - len, "%s", more);
}

static void write_verify(const tls_conn *c, tls_failure *f) {
  size_t room = sizeof f->text;
  add(f->text, room, ": ");
  add(f->text, room, f->message);
  if (f->verify == X509_V_ERR_HOSTNAME_MISMATCH || f->verify == X509_V_ERR_IP_ADDRESS_MISMATCH) {
    add(f->text, room, ": the certificate is for ");
    add(f->text, room, f->names[0] != '\0' ? f->names : "no name");
    add(f->text, room, ", not for '");
    add(f->text, room, c->server_name != NULL ? c->server_name : "");
    add(f->text, room, "'");
  }
  if (f->verify == X509_V_ERR_CERT_HAS_EXPIRED || f->verify == X509_V_ERR_CERT_NOT_YET_VALID) {
    add(f->text, room, ": it is valid ");
    add(f->text, room, f->dates);
  }
  add(f->text, room, " (");
  if (c->server_name != NULL && !c->server) {
    add(f->text, room, "host ");
    add(f->text, room, c->server_name);
    add(f->text, room, ", ");
  }
  add(f->text, room, "depth ");
  add(f->text, room, f->depth);
  add(f->text, room, ", ");
  add(f->text, room, f->subject[0] != '\0' ? f->subject : "no subject");
  add(f->text, room, ")");
}

int tls_failure_take(tls_conn *c) {
  unsigned long e = take_queue(true);
  tls_failure *f = failure_of(c);
  bool cut = c->eof && (e == 0 || (ERR_GET_LIB(e) == ERR_LIB_SSL &&
                                   ERR_GET_REASON(e) == SSL_R_UNEXPECTED_EOF_WHILE_READING));
  /* (An error resets the state that SSL_is_init_finished asks for.) */
  c->cut = cut && SSL_get_peer_finished(c->ssl, NULL, 0) > 0;
  c->broken = tls_is_memory(e) || f == NULL ? ENOMEM : EPROTO;
  if (f == NULL) return c->broken;
  bool refused = ERR_GET_LIB(e) == ERR_LIB_SSL &&
                 ERR_GET_REASON(e) == SSL_R_CERTIFICATE_VERIFY_FAILED && f->message != NULL;
  if (cut) {
    snprintf(f->name, sizeof f->name, "UNEXPECTED_EOF_WHILE_READING");
    snprintf(f->text, sizeof f->text, "%s",
             c->cut ? "the connection was cut: the peer did not say that it had finished"
                    : "the peer closed the connection during the TLS handshake");
  } else if (e == 0) {
    snprintf(f->name, sizeof f->name, "PROTOCOL_ERROR");
    snprintf(f->text, sizeof f->text, "the peer broke the TLS protocol off");
  } else {
    const char *reason = ERR_reason_error_string(e);
    write_reason(e, f->name, sizeof f->name);
    snprintf(f->text, sizeof f->text, "%s", reason != NULL ? reason : f->name);
    f->library = ERR_lib_error_string(e);
    f->alert = alert_of(e);
  }
  if (refused) write_verify(c, f);
  f->hint = refused ? hint_for_verify(f->verify) : hint_for_reason(e);
  if (f->hint != NULL) {
    add(f->text, sizeof f->text, "; ");
    add(f->text, sizeof f->text, f->hint);
  }
  if (!refused) f->message = NULL;
  return c->broken;
}

void tls_failure_words(tls_conn *c, int err, cs_words *words) {
  tls_failure *f = c->failure;
  size_t n = 0;
  if (err != EPROTO || f == NULL || f->text[0] == '\0') return;
  words->text = f->text;
  words->name = f->name;
#define FIELD(field, text, digits)           \
  if ((text) != NULL && (text)[0] != '\0') { \
    words->more[n].name = field;             \
    words->more[n].value = text;             \
    words->more[n++].integer = digits;       \
  }
  FIELD("library", f->library, false)
  FIELD("alert", f->alert, false)
  FIELD("hint", f->hint, false)
  if (f->message == NULL) return;
  FIELD("verify_message", f->message, false)
  FIELD("verify_code", (const char *)f->code, true)
  FIELD("depth", (const char *)f->depth, true)
  FIELD("subject", (const char *)f->subject, false)
#undef FIELD
}

int tls_failure_push(lua_State *L, const cs_api *api, const char *call, const char *what) {
  unsigned long e = take_queue(false);
  char name[64];
  const char *reason = e != 0 ? ERR_reason_error_string(e) : NULL;
  cs_words words = {.name = name};
  if (tls_is_memory(e)) return api->fail(L, NULL, call, ENOMEM);
  if (e != 0 && ERR_GET_LIB(e) == ERR_LIB_SYS) {
    words.name = NULL;
    words.text =
        what != NULL ? lua_pushfstring(L, "%s: %s", what, strerror(ERR_GET_REASON(e))) : NULL;
    return api->fail_words(L, call, "error", ERR_GET_REASON(e), &words);
  }
  write_reason(e, name, sizeof name);
  if (e == 0) snprintf(name, sizeof name, "INVALID");
  if (reason == NULL) reason = e != 0 ? name : "refused";
  words.text =
      what != NULL ? lua_pushfstring(L, "%s: %s", what, reason) : lua_pushstring(L, reason);
  words.more[0].name = "library";
  words.more[0].value = e != 0 ? ERR_lib_error_string(e) : NULL;
  if (words.more[0].value == NULL) words.more[0].name = NULL;
  return api->fail_words(L, call, "ssl", EPROTO, &words);
}

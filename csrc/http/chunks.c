/* chunks.c: the sizes of chunks, their extensions and ends, byte by byte, and the trailers. */
#include "chunks.h"

enum {
  SIZE,        /* 1*HEXDIG */
  BEFORE_NAME, /* a ';' was there */
  NAME,
  BEFORE_VALUE, /* a '=' was there */
  TOKEN,
  QUOTED,
  ESCAPED, /* in a quoted string, behind a backslash */
  AFTER_VALUE,
  SIZE_LF, /* the CR after the size and the extensions was there */
  RUN,     /* the bytes of the chunk */
  RUN_LF,  /* the CR after them was there */
  TRAILER,
  END,
  REFUSED
};

#define SIZE_DIGITS 16

static cs_http_verdict read_size(cs_http_chunks *c, char byte, const cs_http_limits *limits) {
  if (!cs_http_is(byte, CS_HTTP_HEX_CHAR)) {
    if (c->digits == 0) return CS_HTTP_CHUNK_SIZE;
    if (byte == '\r')
      c->phase = SIZE_LF;
    else if (byte == ';')
      c->phase = BEFORE_NAME;
    else
      return CS_HTTP_CHUNK_SIZE;
    return CS_HTTP_MORE;
  }
  if (++c->digits > SIZE_DIGITS) return CS_HTTP_CHUNK_SIZE;
  char lower = cs_http_lower(byte);
  c->size = c->size << 4 | (uint64_t)(lower <= '9' ? lower - '0' : lower - 'a' + 10);
  return c->size > limits->body - c->total ? CS_HTTP_BODY_TOO_LONG : CS_HTTP_MORE;
}

/* *( ";" name [ "=" ( token / quoted-string ) ] ), without the blanks between that nobody sends:
   the phase after `byte`, or REFUSED. */
static uint8_t after_extension(uint8_t phase, char byte) {
  bool token = cs_http_is(byte, CS_HTTP_TOKEN_CHAR), text = cs_http_is(byte, CS_HTTP_TEXT_CHAR);
  switch (phase) {
  case BEFORE_NAME:
    return token ? NAME : REFUSED;
  case BEFORE_VALUE:
    return token ? TOKEN : byte == '"' ? QUOTED : REFUSED;
  case QUOTED:
    if (byte == '"') return AFTER_VALUE;
    if (byte == '\\') return ESCAPED;
    return text ? QUOTED : REFUSED;
  case ESCAPED:
    return text ? QUOTED : REFUSED;
  default: /* NAME, TOKEN, AFTER_VALUE */
    if (token && phase != AFTER_VALUE) return phase;
    if (byte == '=' && phase == NAME) return BEFORE_VALUE;
    return byte == ';' ? BEFORE_NAME : byte == '\r' ? SIZE_LF : REFUSED;
  }
}

static cs_http_verdict read_extension(cs_http_chunks *c, char byte, const cs_http_limits *limits) {
  if (++c->extension > limits->extension) return CS_HTTP_EXTENSION_TOO_LONG;
  c->phase = after_extension(c->phase, byte);
  return c->phase == REFUSED ? CS_HTTP_CHUNK_EXTENSION : CS_HTTP_MORE;
}

/* One byte of what is between the runs: MORE when there is nothing to say. */
static cs_http_verdict read_byte(cs_http_chunks *c, char byte, const cs_http_limits *limits) {
  switch (c->phase) {
  case SIZE:
    return read_size(c, byte, limits);
  case SIZE_LF:
    if (byte != '\n') return CS_HTTP_CHUNK_SIZE;
    c->run = c->size;
    c->total += c->size;
    c->phase = c->run > 0 ? RUN : TRAILER;
    return c->run > 0 ? CS_HTTP_RUN : CS_HTTP_MORE;
  case RUN:
    if (byte != '\r') return CS_HTTP_CHUNK_END;
    c->phase = RUN_LF;
    return CS_HTTP_MORE;
  case RUN_LF:
    if (byte != '\n') return CS_HTTP_CHUNK_END;
    c->phase = SIZE;
    c->digits = 0;
    c->extension = 0;
    c->size = 0;
    return CS_HTTP_MORE;
  default:
    return read_extension(c, byte, limits);
  }
}

/* No trailer may say where the message ends: somebody may take it for a header. */
static cs_http_verdict check_trailers(const cs_http_chunks *c, const cs_http_limits *limits) {
  cs_http_field list[CS_HTTP_FIELDS];
  unsigned count = cs_http_chunks_trailers(c, limits, list);
  for (unsigned i = 0; i < count; i++) {
    const char *name = cs_bytes_at(&c->trailer, list[i].name.at);
    size_t n = list[i].name.len;
    if (CS_HTTP_EQUAL(name, n, "content-length") || CS_HTTP_EQUAL(name, n, "transfer-encoding"))
      return CS_HTTP_TRAILER;
  }
  return CS_HTTP_DONE;
}

/* Keeps the lines until the empty one has come. */
static cs_http_verdict read_trailer(cs_http_chunks *c, const char *bytes, size_t len, size_t *used,
                                    const cs_http_limits *limits) {
  if (c->trailer.len == 0 && len >= 2 && memcmp(bytes, "\r\n", 2) == 0) { /* there are none */
    *used += 2;
    c->phase = END;
    return CS_HTTP_DONE;
  }
  size_t room = limits->trailer - c->trailer.len;
  if (len > room) len = room;
  if (cs_bytes_append(&c->trailer, bytes, len) != 0) return CS_HTTP_NO_MEMORY;
  cs_http_verdict v = cs_http_fields_read(cs_bytes_at(&c->trailer, 0), c->trailer.len, &c->place,
                                          limits, limits->trailer, CS_HTTP_TRAILER_TOO_LONG, NULL);
  size_t beyond = v == CS_HTTP_DONE ? c->trailer.len - c->place.at : 0;
  cs_bytes_retract(&c->trailer, beyond);
  *used += len - beyond;
  if (v != CS_HTTP_DONE) return v;
  c->phase = END;
  return check_trailers(c, limits);
}

cs_http_verdict cs_http_chunks_read(cs_http_chunks *c, const char *bytes, size_t len, size_t *used,
                                    const cs_http_limits *limits) {
  cs_http_verdict v = CS_HTTP_MORE;
  *used = 0;
  if (c->phase == END) return CS_HTTP_DONE;
  if (c->phase == RUN && c->run > 0) return CS_HTTP_RUN;
  while (*used < len && v == CS_HTTP_MORE) {
    if (c->phase == TRAILER) return read_trailer(c, bytes + *used, len - *used, used, limits);
    v = read_byte(c, bytes[(*used)++], limits);
  }
  return v;
}

unsigned cs_http_chunks_trailers(const cs_http_chunks *c, const cs_http_limits *limits,
                                 cs_http_field *list) {
  cs_http_place place = {0};
  if (c->phase == END && c->trailer.len > 0)
    cs_http_fields_read(cs_bytes_at(&c->trailer, 0), c->trailer.len, &place, limits,
                        limits->trailer, CS_HTTP_TRAILER_TOO_LONG, list);
  return place.count;
}

void cs_http_chunks_free(cs_http_chunks *c) {
  cs_bytes_free(&c->trailer);
}

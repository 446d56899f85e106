/* coding.c: for libFuzzer (make fuzz): what encodes and decodes does the same with bytes that come
   at once and with the same bytes cut anywhere, writes no more than it says, looks at none beyond
   them, and gives back what was encoded. */
#include "../../csrc/coding/base64.h"
#include "../../csrc/coding/dots.h"
#include "../../csrc/coding/quoted.h"

#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(bool fine) {
  if (!fine) abort();
}

static void *memory(size_t n) {
  void *block = malloc(n > 0 ? n : 1);
  check(block != NULL);
  return block;
}

typedef union state {
  cs_base64_encoder to_base64;
  cs_base64_decoder of_base64;
  cs_quoted_encoder to_quoted;
  cs_quoted_decoder of_quoted;
  cs_dots_stuffer to_dots;
  cs_dots_unstuffer of_dots;
} state;

enum { TO_BASE64, OF_BASE64, TO_QUOTED, OF_QUOTED, TO_DOTS, OF_DOTS, KINDS };

static size_t most_of(int kind, const state *s, size_t n) {
  switch (kind) {
  case TO_BASE64:
    return cs_coding_base64_encoded(&s->to_base64, n);
  case OF_BASE64:
    return cs_coding_base64_decoded(n);
  case TO_QUOTED:
    return cs_coding_quoted_encoded(n);
  case OF_QUOTED:
    return cs_coding_quoted_decoded(&s->of_quoted, n);
  case TO_DOTS:
    return cs_coding_dots_stuffed(n);
  default:
    return cs_coding_dots_unstuffed(n);
  }
}

/* One piece, or the end where `from` is NULL, into a block of just the size that was promised. */
static bool step(int kind, state *s, const char *from, size_t n, char *out, size_t *len) {
  size_t got = 0, used;
  size_t most = most_of(kind, s, n);
  unsigned faults;
  bool fine = true, end = from == NULL;
  char *to = (char *)memory(most), *own = (char *)memory(n);
  if (!end) memcpy(own, from, n);
  switch (kind) {
  case TO_BASE64:
    got = end ? cs_coding_base64_encode_end(&s->to_base64, to)
              : cs_coding_base64_encode(&s->to_base64, to, own, n);
    break;
  case OF_BASE64:
    fine = end ? cs_coding_base64_decode_end(&s->of_base64, to, &got, &faults)
               : cs_coding_base64_decode(&s->of_base64, to, own, n, &got);
    break;
  case TO_QUOTED:
    got = end ? cs_coding_quoted_encode_end(&s->to_quoted, to)
              : cs_coding_quoted_encode(&s->to_quoted, to, own, n);
    break;
  case OF_QUOTED:
    got = end ? cs_coding_quoted_decode_end(&s->of_quoted, to)
              : cs_coding_quoted_decode(&s->of_quoted, to, own, n);
    break;
  case TO_DOTS:
    got = end ? cs_coding_dots_stuff_end(&s->to_dots, to)
              : cs_coding_dots_stuff(&s->to_dots, to, own, n);
    break;
  default:
    if (end)
      fine = cs_coding_dots_ended(&s->of_dots);
    else
      got = cs_coding_dots_unstuff(&s->of_dots, to, own, n, &used);
  }
  check(got <= most);
  memcpy(out + *len, to, got);
  *len += got;
  free(to);
  free(own);
  return fine;
}

/* All of the bytes, so many at a time: whether there was nothing to refuse, and what came of them.
 */
static bool convert(int kind, state s, const char *bytes, size_t size, size_t piece, char *out,
                    size_t *len) {
  *len = 0;
  bool fine = true;
  for (size_t at = 0; at < size && fine; at += piece)
    fine = step(kind, &s, bytes + at, size - at < piece ? size - at : piece, out, len);
  return step(kind, &s, NULL, 0, out, len) && fine;
}

/* The first byte says what is done, and how the others come. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  if (size < 2) return 0;
  int kind = data[0] % KINDS;
  size_t piece = data[0] / 8 % 8 + 1, a_len, b_len, c_len;
  bool flag = (data[0] & 64) != 0, bare = (data[0] & 128) != 0;
  state s;
  memset(&s, 0, sizeof s);
  if (kind == TO_BASE64) s.to_base64 = (cs_base64_encoder){.columns = flag ? 8 : 0, .bare = bare};
  if (kind == OF_BASE64) s.of_base64.lenient = flag;
  if (kind == TO_QUOTED) s.to_quoted = (cs_quoted_encoder){.binary = flag, .bare = bare};
  const char *bytes = (const char *)data + 1;
  char *a = (char *)memory(8 * size + 64), *b = (char *)memory(8 * size + 64);
  bool a_fine = convert(kind, s, bytes, size - 1, size, a, &a_len);
  bool b_fine = convert(kind, s, bytes, size - 1, piece, b, &b_len);
  check(a_fine == b_fine);
  if (a_fine) check(a_len == b_len && memcmp(a, b, a_len) == 0);
  /* And back: quoted-printable of a text has its line ends for others, as dots have. */
  if (kind == TO_BASE64 || (kind == TO_QUOTED && flag) || kind == TO_DOTS) {
    state back;
    memset(&back, 0, sizeof back);
    check(convert(kind + 1, back, a, a_len, piece, b, &c_len));
    if (kind == TO_DOTS)
      check(c_len < a_len);
    else
      check(c_len == size - 1 && memcmp(b, bytes, c_len) == 0);
  }
  free(a);
  free(b);
  return 0;
}

/* complete.c: completion. Before readline is given a key that completes, the program is asked: it
 * may wait for its answer, as readline's functions may not. */
#include "readline.h"

#include <stdlib.h>
#include <string.h>

/* Readline's word in front of the cursor is what is replaced: a name, or inside of a string all of
   it; behind a command that begins with a colon all that has no blank, such as a path. */
static const char outside[] = " \t\n\"\\'`@$><=;|&{}()[]!?#%^*-+/~,.:";
static const char inside[] = "\"'";
static const char command[] = " \t\n";

char *line_complete_breaks(void) {
  char quote = 0;
  for (int i = 0; i < rl_point; i++) {
    char c = rl_line_buffer[i];
    if (quote != 0 && c == '\\')
      i++;
    else if (quote != 0 ? c == quote : c == '"' || c == '\'')
      quote = quote != 0 ? 0 : c;
  }
  const char *breaks = quote != 0                                               ? inside
                       : rl_line_buffer[strspn(rl_line_buffer, " \t\n")] == ':' ? command
                                                                                : outside;
  return (char *)breaks; /* readline does not change it */
}

int line_complete_first(void) {
  const char *breaks = line_complete_breaks();
  int first = rl_point;
  while (first > 0 && strchr(breaks, rl_line_buffer[first - 1]) == NULL) first--;
  return first;
}

bool line_complete_is_key(const char *key, size_t n) {
  static rl_command_func_t *const all[] = {rl_complete, rl_menu_complete, rl_backward_menu_complete,
                                           rl_possible_completions, rl_insert_completions};
  char text[16];
  int type = -1;
  if (n >= sizeof text) return false;
  memcpy(text, key, n);
  text[n] = '\0';
  rl_command_func_t *f = rl_function_of_keyseq(text, NULL, &type);
  for (size_t i = 0; type == ISFUNC && i < sizeof all / sizeof *all; i++)
    if (f == all[i]) return true;
  return false;
}

/* --- the answer --- */

void line_complete_answer(line_answer *a) {
  line_bytes_free(&process.answer.candidates);
  process.answer = *a;
}

/* Whether it begins with the word (and is more than nothing). */
static bool fits(const char *candidate, const char *word) {
  return *candidate != '\0' && strncmp(candidate, word, strlen(word)) == 0;
}

/* What all of them begin with, of whole characters. */
static char *common(char **all, size_t count) {
  size_t n = strlen(all[0]);
  for (size_t i = 1; i < count; i++) {
    size_t same = 0;
    while (same < n && all[i][same] == all[0][same]) same++;
    n = same;
  }
  while (n > 0 && (all[0][n] & 0xc0) == 0x80) n--;
  char *text = strndup(all[0], n);
  return text;
}

/* As readline wants them: what they have in common, then they, NULL; one alone is only the first.
 */
static char **matches_of(const line_bytes *list, const char *word) {
  size_t count = 0, most = 0;
  const char *at = list->at, *end = at + list->from + list->len;
  for (const char *c = at; c < end; c += strlen(c) + 1) most++;
  char **matches = calloc(most + 2, sizeof *matches);
  if (matches == NULL) return NULL;
  for (const char *c = at; c < end; c += strlen(c) + 1)
    if (fits(c, word) && (matches[count + 1] = strdup(c)) != NULL) count++;
  if (count > 0) matches[0] = common(matches + 1, count);
  if (matches[0] == NULL || count == 1) {
    for (size_t i = 1; i <= count; i++) {
      free(matches[i]);
      matches[i] = NULL;
    }
  }
  if (matches[0] == NULL) {
    free(matches);
    return NULL;
  }
  return matches;
}

char **line_complete(const char *text, int first, int last) {
  (void)first, (void)last;
  rl_attempted_completion_over = 1;
  process.tail.len = 0; /* what is listed comes between */
  const line_answer *a = &process.answer;
  if (a->files) return rl_completion_matches(text, rl_filename_completion_function);
  rl_completion_append_character = a->append;
  rl_completion_suppress_append = a->append == '\0';
  return a->candidates.len == 0 ? NULL : matches_of(&a->candidates, text);
}

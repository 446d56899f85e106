/* list.h: lists whose links are part of their members: entering and leaving cost the same wherever
   a member stands, and cannot fail. A list is a circle, known by its last member. */
#ifndef CS_LIST_H
#define CS_LIST_H

#include "port.h"

typedef struct cs_link {
  struct cs_link *next, *prev; /* NULL: in no list */
} cs_link;

typedef struct cs_list {
  cs_link *last; /* NULL: empty */
} cs_list;

/* The struct whose link this is. */
#define CS_MEMBER_OF(link, type, member) ((type *)((char *)(link)-offsetof(type, member)))

static inline cs_link *cs_list_first(const cs_list *list) {
  return list->last != NULL ? list->last->next : NULL;
}

/* What follows the member; NULL after the last. */
static inline cs_link *cs_list_next(const cs_list *list, const cs_link *link) {
  return link != list->last ? link->next : NULL;
}

static inline void cs_list_append(cs_list *list, cs_link *link) {
  cs_link *last = list->last;
  if (last == NULL) {
    link->next = link->prev = link;
  } else {
    link->next = last->next;
    link->prev = last;
    last->next->prev = link;
    last->next = link;
  }
  list->last = link;
}

static inline void cs_list_prepend(cs_list *list, cs_link *link) {
  cs_link *last = list->last;
  cs_list_append(list, link);
  if (last != NULL) list->last = last; /* the circle begins with the new one then */
}

/* The member must stand in this very list. */
static inline void cs_list_remove(cs_list *list, cs_link *link) {
  if (link->next == link) {
    list->last = NULL;
  } else {
    link->prev->next = link->next;
    link->next->prev = link->prev;
    if (list->last == link) list->last = link->prev;
  }
  link->next = link->prev = NULL;
}

/* The first, which leaves; NULL when there is none. */
static inline cs_link *cs_list_take(cs_list *list) {
  cs_link *first = cs_list_first(list);
  if (first != NULL) cs_list_remove(list, first);
  return first;
}

#endif

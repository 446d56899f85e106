/* message.h: building a message to send: message.c, afalg.c. */
#ifndef CS_MESSAGE_H
#define CS_MESSAGE_H

#include "control.h"
#include "transfer.h"

#include <sys/uio.h>

#ifndef IOV_MAX
#define IOV_MAX 1024
#endif

/* What a call in progress points at; in one userdata, on the stack. The integers' types fit
   msghdr's fields, which differ between systems. */
typedef struct cs_message {
  const cs_class *cls;
  unsigned received; /* bytes of `control` whose descriptors are nobody's yet: closed by __gc */
  unsigned room;     /* bytes of `control` */
  char *control;     /* all 0 at first */
  unsigned short count;
  struct iovec iov[];
} cs_message;

/* The bytes of the string or buffer at `idx`; NULL when it is neither. */
const char *cs_message_bytes(lua_State *L, int idx, size_t *len);

/* Pushes the strings and buffers of the sequence at `arg` (or the one that is there), where they
   stay for the whole call. Returns their number; more than IOV_MAX are not pushed: EMSGSIZE. */
size_t cs_message_pieces(lua_State *L, int arg);

/* Pushes the message whose pieces are the `count` values from `first` on, with `room` bytes for
   control messages. */
cs_message *cs_message_outgoing(lua_State *L, int first, size_t count, size_t room);

/* The attempt, and what runs it: sends the message, which is on the stack, to the address in the
   arguments `arg` .. `last`, if there is one. */
int cs_sendmsg_attempt(lua_State *L, cs_op *op);
int cs_message_send(lua_State *L, cs_op *op, cs_message *m, int arg, int last);

#endif

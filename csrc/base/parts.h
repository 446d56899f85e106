/* parts.h: what core.c puts together, in this order. Each part adds its functions and constants to
   the table on the top of the stack, and makes its classes, in a function cs_open_<part>. */
#ifndef CS_PARTS_H
#define CS_PARTS_H

#include "args.h"

/* clang-format off */
#define CS_PARTS(PART) \
  PART(place) \
  PART(error) \
  PART(policy) \
  PART(constants) \
  PART(loop) \
  PART(address) \
  PART(address_read) \
  PART(socket) \
  PART(ledger) \
  PART(sockets) \
  PART(make) \
  PART(connect) \
  PART(tap) \
  PART(transfer) \
  PART(message) \
  PART(afalg) \
  PART(sendfile) \
  PART(options) \
  PART(netdb) \
  PART(convert) \
  PART(buffer) \
  PART(stream) \
  PART(stream_read) \
  PART(stream_write) \
  PART(select) \
  PART(poll) \
  PART(epoll) \
  PART(kqueue) \
  PART(kevent) \
  PART(task) \
  PART(testing) \
  PART(simulated) \
  PART(listing) \
  PART(inner) \
  PART(hub) \
  PART(text) \
  PART(random) \
  PART(signals) \
  PART(fork) \
  PART(process) \
  PART(identity) \
  PART(service) \
  PART(http) \
  PART(http_block) \
  PART(http_parse) \
  PART(http_read) \
  PART(http_answer) \
  PART(http_directory) \
  PART(http_program) \
  PART(websocket_channel) \
  PART(coding) \
  PART(api)
/* clang-format on */

#define CS_PART_OPEN(part) void cs_open_##part(lua_State *L);
CS_PARTS(CS_PART_OPEN)

#endif

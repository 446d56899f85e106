/* parts.h: what core.c puts together, in this order. Each part adds its functions and constants to
   the table on the top of the stack, and makes its classes, in a function cs_open_<part>. */
#ifndef CS_PARTS_H
#define CS_PARTS_H

#include "args.h"

/* What a host leaves out by a macro CSOCK_OMIT_<GROUP>; csrc/csock/omit.lua says which files that
   is. The reactor stands on the loop. */
#if defined(CSOCK_OMIT_LOOP) && !defined(CSOCK_OMIT_REACTOR)
#define CSOCK_OMIT_REACTOR
#endif
#ifdef CSOCK_OMIT_LOOP
#define CS_LOOP_PART(PART, part)
#else
#define CS_LOOP_PART(PART, part) PART(part)
#endif
#ifdef CSOCK_OMIT_POLL
#define CS_POLL_PART(PART, part)
#else
#define CS_POLL_PART(PART, part) PART(part)
#endif
#ifdef CSOCK_OMIT_REACTOR
#define CS_REACTOR_PART(PART, part)
#else
#define CS_REACTOR_PART(PART, part) PART(part)
#endif
#ifdef CSOCK_OMIT_HTTP
#define CS_HTTP_PART(PART, part)
#else
#define CS_HTTP_PART(PART, part) PART(part)
#endif
#ifdef CSOCK_OMIT_WEBSOCKET
#define CS_WEBSOCKET_PART(PART, part)
#else
#define CS_WEBSOCKET_PART(PART, part) PART(part)
#endif
#ifdef CSOCK_OMIT_CODING
#define CS_CODING_PART(PART, part)
#else
#define CS_CODING_PART(PART, part) PART(part)
#endif
#if defined(CSOCK_OMIT_LOOP) || defined(CSOCK_OMIT_POLL) || defined(CSOCK_OMIT_REACTOR) || \
    defined(CSOCK_OMIT_HTTP) || defined(CSOCK_OMIT_WEBSOCKET) || defined(CSOCK_OMIT_CODING)
#define CS_OMITTED                  1
#define CS_OMITTED_PART(PART, part) PART(part) /* says so of the others */
#else
#define CS_OMITTED_PART(PART, part)
#endif

/* clang-format off */
#define CS_PARTS(PART) \
  PART(place) \
  PART(error) \
  PART(policy) \
  PART(constants) \
  CS_LOOP_PART(PART, loop) \
  CS_OMITTED_PART(PART, omitted) \
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
  CS_POLL_PART(PART, select) \
  CS_POLL_PART(PART, poll) \
  CS_POLL_PART(PART, epoll) \
  CS_POLL_PART(PART, kqueue) \
  CS_POLL_PART(PART, kevent) \
  CS_LOOP_PART(PART, task) \
  CS_LOOP_PART(PART, testing) \
  CS_LOOP_PART(PART, simulated) \
  CS_LOOP_PART(PART, listing) \
  CS_LOOP_PART(PART, inner) \
  CS_REACTOR_PART(PART, hub) \
  PART(text) \
  PART(random) \
  CS_LOOP_PART(PART, signals) \
  CS_LOOP_PART(PART, fork) \
  CS_LOOP_PART(PART, process) \
  CS_LOOP_PART(PART, identity) \
  CS_LOOP_PART(PART, pipe) \
  CS_LOOP_PART(PART, program) \
  CS_LOOP_PART(PART, service) \
  CS_HTTP_PART(PART, http) \
  CS_HTTP_PART(PART, http_block) \
  CS_HTTP_PART(PART, http_parse) \
  CS_HTTP_PART(PART, http_read) \
  CS_HTTP_PART(PART, http_answer) \
  CS_HTTP_PART(PART, http_directory) \
  CS_WEBSOCKET_PART(PART, websocket_channel) \
  CS_CODING_PART(PART, coding) \
  CS_CODING_PART(PART, file) \
  CS_CODING_PART(PART, file_folder) \
  PART(api)
/* clang-format on */

#define CS_PART_OPEN(part) void cs_open_##part(lua_State *L);
CS_PARTS(CS_PART_OPEN)

#endif

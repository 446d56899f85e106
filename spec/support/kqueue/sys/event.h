/* kqueue(2)'s declarations, for `make lint` alone: csock is compiled, and not run, as on a system
   that has kqueue. The numbers are FreeBSD's. */
#ifndef SPEC_SYS_EVENT_H
#define SPEC_SYS_EVENT_H

#include <stdint.h>
#include <time.h>

struct kevent {
  uintptr_t ident;
  short filter;
  unsigned short flags;
  unsigned fflags;
  int64_t data;
  void *udata;
  uint64_t ext[4];
};

int kqueue(void);
int kevent(int kq, const struct kevent *changes, int nchanges, struct kevent *events, int nevents,
           const struct timespec *timeout);

#define EV_SET(e, ident_, filter_, flags_, fflags_, data_, udata_) \
  (*(e) = (struct kevent){.ident = (ident_),                       \
                          .filter = (filter_),                     \
                          .flags = (flags_),                       \
                          .fflags = (fflags_),                     \
                          .data = (data_),                         \
                          .udata = (udata_)})

#define EVFILT_READ   (-1)
#define EVFILT_WRITE  (-2)
#define EVFILT_AIO    (-3)
#define EVFILT_VNODE  (-4)
#define EVFILT_PROC   (-5)
#define EVFILT_SIGNAL (-6)
#define EVFILT_TIMER  (-7)
#define EVFILT_USER   (-11)

#define EV_ADD      0x0001
#define EV_DELETE   0x0002
#define EV_ENABLE   0x0004
#define EV_DISABLE  0x0008
#define EV_ONESHOT  0x0010
#define EV_CLEAR    0x0020
#define EV_RECEIPT  0x0040
#define EV_DISPATCH 0x0080
#define EV_FLAG1    0x2000
#define EV_ERROR    0x4000
#define EV_EOF      0x8000
#define EV_SYSFLAGS 0xf000

#define NOTE_LOWAT  0x0001
#define NOTE_DELETE 0x0001
#define NOTE_WRITE  0x0002
#define NOTE_EXTEND 0x0004
#define NOTE_ATTRIB 0x0008
#define NOTE_LINK   0x0010
#define NOTE_RENAME 0x0020
#define NOTE_REVOKE 0x0040
#define NOTE_EXIT   0x80000000
#define NOTE_FORK   0x40000000
#define NOTE_EXEC   0x20000000

#endif

/* kqueue.c: kqueue(2)'s names, with Python's KQ_ before them. */
#include "../base/rows.h"

#if CS_HAVE_KQUEUE
#include <sys/event.h>
#include <sys/time.h>

#define EVFILT(name) CS_ROW("KQ_FILTER_" #name, EVFILT_##name)
#define FLAG(name)   CS_ROW("KQ_EV_" #name, EV_##name)
#define NOTE(name)   CS_ROW("KQ_NOTE_" #name, NOTE_##name)

#endif

const cs_constant cs_constants_kqueue[] = {
#if CS_HAVE_KQUEUE
    EVFILT(READ),     EVFILT(WRITE), EVFILT(VNODE),    EVFILT(PROC),     EVFILT(SIGNAL),
    EVFILT(TIMER),
#ifdef EVFILT_AIO
    EVFILT(AIO),
#endif
#ifdef EVFILT_EMPTY
    EVFILT(EMPTY),
#endif
#ifdef EVFILT_EXCEPT
    EVFILT(EXCEPT),
#endif
#ifdef EVFILT_FS
    EVFILT(FS),
#endif
#ifdef EVFILT_NETDEV
    EVFILT(NETDEV),
#endif
#ifdef EVFILT_PROCDESC
    EVFILT(PROCDESC),
#endif
#ifdef EVFILT_USER
    EVFILT(USER),
#endif

    FLAG(ADD),        FLAG(CLEAR),   FLAG(DELETE),     FLAG(DISABLE),    FLAG(ENABLE),
    FLAG(EOF),        FLAG(ERROR),   FLAG(FLAG1),      FLAG(ONESHOT),
#ifdef EV_SYSFLAGS
    FLAG(SYSFLAGS),
#endif
#ifdef EV_DISPATCH
    FLAG(DISPATCH),
#endif
#ifdef EV_RECEIPT
    FLAG(RECEIPT),
#endif

    NOTE(ATTRIB),     NOTE(DELETE),  NOTE(EXEC),       NOTE(EXIT),       NOTE(EXTEND),
    NOTE(FORK),       NOTE(LINK),
#ifdef NOTE_ABSOLUTE
    NOTE(ABSOLUTE),
#endif
#ifdef NOTE_CHILD
    NOTE(CHILD),
#endif
#ifdef NOTE_FFAND
    NOTE(FFAND),      NOTE(FFCOPY),  NOTE(FFCTRLMASK), NOTE(FFLAGSMASK), NOTE(FFNOP),
    NOTE(FFOR),
#endif
#ifdef NOTE_LINKDOWN
    NOTE(LINKDOWN),   NOTE(LINKINV), NOTE(LINKUP),
#endif
#ifdef NOTE_LOWAT
    NOTE(LOWAT),
#endif
#ifdef NOTE_MSECONDS
    NOTE(MSECONDS),
#endif
#ifdef NOTE_NSECONDS
    NOTE(NSECONDS),
#endif
#ifdef NOTE_OOB
    NOTE(OOB),
#endif
#ifdef NOTE_PCTRLMASK
    NOTE(PCTRLMASK),
#endif
#ifdef NOTE_PDATAMASK
    NOTE(PDATAMASK),
#endif
#ifdef NOTE_RENAME
    NOTE(RENAME),
#endif
#ifdef NOTE_REVOKE
    NOTE(REVOKE),
#endif
#ifdef NOTE_SECONDS
    NOTE(SECONDS),
#endif
#ifdef NOTE_TRACK
    NOTE(TRACK),
#endif
#ifdef NOTE_TRACKERR
    NOTE(TRACKERR),
#endif
#ifdef NOTE_TRIGGER
    NOTE(TRIGGER),
#endif
#ifdef NOTE_TRUNCATE
    NOTE(TRUNCATE),
#endif
#ifdef NOTE_USECONDS
    NOTE(USECONDS),
#endif
#ifdef NOTE_WRITE
    NOTE(WRITE),
#endif
#endif
    {"", false, 0},
};

#undef EVFILT
#undef FLAG
#undef NOTE

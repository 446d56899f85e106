/* port.h: what this system has. The only file (besides the poller backends) that names an
   operating system; every C file includes it first. A feature is a CS_HAVE_* macro that is 0 or 1;
   headers that only some systems have are asked for with __has_include. */
#ifndef CS_PORT_H
#define CS_PORT_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE /* accept4, ppoll, struct ucred, dladdr */
#endif
#ifndef _FILE_OFFSET_BITS
#define _FILE_OFFSET_BITS 64 /* large files on 32-bit systems too */
#endif
#if defined(__APPLE__)
#define _DARWIN_C_SOURCE
#define __APPLE_USE_RFC_3542 /* IPV6_RECVPKTINFO and its kin */
#endif

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#if defined(__linux__)
#define CS_HAVE_ACCEPT4       1
#define CS_HAVE_EPOLL         1
#define CS_HAVE_EVENTFD       1
#define CS_HAVE_LINUX_NUMBERS 1 /* its own protocols: bind/constants_linux.c */
#define CS_HAVE_SYSCALL       1 /* <sys/syscall.h>: SYS_pidfd_open */
#define CS_HAVE_SENDFILE      1 /* sendfile(out, in, offset, count) in Linux's form */
#define CS_HAVE_TCP_INFO      1 /* TCP_INFO with Linux's struct tcp_info */
#define CS_HAVE_UCRED         1 /* SO_PEERCRED with struct ucred; else getpeereid */
#define CS_HAVE_ABSTRACT_UNIX 1 /* AF_UNIX names that begin with a zero byte */
#else
#define CS_HAVE_ACCEPT4       0
#define CS_HAVE_EPOLL         0
#define CS_HAVE_EVENTFD       0
#define CS_HAVE_LINUX_NUMBERS 0
#define CS_HAVE_SYSCALL       0
#define CS_HAVE_SENDFILE      0
#define CS_HAVE_TCP_INFO      0
#define CS_HAVE_UCRED         0
#define CS_HAVE_ABSTRACT_UNIX 0
#endif

/* (musl's gives an address without a name its digits for one.) */
#if defined(__GLIBC__) || defined(__ANDROID__) || defined(__FreeBSD__)
#define CS_HAVE_GETHOSTBY_R 1 /* gethostbyname_r, gethostbyaddr_r: they take a buffer */
#else
#define CS_HAVE_GETHOSTBY_R 0
#endif

#if defined(__linux__) || defined(__FreeBSD__)
#define CS_HAVE_GETSERVBY_R 1 /* getservbyname_r, getservbyport_r */
#else
#define CS_HAVE_GETSERVBY_R 0
#endif

#if defined(__GLIBC__) || defined(__FreeBSD__)
#define CS_HAVE_GETPROTOBY_R 1 /* getprotobyname_r */
#else
#define CS_HAVE_GETPROTOBY_R 0
#endif

#if defined(__APPLE__) || defined(__FreeBSD__) || defined(__NetBSD__) || defined(__OpenBSD__) || \
    defined(__DragonFly__)
#define CS_HAVE_KQUEUE     1
#define CS_HAVE_SA_LEN     1 /* struct sockaddr begins with its own length */
#define CS_HAVE_ARC4RANDOM 1
#else
#ifndef CS_HAVE_KQUEUE /* by libkqueue: make KQUEUE=1 */
#define CS_HAVE_KQUEUE 0
#endif
#define CS_HAVE_SA_LEN     0
#define CS_HAVE_ARC4RANDOM 0 /* glibc has it since 2.36: getrandom is older */
#endif

#if defined(__linux__)
#define CS_HAVE_KQUEUE_POLL 0 /* libkqueue's descriptor is one end of a pipe */
#else
#define CS_HAVE_KQUEUE_POLL CS_HAVE_KQUEUE /* poll(2) tells when a kqueue has events */
#endif

#if defined(__has_include)
#if __has_include(<linux/if_alg.h>)
#define CS_HAVE_AFALG 1
#endif
#endif
#ifndef CS_HAVE_AFALG
#define CS_HAVE_AFALG 0
#endif

#if defined(__has_include)
#if __has_include(<sys/random.h>)
#define CS_HAVE_GETRANDOM 1 /* where there is arc4random, it is not asked for */
#endif
#endif
#ifndef CS_HAVE_GETRANDOM
#define CS_HAVE_GETRANDOM 0
#endif

#if defined(__APPLE__)
#define CS_HAVE_PPOLL 0
#else
#define CS_HAVE_PPOLL 1
#endif

/* The clock that condition variables are timed by. */
#if defined(__APPLE__)
#define CS_COND_CLOCK                     CLOCK_REALTIME
#define cs_condattr_setclock(attr, clock) ((void)0)
#else
#define CS_COND_CLOCK        CLOCK_MONOTONIC
#define cs_condattr_setclock pthread_condattr_setclock
#endif

#if defined(__APPLE__) || defined(__OpenBSD__)
#define CS_HAVE_SIGTIMEDWAIT 0
#else
#define CS_HAVE_SIGTIMEDWAIT 1
#endif

#if defined(__GLIBC__) || defined(__ANDROID__)
#define CS_HAVE_GNU_STRERROR_R 1 /* strerror_r returns the text; else an errno value */
#else
#define CS_HAVE_GNU_STRERROR_R 0
#endif

/* The type of ioctl(2)'s request, which has 32 bits everywhere. */
#if defined(__linux__) && !defined(__GLIBC__)
typedef int cs_ioctl_request;
#else
typedef unsigned long cs_ioctl_request;
#endif

/* What getgrouplist(3) makes a list of. */
#if defined(__APPLE__)
typedef int cs_listed_gid;
#else
typedef gid_t cs_listed_gid;
#endif

/* Where there is no per-call flag, SO_NOSIGPIPE is set on each socket (sys/fd.c). */
#ifdef MSG_NOSIGNAL
#define CS_MSG_NOSIGNAL MSG_NOSIGNAL
#else
#define CS_MSG_NOSIGNAL 0
#endif

/* On macOS, vfork is deprecated, and libraries do not see the program's environ. */
#if defined(__APPLE__)
#include <crt_externs.h>
#define cs_vfork   fork
#define cs_environ (*_NSGetEnviron())
#else
#define cs_vfork   vfork
#define cs_environ environ
extern char **environ;
#endif

/* Where descriptors cannot be made so, they are marked afterwards. */
#ifdef SOCK_CLOEXEC
#define CS_SOCK_CLOEXEC  SOCK_CLOEXEC
#define CS_SOCK_NONBLOCK SOCK_NONBLOCK
#else
#define CS_SOCK_CLOEXEC  0
#define CS_SOCK_NONBLOCK 0
#endif
#ifdef MSG_CMSG_CLOEXEC
#define CS_MSG_CMSG_CLOEXEC MSG_CMSG_CLOEXEC
#else
#define CS_MSG_CMSG_CLOEXEC 0
#endif

/* A Unix path field that fills its array has no terminating zero; everything here counts bytes. */
#define CS_COUNT(array) (sizeof(array) / sizeof((array)[0]))

#endif

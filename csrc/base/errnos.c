/* errnos.c: the names of errno values. Of names that share a number the canonical one comes first.
   A name that some supported system lacks stands behind #ifdef. */
#include "rows.h"
#include "errnos.h"

/* Of POSIX. */
static const cs_constant posix[] = {
    K(E2BIG),           K(EACCES),       K(EADDRINUSE),
    K(EADDRNOTAVAIL),   K(EAFNOSUPPORT), K(EAGAIN),
    K(EALREADY),        K(EBADF),        K(EBADMSG),
    K(EBUSY),           K(ECANCELED),    K(ECHILD),
    K(ECONNABORTED),    K(ECONNREFUSED), K(ECONNRESET),
    K(EDEADLK),         K(EDESTADDRREQ), K(EDOM),
    K(EDQUOT),          K(EEXIST),       K(EFAULT),
    K(EFBIG),           K(EHOSTUNREACH), K(EIDRM),
    K(EILSEQ),          K(EINPROGRESS),  K(EINTR),
    K(EINVAL),          K(EIO),          K(EISCONN),
    K(EISDIR),          K(ELOOP),        K(EMFILE),
    K(EMLINK),          K(EMSGSIZE),     K(ENAMETOOLONG),
    K(ENETDOWN),        K(ENETRESET),    K(ENETUNREACH),
    K(ENFILE),          K(ENOBUFS),      K(ENODEV),
    K(ENOENT),          K(ENOEXEC),      K(ENOLCK),
    K(ENOMEM),          K(ENOMSG),       K(ENOPROTOOPT),
    K(ENOSPC),          K(ENOSYS),       K(ENOTCONN),
    K(ENOTDIR),         K(ENOTEMPTY),    K(ENOTRECOVERABLE),
    K(ENOTSOCK),        K(ENOTTY),       K(ENXIO),
    K(EOPNOTSUPP),      K(EOVERFLOW),    K(EOWNERDEAD),
    K(EPERM),           K(EPIPE),        K(EPROTO),
    K(EPROTONOSUPPORT), K(EPROTOTYPE),   K(ERANGE),
    K(EROFS),           K(ESPIPE),       K(ESRCH),
    K(ESTALE),          K(ETIMEDOUT),    K(ETXTBSY),
    K(EXDEV),
};

/* Of some systems. */
static const cs_constant others[] = {
#ifdef EADV
    K(EADV),
    K(EBADE),
    K(EBADFD),
    K(EBADR),
    K(EBADRQC),
    K(EBADSLT),
    K(EBFONT),
    K(ECHRNG),
    K(ECOMM),
    K(EDOTDOT),
    K(EHWPOISON),
    K(EISNAM),
    K(EKEYEXPIRED),
    K(EKEYREJECTED),
    K(EKEYREVOKED),
    K(EL2HLT),
    K(EL2NSYNC),
    K(EL3HLT),
    K(EL3RST),
    K(ELIBACC),
    K(ELIBBAD),
    K(ELIBEXEC),
    K(ELIBMAX),
    K(ELIBSCN),
    K(ELNRNG),
    K(EMEDIUMTYPE),
    K(ENAVAIL),
    K(ENOANO),
    K(ENOCSI),
    K(ENOKEY),
    K(ENOMEDIUM),
    K(ENONET),
    K(ENOPKG),
    K(ENOTNAM),
    K(ENOTUNIQ),
    K(EREMCHG),
    K(EREMOTEIO),
    K(ERESTART),
    K(ERFKILL),
    K(ESRMNT),
    K(ESTRPIPE),
    K(EUCLEAN),
    K(EUNATCH),
    K(EXFULL),
#endif
#ifdef EMULTIHOP
    K(EMULTIHOP),
#endif
#ifdef ENOLINK
    K(ENOLINK),
#endif
#ifdef EHOSTDOWN
    K(EHOSTDOWN),
#endif
#ifdef ENODATA
    K(ENODATA),
#endif
#ifdef ENOSR
    K(ENOSR),
#endif
#ifdef ENOSTR
    K(ENOSTR),
#endif
#ifdef ENOTBLK
    K(ENOTBLK),
#endif
#ifdef EPFNOSUPPORT
    K(EPFNOSUPPORT),
#endif
#ifdef EREMOTE
    K(EREMOTE),
#endif
#ifdef ESHUTDOWN
    K(ESHUTDOWN),
#endif
#ifdef ESOCKTNOSUPPORT
    K(ESOCKTNOSUPPORT),
#endif
#ifdef ETIME
    K(ETIME),
#endif
#ifdef ETOOMANYREFS
    K(ETOOMANYREFS),
#endif
#ifdef EUSERS
    K(EUSERS),
#endif
#ifdef EAUTH
    K(EAUTH),
#endif
#ifdef EBADARCH
    K(EBADARCH),
#endif
#ifdef EBADEXEC
    K(EBADEXEC),
#endif
#ifdef EBADMACHO
    K(EBADMACHO),
#endif
#ifdef EBADRPC
    K(EBADRPC),
#endif
#ifdef ECAPMODE
    K(ECAPMODE),
#endif
#ifdef EDEVERR
    K(EDEVERR),
#endif
#ifdef EDOOFUS
    K(EDOOFUS),
#endif
#ifdef EFTYPE
    K(EFTYPE),
#endif
#ifdef EINTEGRITY
    K(EINTEGRITY),
#endif
#ifdef ENEEDAUTH
    K(ENEEDAUTH),
#endif
#ifdef ENOATTR
    K(ENOATTR),
#endif
#ifdef ENOPOLICY
    K(ENOPOLICY),
#endif
#ifdef ENOTCAPABLE
    K(ENOTCAPABLE),
#endif
#ifdef EPROCLIM
    K(EPROCLIM),
#endif
#ifdef EPROCUNAVAIL
    K(EPROCUNAVAIL),
#endif
#ifdef EPROGMISMATCH
    K(EPROGMISMATCH),
#endif
#ifdef EPROGUNAVAIL
    K(EPROGUNAVAIL),
#endif
#ifdef EPWROFF
    K(EPWROFF),
#endif
#ifdef EQFULL
    K(EQFULL),
#endif
#ifdef ERPCMISMATCH
    K(ERPCMISMATCH),
#endif
#ifdef ESHLIBVERS
    K(ESHLIBVERS),
#endif
};

/* Other names of the same numbers. */
static const cs_constant aliases[] = {
    K(EWOULDBLOCK),
    K(ENOTSUP),
#ifdef EDEADLOCK
    K(EDEADLOCK),
#endif
};

const cs_family cs_constants_errno[] = {
    FAMILY(posix),
    FAMILY(others),
    FAMILY(aliases),
    {NULL, 0},
};

const char *cs_errno_name(int err) {
  for (const cs_family *f = cs_constants_errno; f->rows != NULL; f++)
    for (size_t i = 0; i < f->n; i++)
      if (f->rows[i].value == err) return f->rows[i].name;
  return NULL;
}

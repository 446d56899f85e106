/* errnos.c: the names of errno values. Of names that share a number the canonical one comes first.
   A name that some supported system lacks stands behind #ifdef. */
#include "rows.h"
#include "errnos.h"

const cs_constant cs_constants_errno[] = {
    /* Of POSIX. */
    CS_K(E2BIG),
    CS_K(EACCES),
    CS_K(EADDRINUSE),
    CS_K(EADDRNOTAVAIL),
    CS_K(EAFNOSUPPORT),
    CS_K(EAGAIN),
    CS_K(EALREADY),
    CS_K(EBADF),
    CS_K(EBADMSG),
    CS_K(EBUSY),
    CS_K(ECANCELED),
    CS_K(ECHILD),
    CS_K(ECONNABORTED),
    CS_K(ECONNREFUSED),
    CS_K(ECONNRESET),
    CS_K(EDEADLK),
    CS_K(EDESTADDRREQ),
    CS_K(EDOM),
    CS_K(EDQUOT),
    CS_K(EEXIST),
    CS_K(EFAULT),
    CS_K(EFBIG),
    CS_K(EHOSTUNREACH),
    CS_K(EIDRM),
    CS_K(EILSEQ),
    CS_K(EINPROGRESS),
    CS_K(EINTR),
    CS_K(EINVAL),
    CS_K(EIO),
    CS_K(EISCONN),
    CS_K(EISDIR),
    CS_K(ELOOP),
    CS_K(EMFILE),
    CS_K(EMLINK),
    CS_K(EMSGSIZE),
    CS_K(ENAMETOOLONG),
    CS_K(ENETDOWN),
    CS_K(ENETRESET),
    CS_K(ENETUNREACH),
    CS_K(ENFILE),
    CS_K(ENOBUFS),
    CS_K(ENODEV),
    CS_K(ENOENT),
    CS_K(ENOEXEC),
    CS_K(ENOLCK),
    CS_K(ENOMEM),
    CS_K(ENOMSG),
    CS_K(ENOPROTOOPT),
    CS_K(ENOSPC),
    CS_K(ENOSYS),
    CS_K(ENOTCONN),
    CS_K(ENOTDIR),
    CS_K(ENOTEMPTY),
    CS_K(ENOTRECOVERABLE),
    CS_K(ENOTSOCK),
    CS_K(ENOTTY),
    CS_K(ENXIO),
    CS_K(EOPNOTSUPP),
    CS_K(EOVERFLOW),
    CS_K(EOWNERDEAD),
    CS_K(EPERM),
    CS_K(EPIPE),
    CS_K(EPROTO),
    CS_K(EPROTONOSUPPORT),
    CS_K(EPROTOTYPE),
    CS_K(ERANGE),
    CS_K(EROFS),
    CS_K(ESPIPE),
    CS_K(ESRCH),
    CS_K(ESTALE),
    CS_K(ETIMEDOUT),
    CS_K(ETXTBSY),
    CS_K(EXDEV),

/* Of some systems. */
#ifdef EADV
    CS_K(EADV),
    CS_K(EBADE),
    CS_K(EBADFD),
    CS_K(EBADR),
    CS_K(EBADRQC),
    CS_K(EBADSLT),
    CS_K(EBFONT),
    CS_K(ECHRNG),
    CS_K(ECOMM),
    CS_K(EDOTDOT),
    CS_K(EHWPOISON),
    CS_K(EISNAM),
    CS_K(EKEYEXPIRED),
    CS_K(EKEYREJECTED),
    CS_K(EKEYREVOKED),
    CS_K(EL2HLT),
    CS_K(EL2NSYNC),
    CS_K(EL3HLT),
    CS_K(EL3RST),
    CS_K(ELIBACC),
    CS_K(ELIBBAD),
    CS_K(ELIBEXEC),
    CS_K(ELIBMAX),
    CS_K(ELIBSCN),
    CS_K(ELNRNG),
    CS_K(EMEDIUMTYPE),
    CS_K(ENAVAIL),
    CS_K(ENOANO),
    CS_K(ENOCSI),
    CS_K(ENOKEY),
    CS_K(ENOMEDIUM),
    CS_K(ENONET),
    CS_K(ENOPKG),
    CS_K(ENOTNAM),
    CS_K(ENOTUNIQ),
    CS_K(EREMCHG),
    CS_K(EREMOTEIO),
    CS_K(ERESTART),
    CS_K(ERFKILL),
    CS_K(ESRMNT),
    CS_K(ESTRPIPE),
    CS_K(EUCLEAN),
    CS_K(EUNATCH),
    CS_K(EXFULL),
#endif
#ifdef EMULTIHOP
    CS_K(EMULTIHOP),
#endif
#ifdef ENOLINK
    CS_K(ENOLINK),
#endif
#ifdef EHOSTDOWN
    CS_K(EHOSTDOWN),
#endif
#ifdef ENODATA
    CS_K(ENODATA),
#endif
#ifdef ENOSR
    CS_K(ENOSR),
#endif
#ifdef ENOSTR
    CS_K(ENOSTR),
#endif
#ifdef ENOTBLK
    CS_K(ENOTBLK),
#endif
#ifdef EPFNOSUPPORT
    CS_K(EPFNOSUPPORT),
#endif
#ifdef EREMOTE
    CS_K(EREMOTE),
#endif
#ifdef ESHUTDOWN
    CS_K(ESHUTDOWN),
#endif
#ifdef ESOCKTNOSUPPORT
    CS_K(ESOCKTNOSUPPORT),
#endif
#ifdef ETIME
    CS_K(ETIME),
#endif
#ifdef ETOOMANYREFS
    CS_K(ETOOMANYREFS),
#endif
#ifdef EUSERS
    CS_K(EUSERS),
#endif
#ifdef EAUTH
    CS_K(EAUTH),
#endif
#ifdef EBADARCH
    CS_K(EBADARCH),
#endif
#ifdef EBADEXEC
    CS_K(EBADEXEC),
#endif
#ifdef EBADMACHO
    CS_K(EBADMACHO),
#endif
#ifdef EBADRPC
    CS_K(EBADRPC),
#endif
#ifdef ECAPMODE
    CS_K(ECAPMODE),
#endif
#ifdef EDEVERR
    CS_K(EDEVERR),
#endif
#ifdef EDOOFUS
    CS_K(EDOOFUS),
#endif
#ifdef EFTYPE
    CS_K(EFTYPE),
#endif
#ifdef EINTEGRITY
    CS_K(EINTEGRITY),
#endif
#ifdef ENEEDAUTH
    CS_K(ENEEDAUTH),
#endif
#ifdef ENOATTR
    CS_K(ENOATTR),
#endif
#ifdef ENOPOLICY
    CS_K(ENOPOLICY),
#endif
#ifdef ENOTCAPABLE
    CS_K(ENOTCAPABLE),
#endif
#ifdef EPROCLIM
    CS_K(EPROCLIM),
#endif
#ifdef EPROCUNAVAIL
    CS_K(EPROCUNAVAIL),
#endif
#ifdef EPROGMISMATCH
    CS_K(EPROGMISMATCH),
#endif
#ifdef EPROGUNAVAIL
    CS_K(EPROGUNAVAIL),
#endif
#ifdef EPWROFF
    CS_K(EPWROFF),
#endif
#ifdef EQFULL
    CS_K(EQFULL),
#endif
#ifdef ERPCMISMATCH
    CS_K(ERPCMISMATCH),
#endif
#ifdef ESHLIBVERS
    CS_K(ESHLIBVERS),
#endif

    /* Other names of the same numbers. */
    CS_K(EWOULDBLOCK),
    CS_K(ENOTSUP),
#ifdef EDEADLOCK
    CS_K(EDEADLOCK),
#endif
    {"", false, 0},
};

const char *cs_errno_name(int err) {
  for (const cs_constant *row = cs_constants_errno; row->name[0] != '\0'; row++)
    if (cs_constant_value(row) == err) return row->name;
  return NULL;
}

/* beneath.h: files below a directory, and no other: for those who are asked by strangers. */
#ifndef CS_BENEATH_H
#define CS_BENEATH_H

#include "port.h"

#include <dirent.h>
#include <sys/stat.h>

/* An open file or directory. */
typedef struct cs_beneath {
  int fd; /* -1: closed */
  bool links;
  DIR *list;        /* NULL until it is listed */
  struct stat stat; /* as it was when it was opened */
} cs_beneath;

/* Opens for reading the file or directory at `path`, a relative one, below the directory `root`. No
   part of it may be empty but the last ("a/" must be a directory), nor "." or "..". Symbolic links
   in it are followed if `links` is true, wherever they lead; else there is no such file (ENOENT).
   What is neither a file nor a directory gives EACCES. 0 or an errno value; `b` must be closed (fd
   -1) before. */
int cs_beneath_open(cs_beneath *b, const char *root, const char *path, bool links);

/* The next name in a directory that cs_beneath_open would open; NULL at the end, where errno is 0
   or what went wrong. *directory: it is one. The first call after that begins anew. */
const char *cs_beneath_next(cs_beneath *b, bool *directory);

/* Harmless on what is closed. */
void cs_beneath_close(cs_beneath *b);

#endif

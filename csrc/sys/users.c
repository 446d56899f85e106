/* users.c: by the calls that systems have in several forms. */
#include "users.h"

int cs_users_groups(gid_t *list, int *count) {
  int room = *count, n = getgroups(0, NULL);
  if (n < 0) return errno;
  *count = n;
  if (n > room) return ERANGE;
  n = getgroups(n, list);
  if (n < 0) return errno;
  *count = n;
  return 0;
}

int cs_users_grouplist(const char *name, gid_t group, gid_t *list, int *count) {
  int room = *count;
  if (getgrouplist(name, (cs_listed_gid)group, (cs_listed_gid *)list, count) >= 0) return 0;
  if (*count <= room) *count = 2 * room; /* some systems do not say how many there are */
  return ERANGE;
}

/* A short count is a size_t on some systems and an int on others. */
int cs_users_set_groups(const gid_t *list, uint16_t count) {
  return setgroups(count, list) != 0 ? errno : 0;
}

/* users.h: which groups a process and a user have. */
#ifndef CS_USERS_H
#define CS_USERS_H

#include "port.h"

#include <grp.h>

#define CS_GROUPS_MOST UINT16_MAX /* of one process */

/* All return 0 or an errno value. The lists have room for *count entries; *count becomes how many
   there are, also when that are too many (ERANGE). */
int cs_users_groups(gid_t *list, int *count);
int cs_users_grouplist(const char *name, gid_t group, gid_t *list, int *count);

int cs_users_set_groups(const gid_t *list, uint16_t count);

#endif

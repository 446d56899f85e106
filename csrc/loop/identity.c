/* identity.c: for whom a process acts, as Python's os, pwd and grp have it: users and groups. */
#include "../base/error.h"
#include "../base/policy.h"
#include "../base/parts.h"
#include "../sys/users.h"

#include <grp.h>
#include <pwd.h>

/* --- the process's --- */

/***
The user that this process was started by. Source: getuid(2), Python's `os.getuid`.
@function getuid
@treturn int
@usage print(csock.getuid())
*/
static int identity_getuid(lua_State *L) {
  lua_pushinteger(L, getuid());
  return 1;
}

/***
The user for whom this process acts. Source: geteuid(2), Python's `os.geteuid`.
@function geteuid
@treturn int 0: root
@usage print(csock.geteuid())
*/
static int identity_geteuid(lua_State *L) {
  lua_pushinteger(L, geteuid());
  return 1;
}

/***
The group that this process was started by. Source: getgid(2), Python's `os.getgid`.
@function getgid
@treturn int
@usage print(csock.getgid())
*/
static int identity_getgid(lua_State *L) {
  lua_pushinteger(L, getgid());
  return 1;
}

/***
The group for which this process acts. Source: getegid(2), Python's `os.getegid`.
@function getegid
@treturn int
@usage print(csock.getegid())
*/
static int identity_getegid(lua_State *L) {
  lua_pushinteger(L, getegid());
  return 1;
}

/* A user or a group: -1 would mean "as it is" to some calls. */
static lua_Integer check_id(lua_State *L, int arg) {
  return cs_check_int(L, arg, 0, UINT32_MAX - 1);
}

/***
Has this process, with all its threads, act for another user. Root gives up all that it was before;
see `service.drop_privileges`, which does the whole of it in the right order.
Source: setuid(2), Python's `os.setuid`.
@function setuid
@tparam int uid
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EPERM`; `EAGAIN`)
@usage print(csock.setuid(csock.getuid())) --> true
*/
static int identity_setuid(lua_State *L) {
  uid_t uid = (uid_t)check_id(L, 1);
  int err = cs_policy_process(L, cs_state_get(L), "setuid");
  if (err == 0 && setuid(uid) != 0) err = errno;
  return cs_result(L, "setuid", err);
}

/***
The same for the group. Source: setgid(2), Python's `os.setgid`.
@function setgid
@tparam int gid
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EPERM`)
@usage print(csock.setgid(csock.getgid())) --> true
*/
static int identity_setgid(lua_State *L) {
  gid_t gid = (gid_t)check_id(L, 1);
  int err = cs_policy_process(L, cs_state_get(L), "setgid");
  if (err == 0 && setgid(gid) != 0) err = errno;
  return cs_result(L, "setgid", err);
}

/* Room for as many groups, on the stack. */
static gid_t *new_list(lua_State *L, int count) {
  return (gid_t *)lua_newuserdatauv(L, (size_t)(count > 0 ? count : 1) * sizeof(gid_t), 0);
}

static int push_groups(lua_State *L, const gid_t *list, int count) {
  lua_createtable(L, count, 0);
  for (int i = 0; i < count; i++) {
    lua_pushinteger(L, list[i]);
    lua_rawseti(L, -2, i + 1);
  }
  return 1;
}

/***
The further groups that this process has. Source: getgroups(2), Python's `os.getgroups`.
@function getgroups
@treturn[1] {int,...}
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(#csock.getgroups() >= 0) --> true
*/
static int identity_getgroups(lua_State *L) {
  for (int room = 32;;) {
    gid_t *list = new_list(L, room);
    int count = room, err = cs_users_groups(list, &count);
    if (err == 0) return push_groups(L, list, count);
    if (err != ERANGE) return cs_fail(L, "getgroups", err);
    room = count;
    lua_pop(L, 1);
  }
}

/***
Sets the further groups of this process. Source: setgroups(2), Python's `os.setgroups`.
@function setgroups
@tparam {int,...} groups
@treturn[1] boolean true
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`EPERM`; `EINVAL`: too many)
@usage if csock.geteuid() == 0 then assert(csock.setgroups(assert(csock.getgroups()))) end
*/
static int identity_setgroups(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_Unsigned count = lua_rawlen(L, 1);
  if (count > CS_GROUPS_MOST) return cs_fail(L, "setgroups", EINVAL);
  gid_t *list = new_list(L, (int)count);
  for (lua_Unsigned i = 0; i < count; i++) {
    int isnum;
    lua_rawgeti(L, 1, (lua_Integer)i + 1);
    lua_Integer gid = lua_tointegerx(L, -1, &isnum);
    if (!isnum || gid < 0 || gid >= UINT32_MAX)
      return luaL_argerror(L, 1,
                           lua_pushfstring(L, "item %d: group's number expected", (int)i + 1));
    list[i] = (gid_t)gid;
    lua_pop(L, 1);
  }
  int err = cs_policy_process(L, cs_state_get(L), "setgroups");
  if (err == 0) err = cs_users_set_groups(list, (uint16_t)count);
  return cs_result(L, "setgroups", err);
}

/* --- what the system knows of users and groups --- */

#define ROOM_MOST ((size_t)1 << 20) /* bytes of one entry */

static void set_user_string(lua_State *L, const char *field, const char *value) {
  lua_pushstring(L, value != NULL ? value : "");
  lua_setfield(L, -2, field);
}

/* One of these looks an entry up, with room for its strings; *found is false if there is none. What
   it finds it pushes. An errno value. */
typedef int lookup(lua_State *L, char *room, size_t size, bool *found);

static int push_user(lua_State *L, const struct passwd *user) {
  lua_createtable(L, 0, 6);
  set_user_string(L, "pw_name", user->pw_name);
  cs_set_int(L, "pw_uid", user->pw_uid);
  cs_set_int(L, "pw_gid", user->pw_gid);
  set_user_string(L, "pw_gecos", user->pw_gecos);
  set_user_string(L, "pw_dir", user->pw_dir);
  set_user_string(L, "pw_shell", user->pw_shell);
  return 0;
}

static int user_by_name(lua_State *L, char *room, size_t size, bool *found) {
  struct passwd entry, *user = NULL;
  int err = getpwnam_r(cs_check_cstring(L, 1), &entry, room, size, &user);
  *found = user != NULL;
  return user != NULL ? push_user(L, user) : err;
}

static int user_by_id(lua_State *L, char *room, size_t size, bool *found) {
  struct passwd entry, *user = NULL;
  int err = getpwuid_r((uid_t)check_id(L, 1), &entry, room, size, &user);
  *found = user != NULL;
  return user != NULL ? push_user(L, user) : err;
}

static int push_group(lua_State *L, const struct group *group) {
  lua_createtable(L, 0, 3);
  set_user_string(L, "gr_name", group->gr_name);
  cs_set_int(L, "gr_gid", group->gr_gid);
  lua_newtable(L);
  for (lua_Integer i = 0; group->gr_mem[i] != NULL; i++) {
    lua_pushstring(L, group->gr_mem[i]);
    lua_rawseti(L, -2, i + 1);
  }
  lua_setfield(L, -2, "gr_mem");
  return 0;
}

static int group_by_name(lua_State *L, char *room, size_t size, bool *found) {
  struct group entry, *group = NULL;
  int err = getgrnam_r(cs_check_cstring(L, 1), &entry, room, size, &group);
  *found = group != NULL;
  return group != NULL ? push_group(L, group) : err;
}

static int look_up(lua_State *L, const char *call, lookup *f) {
  for (size_t size = 1024;;) {
    bool found;
    int err = f(L, (char *)lua_newuserdatauv(L, size, 0), size, &found);
    if (found) return 1;
    if (err == 0) return cs_fail(L, call, ENOENT);
    if (err == ERANGE && size < ROOM_MOST)
      size *= 2;
    else if (err != EINTR)
      return cs_fail(L, call, err);
    lua_pop(L, 1);
  }
}

/***
What the system knows of a user. It may ask a directory in the network, which is waited for.
Source: getpwnam(3), Python's `pwd.getpwnam`.
@function getpwnam
@tparam string name
@treturn[1] table `pw_name`, `pw_uid`, `pw_gid`, `pw_gecos`, `pw_dir`, `pw_shell`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: there is none)
@usage print(csock.getpwnam("root").pw_uid) --> 0
*/
static int identity_getpwnam(lua_State *L) {
  cs_check_cstring(L, 1);
  return look_up(L, "getpwnam", user_by_name);
}

/***
The same by its number. Source: getpwuid(3), Python's `pwd.getpwuid`.
@function getpwuid
@tparam int uid
@treturn[1] table as of `getpwnam`
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: there is none)
@usage print(csock.getpwuid(0).pw_name) --> root
*/
static int identity_getpwuid(lua_State *L) {
  check_id(L, 1);
  return look_up(L, "getpwuid", user_by_id);
}

/***
What the system knows of a group. Source: getgrnam(3), Python's `grp.getgrnam`.
@function getgrnam
@tparam string name
@treturn[1] table `gr_name`, `gr_gid`, `gr_mem` (a sequence of names)
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno (`ENOENT`: there is none)
@usage print(csock.getgrnam "no such group") --> nil getgrnam: No such file or directory [ENOENT] 2
*/
static int identity_getgrnam(lua_State *L) {
  cs_check_cstring(L, 1);
  return look_up(L, "getgrnam", group_by_name);
}

/***
All groups that a user is in. Source: getgrouplist(3), Python's `os.getgrouplist`.
@function getgrouplist
@tparam string name the user's
@tparam int gid a group that is to be among them: the user's own
@treturn[1] {int,...}
@treturn[2] nil
@treturn[2] error
@treturn[2] int errno
@usage print(csock.getgrouplist("root", 0)[1]) --> 0
*/
static int identity_getgrouplist(lua_State *L) {
  const char *name = cs_check_cstring(L, 1);
  gid_t gid = (gid_t)check_id(L, 2);
  for (int room = 32; room <= CS_GROUPS_MOST;) {
    gid_t *list = new_list(L, room);
    int count = room;
    if (cs_users_grouplist(name, gid, list, &count) == 0) return push_groups(L, list, count);
    room = count;
    lua_pop(L, 1);
  }
  return cs_fail(L, "getgrouplist", ERANGE);
}

void cs_open_identity(lua_State *L) {
  static const luaL_Reg functions[] = {
      {"getuid", identity_getuid},
      {"geteuid", identity_geteuid},
      {"getgid", identity_getgid},
      {"getegid", identity_getegid},
      {"setuid", identity_setuid},
      {"setgid", identity_setgid},
      {"getgroups", identity_getgroups},
      {"setgroups", identity_setgroups},
      {"getpwnam", identity_getpwnam},
      {"getpwuid", identity_getpwuid},
      {"getgrnam", identity_getgrnam},
      {"getgrouplist", identity_getgrouplist},
      {NULL, NULL},
  };
  cs_setfuncs(L, functions);
}

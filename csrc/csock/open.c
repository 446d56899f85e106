/* open.c: a host opens csock: its options, and modules without files. */
#include "../base/state.h"
#include "modules.h"
#include "open.h"
#include "../csock.h"

#include <string.h>

int luaopen_csock_core(lua_State *L); /* core.c's */

void cs_open_push(lua_State *L) {
  luaL_checkstack(L, 16, NULL);
  int top = lua_gettop(L);
  luaopen_csock_core(
      L); /* what it leaves below its result, Lua takes from the stack of a function */
  lua_copy(L, -1, top + 1);
  lua_settop(L, top + 1);
}

int csock_version(void) {
  return CSOCK_VERSION_NUM;
}

/* --- options --- */

/* Whether a later version's host has set what this one does not know of. */
static bool has_more(const csock_options *options) {
  const char *bytes = (const char *)options;
  for (size_t i = sizeof *options; i < options->size; i++)
    if (bytes[i] != 0) return true;
  return false;
}

int csock_setup(lua_State *L, const csock_options *options) {
  csock_options o;
  int64_t timeout = CS_FOREVER;
  memset(&o, 0, sizeof o);
  if (options->size < offsetof(csock_options, ud) || has_more(options)) return EINVAL;
  memcpy(&o, options, options->size < sizeof o ? options->size : sizeof o);
  if (o.default_timeout < 0) return EINVAL;
  if (o.default_timeout > 0 && cs_clock_from_seconds(o.default_timeout, &timeout) != 0)
    return EINVAL;
  luaL_checkstack(L, 8, NULL);
  if (cs_state_find(L) != NULL) return EBUSY;
  cs_state_begin(L);
  cs_state *state = cs_state_get(L);
  if (o.policy != NULL && cs_state_police(L, state) != 0) luaL_error(L, "not enough memory");
  state->policy = o.policy;
  state->host = o.ud;
  state->log = o.log;
  state->pcall = o.pcall;
  state->max_held = o.max_fds;
  state->step_tasks = o.step_tasks;
  state->default_timeout = timeout;
  return 0;
}

/* --- modules --- */

/* Runs a module's text with the arguments that `require` gives: its name, and where it is from. */
static int run_module(lua_State *L, const cs_module *module) {
  luaL_checkstack(L, 8, NULL);
  if (module->text == NULL)
    return luaL_error(L, "module '%s' is not in this csock: it was built with %s", module->name,
                      module->omitted);
  lua_pushfstring(L, "=%s", module->name);
  if (luaL_loadbufferx(L, module->text, module->size, lua_tostring(L, -1), "t") != LUA_OK)
    return lua_error(L);
  lua_pushstring(L, module->name);
  lua_pushliteral(L, ":csock:");
  lua_call(L, 2, 1);
  return 1;
}

static int load_module(lua_State *L) {
  return run_module(L, &cs_modules[lua_tointeger(L, lua_upvalueindex(1))]);
}

void csock_preload(lua_State *L) {
  luaL_checkstack(L, 4, NULL);
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_PRELOAD_TABLE);
  lua_pushcfunction(L, luaopen_csock_core);
  lua_setfield(L, -2, "csock.core");
  for (lua_Integer i = 0; cs_modules[i].name != NULL; i++) {
    lua_pushinteger(L, i);
    lua_pushcclosure(L, load_module, 1);
    lua_setfield(L, -2, cs_modules[i].name);
  }
  lua_pop(L, 1);
}

int luaopen_csock(lua_State *L) {
  const cs_module *module = cs_modules;
  csock_preload(L);
  while (strcmp(module->name, "csock") != 0) module++;
  return run_module(L, module);
}

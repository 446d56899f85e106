/* openssl.c: OpenSSL's memory, which runs out when it is told to. It must be loaded before OpenSSL
   has allocated anything: before csock.tls. One plan for the process, whatever state asks:
   require "spec.faults.openssl" gives:

   plan([n[, lasting]])  what `arm` does: the n-th block (from 0) that OpenSSL asks for fails, and,
                         when `lasting`, all that follow; without a number: none does
   arm(), disarm()
   asked() -> how many blocks were asked for since it was armed
   blocks() -> how many are there now, without those of the thread: OpenSSL's errors, random numbers

   For single-threaded specs. */
#include <stdbool.h>
#include <stdlib.h>

#include <openssl/crypto.h>

#include <lua.h>
#include <lauxlib.h>

static struct {
  bool ours, armed, lasting;
  long fail_at; /* -1: none */
  long asked, blocks;
} memory = {.fail_at = -1};

static bool refuses(void) {
  if (!memory.armed) return false;
  long n = memory.asked++;
  return memory.fail_at >= 0 && (n == memory.fail_at || (n > memory.fail_at && memory.lasting));
}

static void *get(size_t size, const char *file, int line) {
  (void)file, (void)line;
  void *block = refuses() ? NULL : malloc(size);
  if (block != NULL) memory.blocks++;
  return block;
}

static void give_back(void *block, const char *file, int line) {
  (void)file, (void)line;
  if (block != NULL) memory.blocks--;
  free(block);
}

static void *change(void *block, size_t size, const char *file, int line) {
  if (block == NULL) return get(size, file, line);
  if (size > 0) return refuses() ? NULL : realloc(block, size);
  give_back(block, file, line);
  return NULL;
}

static int l_plan(lua_State *L) {
  memory.fail_at = (long)luaL_optinteger(L, 1, -1);
  memory.lasting = lua_toboolean(L, 2);
  return 0;
}

static int l_arm(lua_State *L) {
  (void)L;
  memory.asked = 0;
  memory.armed = true;
  return 0;
}

static int l_disarm(lua_State *L) {
  (void)L;
  memory.armed = false;
  return 0;
}

static int l_asked(lua_State *L) {
  lua_pushinteger(L, memory.asked);
  return 1;
}

static int l_blocks(lua_State *L) {
  OPENSSL_thread_stop();
  lua_pushinteger(L, memory.blocks);
  return 1;
}

__attribute__((visibility("default"))) int luaopen_spec_faults_openssl(lua_State *L);

int luaopen_spec_faults_openssl(lua_State *L) {
  static const luaL_Reg functions[] = {{"plan", l_plan},     {"arm", l_arm},
                                       {"disarm", l_disarm}, {"asked", l_asked},
                                       {"blocks", l_blocks}, {NULL, NULL}};
  if (!memory.ours && CRYPTO_set_mem_functions(get, change, give_back) != 1)
    return luaL_error(L, "OpenSSL has allocated something already");
  memory.ours = true;
  luaL_newlib(L, functions);
  return 1;
}

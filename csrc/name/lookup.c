/* lookup.c: look-ups as operations: waiting for the resolver's threads. What is looked up, and what
   comes of it: netdb.c. */
#include "lookup.h"
#include "address.h"
#include "../wait/driver.h"

/* What owns a look-up while it is under way. `w` is waited on: the look-up's own descriptor. */
typedef struct inquiry {
  const cs_class *cls;
  cs_watched w;
  cs_lookup *lookup;
  int about;
  cs_lookup_results results;
  /* For a look-up that comes before another operation: what to put back into the op, and the parts
     of the address that no look-up gives. */
  cs_watched *op_h;
  int64_t op_timeout;
  int (*op_fail)(lua_State *L, cs_op *op, int err);
  int family, proto;
  lua_Integer rest[3]; /* port, flowinfo, scope_id */
} inquiry;

static const cs_class inquiry_class = {"csock.lookup"};

/* The look-up goes first: after that nobody writes to the descriptor. */
static void inquiry_release(inquiry *q) {
  cs_lookup *lookup = q->lookup;
  q->lookup = NULL;
  if (lookup != NULL) cs_lookup_drop(lookup);
  cs_watched_close(&q->w);
}

static int inquiry_gc(lua_State *L) {
  inquiry_release((inquiry *)cs_object_check(L, 1, &inquiry_class));
  return 0;
}

/* Pushes a new inquiry and gets its look-up under way, or answered. 0 or an errno value. */
static int inquiry_start(lua_State *L, const char *call, const cs_query *query, inquiry **at) {
  cs_state *state = cs_state_get(L);
  inquiry *q = (inquiry *)cs_object_new(L, &inquiry_class, sizeof *q, 1);
  bool tried = false;
  int err;
  *at = q;
  q->w.fd = -1;
  q->w.state = state;
  q->w.flags = CS_W_NONBLOCK;
  q->lookup = cs_lookup_new(query);
  if (q->lookup == NULL) return ENOMEM;
  if (cs_lookup_run_numeric(q->lookup)) return 0;
  err = cs_policy_lookup(L, state, call, query->host, query->service, query->addr, query->len);
  if (err != 0) return err;
  if (state->resolver == NULL) { /* a finalizer's look-up while the state closes */
    cs_lookup_run(q->lookup);
    return 0;
  }
  int fd = -1;
  do err = cs_state_room(state, 1) ? EMFILE : cs_lookup_submit(&state->resolver, q->lookup, &fd);
  while (err != 0 && cs_may_retry(L, err, &tried));
  if (fd >= 0) cs_watched_hold(&q->w, fd);
  return err;
}

/* The handle to wait on; none when the answer is already there. */
static cs_watched *inquiry_handle(inquiry *q) {
  return q->w.fd >= 0 ? &q->w : NULL;
}

/* --- functions that look up --------------------------------------------------------------- */

static int look_up_attempt(lua_State *L, cs_op *op) {
  inquiry *q = (inquiry *)lua_touserdata(L, op->slot);
  const cs_answer *answer = cs_lookup_answer(q->lookup);
  if (answer == NULL) return CS_READABLE;
  int n = answer->code != 0 ? cs_fail_gai(L, op->call, answer->code, answer->err, q->about)
                            : q->results(L, op->call, answer, q->about);
  inquiry_release(q);
  return n;
}

static int look_up_fail(lua_State *L, cs_op *op, int err) {
  inquiry_release((inquiry *)lua_touserdata(L, op->slot));
  return cs_fail(L, op->call, err);
}

int cs_look_up(lua_State *L, const char *call, const cs_query *query, int64_t timeout, int about,
               cs_lookup_results results) {
  cs_op op;
  inquiry *q;
  int err = inquiry_start(L, call, query, &q);
  if (err != 0) return cs_fail(L, call, err);
  q->about = about;
  q->results = results;
  cs_op_init(&op, call, look_up_attempt, inquiry_handle(q), timeout);
  op.fail = look_up_fail;
  op.slot = lua_gettop(L);
  return cs_drive(L, &op);
}

/* --- operations that take an address ------------------------------------------------------ */

/* Pushes the first address of the family, completed by the other parts; false if there is none. */
static bool push_address(lua_State *L, const inquiry *q, const struct addrinfo *list) {
  const cs_layout *layout = cs_layout_find(q->family, q->proto, 0);
  while (list != NULL && list->ai_family != q->family) list = list->ai_next;
  if (list == NULL || list->ai_addrlen > sizeof(cs_sockaddr)) return false;
  cs_sockaddr addr;
  memset(&addr, 0, sizeof addr);
  memcpy(&addr, list->ai_addr, list->ai_addrlen);
  for (unsigned n = 1; n < layout->count; n++) {
    cs_value value = {.is_number = true, .number = (uint64_t)q->rest[n - 1]};
    cs_part_put(&layout->parts[n], &addr, &value);
  }
  cs_address_push_object(L, &addr.any, list->ai_addrlen, q->proto);
  return true;
}

/* Makes the op what it was before the look-up. */
static void restore(cs_op *op, inquiry *q) {
  op->attempt = op->next;
  op->w = q->op_h;
  op->timeout = q->op_timeout;
  op->fail = q->op_fail;
}

static int address_fail(lua_State *L, cs_op *op, int err) {
  inquiry *q = (inquiry *)lua_touserdata(L, op->slot);
  restore(op, q);
  inquiry_release(q);
  return op->fail != NULL ? op->fail(L, op, err) : cs_fail(L, op->call, err);
}

static int address_attempt(lua_State *L, cs_op *op) {
  inquiry *q = (inquiry *)lua_touserdata(L, op->slot);
  const cs_answer *answer = cs_lookup_answer(q->lookup);
  if (answer == NULL) return CS_READABLE;
  int code = answer->code;
  if (code == 0 && !push_address(L, q, answer->list)) code = EAI_NONAME;
  if (code != 0) {
    lua_getiuservalue(L, op->slot, 1); /* the host */
    int n = cs_fail_gai(L, op->call, code, answer->err, -1);
    inquiry_release(q);
    return n;
  }
  restore(op, q);
  inquiry_release(q);
  lua_replace(L, op->slot);
  op->ptr = lua_touserdata(L, op->slot);
  return CS_AGAIN;
}

int cs_lookup_address(lua_State *L, cs_op *op, int arg, int last, int family, int proto) {
  int top = lua_gettop(L);
  inquiry *q;
  op->slot = top + 1;
  int err = cs_address_read(L, arg, last, family, proto);
  if (err == 0) op->ptr = lua_touserdata(L, op->slot);
  if (err != CS_ADDRESS_NAME || op->closed) return err == CS_ADDRESS_NAME ? 0 : err;

  /* Any type that getaddrinfo knows: it refuses those (and protocols) that have no services. */
  cs_query query = {.kind = CS_QUERY_ADDRINFO, .family = family, .type = SOCK_DGRAM};
  query.host = lua_tostring(L, top + 1);
  err = inquiry_start(L, op->call, &query, &q);
  if (err != 0) return err;
  q->family = family;
  q->proto = proto;
  for (int n = 0; n < 3; n++) q->rest[n] = lua_tointeger(L, top + 2 + n);
  lua_pushvalue(L, top + 1);
  lua_setiuservalue(L, -2, 1);
  lua_replace(L, op->slot);
  lua_settop(L, op->slot);
  q->op_h = op->w;
  q->op_timeout = op->timeout;
  q->op_fail = op->fail;
  op->w = inquiry_handle(q);
  /* A look-up cannot be taken up again by the next call, so, as in Python, it is waited for even
     on a non-blocking socket. */
  if (op->timeout == 0) op->timeout = CS_FOREVER;
  op->fail = address_fail;
  op->next = op->attempt;
  op->attempt = address_attempt;
  return 0;
}

/* --- the resolver ------------------------------------------------------------------------- */

/* Ends the resolver when the state closes. */
typedef struct lookup_guard {
  const cs_class *cls;
  cs_state *state;
} lookup_guard;

static const cs_class lookup_guard_class = {"csock.resolver"};
static const char guard_key = 'g'; /* registry: the guard */

static int guard_gc(lua_State *L) {
  lookup_guard *g = (lookup_guard *)cs_object_check(L, 1, &lookup_guard_class);
  cs_resolver *pool = g->state->resolver;
  g->state->resolver = NULL;
  cs_resolver_drop(pool);
  return 0;
}

void cs_lookup_open(lua_State *L) {
  static const luaL_Reg inquiry_meta[] = {{"__gc", inquiry_gc}, {NULL, NULL}};
  static const luaL_Reg guard_meta[] = {{"__gc", guard_gc}, {NULL, NULL}};
  cs_class_make(L, &inquiry_class, NULL, inquiry_meta);
  cs_class_make(L, &lookup_guard_class, NULL, guard_meta);
  cs_state *state = cs_state_get(L);
  if (lua_rawgetp(L, LUA_REGISTRYINDEX, &guard_key) == LUA_TNIL) {
    lookup_guard *g = (lookup_guard *)cs_object_new(L, &lookup_guard_class, sizeof *g, 0);
    g->state = state;
    lua_rawsetp(L, LUA_REGISTRYINDEX, &guard_key);
  }
  lua_pop(L, 1);
  if (state->resolver == NULL) state->resolver = cs_resolver_new();
  if (state->resolver == NULL) luaL_error(L, "not enough memory");
}

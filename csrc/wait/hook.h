/* hook.h: the hook that looks after tasks while they compute: Ctrl-C for the foreground one, and a
   turn for the others after one that takes long. */
#ifndef CS_HOOK_H
#define CS_HOOK_H

#include "records.h"

/* Whether the task is to be looked after. */
static inline bool cs_hook_wanted(const cs_loop *loop, const cs_task *task) {
  return loop->patience != 0 || (task != NULL && task == loop->foreground);
}

/* Sets or removes it in a coroutine, unless somebody else has a hook there. It looks now and then,
   and each instruction costs more, so only those that it is meant for should have it. */
void cs_hook_set(lua_State *co, bool on);

/* To be asked once for each Ctrl-C: whether this one cancels the task. */
static inline bool cs_hook_insists(cs_task *task) {
  bool again = task->interrupted;
  task->interrupted = task->firm;
  return again;
}

/* In the midst of what it computes, where the hook has preempted it, the task will raise the error
   that is kept for it. False: it cannot, since somebody has taken the hook away. */
bool cs_hook_raise(cs_task *task);

#endif

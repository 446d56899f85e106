/* waitq.c: tasks that wait for the same thing, and those that are ready. */
#include "records.h"

void cs_waitq_append(cs_waitq *q, cs_task *task) {
  if (q->last == NULL) {
    task->next = task;
  } else {
    task->next = q->last->next;
    q->last->next = task;
  }
  q->last = task;
  task->queue = q;
}

void cs_waitq_prepend(cs_waitq *q, cs_task *task) {
  cs_task *last = q->last;
  cs_waitq_append(q, task);
  if (last != NULL) q->last = last; /* the circle's start is then the new one */
}

cs_task *cs_waitq_take(cs_waitq *q) {
  cs_task *last = q->last;
  if (last == NULL) return NULL;
  cs_task *first = last->next;
  if (first == last)
    q->last = NULL;
  else
    last->next = first->next;
  first->queue = NULL;
  return first;
}

void cs_task_withdraw(cs_task *task) {
  if (task->outside) {
    task->outside = false;
    task->loop->events_waited--;
  }
  cs_waitq *q = task->queue;
  if (q == NULL) return;
  cs_task *before = q->last;
  while (before->next != task) before = before->next;
  before->next = task->next;
  if (q->last == task) q->last = before == task ? NULL : before;
  task->queue = NULL;
}

void cs_task_enter(cs_task *task) {
  task->status = CS_TASK_READY;
  task->round = task->loop->round;
  cs_waitq_append(&task->loop->ready, task);
}

void cs_task_ready(cs_task *task) {
  cs_task_withdraw(task);
  task->timed_out = false;
  cs_task_enter(task);
}

void cs_waitq_wake(cs_waitq *q, bool all) {
  cs_task *task;
  while ((task = cs_waitq_take(q)) != NULL) {
    cs_task_ready(task);
    if (!all) {
      task->turn = q; /* to be passed on; with all awake there is nobody left */
      q->woken++;
      return;
    }
  }
}

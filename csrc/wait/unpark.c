/* unpark.c: a task waits no more: it leaves its queue, and is told why. */
#include "unpark.h"
#include "announce.h"

void cs_unpark(cs_task *task, cs_why why) {
  cs_loop *loop = task->loop;
  if (task->asks) {
    task->asks = false;
    loop->asking--;
    if (!task->daemon) loop->keeping--;
  }
  if (task->queue != NULL) {
    cs_list_remove(&task->queue->tasks, &task->link);
    task->queue = NULL;
  }
  task->why = (uint8_t)why;
}

void cs_unpark_enter(cs_task *task, cs_why why) {
  cs_loop *loop = task->loop;
  task->why = (uint8_t)why;
  task->status = CS_TASK_READY;
  task->round = loop->round;
  task->queue = &loop->ready;
  cs_list_append(&loop->ready.tasks, &task->link);
  if (!loop->running) cs_announce(loop);
}

void cs_unpark_ready(cs_task *task, cs_why why) {
  cs_unpark(task, why);
  cs_unpark_enter(task, why);
}

static cs_task *first_task(const cs_waitq *q) {
  return CS_MEMBER_OF(cs_list_first(&q->tasks), cs_task, link);
}

void cs_unpark_all(cs_waitq *q) {
  while (!cs_waitq_empty(q)) cs_unpark_ready(first_task(q), CS_WHY_EVENT);
}

void cs_unpark_first(cs_waitq *q) {
  if (cs_waitq_empty(q)) return;
  cs_task *task = first_task(q);
  cs_unpark_ready(task, CS_WHY_EVENT);
  task->woken_from = q;
  q->woken++;
}

void cs_unpark_settle(cs_task *task) {
  if (task->woken_from != NULL) task->woken_from->woken--;
  task->woken_from = NULL;
}

void cs_unpark_pass(cs_task *task) {
  cs_waitq *q = task->woken_from;
  cs_unpark_settle(task);
  if (q != NULL) cs_unpark_next(q);
}

void cs_unpark_end(cs_loop *loop, cs_waitq *q) {
  cs_unpark_all(q);
  if (q->woken == 0) return;
  /* Who was woken and has not run yet is among those that are ready. */
  cs_link *link = cs_list_first(&loop->ready.tasks);
  for (; link != NULL && q->woken > 0; link = cs_list_next(&loop->ready.tasks, link)) {
    cs_task *task = CS_MEMBER_OF(link, cs_task, link);
    if (task->woken_from == q) cs_unpark_settle(task);
  }
}

/* csock.h: csock for programs that have Lua inside. A host in full:
 *
 *     lua_State *L = luaL_newstate();
 *     luaL_openlibs(L);
 *     csock_preload(L);
 *     if (luaL_dofile(L, "program.lua") != LUA_OK) ...
 *     while (csock_step(L, -1, 0) > 0) continue;
 *     lua_close(L);
 *
 * Of each function it is said here what it does to the stack, as Lua's manual does it:
 *
 *     [-o, +p, e]  takes o values, pushes p; raises errors for: - nothing, m memory, e what its
 * text says
 *
 * and from where it may be called: all but csock_version, csock_wakeup and csock_post are for the
 * thread that runs the state just now, as all of Lua's own functions are. Several states, in
 * several threads, know nothing of each other. Those that raise are to be called where Lua's
 * functions may raise: from a lua_CFunction.
 *
 * What CSOCK_OMIT_* leave out of the library (doc/hosts.md) is to be left out here as well.
 *
 * Times are seconds. Numbers of errors are errno values, 0 for success. csock sets up no signal
 * handler unless a script asks for signals, never ends the process, and changes nothing that
 * belongs to all of it.
 */
#ifndef CSOCK_H
#define CSOCK_H

#include <lua.h>

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CSOCK_VERSION     "0.3.0"
#define CSOCK_VERSION_NUM 300 /* major * 10000 + minor * 100 + patch */

#ifndef CSOCK_API
#if defined(__GNUC__)
#define CSOCK_API __attribute__((visibility("default")))
#else
#define CSOCK_API
#endif
#endif

/* CSOCK_VERSION_NUM of what is linked, to be compared with that of the header. Any thread. */
CSOCK_API int csock_version(void); /* [-0, +0, -] */

/* --- policy -------------------------------------------------------------------------------------
 */

/* What a script is about to have done outside of its state. */
enum {
  CSOCK_ASK_SOCKET = 1, /* "socket": make one of this family, type and protocol */
  CSOCK_ASK_BIND,       /* "bind": to the address, which may be a path (AF_UNIX) */
  CSOCK_ASK_CONNECT,    /* "connect": to the address; a stream's send with an address is one */
  CSOCK_ASK_LISTEN,     /* "listen": the address is the socket's own */
  CSOCK_ASK_SEND,       /* "send": a datagram to the address */
  CSOCK_ASK_LOOKUP, /* "lookup": of `host` and `service`, or of the address, where the system may
                       ask others: numbers are none */
  CSOCK_ASK_DESCRIPTOR, /* "descriptor": use `fd`, which is none of the script's own; hand it to
                           another process; or (-1) receive some */
  CSOCK_ASK_OPTION,     /* "option": set `option` of `level`, but for those that do no more than
                           change how the socket's own bytes travel. So with messages' ancillary
                           data, and with ioctl's requests (`level` -1) */
  CSOCK_ASK_PROCESS,    /* "process": do what `call` says: "fork", "kill", "setuid", "chdir", ... */
  CSOCK_ASK_FILE,       /* "file": open, make, or look for the file at `path` */
  CSOCK_ASK_INSECURE    /* "insecure": turn off what verifies the peers of TLS, or a part of it */
};

struct sockaddr;

/* What does not apply is -1, or NULL. Strings and address are the callback's while it runs. */
typedef struct csock_ask {
  size_t size;
  int what;                   /* CSOCK_ASK_*: later versions may have more of them */
  const char *name;           /* its name: "connect" */
  const char *call;           /* the function that asks, as errors name it: "connect_ex" */
  int family, type, protocol; /* of the socket */

  /* What the system is to be given, as it is after all look-ups: so a name that has come to lead
     to another host is seen. Two ways to write an address are undone first: IPv4's as IPv6's
     (::ffff:127.0.0.1) is an IPv4 address here, and a destination of 0.0.0.0 or :: is this host's
     127.0.0.1 or ::1, to which the system takes it. `family` stays the socket's. */
  const struct sockaddr *address;
  size_t address_len;

  const char *host, *service;
  const char *path;
  int fd;
  int level, option;
} csock_ask;

/* Whether a script may: 0. Anything else denies it: the script gets EPERM, with *reason (or "denied
   by policy") in the error's text, which is copied. Called at the moment of the action, in the
   thread that runs the state, each time; a script has no way to go on without it. It must not raise
   or call into the state. What it does not know, it should deny. */
typedef int (*csock_policy)(void *ud, const csock_ask *ask, const char **reason);

/* --- opening ------------------------------------------------------------------------------------
 */

/* What a host may choose for a state. `size` comes first and is sizeof(csock_options); what is zero
   beside it is as without a host: `csock_options o = {sizeof o};` and then the fields that matter.
 */
typedef struct csock_options {
  size_t size;
  void *ud; /* handed to the functions below */

  /* Is told of errors that nobody else hears of, which would else be written to standard error:
     `what` is "error in a task", `text` the error with its traceback. It must not raise or call
     into the state. */
  void (*log)(void *ud, const char *what, const char *text);

  /* How Lua is to be entered by csock_step: as lua_pcall(L, nargs, nresults, 0), which is what NULL
   * does. */
  int (*pcall)(lua_State *L, int nargs, int nresults, void *ud);

  /* How many descriptors the state's program may have at a time, by csock: sockets, streams over
     other files, epoll objects, what a look-up, a wait for several or for a process holds while it
     lasts, copies, and what came in messages (of these as many are received as there is room for).
     One more fails with EMFILE. The loop's own are not counted. 0: the system's limit. */
  unsigned max_fds;

  /* How many tasks one csock_step resumes at most. 0: any number. */
  unsigned step_tasks;

  /* The timeout of new sockets outside of tasks and in them, in seconds. 0: none, they wait. */
  double default_timeout;

  /* What scripts may have done; NULL: anything. */
  csock_policy policy;
} csock_options;

/* Sets a state's options: before csock is opened there. 0, EBUSY: it is open already, or EINVAL:
   `size`, or a number, is none of this version's. [-0, +0, m] */
CSOCK_API int csock_setup(lua_State *L, const csock_options *options);

/* Makes `require "csock"` and all of csock.* find what is compiled in: no file is looked for. The
   libraries `package`, `string`, `table`, `math` and `coroutine` must be open. Modules that need
   another library (csock.tls, csock.readline) are not among them: those are found as files, or fail
   in `require`. [-0, +0, m] */
CSOCK_API void csock_preload(lua_State *L);

/* A lua_CFunction that does the same, and returns the module csock, for luaL_requiref(L, "csock",
   luaopen_csock, 0).
   [-0, +1, e: memory] */
CSOCK_API int luaopen_csock(lua_State *L);

#ifndef CSOCK_OMIT_LOOP

/* --- the host's own loop ------------------------------------------------------------------------
 */

/* The descriptor that is readable when csock_step has something to do; it stays the same until the
   state is closed, or a process forks. -1: the backend (poll) has none. Raises where the loop
   cannot be made: out of descriptors, or of memory. [-0, +0, e] */
CSOCK_API int csock_fd(lua_State *L);

/* In how many seconds csock_step has something to do, if the descriptor does not become readable
   before. 0: now; -1: never. Ask it anew after each csock_step and whatever else may run csock's
   functions. [-0, +0, -] */
CSOCK_API double csock_timeout(lua_State *L);

/* Lets the tasks go on: waits up to `timeout` seconds for something to do (0: does not wait; below
   0: as long as it takes), then does it. Tasks run in here and nowhere else. `budget` 0: one turn,
   in which each task that can goes on once. Else: as many turns as there is something to do, but
   when so many seconds have passed, no further task is resumed; the others go on in the next step,
   in their order. At least one is resumed in each. (What one task computes in one go is not cut
   short: loop.watchdog is for that.) The number of tasks that are not over (daemons are not
   counted): 0 when there is nothing to wait for. -1: an error has ended the run, which no task
   could get (memory; what a debug hook raises; a poller that fails), or csock_step was called from
   a task. Then the error value is on the stack. [-0, +(0|1), -] */
CSOCK_API int csock_step(lua_State *L, double timeout, double budget);

/* A descriptor for csock_wakeup: the same one until the state is closed, csock_close, or a fork.
   -1: it cannot be made; errno says why. [-0, +0, m] */
CSOCK_API int csock_waker(lua_State *L);

/* Ends the wait of the csock_step under way, or of the next one, and makes csock_fd's descriptor
   readable. From any thread, and from signal handlers, as long as the state is open. Keeps errno.
   [-0, +0, -] */
CSOCK_API void csock_wakeup(int waker);

/* What another thread has the state call. The struct, which may be the beginning of one of the
   host's, belongs to csock from csock_post until `run` is called, once: by the thread that owns the
   state, in a csock_step, in the order of posting. `run` may raise, which is reported as an error
   in a callback; it may start tasks, and must not wait itself. L is NULL where it can call nothing
   any more and is to free what it has: csock_close or lua_close came first, there is no memory, or
   this is the child of a fork. */
typedef struct csock_call {
  struct csock_call *next;
  void (*run)(lua_State *L, struct csock_call *call);
} csock_call;

/* Where csock_post puts calls for this state: the same until the state is closed. NULL: it cannot
   be made; errno says why. After csock_close and a fork it is asked for anew. [-0, +0, m] */
typedef struct csock_inbox csock_inbox;
CSOCK_API csock_inbox *csock_inbox_of(lua_State *L);

/* Has the state call call->run. Takes no lock and no memory: from any thread, and from signal
   handlers, as long as the state is open. Keeps errno. [-0, +0, -] */
CSOCK_API void csock_post(csock_inbox *inbox, csock_call *call);

/* --- the host's loop, where it can watch no descriptor of another --------------------------------
 */

/* CSOCK_HANGUP: the peer has finished, or the descriptor failed; for csock_feed alone. */
#define CSOCK_READ   1u
#define CSOCK_WRITE  2u
#define CSOCK_HANGUP 4u

/* The host's loop is to watch the descriptor for these directions from now on, in the place of what
   it was told before; 0: not at all, which comes before it is closed. Level-triggered: as long as
   the direction is ready, csock_feed is to be called in each round. It must not raise or call into
   the state, and may be called in each of csock's functions. */
typedef void (*csock_watch)(void *ud, int fd, unsigned directions);

/* csock_step is to be called in so many seconds: 0: soon, but not from in here; below 0: not at
   all. That takes the place of what it said before, and is said again after each step. As above. */
typedef void (*csock_timer)(void *ud, double seconds);

/* From then on csock tells the host what to watch, instead of having a poller of its own, with one
   system call less for each event: for hosts whose loop takes no descriptor of another (csock_fd is
   -1 then), or that have a cheap way to watch many. 0; EBUSY: the loop is made already, or it has a
   watcher; EINVAL: one of the two is NULL. [-0, +0, m] */
CSOCK_API int csock_set_watcher(lua_State *L, csock_watch watch, csock_timer timer, void *ud);

/* What the host's loop has seen of a descriptor. No task runs in here: `timer` is told that there
   is something to do, and csock_step(L, 0, budget) does it, at once or when that timer goes off. 0;
   ENOENT: the descriptor is not to be watched (any more), EINVAL: no such events, or there is no
   watcher. [-0, +0, -] */
CSOCK_API int csock_feed(lua_State *L, int fd, unsigned events);

/* --- tasks --------------------------------------------------------------------------------------
 */

/* How a task has ended. */
#define CSOCK_DONE      0 /* its results are the `n` values on the top of the stack */
#define CSOCK_FAILED    1 /* the error value is */
#define CSOCK_CANCELLED 2 /* nothing is */

/* Is told of a task's end, in the csock_step (or the call) that has ended it. It may raise, which
   is reported as an error in a callback, and must not wait. What it leaves on the stack is dropped.
   Another state it may step, feed and close; its own neither by csock_close (EBUSY) nor, as any C
   function that Lua has called, by lua_close: the host does that when csock_step has returned. */
typedef void (*csock_done)(lua_State *L, int status, int n, void *ud);

/* Starts a task with the function and the `nargs` arguments on the top of the stack, in whose place
   it leaves the task object. It runs from the next csock_step on. `done` may be NULL: then an error
   that nobody joins is logged.
   [-(nargs + 1), +1, e: as csock_fd] */
CSOCK_API void csock_spawn(lua_State *L, int nargs, csock_done done, void *ud);

#endif

/* --- sockets ------------------------------------------------------------------------------------
 */

/* Pushes a socket that owns the descriptor from then on. Or pushes nothing and returns an errno
   value (ENOTSOCK, EBADF); the descriptor is the caller's still. [-0, +(0|1), m] */
CSOCK_API int csock_push_socket(lua_State *L, int fd);

/* The descriptor of the socket at the index, which keeps it. -1: it is closed, or no socket. [-0,
 * +0, -] */
CSOCK_API int csock_to_fd(lua_State *L, int idx);

#ifndef CSOCK_OMIT_LOOP

/* --- the end ------------------------------------------------------------------------------------
 */

/* In the child, where the host has called fork(2) itself: none of the parent's tasks goes on here,
   and the loop, with csock_fd and csock_waker, is another one. 0 or an errno value: then the next
   csock_step tries again. (It is noticed without this, too, but only when the loop is next used.)
   Not from within a task. [-0, +0, -] */
CSOCK_API int csock_after_fork(lua_State *L);

/* Ends all tasks: their <close> variables are closed, and each `done` is told so. Sockets that the
   program holds stay open until lua_close, which may follow without this as well. 0; EBUSY: called
   from a task, or from what the loop has called; ENOMEM. [-0, +0, -] */
CSOCK_API int csock_close(lua_State *L);

#endif

#ifdef __cplusplus
}
#endif

#endif

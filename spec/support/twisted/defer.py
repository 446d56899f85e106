"""What spec/csock/defer compares: the same scenarios stand there in Lua."""
from say import *


def oops(*_):
    raise Exception("oops")


def failed(f):
    say("failed", f.getErrorMessage())


def kind(f):
    say(f.type.__name__)


# --- deferred_spec.lua ---


@scenario
def callbacks():
    d = defer.Deferred()
    d.addCallback(lambda n: n * 2)
    d.addCallback(lambda n, factor, word: say(word, n) or n * factor, 3, "twice")
    d.addErrback(failed)
    d.addBoth(lambda n: say("both", n))
    say(d.called)
    d.callback(21)
    say(d.called)
    d.addCallback(say)
    d.addCallback(lambda _: say("late"))


@scenario
def errors():
    d = defer.Deferred()
    d.addCallback(oops)
    d.addCallback(say, "not this")
    d.addErrback(lambda f: failed(f) or "mended")
    d.addErrback(lambda f: say("not this either"))
    d.addCallback(say)
    d.addCallbacks(oops, failed)
    d.addCallbacks(say, lambda f, word: say(word, f.getErrorMessage()), errbackArgs=("next",))
    d.addBoth(oops)
    d.addBoth(lambda f: failed(f))
    d.callback(None)


@scenario
def errback():
    d = defer.Deferred()
    d.addCallback(say)
    d.addErrback(lambda f: failed(f) or f)
    d.addCallback(say)
    d.addErrback(lambda f: say(f.check(KeyError), f.check(ValueError) is ValueError))
    d.errback(ValueError("bad"))
    d = defer.Deferred()
    d.addErrback(failed)
    d.callback(Failure(Exception("as a failure")))


@scenario
def reentrant():
    d = defer.Deferred()

    def first(n):
        say("first", n)
        d.addCallback(lambda n: say("added", n))
        say("first is over")
        return n + 1

    d.addCallback(first)
    d.addCallback(lambda n: say("second", n) or n + 1)
    d.callback(1)


@scenario
def chaining():
    inner, outer = defer.Deferred(), defer.Deferred()
    outer.addCallback(lambda _: say("waits") or inner)
    outer.addCallback(lambda n: say("outer", n) or "of outer")
    outer.callback(None)
    inner.addCallback(lambda n: say("inner", n))
    outer.addCallback(say, "and on")
    say("now")
    inner.callback(21)
    inner.addCallback(say)


@scenario
def chaining_called():
    inner = defer.succeed("there")
    outer = defer.Deferred()
    outer.addCallback(lambda _: inner)
    outer.addCallback(say)
    outer.callback(None)
    inner.addCallback(say)


@scenario
def chaining_deep():
    a, b, c = [defer.Deferred() for _ in range(3)]
    c.addCallback(lambda _: b).addCallback(lambda n: say("c", n) or n + 1)
    b.addCallback(lambda _: a).addCallback(lambda n: say("b", n) or n + 1)
    c.callback(None)
    b.callback(None)
    a.addCallback(lambda n: say("a", n))
    c.addCallback(say)
    b.addCallback(say, "b has nothing left")
    a.addCallback(say, "nor has a")
    a.callback(1)


@scenario
def chaining_failure():
    inner, outer = defer.Deferred(), defer.Deferred()
    inner.addCallback(oops)
    outer.addCallback(lambda _: inner).addErrback(failed)
    outer.callback(None)
    inner.callback(None)
    inner.addBoth(say)


@scenario
def chain_deferred():
    for fire in lambda d: d.callback("result"), lambda d: d.errback(Exception("error")):
        a, b = defer.Deferred(), defer.Deferred()
        a.addBoth(lambda x: say("a") or x)
        a.chainDeferred(b)
        b.addCallbacks(say, failed)
        a.addBoth(say, "a goes on")
        b.addBoth(say, "b goes on")
        fire(a)
    a, b = defer.Deferred(), defer.Deferred()
    a.chainDeferred(b)
    b.addCallback(lambda _: a)
    b.addCallback(say, "taken from a")
    a.addBoth(say, "a has")
    a.callback("result")
    a, b = defer.Deferred(), defer.Deferred()
    b.callback(None)
    a.chainDeferred(b)
    a.addErrback(kind)
    a.callback(None)


@scenario
def pausing():
    d = defer.Deferred()
    d.addCallback(say, "called")
    d.pause()
    d.pause()
    d.callback("result")
    d.addCallback(say, "added")
    say("paused", d.paused)
    d.unpause()
    say("paused", d.paused)
    d.unpause()
    d.pause()
    d.addCallback(say, "later")
    say("again")
    d.unpause()


@scenario
def pausing_waits():
    inner, outer = defer.succeed("inner"), defer.Deferred()
    inner.pause()
    outer.addCallback(lambda _: inner)
    outer.addCallback(say)
    outer.callback(None)
    say("not yet")
    inner.unpause()


@scenario
def called_again():
    d = defer.succeed(1)
    for call in lambda: d.callback(2), lambda: d.errback(Exception()):
        try:
            call()
        except defer.AlreadyCalledError:
            say("AlreadyCalledError")


@scenario
def cancel():
    d = defer.Deferred().addErrback(kind)
    d.cancel()
    d.callback("late")
    try:
        d.callback("later")
    except defer.AlreadyCalledError:
        say("AlreadyCalledError")
    d.cancel()


@scenario
def cancel_canceller():
    def answer(d):
        say("answers", d.called)
        d.callback("answer")

    def refuse(d):
        d.errback(Exception("refused"))

    for canceller in answer, refuse, lambda d: say("nothing"):
        d = defer.Deferred(canceller)
        d.addCallbacks(say, failed if canceller is refuse else kind)
        d.cancel()
        d.cancel()
        try:
            d.callback("late")
        except defer.AlreadyCalledError:
            say("AlreadyCalledError")


@scenario
def cancel_waiting():
    inner = defer.Deferred(lambda d: say("inner is cancelled"))
    outer = defer.Deferred(lambda d: say("not outer"))
    outer.addCallback(lambda _: inner)
    outer.callback(None)
    outer.addErrback(kind)
    outer.cancel()


@scenario
def timeouts():
    clock = task.Clock()
    d = defer.Deferred().addTimeout(10, clock).addErrback(lambda f: say(f.check(defer.TimeoutError) is not None))
    clock.advance(9)
    say("not yet")
    clock.advance(1)
    d = defer.Deferred().addTimeout(10, clock).addCallback(say)
    d.callback("in time")
    say(len(clock.getDelayedCalls()))
    d = defer.Deferred().addTimeout(10, clock).addErrback(kind)
    d.cancel()
    say(len(clock.getDelayedCalls()))
    d = defer.Deferred(lambda d: d.callback("default")).addTimeout(10, clock).addCallback(say)
    clock.advance(10)

    def instead(result, seconds):
        say(result.type.__name__, seconds)
        return "instead"

    d = defer.Deferred().addTimeout(10, clock, instead).addCallback(say)
    clock.advance(10)


@scenario
def unhandled_failures():
    d = defer.fail(Exception("forgotten"))
    del d
    gc.collect()
    d = defer.fail(Exception("taken")).addErrback(lambda f: None)
    del d
    gc.collect()
    d = defer.Deferred()
    d.callback(None)
    d.addCallback(lambda _: defer.fail(Exception("of another one")))
    del d
    gc.collect()
    d = defer.fail(Exception("first")).addErrback(oops)
    del d
    gc.collect()
    waiting = defer.Deferred()
    d = defer.fail(Exception("taken by one that waits"))
    d.addErrback(lambda f: waiting)
    del d, waiting
    gc.collect()
    inner = defer.Deferred()
    d = defer.succeed(None).addCallback(lambda _: inner)
    inner.errback(Exception("handed over"))
    del inner
    gc.collect()
    say("not yet")
    del d
    gc.collect()


# --- fired_spec.lua ---


@scenario
def made():
    defer.succeed("there").addCallback(say)
    defer.fail(Exception("broken")).addErrback(failed)
    d = defer.Deferred()
    say(defer.maybeDeferred(lambda: d) is d)
    defer.maybeDeferred(lambda a, b: a + b, 40, 2).addCallback(say)
    defer.maybeDeferred(oops).addErrback(failed)
    defer.maybeDeferred(lambda: Failure(Exception("given"))).addErrback(failed)
    defer.execute(lambda a, b: a + b, 40, 2).addCallback(say)
    defer.execute(oops).addErrback(failed)
    d = defer.Deferred().addErrback(lambda f: say(f.check(defer.TimeoutError) is not None))
    defer.timeout(d)


# --- lists_spec.lua ---


def told(results):
    for succeeded, result in results:
        say(succeeded, result if succeeded else result.getErrorMessage())


def first_error(f):
    say("FirstError", f.value.index, f.value.subFailure.getErrorMessage())


@scenario
def list_all():
    a, b, c = [defer.Deferred() for _ in range(3)]
    all = defer.DeferredList([a, b, c]).addCallback(told)
    b.errback(Exception("b"))
    b.addErrback(lambda f: say("b still has", f.getErrorMessage()))
    c.callback("c")
    c.addCallback(say, "is passed on")
    say("not yet")
    a.callback("a")
    defer.DeferredList([]).addCallback(lambda results: say("none", len(results)))


@scenario
def list_first_callback():
    a, b = defer.Deferred(), defer.Deferred()
    all = defer.DeferredList([a, b], fireOnOneCallback=True)
    all.addCallback(lambda pair: say(pair[0], pair[1]))
    b.callback("b")
    a.callback("a")
    say(defer.DeferredList([], fireOnOneCallback=True).called)


@scenario
def list_first_errback():
    a, b = defer.Deferred(), defer.Deferred()
    all = defer.DeferredList([a, b], fireOnOneErrback=True, consumeErrors=True)
    all.addErrback(first_error)
    a.addCallback(say, "of a")
    b.errback(Exception("b"))
    b.addBoth(say, "of b")
    a.callback("a")


@scenario
def list_consume():
    a = defer.fail(Exception("a"))
    defer.DeferredList([a], consumeErrors=True).addCallback(told)
    a.addBoth(say)


@scenario
def list_cancel():
    def canceller(d):
        say("cancelled")
        oops()

    a, b, c = defer.Deferred(canceller), defer.Deferred(), defer.succeed("c")
    all = defer.DeferredList([a, b, c])
    all.addCallback(told)
    all.cancel()
    say(all.called)
    a.callback("a, later")
    all.cancel()


@scenario
def gather():
    a, b = defer.Deferred(), defer.Deferred()
    defer.gatherResults([a, b]).addCallback(lambda results: say(*results))
    b.callback("b")
    a.callback("a")
    a, b = defer.Deferred(), defer.Deferred()
    all = defer.gatherResults([a, b], consumeErrors=True).addErrback(first_error)
    b.errback(Exception("b"))
    a.errback(Exception("a"))
    a, b = defer.Deferred(), defer.Deferred()
    all = defer.gatherResults([a, b], consumeErrors=True)
    all.addErrback(lambda f: say(f.value.index, f.value.subFailure.type.__name__))
    all.cancel()


# --- queues_spec.lua ---


@scenario
def queue():
    q = defer.DeferredQueue()
    q.get().addCallback(say, "first")
    q.get().addCallback(say, "second")
    say(len(q.waiting))
    for word in "a", "b", "c", None:
        q.put(word)
    say(len(q.pending))
    q.get().addCallback(say, "third")
    q.get().addCallback(say, "fourth")
    say(len(q.waiting), len(q.pending))


@scenario
def queue_limits():
    q = defer.DeferredQueue(1, 1)
    q.put("a")
    try:
        q.put("b")
    except defer.QueueOverflow:
        say("QueueOverflow")
    q.get().addCallback(say)
    d = q.get().addBoth(kind)
    try:
        q.get()
    except defer.QueueUnderflow:
        say("QueueUnderflow")
    d.cancel()
    q.get().addCallback(say, "instead")
    q.put("c")


@scenario
def queue_cancel():
    q = defer.DeferredQueue()
    waiting = [q.get().addCallbacks(say, kind, (i,)) for i in range(4)]
    waiting[1].cancel()
    waiting[0].cancel()
    say(len(q.waiting))
    q.put("a")
    q.put("b")
    q.put("c")
    say(len(q.waiting), len(q.pending))


@scenario
def lock():
    lock = defer.DeferredLock()
    say(lock.locked)
    lock.acquire().addCallback(lambda got: say("first", got is lock))
    say(lock.locked)
    second = lock.acquire().addErrback(kind)
    lock.acquire().addCallback(lambda got: say("third"))
    second.cancel()
    lock.release()
    say(lock.locked)
    lock.release()
    say(lock.locked)
    try:
        lock.release()
    except AssertionError:
        say("nobody has it")


@scenario
def lock_run():
    lock, d = defer.DeferredLock(), defer.Deferred()
    lock.run(lambda word: say(word) or d, "runs").addCallback(say)
    lock.run(oops).addErrback(failed)
    lock.run(lambda: "third").addCallback(say)
    say(lock.locked)
    d.callback("first")
    say(lock.locked)


@scenario
def semaphore():
    s = defer.DeferredSemaphore(2)
    say(s.tokens, s.limit)
    for i in range(4):
        s.acquire().addCallback(lambda got, i=i: say(i, got is s))
    say(s.tokens)
    s.release()
    s.release()
    say(s.tokens)
    s.release()
    s.release()
    say(s.tokens)
    s.run(lambda: s.tokens).addCallback(say)
    try:
        s.release()
    except AssertionError:
        say("nobody has it")


# --- tasks_spec.lua ---


@scenario
def inline():
    @defer.inlineCallbacks
    def f(a, b):
        say("begins")
        first = yield a
        say("first", first)
        try:
            yield b
        except Exception as e:
            say("raised", e)
        third = yield defer.succeed("at once")
        say(third)
        return "given"

    a, b = defer.Deferred(), defer.Deferred()
    d = f(a, b).addCallback(say)
    a.callback(1)
    b.errback(Exception("of b"))
    f(defer.fail(Exception("not caught")), None).addErrback(failed)


@scenario
def inline_cancel():
    @defer.inlineCallbacks
    def f():
        try:
            yield defer.Deferred(lambda d: say("the inner one is cancelled"))
        finally:
            say("leaves")

    d = f().addErrback(kind)
    d.cancel()

"""Scenarios for spec/csock/task/looping_spec.lua."""
from say import *


def looping(f, *args):
    lc = task.LoopingCall(f, *args)
    lc.clock = task.Clock()
    return lc


def counting(f):
    lc = task.LoopingCall.withCount(f)
    lc.clock = task.Clock()
    return lc


def tell_end(d):
    d.addCallbacks(lambda lc: say("over", lc.running, lc.clock.seconds()), lambda f: say("failed", f.getErrorMessage()))


@scenario
def every():
    lc = looping(lambda *args: say("call", lc.clock.seconds(), *args), "x", 3)
    d = lc.start(2)
    d.addCallback(lambda result: say("over", result is lc))
    say(lc.running, lc.interval)
    lc.clock.pump([1] * 5)
    lc.stop()
    say(lc.running, len(lc.clock.getDelayedCalls()))
    lc.clock.advance(3)


@scenario
def later():
    lc = looping(lambda: say("call", lc.clock.seconds()))
    tell_end(lc.start(1, False))
    lc.clock.pump([0.5] * 5)
    lc.stop()
    tell_end(lc.start(1, False))
    lc.stop()


@scenario
def late():
    lc = looping(lambda: say("call", lc.clock.seconds()))
    lc.start(1)
    lc.clock.pump([0.5, 2.75, 0.25, 0.5, 0.5, 3, 0.75, 0.25, 10.5, 0.5])


@scenario
def count():
    for now in (True, False):
        lc = counting(lambda n: say("call", lc.clock.seconds(), n))
        tell_end(lc.start(1, now))
        lc.clock.pump([0.5, 2.75, 0.25, 0.5, 0.5, 3, 0.75, 0.25, 10.5, 0.5])
        lc.stop()


@scenario
def deferred():
    waiting = []

    def f(n):
        say("call", lc.clock.seconds(), n)
        waiting.append(defer.Deferred())
        return waiting[-1]

    lc = counting(f)
    tell_end(lc.start(1))
    lc.clock.pump([1, 1, 0.5])
    waiting[0].callback("ignored")
    lc.clock.pump([0.25, 0.25, 1])
    waiting[1].callback(None)
    lc.clock.advance(1)
    say("stop")
    lc.stop()
    say(lc.running)
    waiting[2].callback(None)
    lc.clock.advance(5)
    lc = counting(f)
    tell_end(lc.start(1))
    waiting[3].errback(ValueError("bad"))
    say(lc.running, len(lc.clock.getDelayedCalls()))


@scenario
def fails():
    def f():
        say("call", lc.clock.seconds())
        if lc.clock.seconds() > 0:
            raise ValueError("bad")

    lc = looping(f)
    tell_end(lc.start(1))
    lc.clock.advance(1)
    say(lc.running, len(lc.clock.getDelayedCalls()))
    tell_end(lc.start(1))
    say(lc.running)


@scenario
def stops_itself():
    def f():
        say("call", lc.clock.seconds())
        if lc.clock.seconds() == 2:
            lc.stop()
            say("stopped", lc.running)

    lc = looping(f)
    tell_end(lc.start(1))
    lc.clock.pump([1] * 5)
    say(len(lc.clock.getDelayedCalls()))

    def g():
        lc2.stop()
        raise ValueError("stopped and bad")

    lc2 = looping(g)
    tell_end(lc2.start(1))


@scenario
def resets():
    lc = counting(lambda n: say("call", lc.clock.seconds(), n))
    lc.start(1, False)
    lc.clock.advance(0.5)
    lc.reset()
    lc.clock.pump([0.5, 0.5, 0.5, 0.5, 0.25])
    lc.reset()
    lc.clock.pump([0.5, 0.5, 3.25, 0.75])

    def f():
        say("call", lc2.clock.seconds())
        lc2.reset()

    lc2 = looping(f)
    lc2.start(1)
    lc2.clock.pump([0.75] * 5)


@scenario
def starts_again():
    def again(_):
        say("again", lc.running)
        tell_end(lc.start(2))

    lc = looping(lambda: say("call", lc.clock.seconds()))
    lc.start(1).addCallback(again)
    lc.clock.pump([1, 0.5])
    lc.stop()
    lc.clock.pump([0.5] * 6)
    lc.stop()


@scenario
def zero():
    times = []

    def f(*args):
        times.append(lc.clock.seconds())
        say("call", *args)
        if len(times) % 4 == 0:
            lc.stop()

    lc = looping(f, "x")
    tell_end(lc.start(0))
    lc.clock.advance(0)
    lc = counting(f)
    tell_end(lc.start(0))
    lc.clock.advance(5)


@scenario
def wrong():
    def tried(f, *args):
        try:
            f(*args)
            say("fine")
        except (AssertionError, ValueError):
            say("wrong")

    lc = looping(lambda: None)
    tried(lc.stop)
    tried(lc.reset)
    tried(lc.start, -1)
    say(lc.running)
    lc.start(1)
    tried(lc.start, 1)
    lc.clock.advance(1)
    tried(lc.stop)
    tried(lc.stop)


@scenario
def cancelled():
    lc = looping(lambda: say("call", lc.clock.seconds()))
    d = lc.start(1)
    d.addErrback(lambda f: say("cancelled", f.check(defer.CancelledError) is defer.CancelledError))
    d.cancel()
    lc.clock.advance(1)
    lc.stop()
    say(lc.running)

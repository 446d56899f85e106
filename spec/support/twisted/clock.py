"""Scenarios for spec/csock/task/clock_spec.lua."""
from say import *


@scenario
def order():
    clock = task.Clock()

    def call(name):
        say(name, clock.seconds())

    def more():
        call("more")
        clock.callLater(0, call, "at once")
        clock.callLater(1, call, "in the same step")
        clock.callLater(2, call, "in the next step")

    clock.callLater(3, call, "third")
    clock.callLater(1, call, "first")
    clock.callLater(1, call, "second")
    clock.callLater(1, more)
    clock.callLater(5, call, "last")
    say([call.getTime() for call in clock.getDelayedCalls()] == [1, 1, 1, 3, 5])
    clock.advance(0.5)
    say("moved", clock.seconds())
    clock.advance(2.5)
    say("moved", clock.seconds(), len(clock.getDelayedCalls()))
    clock.pump([1, 1, 1])
    say("moved", clock.seconds(), len(clock.getDelayedCalls()))


@scenario
def changes():
    clock = task.Clock()
    calls = {}

    def call(name):
        say(name, clock.seconds(), calls[name].active())

    for name, seconds in (("a", 1), ("b", 2), ("c", 3), ("d", 4)):
        calls[name] = clock.callLater(seconds, call, name)

    def change():
        say("change")
        calls["a"].cancel()
        calls["b"].delay(3)
        calls["c"].reset(1)
        calls["d"].delay(-4)

    clock.callLater(0.5, change)
    for i in range(12):
        clock.advance(0.5)
    for name in "abcd":
        say(name, calls[name].active(), calls[name].getTime())


@scenario
def errors():
    clock = task.Clock()

    def bad():
        say("bad")
        raise ValueError("bad")

    clock.callLater(1, say, "before")
    clock.callLater(1, bad)
    clock.callLater(1, say, "behind")
    try:
        clock.advance(1)
    except ValueError as err:
        say("raised", err)
    say(clock.seconds(), len(clock.getDelayedCalls()))
    clock.advance(0)
    say(clock.seconds(), len(clock.getDelayedCalls()))


@scenario
def inside():
    clock = task.Clock()

    def outer():
        say("outer", clock.seconds())
        clock.advance(2)
        say("outer again", clock.seconds())

    def inner(name):
        say(name, clock.seconds())

    clock.callLater(1, outer)
    clock.callLater(1, inner, "same time")
    clock.callLater(2, inner, "later")
    clock.callLater(9, inner, "never")
    clock.advance(1)
    say("moved", clock.seconds())


@scenario
def later():
    clock = task.Clock()
    task.deferLater(clock, 1, lambda *args: say("called", *args) or "result", "x", 3).addCallback(say)
    task.deferLater(clock, 2).addCallback(say)

    def bad():
        raise ValueError("bad")

    task.deferLater(clock, 2, bad).addErrback(lambda f: say("failed", f.getErrorMessage()))
    task.deferLater(clock, 2, lambda: defer.succeed("deferred")).addCallback(say)
    d = task.deferLater(clock, 2, say, "never")
    d.addErrback(lambda f: say("cancelled", f.check(defer.CancelledError) is defer.CancelledError))
    clock.advance(1)
    say(len(clock.getDelayedCalls()))
    d.cancel()
    say(len(clock.getDelayedCalls()))
    clock.advance(1)
    say(len(clock.getDelayedCalls()))

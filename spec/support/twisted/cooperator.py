"""Scenarios for spec/csock/task/cooperator_spec.lua."""
from say import *


def new(steps=1, started=True):
    """A cooperator whose rounds are a second apart, of so many steps."""
    clock = task.Clock()

    def slice():
        done = []

        def over():
            done.append(None)
            return len(done) == steps

        return over

    return task.Cooperator(slice, lambda round: clock.callLater(1, round), started), clock


def numbers(name, count):
    for i in range(count):
        say(name, i)
        yield i


def tell(name, d):
    d.addCallbacks(
        lambda result: say(name, "over"), lambda f: say(name, "failed", f.type.__name__, f.check(ValueError) is not None)
    )


def tried(f, *args):
    try:
        f(*args)
        say("fine")
    except task.SchedulerError as err:
        say(type(err).__name__)


@scenario
def turns():
    for steps in (1, 2, 5, 100):
        cooperator, clock = new(steps)
        for name, count in (("a", 3), ("b", 1), ("c", 0), ("d", 5), ("e", 2)):
            tell(name, cooperator.cooperate(numbers(name, count)).whenDone())
        for i in range(18):
            say("at", clock.seconds(), len(clock.getDelayedCalls()))
            clock.advance(1)


@scenario
def added():
    cooperator, clock = new(3)

    def adding(name):
        for i in range(3):
            say(name, i)
            tell(name + "x", cooperator.coiterate(numbers(name + "x", i)))
            yield None

    def second(_):
        say("first over")
        tell("c", cooperator.coiterate(adding("c")))

    cooperator.coiterate(numbers("b", 4))
    cooperator.coiterate(adding("a")).addCallback(second)
    clock.pump([1] * 20)
    say(len(clock.getDelayedCalls()))


@scenario
def deferreds():
    cooperator, clock = new()
    waiting = defer.Deferred()

    def waits():
        say("before")
        yield waiting
        say("behind")
        yield defer.succeed("at once")
        say("behind both")
        yield defer.fail(ValueError("bad"))
        say("never")

    work = cooperator.cooperate(waits())
    tell("waits", work.whenDone())
    tell("numbers", cooperator.coiterate(numbers("numbers", 2)))
    clock.pump([1] * 5)
    say(len(clock.getDelayedCalls()))
    waiting.callback(None)
    clock.pump([1] * 5)
    tried(work.stop)
    tell("waits", work.whenDone())


@scenario
def pauses():
    cooperator, clock = new()
    work = cooperator.cooperate(numbers("a", 5))
    tell("a", work.whenDone())
    tried(work.resume)
    clock.advance(1)
    work.pause()
    say(len(clock.getDelayedCalls()))
    work.pause()
    work.resume()
    clock.advance(1)
    say(len(clock.getDelayedCalls()))
    work.resume()
    tried(work.resume)
    clock.advance(1)
    other = cooperator.cooperate(numbers("b", 9))
    clock.pump([1, 1])
    other.pause()
    clock.pump([1] * 5)
    other.resume()
    clock.pump([1, 1])
    other.pause()
    other.stop()
    other.resume()
    tried(other.pause)
    clock.pump([1, 1])


@scenario
def ends():
    cooperator, clock = new()

    def bad():
        yield None
        raise ValueError("bad")

    done, stopped = cooperator.cooperate(iter([])), cooperator.cooperate(numbers("b", 9))
    failed = cooperator.cooperate(bad())
    tell("done", done.whenDone())
    tell("stopped", stopped.whenDone())
    tell("failed", failed.whenDone())
    clock.pump([1] * 6)
    stopped.stop()
    for work in (done, stopped, failed):
        tried(work.pause)
        tried(work.stop)
        tried(work.resume)
        tell("again", work.whenDone())
    say(len(clock.getDelayedCalls()))


@scenario
def itself():
    cooperator, clock = new()

    def pausing():
        yield None
        work.pause()
        say("paused")
        yield None
        say("resumed")
        yield None

    work = cooperator.cooperate(pausing())
    tell("pausing", work.whenDone())
    clock.pump([1] * 4)
    say(len(clock.getDelayedCalls()))
    work.resume()
    clock.pump([1] * 4)

    def stopping():
        yield None
        work2.stop()
        yield None

    work2 = cooperator.cooperate(stopping())
    tell("stopping", work2.whenDone())
    clock.pump([1] * 4)
    say(len(clock.getDelayedCalls()))


@scenario
def stopped():
    cooperator, clock = new()
    say(cooperator.running)
    tell("a", cooperator.coiterate(numbers("a", 9)))
    paused = cooperator.cooperate(numbers("b", 9))
    tell("b", paused.whenDone())
    paused.pause()
    clock.pump([1, 1])
    cooperator.stop()
    say(cooperator.running, len(clock.getDelayedCalls()))
    tell("c", cooperator.coiterate(numbers("c", 9)))
    late = cooperator.cooperate(numbers("d", 9))
    tried(late.stop)
    paused.resume()
    cooperator.start()
    say(cooperator.running)
    tell("e", cooperator.coiterate(numbers("e", 2)))
    clock.pump([1] * 5)


@scenario
def started():
    cooperator, clock = new(1, False)
    tell("a", cooperator.coiterate(numbers("a", 2)))
    say(cooperator.running, len(clock.getDelayedCalls()))
    cooperator.start()
    say(cooperator.running, len(clock.getDelayedCalls()))
    clock.pump([1] * 4)


@scenario
def given():
    cooperator, clock = new()
    d, work = defer.Deferred(), numbers("a", 1)
    d.addCallback(lambda result: say(result is work))
    say(cooperator.coiterate(work, d) is d)
    clock.pump([1, 1])


@scenario
def parallel():
    """Jean-Paul Calderone's: some of many deferreds at a time, by an iterator that tasks share."""
    clock = task.Clock()
    cooperator = task.Cooperator(scheduler=lambda round: clock.callLater(0.125, round))

    def fetch(n):
        say("fetch", n)
        d = task.deferLater(clock, (n % 3) + 1, say, "fetched", n)
        return d.addCallback(lambda _: say("at", int(clock.seconds())))

    work = (fetch(n) for n in range(7))
    d = defer.gatherResults([cooperator.coiterate(work) for i in range(3)])
    d.addCallback(lambda results: say("all", len(results)))
    clock.pump([0.125] * 80)

    def bad():
        yield None
        raise ValueError("bad")

    work = bad()
    for name in "abc":
        tell(name, cooperator.coiterate(work))
    clock.pump([0.125] * 3)

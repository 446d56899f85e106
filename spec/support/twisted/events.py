"""Scenarios of system events, for spec/csock/reactor/events_spec.lua: events of the program's own."""
from say import *
from twisted.internet import reactor

add, fire, remove = reactor.addSystemEventTrigger, reactor.fireSystemEvent, reactor.removeSystemEventTrigger


@scenario
def order():
    for phase in "after", "during", "before":
        for number in 1, 2:
            add(phase, "order", say, phase, number)
    fire("order")
    fire("order")


@scenario
def unknown():
    fire("unknown")
    say("fired")


@scenario
def errors():
    def fail(phase):
        say("failing", phase)
        raise ValueError(phase)

    for phase in "before", "during", "after":
        add(phase, "errors", fail, phase)
        add(phase, "errors", say, phase)
    fire("errors")


@scenario
def delays():
    first, second = defer.Deferred(), defer.Deferred()
    add("before", "delays", lambda: say("before 1") or first)
    add("before", "delays", lambda: say("before 2") or second)
    add("before", "delays", lambda: say("before 3"))
    add("during", "delays", lambda: say("during 1") or defer.Deferred())
    add("during", "delays", say, "during 2")
    add("after", "delays", say, "after")
    fire("delays")
    say("fired")
    second.callback(None)
    say("second")
    first.callback(None)
    say("first")


@scenario
def failing():
    d = defer.Deferred()
    add("before", "failing", lambda: d)
    add("during", "failing", say, "during")
    fire("failing")
    d.errback(ValueError("no"))
    d.addErrback(lambda f: say("still", f.getErrorMessage()))


@scenario
def fired_already():
    add("before", "fired", lambda: defer.succeed(1))
    add("during", "fired", say, "during")
    fire("fired")
    say("over")


@scenario
def removal():
    triggers = [add(phase, "removal", say, phase, n) for phase in ("before", "during", "after") for n in (1, 2)]
    for trigger in triggers[::2]:
        remove(trigger)
    try:
        remove(triggers[0])
    except ValueError:
        say("removed already")
    fire("removal")
    try:
        remove(triggers[1])
    except ValueError:
        say("called already")


@scenario
def removal_meanwhile():
    d = defer.Deferred()
    triggers = {}
    triggers["fired"] = add("before", "meanwhile", lambda: d)
    add("before", "meanwhile", lambda: remove(triggers["next"]))
    triggers["next"] = add("before", "meanwhile", say, "next")
    triggers["during"] = add("during", "meanwhile", say, "during")
    add("during", "meanwhile", lambda: remove(triggers["last"]))
    triggers["last"] = add("during", "meanwhile", say, "last")
    fire("meanwhile")
    remove(triggers["fired"])
    remove(triggers["during"])
    d.callback(None)
    say("over")


@scenario
def additions():
    def before():
        say("before")
        add("before", "additions", say, "added before")
        add("during", "additions", say, "added during")

    def after():
        say("after")
        add("after", "additions", say, "added after")
        add("before", "additions", say, "of the next time")

    add("before", "additions", before)
    add("during", "additions", say, "during")
    add("after", "additions", after)
    fire("additions")
    say("again")
    fire("additions")


@scenario
def nested():
    add("before", "outer", lambda: say("outer before") or fire("inner"))
    add("during", "outer", say, "outer during")
    add("before", "inner", say, "inner before")
    add("after", "inner", say, "inner after")
    fire("outer")

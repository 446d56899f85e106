"""Does to Twisted's deferreds what the lines of a file say: spec/csock/defer/programs_spec.lua does it to csock's."""
import sys

from say import *


def word(x):
    if isinstance(x, Failure):
        return "failure " + (x.value.args[0] if x.value.args else x.type.__name__)
    return str(x)


class Program:
    def __init__(self):
        self.deferreds = [defer.Deferred() for _ in range(6)]
        self.fired = 0

    def run(self, place, verb, a, b):
        d, e = self.deferreds[a - 1], self.deferreds[b - 1]
        tag = "%d %s" % (place, verb)

        def tell(x, result):
            say(tag, word(x))
            return result

        def fail(x):
            say(tag, word(x))
            raise Exception("of " + tag)

        def fire(x):
            say(tag, word(x))
            self.fire(e)

        if verb == "callback":
            d.addCallback(lambda x: tell(x, x))
        elif verb == "errback":
            d.addErrback(lambda x: tell(x, x))
        elif verb == "both":
            d.addBoth(lambda x: tell(x, tag))
        elif verb == "mend":
            d.addErrback(lambda x: tell(x, tag))
        elif verb == "raise":
            d.addCallback(fail)
        elif verb == "give":
            d.addCallback(lambda x: tell(x, Failure(Exception("given by " + tag))))
        elif verb == "wait":
            d.addBoth(lambda x: tell(x, e))
        elif verb == "fires":
            d.addBoth(fire)
        elif verb == "chain":
            d.chainDeferred(e)
        elif verb == "cancel":
            d.cancel()
        elif verb == "fire":
            self.fire(d)
        elif verb == "fail":
            self.fire(d, "fail")

    def fire(self, d, how="fire"):
        self.fired += 1
        result = "%s %d" % (how, self.fired)
        try:
            d.callback(result if how == "fire" else Failure(Exception(result)))
        except defer.AlreadyCalledError:
            say("called already")


globalLogPublisher.removeObserver(unhandled)
place = 0
for line in open(sys.argv[1]):
    if line == "\n":
        say("program")
        program, place = Program(), 0
    else:
        verb, a, b = line.split()
        place += 1
        program.run(place, verb, int(a), int(b))

"""What scripts for spec/support/twisted.lua have: Twisted's names, and say, which prints a line."""
import functools
import gc

from twisted.internet import defer, endpoints, error, interfaces, protocol, task
from twisted.logger import globalLogPublisher
from twisted.protocols import basic, policies
from twisted.python.failure import Failure

say = functools.partial(print, flush=True)


def unhandled(event):
    failure = event.get("log_failure", event.get("failure"))
    if failure is not None:
        say("unhandled:", failure.getErrorMessage())


globalLogPublisher.addObserver(unhandled)


def scenario(f):
    """Runs a function at once, below a line with its name: twisted.scenarios takes it apart."""
    print("==", f.__name__)
    f()
    gc.collect()

"""The same as deferreds.lua, with Twisted."""
import time

from twisted.internet import defer

COUNT = 100000


def chained():
    first = defer.Deferred()
    last = first
    for _ in range(COUNT):
        before = last
        last = defer.Deferred()
        last.addCallback(lambda _, before=before: before)
        last.addCallback(lambda n: n + 1)
        last.callback(None)
    first.callback(0)
    assert last.result == COUNT


def single():
    for i in range(COUNT):
        d = defer.Deferred()
        d.addCallback(lambda n: n + 1)
        d.addErrback(lambda _: None)
        d.addBoth(lambda n: n + 1)
        d.callback(i)
        assert d.result == i + 2


for f in chained, single:
    start = time.process_time()
    f()
    print(time.process_time() - start)

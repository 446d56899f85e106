"""The same as csock.lua, with Twisted."""
import sys
import time

from twisted.internet import reactor, task

interval, duration = float(sys.argv[1]), float(sys.argv[2])
calls = missed = 0


def call(count):
    global calls, missed
    calls += 1
    missed += count - 1


looping = task.LoopingCall.withCount(call)
reactor.callWhenRunning(lambda: (looping.start(interval), reactor.callLater(duration, reactor.stop)))
start = time.process_time()
reactor.run()
print(calls, missed, time.process_time() - start)

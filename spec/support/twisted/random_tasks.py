"""Runs programs of spec/csock/task/random_spec.lua: argv[1] is their text, a command a line."""
import sys

from say import *


def tell(name, d):
    d.addCallbacks(lambda _: say(name, "over"), lambda f: say(name, "failed", f.type.__name__))


def tried(f):
    try:
        f()
    except task.SchedulerError as err:
        say(type(err).__name__)


class Program:
    def __init__(self, steps):
        self.clock = task.Clock()
        self.works, self.pauses, self.waiting = [], [], []

        def slice():
            done = []

            def over():
                done.append(None)
                return len(done) == steps

            return over

        self.cooperator = task.Cooperator(slice, lambda round: self.clock.callLater(1, round))
        self.looping = None

    def wait(self):
        self.waiting.append(defer.Deferred())
        return self.waiting[-1]

    def iterator(self, number, letters):
        for letter in letters:
            say(number, letter, self.clock.seconds())
            if letter == "d":
                yield self.wait()
                continue
            elif letter == "p":
                self.pause(number)
            elif letter == "s":
                tried(self.works[number].stop)
            elif letter == "a":
                self.add("nn")
            elif letter == "e":
                raise ValueError("bad")
            yield None

    def add(self, letters):
        number = len(self.works)
        work = self.cooperator.cooperate(self.iterator(number, letters))
        self.works.append(work)
        self.pauses.append(0)
        tell(number, work.whenDone())

    def pause(self, number):
        if number < len(self.works):
            self.pauses[number] += 1
            tried(self.works[number].pause)

    def resume(self, number):
        if number < len(self.works) and self.pauses[number] > 0:
            self.pauses[number] -= 1
            tried(self.works[number].resume)

    def stop(self, number):
        if number < len(self.works):
            tried(self.works[number].stop)

    def fire(self, number):
        if number < len(self.waiting) and not self.waiting[number].called:
            self.waiting[number].callback(None)

    def loop(self, interval, now, letters):
        if self.looping:
            return
        self.letters = letters
        exact = "r" not in letters  # Twisted does not count right over a reset
        letters = list(letters)

        def f(count):
            letter = letters.pop(0) if letters else "n"
            say("loop", letter, count if exact else "some", self.clock.seconds())
            if letter == "d":
                return self.wait()
            elif letter == "e":
                raise ValueError("bad")
            elif letter == "s" and lc.running:
                lc.stop()
            elif letter == "r" and lc.running:
                lc.reset()

        def over(result):
            self.looping = None
            say("loop is over", lc.running)
            return result

        lc = self.looping = task.LoopingCall.withCount(f)
        lc.clock = self.clock
        tell("loop", lc.start(interval, now).addBoth(over))

    def unloop(self):
        if self.looping and self.looping.running:
            self.looping.stop()

    def reset(self):
        if self.looping and self.looping.running and "r" in self.letters:
            self.looping.reset()


for line in sys.argv[1].splitlines():
    words = line.split()
    if words[0] == "program":
        program = Program(int(words[1]))
        say(line)
    elif words[0] == "advance":
        program.clock.advance(float(words[1]))
    elif words[0] == "add":
        program.add(words[1])
    elif words[0] == "loop":
        program.loop(float(words[1]), words[2] == "now", words[3])
    else:
        getattr(program, words[0])(*map(int, words[1:]))

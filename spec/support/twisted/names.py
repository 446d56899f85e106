# The public names of one of Twisted's modules, a line each: what is its own, of the reactor what any of them has.
import importlib
import inspect
import sys


def names_of(module):
    return getattr(module, "__all__", None) or dir(module)


def is_own(module, name):
    value = getattr(module, name)
    home = getattr(value, "__module__", None) or module.__name__
    return not name.startswith("_") and not inspect.ismodule(value) and home == module.__name__


if sys.argv[1] == "twisted.internet.reactor":
    from twisted.internet import interfaces

    found = set()
    for name in dir(interfaces):
        if name.startswith("IReactor"):
            found.update(getattr(interfaces, name).names())
else:
    module = importlib.import_module(sys.argv[1])
    found = {name for name in names_of(module) if is_own(module, name)}
print("\n".join(sorted(found)))

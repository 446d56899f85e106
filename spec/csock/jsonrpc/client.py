# A client of jsonrpclib-pelix at csock's server: raises when something is not as it should be.
import sys

import jsonrpclib


def same(a, b):
    assert type(a) is type(b) and a == b, (a, b)


def refused(f, *arguments):
    try:
        f(*arguments)
    except jsonrpclib.ProtocolError as e:
        return e.args[0]
    raise AssertionError("not refused")


proxy = jsonrpclib.ServerProxy(sys.argv[1])
for value in [
    0, -1, 2**31, 2**52, 1.5, 1e300, True, False, None, "", "\u00fc\u20ac\U0001f600\n\"\\/", [1, [2], "x"],
    {"a": {"b": None}},
    "x" * 100000, list(range(2000)),
]:
    same(proxy.echo(value), value)
same(proxy.add(2, 3), 5)
same(proxy.greet(name="x"), "hello, x")
same(proxy.empty_array(), [])
same(proxy.empty_object(), {})
same(proxy.system.listMethods(), sorted(proxy.system.listMethods()))
same(refused(proxy.missing)[0], -32601)
same(refused(proxy.fail)[:2], (7, "seven"))
same(refused(proxy.raises)[:2], (-32000, "went wrong"))
proxy._notify.add(1, 2)
batch = jsonrpclib.MultiCall(proxy)
batch.add(1, 2)
batch._notify.add(3, 4)
batch.echo("x")
same(list(batch()), [3, "x"])
print("as it should be")

# A client of Python's at csock's server: raises when something is not as it is at Python's own. Arguments: a URL, and
# the file of an authority for TLS.
import datetime
import ssl
import sys
from xmlrpc.client import Binary, DateTime, Fault, MultiCall, ProtocolError, ServerProxy

url = sys.argv[1]
context = ssl.create_default_context(cafile=sys.argv[2]) if len(sys.argv) > 2 else None


def same(a, b):
    assert type(a) is type(b) and a == b, (a, b)


def refused(kind, f, *arguments):
    try:
        f(*arguments)
    except kind as e:
        return e
    raise AssertionError("not refused")


with ServerProxy(url, allow_none=True, context=context) as proxy:
    values = [
        0, 1, -1, 2**31 - 1, -2**31, 0.0, 1.5, -0.1, 1e300, 5e-324, 1 / 3, float("inf"), True, False, None, "", "a",
        "<&>\"'", "\u00fc\u20ac\U0001f600", " a\nb\tc ", "]]>", [], [1, [2, [3]], "x"], {}, {"a": 1, "b": {"c": [None]}},
        {"\u00fc<&>": 1}, "x" * 100000, list(range(2000)), [[]], [{}],
    ]
    for value in values:
        same(proxy.echo(value), value)
    data = bytes(range(256)) * 3
    for value in data, b"":
        same(proxy.echo(Binary(value)).data, value)
    same(proxy.echo(DateTime("19980717T14:08:55")).value, "19980717T14:08:55")
    same(proxy.echo(DateTime(datetime.datetime(2020, 2, 29, 1, 2, 3))).value, "20200229T01:02:03")
    same(proxy.add(2, 3), 5)
    same(proxy.add(2.5, 3), 5.5)
    same(proxy.big(), 2**40)
    same(proxy.nothing(), None)
    same(proxy.count(None, None), 2)
    e = refused(Fault, proxy.fail, 7, "seven <&>")
    same((e.faultCode, e.faultString), (7, "seven <&>"))
    same(refused(Fault, proxy.missing).faultString, 'method "missing" is not supported')
    same(refused(Fault, proxy.raises).faultString, "went wrong")
    same(refused(Fault, proxy.refuses).faultString, "no, thank you")
    refused(Fault, proxy.unsendable)
    same(proxy.system.listMethods(), sorted(proxy.system.listMethods()))
    assert "add" in proxy.system.listMethods()
    same(proxy.system.methodHelp("add"), "Adds two numbers.")
    same(proxy.system.methodHelp("missing"), "")
    same(proxy.system.methodSignature("add"), "signatures not supported")
    multi = MultiCall(proxy)
    multi.add(1, 2)
    multi.fail(3, "three")
    multi.nothing()
    multi.echo([1])
    results = multi()
    same(results[0], 3)
    same(refused(Fault, lambda: results[1]).faultCode, 3)
    same(results[2], None)
    same(results[3], [1])
    same(proxy.object.method(4), 5)
    refused(Fault, proxy.object._hidden)

with ServerProxy(url, use_builtin_types=True, context=context) as proxy:
    same(proxy.echo(b"\0\xff"), b"\0\xff")
    same(proxy.echo(datetime.datetime(1998, 7, 17, 14, 8, 55)), datetime.datetime(1998, 7, 17, 14, 8, 55))

same(refused(ProtocolError, ServerProxy(url + "elsewhere", context=context).add, 1, 2).errcode, 404)
print("as it should be")

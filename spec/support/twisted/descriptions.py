"""What Twisted makes of descriptions of endpoints: the arguments, each behind "server" or "client"."""
import re
import sys

from twisted.internet.testing import MemoryReactor

from say import endpoints, say

FIELDS = {
    "_port": "port", "_interface": "interface", "_backlog": "backlog", "_host": "host", "_hostStr": "host",
    "_timeout": "timeout", "_bindAddress": "bindAddress", "_address": "address", "_path": "path", "_mode": "mode",
    "_wantPID": "wantPID", "_checkPID": "checkPID", "addressFamily": "addressFamily", "fileno": "fileno",
}


def word(value):
    if isinstance(value, tuple):
        return "{" + ", ".join(word(v) for v in value) + "}"
    if value is None or isinstance(value, bool):
        return {None: "nil", True: "true", False: "false"}[value]
    return str(int(value)) if isinstance(value, int) else value


def describe(endpoint):
    wrapped = getattr(endpoint, "_wrappedEndpoint", None)
    if wrapped is not None:
        return "TLSWrapperEndpoint of " + describe(wrapped)
    if hasattr(endpoint, "_checkPID"):
        endpoint._checkPID = bool(endpoint._checkPID)
    if isinstance(getattr(endpoint, "_bindAddress", None), str):  # of HostnameEndpoint
        endpoint._bindAddress = (endpoint._bindAddress, 0)
    fields = {FIELDS[k]: word(v) for k, v in vars(endpoint).items() if k in FIELDS and v is not None}
    return " ".join([type(endpoint).__name__] + ["%s=%s" % pair for pair in sorted(fields.items())])


def words(error):
    """A function's name stands where csock has the prefix."""
    return re.sub(r"^[\w.]+\(\)", "PREFIX:", str(error))


for side, text in zip(sys.argv[1::2], sys.argv[2::2]):
    make = {"server": endpoints.serverFromString, "client": endpoints.clientFromString}[side]
    try:
        say(describe(make(MemoryReactor(), text)))
    except Exception as e:
        say(words(e))

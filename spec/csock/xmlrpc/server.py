# A server of Python's, for csock's client: prints its port. With a certificate and a key, over TLS.
import ssl
import sys
from xmlrpc.client import Binary, DateTime, Fault
from xmlrpc.server import SimpleXMLRPCServer


def fail(code, text):
    raise Fault(code, text)


def shown(value):
    if isinstance(value, Binary):
        return "Binary %r" % value.data
    if isinstance(value, DateTime):
        return "DateTime " + value.value
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (k, shown(v)) for k, v in sorted(value.items()))
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(shown, value))
    return repr(value)


server = SimpleXMLRPCServer(("127.0.0.1", 0), logRequests=False, allow_none=True)
if len(sys.argv) > 1:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(sys.argv[1], sys.argv[2])
    server.socket = context.wrap_socket(server.socket, server_side=True)
server.register_function(lambda value: value, "echo")
server.register_function(lambda *values: shown(list(values)), "shown")
server.register_function(lambda a, b: a + b, "add")
server.register_function(fail)
server.register_introspection_functions()
server.register_multicall_functions()
print("port", server.server_address[1], flush=True)
server.serve_forever()

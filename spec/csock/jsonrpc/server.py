# A server of jsonrpclib-pelix, for csock's client: prints its port.
from jsonrpclib import Fault
from jsonrpclib.SimpleJSONRPCServer import SimpleJSONRPCServer


def fail(code, text):
    return Fault(code, text)


server = SimpleJSONRPCServer(("127.0.0.1", 0), logRequests=False)
server.register_function(lambda value: value, "echo")
server.register_function(lambda *values: repr(list(values)), "shown")
server.register_function(lambda a, b: a + b, "add")
server.register_function(lambda name="nobody": "hello, " + name, "greet")
server.register_function(fail, "fail")
print("port", server.server_address[1], flush=True)
server.serve_forever()

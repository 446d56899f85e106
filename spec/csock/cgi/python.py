# Forms as Python reads and writes them, for python_spec.lua.
import cgi
import html
import io

import oracle

LATIN = {"encoding": "latin-1", "errors": "strict"}


def shown(field):
    """A field, and those in it."""
    name = "None" if field.name is None else "=" + field.name
    filename = "None" if field.filename is None else "=" + field.filename
    if field.list is not None and not isinstance(field, cgi.MiniFieldStorage):
        return [name, filename, field.type, str(len(field.list)), *[text for f in field.list for text in shown(f)]]
    value = field.value
    return [name, filename, str(field.type), value.decode("latin-1") if isinstance(value, bytes) else value]


def storage(kind, body, query, blank):
    environ = {
        "REQUEST_METHOD": "POST", "CONTENT_TYPE": kind, "CONTENT_LENGTH": str(len(body)), "QUERY_STRING": query}
    form = cgi.FieldStorage(
        io.BytesIO(body.encode("latin-1")), environ=environ, keep_blank_values=blank == "1", **LATIN)
    return [text for field in form.list for text in shown(field)]


def get(query, blank):
    # Python takes the variable's text for UTF-8.
    query = query.encode("latin-1").decode("utf-8", "surrogateescape")
    form = cgi.FieldStorage(
        environ={"REQUEST_METHOD": "GET", "QUERY_STRING": query}, keep_blank_values=blank == "1", **LATIN)
    return [text for field in form.list for text in shown(field)]


def parse_header(line):
    key, parameters = cgi.parse_header(line)
    return [key, *[text for pair in sorted(parameters.items()) for text in pair]]


def latin(f):
    """Bytes are characters here, so that none is lost."""
    return lambda *a: [text.encode("latin-1") for text in f(*(field.decode("latin-1") for field in a))]


KINDS = {"storage": storage, "get": get, "parse_header": parse_header, "escape": lambda text: [html.escape(text)]}
oracle.main({name: latin(f) for name, f in KINDS.items()})

"""Answers questions in a file, each a line of hexadecimal fields, the first of which names one of these functions:
"ok" and what that gives, or "refused". See python.lua."""
import sys


def answer(functions, fields):
    try:
        given = functions[fields[0].decode()](*fields[1:])
    except Exception as error:
        return [b"refused", repr(error).encode("utf-8", "surrogateescape")]
    if not isinstance(given, (list, tuple)):
        given = [given]
    return [b"ok"] + [text if isinstance(text, bytes) else str(text).encode("utf-8", "surrogateescape") for text in given]


def main(functions):
    with open(sys.argv[1], "rb") as questions:
        for line in questions:
            fields = [bytes.fromhex(field.decode()) for field in line.rstrip(b"\n").split(b" ")]
            print(" ".join(field.hex() for field in answer(functions, fields)))

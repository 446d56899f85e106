import os
import shlex
import warnings

warnings.simplefilter("ignore")
import mailcap  # noqa: E402
import oracle  # noqa: E402


def match(path, kind, key, filename, parameter):
    os.environ["MAILCAPS"] = path.decode()
    command, _ = mailcap.findmatch(mailcap.getcaps(), kind.decode(), key.decode(), filename.decode(),
                                   [parameter.decode()])
    return ["none"] if command is None else shlex.split(command)


def caps(path):
    os.environ["MAILCAPS"] = path.decode()
    found = mailcap.getcaps()
    return ["%s %s" % (kind, sorted("%s=%s" % pair for pair in entry.items()))
            for kind in sorted(found) for entry in found[kind]]


oracle.main({"match": match, "caps": caps})

# Cookies as Python reads and writes them, for python_spec.lua.
import os
import tempfile
from http.cookiejar import Cookie, LWPCookieJar, MozillaCookieJar
from http.cookies import SimpleCookie

import oracle

ORDER = ["comment", "domain", "expires", "httponly", "max-age", "path", "samesite", "secure", "version"]


def described(cookie):
    fields = []
    for name, morsel in sorted(cookie.items()):
        fields += [name, morsel.value, morsel.coded_value]
        fields += ["True" if morsel[a] is True else str(morsel[a]) for a in ORDER]
    return fields


def load(text):
    return described(SimpleCookie(text))


def output(*pairs):
    cookie = SimpleCookie()
    for name, value in zip(pairs[::2], pairs[1::2]):
        cookie[name] = value
    return [cookie.output(), *described(cookie)]


def attributes(name, value, *pairs):
    cookie = SimpleCookie()
    cookie[name] = value
    for key, text in zip(pairs[::2], pairs[1::2]):
        cookie[name][key] = True if text == "True" else int(text) if text.isdigit() else text
    return [cookie[name].OutputString()]


def jar(kind, text, discard):
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "jar")
        with open(path, "wb") as f:
            f.write(text.encode("latin-1"))
        made = (MozillaCookieJar if kind == "netscape" else LWPCookieJar)(path)
        made.load(ignore_discard=discard == "1")
        fields = []
        for c in made:
            fields += [
                c.domain, c.path, c.name, (c.value or "").encode().decode("latin-1"), str(c.expires), str(bool(c.secure)),
                str(c.has_nonstandard_attr("HTTPOnly") or c.has_nonstandard_attr("HttpOnly"))]
        return fields


def saved(kind, *fields):
    """Writes cookies as Python does, to be read by csock."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "jar")
        made = (MozillaCookieJar if kind == "netscape" else LWPCookieJar)(path)
        for i in range(0, len(fields), 7):
            domain, cookie_path, name, value, expires, secure, httponly = fields[i:i + 7]
            rest = {"HTTPOnly": None} if httponly == "True" else {}
            made.set_cookie(Cookie(
                0, name, value.encode("latin-1").decode(), None, False, domain, domain.startswith("."), domain.startswith("."), cookie_path, True,
                secure == "True", None if expires == "None" else int(expires), expires == "None", None, None, rest))
        made.save(ignore_discard=True)
        with open(path, encoding="latin-1", newline="") as f:
            return [f.read()]


def latin(f):
    """Bytes are characters here, so that none is lost."""
    return lambda *a: [text.encode("latin-1") for text in f(*(field.decode("latin-1") for field in a))]


KINDS = {"load": load, "output": output, "attributes": attributes, "jar": jar, "saved": saved}
oracle.main({name: latin(f) for name, f in KINDS.items()})

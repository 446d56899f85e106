import email
import email.errors
import email.header
import email.policy
import email.utils
import oracle


def text(value):
    return "".join(str(value).splitlines()).encode("utf-8", "surrogateescape").decode("utf-8", "surrogateescape")


def shown(value):
    return repr(value).encode("utf-8", "backslashreplace").decode() if value is None else "'%s'" % value.replace("\n", "\\n")


def end(epilogue):
    """Whose the last line end is depends on where Python comes from."""
    return "" if epilogue is None else epilogue.rstrip("\n")


def skipped(part):
    lost = any(isinstance(defect, email.errors.StartBoundaryNotFoundDefect) for defect in part.defects)
    return lost or part.get("content-transfer-encoding") == "base64"


def unfold(part):
    part._headers = [(name, value.replace("\n", "").rstrip(" \t") if isinstance(value, str) else value)
                     for name, value in part._headers]


def describe(message):
    """What the parser has found, part by part, in one string."""
    lines = []
    for part in message.walk():
        unfold(part)
        lines.append("part %s %s %s" % (part.get_content_type(), part.is_multipart(), len(part)))
        for name, value in part._headers:
            value = value if isinstance(value, str) else str(value)
            lines.append("%s: %s" % (name, "".join(value.split("\n")).rstrip(" \t\r")))
        if part.is_multipart():
            lines.append("%s %s" % (shown(part.preamble), shown(end(part.epilogue))))
        elif not skipped(part):
            lines.append(part.get_payload(decode=True).rstrip(b"\r\n").hex())
        lines.append("boundary %s filename %s charset %s" % (
            part.get_boundary(), part.get_filename(), part.get_content_charset()))
        lines.append(" ".join(sorted(type(defect).__name__ for defect in part.defects)))
    return "\n".join(lines).encode("utf-8", "surrogateescape")


def parse(data):
    return describe(email.message_from_bytes(data, policy=email.policy.compat32))


def addresses(value):
    found = email.utils.getaddresses([value.decode("ascii")])
    return "\n".join("%s|%s" % pair for pair in found)


def contents(data):
    """What a program sees of a message that was built."""
    message = email.message_from_bytes(data, policy=email.policy.default)
    lines = [str(message["subject"]), str(message["from"]), str(message["to"])]
    lines += ["%s|%s" % (one.display_name, one.addr_spec) for one in message["to"].addresses]
    body = message.get_body()
    lines.append(body.get_content() if body else "none")
    for part in message.iter_attachments():
        content = part.get_content()
        lines.append("%s %s %s" % (part.get_filename(), part.get_content_type(),
                                   content.hex() if isinstance(content, bytes) else content))
    lines += [type(defect).__name__ for part in message.walk() for defect in part.defects]
    return "\n".join(lines)


def parameter(value, name):
    message = email.message_from_string("Content-Type: " + value.decode("ascii") + "\n\n")
    found = message.get_param(name.decode())
    return "None" if found is None else email.utils.collapse_rfc2231_value(found)


oracle.main({
    "parse": parse,
    "addresses": addresses,
    "contents": contents,
    "parameter": parameter,
    "formataddr": lambda name, address: email.utils.formataddr((name.decode(), address.decode())),
    "formatdate": lambda time: email.utils.formatdate(int(time)),
    "parseaddr": lambda value: email.utils.parseaddr(value.decode("ascii")),
})

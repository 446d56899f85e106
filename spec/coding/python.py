import base64
import binascii
import email._encoded_words
import email.header
import email.utils
import quopri
import oracle


def lenient(text):
    value, defects = email._encoded_words.decode_b(text)
    return value, " ".join(type(defect).__name__ for defect in defects)


def header(value):
    return str(email.header.make_header(email.header.decode_header(value.decode("ascii"))))


def date(text):
    fields = email.utils.parsedate_tz(text.decode("latin-1"))
    return email.utils.mktime_tz(fields), fields[9] // 60


oracle.main({
    "b64encode": base64.b64encode,
    "encodebytes": base64.encodebytes,
    "b64decode": lambda text: binascii.a2b_base64(text),
    "lenient": lenient,
    "quoted": quopri.encodestring,
    "unquoted": quopri.decodestring,
    "header": header,
    "date": date,
    "formatdate": lambda time: email.utils.formatdate(int(time)),
})

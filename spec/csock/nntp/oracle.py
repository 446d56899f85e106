"""nntplib on a server: what it gives, a line for each call, for a spec that asks the same."""
import datetime
import nntplib
import sys

port, *credentials = sys.argv[1:]
UTC = datetime.timezone.utc


def show(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.encode("utf-8", "surrogateescape").hex()
    if isinstance(value, int):
        return str(value)
    if isinstance(value, datetime.datetime):
        return str(int(value.replace(tzinfo=UTC).timestamp()))
    if isinstance(value, nntplib.GroupInfo):
        value = value.group, int(value.last), int(value.first), value.flag
    if isinstance(value, dict):
        value = sorted(value.items())
    if value is None:
        return ""
    return "(" + " ".join(show(v) for v in value) + ")"


# Arguments as they are written: a kind, and a text.
READERS = {
    "s": str,
    "i": int,
    "t": lambda text: datetime.datetime.fromtimestamp(int(text), UTC).replace(tzinfo=None),
    "r": lambda text: tuple(int(n) if n else None for n in text.split("-")),
    "b": bytes.fromhex,
}

news = nntplib.NNTP("127.0.0.1", int(port))
if credentials:
    news.login(*credentials, usenetrc=False)
print(show(news.getwelcome()))
print(show(news.getcapabilities()))
for line in sys.stdin:
    name, *args = line.rstrip("\n").split("\t")
    try:
        answer = getattr(news, name)(*[READERS[a[0]](a[1:]) for a in args])
        if name == "xhdr":  # (text in the place of numbers, and a whole line where it begins with a message-id)
            rows = [row.split(" ", 1) if isinstance(row, str) else (int(row[0]), row[1]) for row in answer[1]]
            answer = answer[0], rows
        print(show(answer))
    except nntplib.NNTPError as e:
        print("refused " + show(str(e)))
news.quit()

# Answers questions about URLs as Python does: lines of fields in hexadecimal, of which the first is the question's kind.
import sys
from urllib import parse
from urllib.robotparser import RobotFileParser


def split(kind, url, scheme, fragments):
    u = (parse.urlsplit if kind == "urlsplit" else parse.urlparse)(url, scheme, fragments == "1")
    try:
        port = "" if u.port is None else str(u.port)
    except ValueError:
        port = "refused"

    def known(value):
        return "none" if value is None else "=" + value

    return [*u, u.geturl(), known(u.username), known(u.password), known(u.hostname), port]


def urlencode(doseq, safe, quote_via, *fields):
    pairs, rest = [], list(fields)
    while rest:
        name, count = rest.pop(0), rest.pop(0)
        if count == "":
            pairs.append((name, rest.pop(0)))
        else:
            pairs.append((name, rest[: int(count)]))
            del rest[: int(count)]
    return parse.urlencode(pairs, doseq == "1", safe, "utf-8", "surrogateescape", getattr(parse, quote_via))


def parse_qsl(query, blank, strict, most, separator):
    pairs = parse.parse_qsl(
        query, blank == "1", strict == "1", errors="surrogateescape",
        max_num_fields=int(most) if most else None, separator=separator)
    return [text for pair in pairs for text in pair]


def robots(text, *questions):
    rules = RobotFileParser()
    rules.parse(text.split("\n"))
    answers = [str(rules), "\n".join(rules.site_maps() or [])]
    for agent, url in zip(questions[::2], questions[1::2]):
        rate = rules.request_rate(agent)
        answers += [
            str(rules.can_fetch(agent, url)), str(rules.crawl_delay(agent)),
            "None" if rate is None else f"{rate.requests}/{rate.seconds}"]
    return answers


KINDS = {
    "urlsplit": lambda *a: split("urlsplit", *a),
    "urlparse": lambda *a: split("urlparse", *a),
    "urlunsplit": lambda *a: parse.urlunsplit(a),
    "urlunparse": lambda *a: parse.urlunparse(a),
    "urljoin": lambda base, url, fragments: parse.urljoin(base, url, fragments == "1"),
    "urldefrag": lambda url: list(parse.urldefrag(url)),
    "quote": lambda text, safe: parse.quote(text, safe, "utf-8", "surrogateescape"),
    "quote_plus": lambda text, safe: parse.quote_plus(text, safe, "utf-8", "surrogateescape"),
    "unquote": lambda text: parse.unquote(text, errors="surrogateescape"),
    "unquote_plus": lambda text: parse.unquote_plus(text, errors="surrogateescape"),
    "urlencode": urlencode,
    "parse_qsl": parse_qsl,
    "robots": robots,
}

for line in open(sys.argv[1]):
    kind, *arguments = [bytes.fromhex(field).decode("utf-8", "surrogateescape") for field in line[:-1].split(" ")]
    try:
        answer = KINDS[kind](*arguments)
        fields = ["ok"] + ([answer] if isinstance(answer, str) else answer)
    except ValueError:
        fields = ["refused"]
    print(" ".join(field.encode("utf-8", "surrogateescape").hex() for field in fields))

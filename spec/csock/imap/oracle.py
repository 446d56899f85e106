"""imaplib and poplib on a server: what they answer, a line for each call, for a spec that asks the same."""
import imaplib
import poplib
import sys

imap_port, pop_port = int(sys.argv[1]), int(sys.argv[2])


def show(value):
    if isinstance(value, bytes):
        return value.hex()
    if isinstance(value, str):
        return value.encode().hex()
    if isinstance(value, int):
        return str(value)
    if value is None:
        return ""
    return "(" + " ".join(show(v) for v in value if v is not None) + ")"


mail = imaplib.IMAP4("127.0.0.1", imap_port)
mail.login("jane", "secret")
for line in sys.stdin:
    name, *args = line.rstrip("\n").split("\t")
    print(show(getattr(mail, name)(*[None if a == "None" else a for a in args])))
mail.logout()

pop = poplib.POP3("127.0.0.1", pop_port)
pop.user("jane")
pop.pass_("secret")
for answer in (pop.stat(), pop.list(), pop.uidl(), pop.retr(1), pop.top(2, 0), pop.noop()):
    print(show(answer))
pop.quit()

# Python's poplib and imaplib: the kind, a port, the number of messages. Prints CPU and time in seconds.
import imaplib, poplib, sys, time

kind, port, count = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
seen = 0
if kind == "pop3":
    client = poplib.POP3("127.0.0.1", port)
    client.user("jane")
    client.pass_("secret")
else:
    client = imaplib.IMAP4("127.0.0.1", port)
    client.login("jane", "secret")
    client.select("INBOX")
cpu, start = time.process_time(), time.perf_counter()
if kind == "pop3":
    for number in range(1, client.stat()[0] + 1):
        seen += client.top(number, 0)[1][0].startswith(b"From: Jane")
else:
    for item in client.fetch("1:%d" % count, "(BODY.PEEK[HEADER])")[1]:
        seen += isinstance(item, tuple) and item[1].startswith(b"From: Jane")
print(time.process_time() - cpu, time.perf_counter() - start)
assert seen == count, seen

"""What Python sees of a mailbox, and a writer beside csock's."""
import mailbox
import sys
import time


def opened(kind, path):
    return {"mbox": mailbox.mbox, "maildir": mailbox.Maildir, "mh": mailbox.MH}[kind](path, create=True)


def show(kind, path):
    """Each message: its subject, its flags, its body."""
    box = opened(kind, path)
    rows = []
    for key in box.keys():
        message = box.get_message(key)
        known = sorted(message.get_sequences()) if kind == "mh" else message.get_flags()
        subdir = message.get_subdir() if kind == "maildir" else ""
        rows.append("%s|%s|%s|%r" % (message["subject"], "".join(known), subdir, message.get_payload()))
    print("\n".join(sorted(rows)))


def add(kind, path, count, name):
    """Adds messages one by one, and removes every third one again."""
    box = opened(kind, path)
    for number in range(count):
        subject = "%s%d" % (name, number)
        while True:
            try:
                box.lock()
                break
            except mailbox.ExternalClashError:
                time.sleep(0.001)
        try:
            if kind == "mbox":  # what others have written
                box.close()
                box = opened(kind, path)
                box.lock()
            key = box.add("Subject: %s\n\nFrom %s\nbody\n" % (subject, name))
            if number % 3 == 2:
                box.remove(key)
            box.flush()
        except mailbox.ExternalClashError:
            time.sleep(0.001)
        finally:
            box.unlock()
    box.close()


def fill(kind, path):
    box = opened(kind, path)
    make = {"mbox": mailbox.mboxMessage, "maildir": mailbox.MaildirMessage, "mh": mailbox.MHMessage}[kind]
    for number in range(5):
        message = make("Subject: s%d\n\nFrom here %d\n\nend\n" % (number, number))
        if kind == "mh":
            message.set_sequences(["unseen"] if number % 2 else ["flagged", "x"])
        elif kind == "maildir":
            message.set_flags(["", "S", "FR", "DFPRST", "T"][number])
            message.set_subdir("cur" if number else "new")
        else:
            message.set_flags(["", "R", "RO", "RODFA", "F"][number])
        box.add(message)
    box.close()


if __name__ == "__main__":
    verb, kind, path = sys.argv[1:4]
    if verb == "add":
        add(kind, path, int(sys.argv[4]), sys.argv[5])
    else:
        {"show": show, "fill": fill}[verb](kind, path)

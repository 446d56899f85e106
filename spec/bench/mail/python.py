# Python's smtplib: port, number of mails, bytes. Prints CPU and time in seconds.
import smtplib, sys, time

port, count, size = map(int, sys.argv[1:4])
message = "Subject: bench\n\n" + ("x" * 71 + "\n") * (size // 72)
client = smtplib.SMTP("127.0.0.1", port)
cpu, start = time.process_time(), time.perf_counter()
for _ in range(count):
    client.sendmail("jane@example.org", "joe@example.org", message)
print(time.process_time() - cpu, time.perf_counter() - start)
client.quit()

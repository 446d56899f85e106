# Python's ftplib: a port. Prints CPU and time in seconds.
import ftplib, sys, time

ftp = ftplib.FTP()
ftp.connect("127.0.0.1", int(sys.argv[1]))
ftp.login()
count = 0

def take(piece):
    global count
    count += len(piece)

cpu, start = time.process_time(), time.perf_counter()
ftp.retrbinary("RETR file", take, 65536)
print(time.process_time() - cpu, time.perf_counter() - start)
assert count == int(sys.argv[2]), count

"""kcat with Debian's librdkafka 2.0.2: its command line stands for the library. It cannot make topics by itself, so
another client makes them; produced records take the time of production."""
import os
import re
import signal
import subprocess
import tempfile
import time

import confluent_client
import expectations


class Member:
    """`kcat -G`: prints each record; the assignment comes on standard error."""

    def __init__(self, command, topic, group):
        self.output = tempfile.NamedTemporaryFile()
        self.errors = tempfile.NamedTemporaryFile()
        self.process = subprocess.Popen(
            command + ["-G", group, "-X", "auto.offset.reset=earliest", "-X", "session.timeout.ms=10000",
                       "-X", "heartbeat.interval.ms=500",
                       "-X", "auto.commit.interval.ms=200", "-u", "-f", "%p %o %k %s\n", topic],
            stdout=self.output, stderr=self.errors)
        self.read = 0

    def poll(self):
        if self.process.poll() is not None:
            raise AssertionError(f"kcat ended: {open(self.errors.name).read()[-500:]}")
        time.sleep(0.2)
        with open(self.output.name, "rb") as lines:
            lines.seek(self.read)
            whole = lines.read().rpartition(b"\n")[0]
        if not whole:
            return []
        self.read += len(whole) + 1
        rows = [line.split(b" ", 3) for line in whole.split(b"\n")]
        return [(int(p), int(o), k, v) for p, o, k, v in rows]

    def assignment(self):
        held = set()
        for line in open(self.errors.name):
            if "rebalanced" not in line:
                continue
            parts = {int(p) for p in re.findall(r"\[(\d+)\]", line)}
            held = parts if "assigned" in line else set()
        return held

    def commit(self):
        pass  # kcat commits what it has printed when it ends

    def close(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(30)
        self.output.close()
        self.errors.close()


class Kcat(expectations.Client):
    name = "kcat"
    can_administer = False

    def __init__(self, bootstrap, ca):
        super().__init__(bootstrap, ca)
        self.command = ["kcat", "-b", bootstrap, "-X", "security.protocol=ssl", "-X", f"ssl.ca.location={ca}"]

    def create_topic(self, topic, partitions):
        confluent_client.Confluent(self.bootstrap, self.ca).create_topic(topic, partitions)

    def produce(self, topic, codec, records):
        lines = b"".join(k + b"|" + v + b"\n" for k, v, _ in records)
        subprocess.run(self.command + ["-P", "-t", topic, "-K|", "-z", codec, "-X", "enable.idempotence=true"],
                       input=lines, check=True, timeout=60)

    def member(self, topic, group):
        return Member(self.command, topic, group)

    def offset_for_time(self, topic, partition, timestamp):
        now = int(time.time() * 1000) - 600_000
        text = subprocess.run(
            self.command + ["-C", "-t", topic, "-p", str(partition), "-o", f"s@{now}", "-c", "1", "-e", "-q", "-f", "%o %T\n"],
            check=True, timeout=60, capture_output=True, text=True).stdout.split()
        return (int(text[0]), int(text[1])) if text else None


if __name__ == "__main__":
    os.environ.setdefault("LC_ALL", "C")
    # Whoever runs this may have signals blocked, and kcat would inherit that: SIGTERM could not end it.
    signal.pthread_sigmask(signal.SIG_SETMASK, [])
    expectations.run(Kcat)

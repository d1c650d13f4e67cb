"""What every client must see, whichever library it uses: the records, the group, the checks.

A client brings five operations (see `Client`); `run` puts them through the same story: topics are made, each codec
is produced, a group of three consumes through a rebalance, commits and resumes, seeks by time, and topics are deleted.
"""
import argparse
import random
import string
import sys
import threading
import time

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
PER_CODEC = 60
PARTITIONS = 6
BASE_TIME = 1_735_689_600_000  # 2025-01-01, in ms


class Client:
    """Operations that a library provides; a subclass fills them in."""

    name = "?"
    can_administer = True

    def __init__(self, bootstrap, ca):
        self.bootstrap, self.ca = bootstrap, ca

    def create_topic(self, topic, partitions):
        raise NotImplementedError

    def delete_topic(self, topic):
        raise NotImplementedError

    def list_topics(self):
        raise NotImplementedError

    def produce(self, topic, codec, records):
        """records: list of (key, value, timestamp ms); returns when all are acknowledged."""
        raise NotImplementedError

    def member(self, topic, group):
        """A started group member with poll() -> list of (partition, offset, key, value), assignment(), commit(), close()."""
        raise NotImplementedError

    def offset_for_time(self, topic, partition, timestamp):
        """Offset of the first record at or after the time, by seeking there and reading: (offset, timestamp of the record)."""
        raise NotImplementedError


def records(codec):
    index = CODECS.index(codec)
    return [(f"{codec}-{i}".encode(), (f"value of {codec} {i};" * 8).encode(), BASE_TIME + index * 100_000 + i * 1000)
            for i in range(PER_CODEC)]


class Polling(threading.Thread):
    """A member that polls on a thread of its own until it is told to stop."""

    def __init__(self, client, topic, group, seen, lock):
        super().__init__(daemon=True)
        self.client, self.topic, self.group = client, topic, group
        self.seen, self.lock = seen, lock
        self.assigned, self.stopping, self.error = frozenset(), threading.Event(), None
        self.owes = False  # whether something was read and not committed
        self.busy = time.monotonic()  # when something last came or changed
        self.start()

    def run(self):
        try:
            member = self.client.member(self.topic, self.group)
            while not self.stopping.is_set():
                found = member.poll()
                with self.lock:
                    self.seen.extend(found)
                if found:
                    self.busy, self.owes = time.monotonic(), True
                self.settle(member)
                assigned = frozenset(member.assignment())
                if assigned != self.assigned:
                    self.assigned, self.busy = assigned, time.monotonic()
            self.settle(member)
            member.close()
        except Exception as error:  # told to the main thread, which fails
            self.error = error

    def settle(self, member):
        """Commits what was read; while a rebalance is under way that is refused, and tried again after the next poll."""
        if not self.owes:
            return
        try:
            member.commit()
            self.owes = False
        except Exception:
            self.busy = time.monotonic()

    def stop(self):
        self.stopping.set()
        self.join(60)
        if self.is_alive():
            raise AssertionError("a member did not stop")
        if self.error:
            raise self.error


def wait(what, condition, members=(), seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        for member in members:
            if member.error:
                raise member.error
        if time.monotonic() > deadline:
            raise AssertionError(f"waited {seconds} s for: {what}")
        time.sleep(0.05)


def quiet(members):
    """Whether nothing has come for a while: what a rebalance made a member read again is read, and can be committed."""
    return spread(members) and all(time.monotonic() - m.busy > 2.5 and not m.owes for m in members)


def spread(members):
    """Whether the members hold all partitions, each exactly one owner, and none is idle."""
    parts = [p for m in members for p in m.assigned]
    return sorted(parts) == list(range(PARTITIONS)) and all(m.assigned for m in members)


def run(client_type):
    parser = argparse.ArgumentParser()
    parser.add_argument("--bootstrap", required=True)
    parser.add_argument("--ca", required=True)
    options = parser.parse_args()
    client = client_type(options.bootstrap, options.ca)
    suffix = "".join(random.choices(string.ascii_lowercase, k=8))
    topic, group = f"{client.name}-{suffix}", f"group-{suffix}"
    story(client, topic, group)
    print(f"{client.name}: {len(CODECS)} codecs, a group of three through two rebalances, commit, resume, seek by time: ok")


def story(client, topic, group):
    client.create_topic(topic, PARTITIONS)
    wanted = {}
    for codec in CODECS:
        batch = records(codec)
        client.produce(topic, codec, batch)
        wanted.update({key: value for key, value, _ in batch})

    seen, lock = [], threading.Lock()
    members = [Polling(client, topic, group, seen, lock) for _ in range(2)]
    wait("two members to share the topic", lambda: spread(members), members)
    members.append(Polling(client, topic, group, seen, lock))
    wait("three members to share the topic", lambda: spread(members), members)
    wait("all records", lambda: {k for _, _, k, _ in list(seen)} >= set(wanted), members)
    wait("three members to have read all", lambda: quiet(members), members)
    members.pop(0).stop()
    wait("two members after one has left", lambda: quiet(members), members)
    with lock:
        for partition, offset, key, value in seen:
            assert wanted[key] == value, f"{key}: another value came back"
    for member in members:
        member.stop()

    more = [(f"later-{i}".encode(), b"later", BASE_TIME + 900_000 + i) for i in range(20)]
    client.produce(topic, "none", more)
    again = []
    member = Polling(client, topic, group, again, lock)
    wait("the records after the commit", lambda: len({k for _, _, k, _ in list(again)}) >= 20, [member])
    member.stop()
    extra = {k for _, _, k, _ in again} - {k for k, _, _ in more}
    assert not extra, f"committed records came again: {sorted(extra)[:3]}"

    found = 0
    for partition in range(PARTITIONS):
        place = client.offset_for_time(topic, partition, BASE_TIME + 300_000)
        if place:
            offset, timestamp = place
            assert timestamp >= BASE_TIME + 300_000, f"partition {partition}: offset {offset} is of {timestamp}"
            found += 1
    assert found, "no partition had a record after the time"

    if client.can_administer:
        assert topic in client.list_topics()
        client.delete_topic(topic)
        wait("the topic to be gone", lambda: topic not in client.list_topics())


def fail_loudly():
    sys.exit("this file is imported by the clients beside it")


if __name__ == "__main__":
    fail_loudly()

"""A disk that is slow, and one that fails, under a node that runs.

usage: disk_faults.py --millrace PROGRAM --dir FOLDER slow|flood|write|sync
"""

import errno
import sys
import time

from confluent_kafka import Producer
from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer
from kafka.admin import NewTopic
from kafka.errors import KafkaStorageError

from faulty import FaultyNode, arguments

kind = sys.argv.pop()


def main():
    options = arguments(__doc__)
    settings = ("queued.max.request.bytes=16777216",) if kind == "flood" else ()
    with FaultyNode(options.millrace, options.dir, settings) as node:
        admin = KafkaAdminClient(bootstrap_servers=node.bootstrap)
        config = {"flush.messages": "1"} if kind == "sync" else {}
        admin.create_topics([NewTopic(name, 1, 1, topic_configs=config) for name in ("ill", "well")])
        admin.close()
        {"slow": slow, "flood": flood, "write": broken, "sync": broken}[kind](node)
    print(f"disk faults, {kind}: ok")


def producer(node):
    return KafkaProducer(bootstrap_servers=node.bootstrap, acks="all", retries=0, max_block_ms=20_000)


def slow(node):
    """While one partition's writes hang, the node's others are written."""
    ill, well = producer(node), producer(node)
    well.send("well", b"0").get(timeout=20)
    node.set("pwrite /data/ill-0 delay 2500")
    kept = [b"0", b"1", b"2", b"3"]
    for value in kept[:-1]:  # the loop writes two itself, and learns that the disk is slow; a disk thread the third
        ill.send("ill", value).get(timeout=20)
    hanging = ill.send("ill", kept[-1])
    time.sleep(0.3)  # it has reached the node
    for number in range(1, 51):
        well.send("well", b"%d" % number).get(timeout=20)
    assert not hanging.is_done, "fifty records of another partition waited for a write that hangs"
    hanging.get(timeout=20)
    node.set()
    assert read(node, "ill", len(kept)) == kept


def flood(node):
    """Requests that wait for the disk take no more memory than is set, and are all written in the end."""
    producer(node).send("well", b"0").get(timeout=20)
    before = node.resident_bytes()
    node.set("pwrite /data/ill-0 delay 250")
    settings = {
        "bootstrap.servers": node.bootstrap, "batch.num.messages": 1, "message.max.bytes": 2 << 20,
        "max.in.flight": 100, "socket.timeout.ms": 200_000, "message.timeout.ms": 300_000, "retries": 0}
    clients, failures, done, peak = [Producer(settings) for _ in range(8)], [], 0, before

    def delivered(error, _):
        nonlocal done
        done += 1
        if error:
            failures.append(error)

    for number in range(60):
        for client in clients:
            client.produce("ill", b"%d" % number + bytes(500_000), on_delivery=delivered)
    deadline = time.monotonic() + 90
    while sum(client.flush(0.01) for client in clients):
        assert time.monotonic() < deadline, f"{done} of 480 are answered"
        peak = max(peak, node.resident_bytes())
        if done > 40:
            node.set()
    assert not failures and done == 480, failures[:1]
    assert peak - before < 64 << 20, f"memory for 16 MiB of requests grew by {(peak - before) >> 20} MiB"


def broken(node):
    """A failed write or sync ends service of the directory at once; a restart mends it, and nothing is lost."""
    client = producer(node)
    kept = [b"%d" % number for number in range(100)]
    for value in kept:
        client.send("ill", value).get(timeout=20)
    call = {"write": "pwrite", "sync": "fdatasync"}[kind]
    node.set(f"{call} /data/ill-0 fail {errno.EIO}")
    for _ in range(20):
        try:
            client.send("ill", b"refused").get(timeout=20)
            # Only a sync fails after its record was acknowledged: its bytes were written.
            assert kind == "sync", "a record whose write failed is acknowledged"
            kept.append(b"refused")
            time.sleep(0.1)
        except KafkaStorageError:
            break
    else:
        raise AssertionError("the directory that failed goes on")
    node.set()
    for topic in ("ill", "well"):
        try:
            client.send(topic, b"again").get(timeout=20)
            raise AssertionError(f"{topic}: a directory that failed is tried again")
        except KafkaStorageError:
            pass
    lines = node.log_lines("storage.offline")
    assert len(lines) == 1 and "restart the node" in lines[0], lines
    node.local("stop", status=1)  # a directory that is offline is not closed well
    node.local("start")
    assert read(node, "ill", len(kept)) == kept
    producer(node).send("well", b"served again").get(timeout=20)


def read(node, topic, count):
    consumer = KafkaConsumer(
        topic, bootstrap_servers=node.bootstrap, auto_offset_reset="earliest", consumer_timeout_ms=10_000)
    found = []
    while len(found) < count:
        try:
            found.append(next(consumer).value)
        except StopIteration:
            break
    consumer.close()
    return found


main()

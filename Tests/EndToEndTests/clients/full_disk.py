"""Fills a small file system through a node, makes room, starts the node again, and compares.

usage: full_disk.py --millrace PROGRAM --dir FOLDER --disk FOLDER (a file system of 8 MiB)
"""

import argparse
import json
import os
import subprocess

from kafka import KafkaConsumer, KafkaProducer
from kafka.errors import KafkaStorageError


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--millrace", required=True)
    parser.add_argument("--dir", required=True)
    parser.add_argument("--disk", required=True)
    options = parser.parse_args()
    disk = options.disk
    cluster = os.path.join(options.dir, "cluster")

    def local(verb, *more, status=0):
        command = [options.millrace, "local", verb, "--dir", cluster, *more]
        result = subprocess.run(command, stdout=subprocess.PIPE, timeout=30, check=False)
        assert result.returncode == status, f"local {verb}: {result.returncode}"
        return result.stdout

    up = json.loads(local("up", "--config", f"log.dirs={disk}/data", "-o", "json"))
    bootstrap, log = up["bootstrap"]["plaintext"], up["nodes"][0]["log_file"]
    try:
        acknowledged = fill(bootstrap)
        wait_for_line(log)
        local("stop", status=1)  # a directory that is offline is not closed well
        subprocess.run(["mount", "-o", "remount,size=64m", disk], check=True)
        local("start")
        compare(bootstrap, acknowledged)
    finally:
        local("down")
    print(f"{len(acknowledged)} records: ok")


def producer(bootstrap):
    return KafkaProducer(
        bootstrap_servers=bootstrap, acks="all", retries=0, request_timeout_ms=10_000
    )


def fill(bootstrap):
    """Sends until a record is refused; what was acknowledged before."""
    acknowledged = []
    client = producer(bootstrap)
    for number in range(400):
        value = b"%06d" % number + os.urandom(50_000)
        try:
            client.send("full", value).get(timeout=10)
        except KafkaStorageError:
            break
        acknowledged.append(value)
    else:
        raise AssertionError("the disk never filled up")
    try:
        client.send("full", b"small enough to fit").get(timeout=10)
    except KafkaStorageError:
        return acknowledged
    raise AssertionError("a directory that went offline took another record")


def wait_for_line(log):
    """The node says it once, within the second in which it looks."""
    probe = subprocess.run(
        ["timeout", "5", "sh", "-c", f'until grep -q storage.offline "{log}"; do sleep 0.1; done']
    )
    with open(log, encoding="utf-8") as file:
        lines = [line for line in file if "storage.offline" in line]
    assert probe.returncode == 0 and len(lines) == 1, f"{len(lines)} lines say it"
    assert "the disk is full" in lines[0], lines[0]


def compare(bootstrap, acknowledged):
    consumer = KafkaConsumer(
        "full", bootstrap_servers=bootstrap, auto_offset_reset="earliest",
        consumer_timeout_ms=10_000,
    )
    found = []
    while len(found) < len(acknowledged):
        try:
            found.append(next(consumer).value)
        except StopIteration:
            break
    assert found == acknowledged, f"{len(found)} of {len(acknowledged)} records are there"
    producer(bootstrap).send("full", b"after").get(timeout=10)


main()

"""`millrace consume` that is interrupted, and whose broker goes away.

usage: consume_faults.py --millrace PROGRAM --dir FOLDER
"""

import argparse
import json
import os
import signal
import subprocess
import time

RECORDS = 30_000


class Node:
    def __init__(self, millrace, folder):
        self.millrace, self.folder = millrace, folder
        told = json.loads(self.run("local", "up", "--dir", folder, "-o", "json"))
        self.bootstrap = told["bootstrap"]["plaintext"]

    def run(self, *arguments):
        done = subprocess.run(
            [self.millrace, *arguments], capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, (arguments, done)
        return done.stdout

    def local(self, verb):
        self.run("local", verb, "--dir", self.folder)

    def consume(self, *arguments):
        return subprocess.Popen(
            [self.millrace, "consume", "-b", self.bootstrap, *arguments], stdout=subprocess.PIPE,
            stderr=subprocess.PIPE, bufsize=0)

    def committed(self, group):
        told = json.loads(self.run("group", "describe", group, "-b", self.bootstrap, "-o", "json"))
        text = json.dumps(told)
        return [part["committed_offset"] for part in find(told, "committed_offset")], text


def find(value, key):
    """All objects in a document that have `key`."""
    if isinstance(value, list):
        return [found for item in value for found in find(item, key)]
    if isinstance(value, dict):
        own = [value] if key in value else []
        return own + [found for item in value.values() for found in find(item, key)]
    return []


def interrupted_with_records_unprinted(node):
    """What is committed was printed, all of it."""
    reader = node.consume("numbers", "-G", "printed", "-f", "%o %v\\n")
    reader.stdout.readline()
    reader.send_signal(signal.SIGINT)
    rest, errors = reader.communicate(timeout=30)
    assert reader.returncode == 130, (reader.returncode, errors)
    printed = 1 + rest.count(b"\n")
    committed, text = node.committed("printed")
    assert committed == [printed], f"{printed} records were printed: {text}"
    assert printed < RECORDS, "it was not interrupted in the middle"


def broker_away(node):
    """A member goes on after a restart, and says what it waits for."""
    reader = node.consume("numbers", "-G", "away", "-f", "%o\\n")
    for _ in range(RECORDS):
        assert reader.stdout.readline()
    node.local("kill")
    # Longer than from one commit to the next.
    time.sleep(7)
    node.local("start")
    node.run("bench", "produce", "numbers", "--records", "1", "-b", node.bootstrap)
    assert reader.stdout.readline() == b"%d\n" % RECORDS
    reader.send_signal(signal.SIGTERM)
    _, errors = reader.communicate(timeout=30)
    assert reader.returncode == 130, (reader.returncode, errors)
    assert b"waiting: " in errors and b"reading goes on" in errors, errors
    assert node.committed("away")[0] == [RECORDS + 1]


def end_never_comes(node):
    """With an end that cannot be reached any more it gives up."""
    reader = node.consume("large", "--offset", "earliest", "-e", "--timeout", "2s")
    reader.stdout.read(1000)
    node.local("kill")
    began = time.monotonic()
    _, errors = reader.communicate(timeout=60)
    assert reader.returncode == 3, (reader.returncode, errors)
    assert b"nothing came for 2 s" in errors, errors
    assert time.monotonic() - began < 30


def main():
    parser = argparse.ArgumentParser()
    for name in ("--millrace", "--dir"):
        parser.add_argument(name, required=True)
    options = parser.parse_args()
    node = Node(options.millrace, os.path.join(options.dir, "node"))
    try:
        load = ("bench", "produce", "-b", node.bootstrap, "--size", "1000", "--records")
        node.run(*load, str(RECORDS), "numbers")
        node.run(*load, "150000", "large")
        interrupted_with_records_unprinted(node)
        broker_away(node)
        end_never_comes(node)
    finally:
        node.run("local", "down", "--dir", node.folder)
    print("consume and faults: ok")


main()

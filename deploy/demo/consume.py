"""Reads topic "flights" with a group of two and tells which carriers were late most, to show that all is there."""
import collections
import json
import sys
import threading

from kafka import KafkaConsumer

bootstrap, ca = sys.argv[1:3]
EXPECTED = 336_776
lock = threading.Lock()
done = threading.Event()
count = collections.Counter()
delay = collections.Counter()
shares = {}


def member(name):
    consumer = KafkaConsumer("flights", group_id="delays", bootstrap_servers=bootstrap, security_protocol="SSL", ssl_cafile=ca,
                             auto_offset_reset="earliest", enable_auto_commit=False, max_poll_records=5000)
    mine = 0
    while not done.is_set():
        for records in consumer.poll(timeout_ms=200).values():
            with lock:
                for record in records:
                    flight = json.loads(record.value)
                    count[flight["carrier"]] += 1
                    if flight["dep_delay"] not in ("", "NA"):
                        delay[flight["carrier"]] += float(flight["dep_delay"])
            mine += len(records)
        with lock:
            if sum(count.values()) >= EXPECTED:
                done.set()
    consumer.commit()
    consumer.close()
    shares[name] = mine


threads = [threading.Thread(target=member, args=(f"member {i}",)) for i in (1, 2)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join(120)
total = sum(count.values())
if total != EXPECTED:
    sys.exit(f"{total:,} records read, {EXPECTED:,} were sent")
print(f"{total:,} records read: " + ", ".join(f"{name} {n:,}" for name, n in sorted(shares.items())))
worst = sorted(count, key=lambda c: -delay[c] / count[c])[:3]
print("longest mean delay at departure: " + ", ".join(f"{c} {delay[c] / count[c]:.1f} min" for c in worst))

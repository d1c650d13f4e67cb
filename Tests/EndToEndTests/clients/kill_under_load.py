"""kill -9 under load: librdkafka's idempotent producer keeps sending while the node is killed and started again.

    kill_under_load.py --millrace PATH --dir NODE_DIR --bootstrap H:P --kills N --seed S [--verb stop]

At the end every record is read back: nothing that was acknowledged may be missing or stand elsewhere than
acknowledged, nothing may be there twice, and each partition's records must be in the order of sending.
"""
import argparse
import random
import subprocess
import sys
import threading
import time

from confluent_kafka import Consumer, KafkaError, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

PARTITIONS = 4
parser = argparse.ArgumentParser()
for name in ("--millrace", "--dir", "--bootstrap"):
    parser.add_argument(name, required=True)
parser.add_argument("--kills", type=int, default=5)
parser.add_argument("--seed", type=int, default=1)
parser.add_argument("--verb", choices=("kill", "stop"), default="kill", help="how the node is ended")
options = parser.parse_args()
chance = random.Random(options.seed)
topic = f"{options.verb}-{options.seed}-{int(time.time())}"

admin = AdminClient({"bootstrap.servers": options.bootstrap})
admin.create_topics([NewTopic(topic, PARTITIONS, 1)])[topic].result(30)
producer = Producer({
    "bootstrap.servers": options.bootstrap, "enable.idempotence": True, "acks": "all", "linger.ms": 2,
    "message.timeout.ms": 300_000, "socket.timeout.ms": 5_000, "reconnect.backoff.max.ms": 200, "compression.codec": "lz4"})
acknowledged, refused, stop = {}, [], threading.Event()


def delivered(error, message):
    if error:
        refused.append(error)
    else:
        acknowledged[int(message.key())] = (message.partition(), message.offset())


def produce():
    number = 0
    while not stop.is_set():
        try:
            producer.produce(topic, key=str(number).encode(), value=b"x" * chance.randrange(20, 2000),
                             partition=number % PARTITIONS, on_delivery=delivered)
            number += 1
        except BufferError:
            producer.poll(0.01)
        producer.poll(0)
        if number % 50 == 0:
            time.sleep(0.002)
    produce.sent = number


def local(verb):
    subprocess.run([options.millrace, "local", verb, "--dir", options.dir], check=True, timeout=90, stdout=subprocess.DEVNULL)


sender = threading.Thread(target=produce, daemon=True)
sender.start()
for kill in range(options.kills):
    before = len(acknowledged)
    deadline = time.monotonic() + 60
    while len(acknowledged) < before + 300:  # the load is on before the next kill
        if time.monotonic() > deadline:
            stop.set()
            sys.exit(f"kill {kill}: nothing is acknowledged any more ({before} so far)")
        time.sleep(0.01)
    time.sleep(chance.random() * 0.3)
    local(options.verb)
    local("start")
stop.set()
sender.join()
left = producer.flush(120)
if left or refused:
    sys.exit(f"{left} records never answered, {len(refused)} refused: {refused[:1]}")

consumer = Consumer({"bootstrap.servers": options.bootstrap, "group.id": "check", "enable.auto.commit": False,
                     "enable.partition.eof": True, "auto.offset.reset": "earliest", "check.crcs": True})
consumer.assign([TopicPartition(topic, p, 0) for p in range(PARTITIONS)])
places, last, ended, twice = {}, {}, set(), []
deadline = time.monotonic() + 120
while len(ended) < PARTITIONS:
    if time.monotonic() > deadline:
        sys.exit("reading back takes more than 120 s")
    for message in consumer.consume(1000, timeout=1.0):
        if message.error():
            if message.error().code() == KafkaError._PARTITION_EOF:
                ended.add(message.partition())
                continue
            sys.exit(f"reading back: {message.error()}")
        number = int(message.key())
        if number in places:
            twice.append(number)
        places[number] = (message.partition(), message.offset())
        if last.get(message.partition(), -1) >= number:
            sys.exit(f"record {number} stands after {last[message.partition()]}")
        last[message.partition()] = number
consumer.close()
lost = [n for n, place in acknowledged.items() if places.get(n) != place]
if lost or twice:
    sys.exit(f"lost or moved: {len(lost)} {lost[:5]}, twice: {len(twice)} {twice[:5]}")
print(f"{options.kills} kills, {len(acknowledged)} records acknowledged, none lost, none twice: ok")

"""Sets a node's wall clock ten days forward, and twenty back, while it runs: nothing may be deleted early.

usage: clock_jump.py --millrace PROGRAM --dir FOLDER
"""

import time

from kafka import KafkaAdminClient, KafkaConsumer, KafkaProducer, OffsetAndMetadata, TopicPartition
from kafka.admin import NewTopic

from faulty import FaultyNode, arguments

DAY = 86_400
SETTINGS = (
    "log.initial.task.delay.ms=100", "log.retention.check.interval.ms=200", "log.retention.ms=3600000",
    "offsets.retention.check.interval.ms=200", "offsets.retention.minutes=60",
    "log.message.timestamp.type=LogAppendTime", "group.initial.rebalance.delay.ms=0")


def main():
    options = arguments(__doc__)
    with FaultyNode(options.millrace, options.dir, SETTINGS) as node:
        story(node)
    print("clock jumps: ok")


def story(node):
    bootstrap = node.bootstrap
    admin = KafkaAdminClient(bootstrap_servers=bootstrap)
    admin.create_topics([
        NewTopic("kept", 1, 1), NewTopic("brief", 1, 1, topic_configs={
            "retention.ms": "1", "message.timestamp.type": "CreateTime"})])
    producer = KafkaProducer(bootstrap_servers=bootstrap, acks="all")
    kept = [b"%d" % number for number in range(50)]
    for value in kept:
        producer.send("kept", value).get(timeout=10)
    place = TopicPartition("kept", 0)
    reader = KafkaConsumer(bootstrap_servers=bootstrap, group_id="g", enable_auto_commit=False)
    reader.assign([place])
    reader.commit({place: OffsetAndMetadata(7, "", -1)})
    for days in (10, -10, 0):
        node.set(f"clock {days * DAY}")
        # What is due goes: by then the checks that follow the jump have been made.
        offset = producer.send("brief", b"x", timestamp_ms=10**12).get(timeout=10).offset
        brief = TopicPartition("brief", 0)
        deadline = time.monotonic() + 30
        while reader.beginning_offsets([brief])[brief] <= offset:
            assert time.monotonic() < deadline, f"{days} days: nothing is deleted any more"
            time.sleep(0.05)
        assert reader.beginning_offsets([place])[place] == 0, f"{days} days: records are deleted early"
        assert reader.committed(place) == 7, f"{days} days: a committed offset is forgotten early"
        stamp = producer.send("kept", b"%d" % days).get(timeout=10).timestamp / 1000
        assert abs(stamp - time.time() - days * DAY) < 600, f"{days} days: the node's clock did not jump"
        kept.append(b"%d" % days)
    reader.seek_to_beginning(place)
    found = []
    deadline = time.monotonic() + 30
    while len(found) < len(kept) and time.monotonic() < deadline:
        for records in reader.poll(timeout_ms=500).values():
            found += [record.value for record in records]
    assert found == kept, f"{len(found)} of {len(kept)} records are read back"
    producer.close()
    reader.close()
    admin.close()


main()

"""kafka-python, 2.0.2 and 3.x: the same calls serve both."""
import kafka
from kafka import KafkaConsumer, KafkaProducer, TopicPartition
from kafka.admin import KafkaAdminClient, NewTopic

import expectations


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self):
        # Long enough to join within: kafka-python 3.0.12 can lose the answer to a SyncGroup that arrives just as the
        # time-out of poll passes, and then never polls successfully again.
        found = self.consumer.poll(timeout_ms=2000)
        return [(tp.partition, r.offset, r.key, r.value) for tp, records in found.items() for r in records]

    def assignment(self):
        return [tp.partition for tp in self.consumer.assignment()]

    def commit(self):
        self.consumer.commit()

    def close(self):
        self.consumer.close()


class KafkaPython(expectations.Client):
    name = f"kafka-python-{kafka.__version__.split('.')[0]}"

    def settings(self):
        return {"bootstrap_servers": self.bootstrap, "security_protocol": "SSL", "ssl_cafile": self.ca}

    def admin(self):
        return KafkaAdminClient(**self.settings())

    def create_topic(self, topic, partitions):
        admin = self.admin()
        admin.create_topics([NewTopic(name=topic, num_partitions=partitions, replication_factor=1)])
        admin.close()

    def delete_topic(self, topic):
        admin = self.admin()
        admin.delete_topics([topic])
        admin.close()

    def list_topics(self):
        admin = self.admin()
        topics = admin.list_topics()
        admin.close()
        return topics

    def produce(self, topic, codec, records):
        producer = KafkaProducer(compression_type=None if codec == "none" else codec, acks="all", linger_ms=20,
                                 **self.settings())
        sent = [producer.send(topic, key=k, value=v, timestamp_ms=t) for k, v, t in records]
        producer.flush(30)
        for future in sent:
            future.get(30)
        producer.close()

    def member(self, topic, group):
        return Member(KafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                                    session_timeout_ms=10000, heartbeat_interval_ms=500, **self.settings()))

    def offset_for_time(self, topic, partition, timestamp):
        consumer = KafkaConsumer(**self.settings())
        tp = TopicPartition(topic, partition)
        consumer.assign([tp])
        place = consumer.offsets_for_times({tp: timestamp})[tp]
        found = None
        if place:
            consumer.seek(tp, place.offset)
            records = consumer.poll(timeout_ms=10000).get(tp)
            assert records and records[0].offset == place.offset
            found = records[0].offset, records[0].timestamp
        consumer.close()
        return found


if __name__ == "__main__":
    expectations.run(KafkaPython)

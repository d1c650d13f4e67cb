"""confluent-kafka: librdkafka, the newest."""
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import expectations


class Member:
    def __init__(self, consumer):
        self.consumer = consumer

    def poll(self):
        found = self.consumer.consume(100, timeout=0.2)
        for message in found:
            if message.error():
                raise KafkaException(message.error())
        return [(m.partition(), m.offset(), m.key(), m.value()) for m in found]

    def assignment(self):
        return [tp.partition for tp in self.consumer.assignment()]

    def commit(self):
        try:
            self.consumer.commit(asynchronous=False)
        except KafkaException as error:
            if error.args[0].name() != "_NO_OFFSET":  # this member had nothing new to commit
                raise

    def close(self):
        self.consumer.close()


class Confluent(expectations.Client):
    name = "confluent-kafka"

    def settings(self, **more):
        return {"bootstrap.servers": self.bootstrap, "security.protocol": "ssl", "ssl.ca.location": self.ca, **more}

    def create_topic(self, topic, partitions):
        admin = AdminClient(self.settings())  # held: its futures end with it
        admin.create_topics([NewTopic(topic, partitions, 1)])[topic].result(30)

    def delete_topic(self, topic):
        admin = AdminClient(self.settings())
        admin.delete_topics([topic])[topic].result(30)

    def list_topics(self):
        return AdminClient(self.settings()).list_topics(timeout=30).topics

    def produce(self, topic, codec, records):
        failed = []
        producer = Producer(self.settings(**{"compression.codec": codec, "acks": "all", "enable.idempotence": True,
                                             "linger.ms": 20}))
        for key, value, timestamp in records:
            producer.produce(topic, key=key, value=value, timestamp=timestamp,
                             on_delivery=lambda error, _: failed.append(error) if error else None)
        assert producer.flush(30) == 0 and not failed, failed[:1]

    def member(self, topic, group):
        consumer = Consumer(self.settings(**{
            "group.id": group, "auto.offset.reset": "earliest", "enable.auto.commit": False,
            "session.timeout.ms": 10000, "heartbeat.interval.ms": 500}))
        consumer.subscribe([topic])
        return Member(consumer)

    def offset_for_time(self, topic, partition, timestamp):
        consumer = Consumer(self.settings(**{"group.id": "seek", "enable.auto.commit": False}))
        place = consumer.offsets_for_times([TopicPartition(topic, partition, timestamp)], timeout=30)[0]
        found = None
        if place.offset >= 0:
            consumer.assign([place])
            message = consumer.poll(10)
            assert message is not None and not message.error() and message.offset() == place.offset
            found = message.offset(), message.timestamp()[1]
        consumer.close()
        return found


if __name__ == "__main__":
    expectations.run(Confluent)

"""aiokafka: one event loop for each operation, members on threads of their own."""
import asyncio

from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.helpers import create_ssl_context

import expectations


class Member:
    def __init__(self, make):
        self.loop = asyncio.new_event_loop()
        self.consumer = self.loop.run_until_complete(make())

    def poll(self):
        found = self.loop.run_until_complete(self.consumer.getmany(timeout_ms=200))
        return [(tp.partition, r.offset, r.key, r.value) for tp, records in found.items() for r in records]

    def assignment(self):
        return [tp.partition for tp in self.consumer.assignment()]

    def commit(self):
        self.loop.run_until_complete(self.consumer.commit())

    def close(self):
        self.loop.run_until_complete(self.consumer.stop())
        self.loop.close()


class AioKafka(expectations.Client):
    name = "aiokafka"

    def settings(self):
        return {"bootstrap_servers": self.bootstrap, "security_protocol": "SSL",
                "ssl_context": create_ssl_context(cafile=self.ca)}

    def with_admin(self, call):
        async def go():
            admin = AIOKafkaAdminClient(**self.settings())
            await admin.start()
            try:
                return await call(admin)
            finally:
                await admin.close()
        return asyncio.run(go())

    def create_topic(self, topic, partitions):
        self.with_admin(lambda admin: admin.create_topics([NewTopic(topic, partitions, 1)]))

    def delete_topic(self, topic):
        self.with_admin(lambda admin: admin.delete_topics([topic]))

    def list_topics(self):
        return self.with_admin(lambda admin: admin.list_topics())

    def produce(self, topic, codec, records):
        async def go():
            producer = AIOKafkaProducer(compression_type=None if codec == "none" else codec, acks="all",
                                        enable_idempotence=True, **self.settings())
            await producer.start()
            try:
                sent = [await producer.send(topic, key=k, value=v, timestamp_ms=t) for k, v, t in records]
                await asyncio.wait_for(asyncio.gather(*sent), 30)
            finally:
                await producer.stop()
        asyncio.run(go())

    def member(self, topic, group):
        async def make():
            consumer = AIOKafkaConsumer(topic, group_id=group, auto_offset_reset="earliest", enable_auto_commit=False,
                                        session_timeout_ms=10000, heartbeat_interval_ms=500, **self.settings())
            await consumer.start()
            return consumer
        return Member(make)

    def offset_for_time(self, topic, partition, timestamp):
        async def go():
            consumer = AIOKafkaConsumer(enable_auto_commit=False, **self.settings())
            await consumer.start()
            try:
                tp = TopicPartition(topic, partition)
                consumer.assign([tp])
                place = (await consumer.offsets_for_times({tp: timestamp}))[tp]
                if not place:
                    return None
                consumer.seek(tp, place.offset)
                record = await asyncio.wait_for(consumer.getone(tp), 10)
                assert record.offset == place.offset
                return record.offset, record.timestamp
            finally:
                await consumer.stop()
        return asyncio.run(go())


if __name__ == "__main__":
    expectations.run(AioKafka)

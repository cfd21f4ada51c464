"""What takes records away from a consumer group on a real broker."""

from aiokafka import AIOKafkaProducer, TopicPartition
from aiokafka.admin import NewPartitions, RecordsToDelete

from devstack import topics


async def fill(bootstrap_servers: str, topic: str, count: int, *, partition: int = 0) -> None:
    """Put records on a partition; what they say does not matter."""
    producer = AIOKafkaProducer(bootstrap_servers=bootstrap_servers)
    await producer.start()
    try:
        for _ in range(count):
            await producer.send_and_wait(topic, b"{}", partition=partition)
    finally:
        await producer.stop()


async def delete_before(bootstrap_servers: str, topic: str, offset: int, *, partition: int = 0) -> None:
    """Delete what lies below an offset, as retention does."""
    async with topics.admin(bootstrap_servers) as admin:
        await admin.delete_records({TopicPartition(topic, partition): RecordsToDelete(before_offset=offset)})


async def add_partitions(bootstrap_servers: str, topic: str, total: int) -> None:
    """Give the topic more partitions."""
    async with topics.admin(bootstrap_servers) as admin:
        await admin.create_partitions({topic: NewPartitions(total_count=total)})

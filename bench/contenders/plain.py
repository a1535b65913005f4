"""What most teams would write with care: per batch a database transaction around the publication, then the
offsets.

At least once: after a crash between the publication and the commit, the carriers receive that batch again.
Nothing is sealed, no disclosure is recorded, there is no outbox.
"""

import asyncio

import uvloop
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer

from bench import clock, task
from bench.contenders import common, store


async def run(todo: task.Task) -> None:
    """Work until ended."""
    pool = await store.open_store(todo.dsn)
    consumer = AIOKafkaConsumer(
        todo.source,
        bootstrap_servers=todo.bootstrap,
        group_id=todo.group,
        enable_auto_commit=False,
        auto_offset_reset="earliest",
        isolation_level="read_committed",
        max_partition_fetch_bytes=4 << 20,
    )
    producer = AIOKafkaProducer(
        bootstrap_servers=todo.bootstrap,
        enable_idempotence=True,
        acks="all",
        linger_ms=0,
        max_batch_size=1 << 20,
    )
    await producer.start()
    await consumer.start()
    while True:
        fetched = await consumer.getmany(timeout_ms=200, max_records=todo.batch_records)
        if not fetched:
            continue
        events = [
            (common.event_name(record.headers), common.read_order(record.value))
            for records in fetched.values()
            for record in records
        ]
        time = common.now_rfc3339()
        async with store.batch(pool, events) as orders:
            outputs = [
                (
                    todo.outputs[order.carrier],
                    order.order_id.encode(),
                    common.address(order),
                    common.address_headers(order.order_id, time),
                )
                for order in orders
            ]
            await asyncio.gather(*await common.send_batches(producer, outputs))
        await consumer.commit(common.offsets_after(fetched))


if __name__ == "__main__":
    given = task.read()
    clock.start_on_first_records(given.started_file)
    uvloop.run(run(given))

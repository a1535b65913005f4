"""FastStream as fast as it goes: whole batches, one transaction each, publications awaited together."""

import asyncio
from typing import Any

import uvloop
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench import clock, task
from bench.contenders import common, store


async def run(todo: task.Task) -> None:
    """Work until ended."""
    broker = KafkaBroker(
        todo.bootstrap,
        logger=None,
        acks="all",
        enable_idempotence=True,
        linger_ms=1,
        max_batch_size=1 << 20,
    )
    app = FastStream(broker, logger=None)
    pool = await store.open_store(todo.dsn)

    @broker.subscriber(
        todo.source,
        group_id=todo.group,
        auto_offset_reset="earliest",
        batch=True,
        max_records=todo.batch_records,
        no_reply=True,
        ack_policy=AckPolicy.NACK_ON_ERROR,
        max_partition_fetch_bytes=4 << 20,
    )
    async def forward(bodies: list[Any], message: KafkaMessage) -> None:
        records: Any = message.raw_message
        events = [(common.event_name(record.headers), common.read_order(record.value)) for record in records]
        time = common.now_rfc3339()
        sent = []
        async with store.batch(pool, events) as orders:
            for order in orders:
                headers = common.address_headers(order.order_id, time)
                sent.append(
                    await broker.publish(
                        common.address(order),
                        topic=todo.outputs[order.carrier],
                        key=order.order_id.encode(),
                        headers={key: value.decode() for key, value in headers},
                        no_confirm=True,
                    )
                )
            await asyncio.gather(*sent)

    await app.run()


if __name__ == "__main__":
    given = task.read()
    clock.start_on_first_records(given.started_file)
    uvloop.run(run(given))

"""A FastStream subscriber as the documentation shows it: one event at a time, acknowledged after the work."""

import asyncio

import asyncpg
from faststream import AckPolicy, FastStream
from faststream.kafka import KafkaBroker, KafkaMessage

from bench import clock, task
from bench.contenders import common, store
from schemas.order import OrderPlaced


async def run(todo: task.Task) -> None:
    """Work until ended."""
    broker = KafkaBroker(todo.bootstrap, logger=None, acks="all", enable_idempotence=True)
    app = FastStream(broker, logger=None)
    pool: asyncpg.Pool = await store.open_store(todo.dsn)

    @broker.subscriber(
        todo.source,
        group_id=todo.group,
        auto_offset_reset="earliest",
        ack_policy=AckPolicy.NACK_ON_ERROR,
    )
    async def forward(order: OrderPlaced, message: KafkaMessage) -> None:
        name = common.event_name([(key, value.encode()) for key, value in message.headers.items()])
        async with store.one(pool, name, order) as is_new:
            if is_new:
                headers = common.address_headers(order.order_id, common.now_rfc3339())
                await broker.publish(
                    common.address(order),
                    topic=todo.outputs[order.carrier],
                    key=order.order_id.encode(),
                    headers={key: value.decode() for key, value in headers},
                )

    await app.run()


if __name__ == "__main__":
    given = task.read()
    clock.start_on_first_records(given.started_file)
    asyncio.run(run(given))

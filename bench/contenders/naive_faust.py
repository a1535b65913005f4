"""A Faust agent as the documentation shows it: one event at a time, a transaction each, an awaited send
each.
"""

import logging

import asyncpg
import faust

from bench import clock, task
from bench.contenders import common, store


def create(todo: task.Task) -> faust.App:
    """The app with its agent."""
    app = faust.App(
        todo.group,
        broker=f"kafka://{todo.bootstrap}",
        web_enabled=False,
        datadir=str(todo.data_dir / todo.group),
        topic_disable_leader=True,
        value_serializer="raw",
    )
    orders = app.topic(todo.source, value_type=bytes, value_serializer="raw")
    carriers = {
        name: app.topic(topic, value_serializer="raw", partitions=task.OUTPUT_PARTITIONS)
        for name, topic in todo.outputs.items()
    }
    pools: list[asyncpg.Pool] = []

    @app.agent(orders)
    async def forward(stream: faust.StreamT[bytes]) -> None:
        pools.append(await store.open_store(todo.dsn))
        async for event in stream.events():
            order = common.read_order(event.value)
            name = common.event_name(list(event.headers.items()))
            async with store.one(pools[0], name, order) as is_new:
                if is_new:
                    headers = common.address_headers(order.order_id, common.now_rfc3339())
                    await carriers[order.carrier].send(
                        key=order.order_id.encode(), value=common.address(order), headers=headers
                    )

    return app


def main() -> None:
    """Work until ended."""
    todo = task.read()
    clock.start_on_first_records(todo.started_file)
    worker = faust.Worker(
        create(todo), override_logging=False, redirect_stdouts=False, quiet=True, loglevel=logging.WARNING
    )
    worker.spinner = None
    worker.execute_from_commandline()


if __name__ == "__main__":
    main()

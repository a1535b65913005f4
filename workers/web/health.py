"""`/health`, `/ready` and `/metrics` of a worker process.

`/health` fails when a partition has lag and does not advance: kill the process then (it is safe). `/ready` fails
until the worker has joined its group and opened its lanes. Neither asks the broker or the database anything.
"""

from collections.abc import Sequence

from faust.types.web import Request, Response
from faust.web import View
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from workers.clock import monotonic_s
from workers.engine.host import Host
from workers.engine.intake import Intake
from workers.engine.watchdog import Progress
from workers.metrics import Metrics
from workers.settings import Settings
from workers.wiring.parts import Wired


def mount(app: Host, metrics: Metrics, wired: Sequence[Wired], settings: Settings) -> None:
    """Add the three pages to the worker's web server."""
    intakes = [intake for one in wired for intake in one.intakes]

    @app.page("/health", name="health")
    async def health(view: View, request: Request) -> Response:
        report = _report(intakes, settings)
        return view.json(report, status=200 if report["healthy"] else 503)

    @app.page("/ready", name="ready")
    async def ready(view: View, request: Request) -> Response:
        waiting = [intake.consumer_group for intake in intakes if not intake.ready]
        is_ready = not waiting and all(one.ready() for one in wired)
        return view.json({"ready": is_ready, "waiting": waiting}, status=200 if is_ready else 503)

    @app.page("/metrics", name="metrics")
    async def exposition(view: View, request: Request) -> Response:
        _report(intakes, settings, metrics)
        return view.bytes(generate_latest(metrics.registry), content_type=CONTENT_TYPE_LATEST.split(";")[0])


def _report(intakes: Sequence[Intake], settings: Settings, metrics: Metrics | None = None) -> dict[str, object]:
    """How every partition stands; sets the gauges when metrics are given."""
    rows, healthy = [], True
    for intake in intakes:
        polling = monotonic_s() - intake.polled_s < settings.stuck_after_s
        healthy = healthy and polling
        for progress in intake.progress():
            stuck = progress.lag != 0 and progress.stalled_s > settings.stuck_after_s
            healthy = healthy and not stuck
            rows.append(
                {
                    "group": intake.consumer_group,
                    "topic": progress.topic,
                    "partition": progress.partition,
                    "lag": progress.lag,
                    "stalled_s": round(progress.stalled_s, 1) if progress.lag else 0,
                    "stuck": stuck,
                }
            )
            if metrics is not None:
                _set_gauges(metrics, intake.consumer_group, progress, stuck)
    return {"healthy": healthy, "partitions": rows}


def _set_gauges(metrics: Metrics, group: str, progress: Progress, stuck: bool) -> None:
    labels = (group, progress.topic, str(progress.partition))
    metrics.lag.labels(*labels).set(progress.lag or 0)
    metrics.lag_seconds.labels(*labels).set(progress.lag_s)
    metrics.stuck.labels(*labels).set(stuck)

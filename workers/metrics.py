"""Every metric of Lethe, in one place. Base units, `_total` for counters; no label ever holds personal data."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram

_BATCH_SECONDS = (0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10)
_AGE_SECONDS = (0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1, 5, 15, 60, 300, 1800, 7200)


class Metrics:
    """The metrics of one worker process; labels: `group` is the consumer group."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self.registry = registry
        self.records = self._counter("lethe_records_applied_total", "Records applied, duplicates too", "group", "topic")
        self.duplicates = self._counter("lethe_duplicates_total", "Events that had been applied before", "group")
        self.refusals = self._counter("lethe_refusals_total", "Events parked, by code", "group", "code")
        self.published = self._counter("lethe_records_published_total", "Records committed to Kafka", "group", "topic")
        self.recovered = self._counter(
            "lethe_records_recovered_total",
            "Records published from the outbox after a crash or reset",
            "group",
        )
        self.retries = self._counter("lethe_retries_total", "Attempts repeated in place, by error", "group", "error")
        self.lane_resets = self._counter(
            "lethe_lane_resets_total", "Lanes opened again after a failed publication", "group"
        )
        self.rebalances = self._counter("lethe_rebalances_total", "Assignments received", "group")
        self.batch_seconds = self._histogram(
            "lethe_batch_apply_seconds", "Time of a batch's database transaction", _BATCH_SECONDS, "group"
        )
        self.publish_seconds = self._histogram(
            "lethe_batch_publish_seconds", "Time of a batch's Kafka transaction", _BATCH_SECONDS, "group"
        )
        self.age_seconds = self._histogram(
            "lethe_event_age_seconds", "From the record's timestamp in the source topic to its publication",
            _AGE_SECONDS, "group",
        )  # fmt: skip
        self.lag = self._gauge(
            "kafka_consumergroup_group_lag", "Records not applied yet", "group", "topic", "partition"
        )
        self.lag_seconds = self._gauge(
            "kafka_consumergroup_group_lag_seconds", "Age of the oldest record not applied", "group", "topic",
            "partition",
        )  # fmt: skip
        self.stuck = self._gauge(
            "lethe_partition_stuck",
            "1 while a partition with lag does not advance",
            "group",
            "topic",
            "partition",
        )
        self.dead_letters = self._gauge("lethe_dead_letters", "Parked events waiting for a person", "group", "code")
        self.dead_letters_expired = self._counter(
            "lethe_dead_letters_expired_total", "Parked events let go because nobody looked after them in time",
            "group", "code",
        )  # fmt: skip
        self._of_people()
        self._of_stores()

    def _of_people(self) -> None:
        self.consents = self._gauge("lethe_consents", "Consent records, by DPV status", "purpose", "status")
        self.suppressions = self._gauge(
            "lethe_suppressions", "Addresses that must not be written to", "purpose", "reason"
        )
        self.page_answers = self._counter("lethe_page_answers_total", "Answers to people", "page", "status")
        self.mails = self._counter("lethe_mails_total", "Attempts at mails, by what became of them", "state")
        self.issues = self._gauge("lethe_issues", "Issues, by state", "state")
        self.issue_mails = self._counter(
            "lethe_issue_mails_total", "Attempts at mails of issues, by what became of them", "state"
        )
        self.issue_mails_waiting = self._gauge(
            "lethe_issue_mails_waiting", "Mails of the issues being sent or paused that are still to be sent"
        )
        self.inbox_mails = self._counter("lethe_inbox_mails_total", "Mails received, by what became of them", "flow",
                                         "outcome")  # fmt: skip
        self.inbox_open = self._gauge("lethe_inbox_open", "Mails not sorted yet, or waiting for a person", "state",
                                      "flow")  # fmt: skip

    def _of_stores(self) -> None:
        self.store_results = self._counter(
            "lethe_store_results_total",
            "People in answered tasks, by what became of them",
            "store",
            "action",
            "outcome",
        )
        self.store_failures = self._counter(
            "lethe_store_failures_total", "Attempts that a store did not answer", "store"
        )
        self.store_circuit_open = self._gauge("lethe_store_circuit_open", "1 while nobody asks the store", "store")
        self.store_jobs = self._gauge("lethe_store_jobs", "Tasks that a store has not answered yet", "store")
        self.requests_open = self._gauge("lethe_requests_open", "Requests of people that are not answered yet", "state")
        self.request_days_left = self._gauge(
            "lethe_request_days_left", "Days to the legal deadline of the request that is due first", "state"
        )
        self.request_oldest_seconds = self._gauge(
            "lethe_request_oldest_seconds", "Age of the oldest request that is not answered yet", "state"
        )

    def _counter(self, name: str, text: str, *labels: str) -> Counter:
        return Counter(name, text, labels, registry=self.registry)

    def _gauge(self, name: str, text: str, *labels: str) -> Gauge:
        return Gauge(name, text, labels, registry=self.registry)

    def _histogram(self, name: str, text: str, buckets: tuple[float, ...], *labels: str) -> Histogram:
        return Histogram(name, text, labels, buckets=buckets, registry=self.registry)

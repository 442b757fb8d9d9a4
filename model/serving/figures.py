"""What the server counts, in Prometheus' text format."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from model.inference.service import Service

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_SECONDS = (0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Figures:
    """The counters of one server.

    Args:
        service: Whose queue is shown.
    """

    def __init__(self, service: Service) -> None:
        self._registry = CollectorRegistry()
        labels = "path", "status"
        self._requests = Counter("valle_requests", "Requests answered.", labels, registry=self._registry)
        self._seconds = Histogram(
            "valle_request_seconds",
            "From a request's arrival to the end of its answer.",
            labelnames=("path",),
            buckets=_SECONDS,
            registry=self._registry,
        )
        self._audio = Counter("valle_audio_seconds", "Seconds of speech made.", registry=self._registry)
        self._gone = Counter("valle_clients_gone", "Clients that left before the end.", registry=self._registry)
        queue = Gauge("valle_queue", "Requests that wait or are worked on.", registry=self._registry)
        queue.set_function(lambda: service.open_requests)
        places = Gauge("valle_queue_places", "Most of them at the same time.", registry=self._registry)
        places.set(service.capacity)

    def answered(self, path: str, status: int, seconds: float) -> None:
        """Counts an answer; `path` is a route's, never a client's own."""
        self._requests.labels(path, str(status)).inc()
        self._seconds.labels(path).observe(seconds)

    def spoke(self, seconds: float) -> None:
        """Counts speech that was made."""
        self._audio.inc(seconds)

    def left(self) -> None:
        """Counts a client that went away."""
        self._gone.inc()

    def text(self) -> bytes:
        """Returns all figures."""
        return generate_latest(self._registry)

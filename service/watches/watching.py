"""The part of a process that evaluates watches and tells their webhooks."""

from service.database.engine import Database
from service.settings import Settings
from service.watches.addresses import Destinations
from service.watches.deliverer import Deliverer, DeliveryRhythm
from service.watches.evaluator import WatchEvaluator
from service.watches.sender import WebhookSender

_CONNECT_TIMEOUT_S = 5.0


class Watching:
    """Evaluates and delivers, for as long as it is started.

    Args:
        database: The truth.
        settings: How often, and where webhooks may go.
        model_id: The model that is loaded.
        dimension: Length of its embeddings.

    Attributes:
        destinations: Where webhooks may go.
        sender: Sends one message, once.
        deliverer: Sends what is due.
        evaluator: Finds hits.
    """

    def __init__(self, database: Database, settings: Settings, model_id: str, dimension: int) -> None:
        # A proxy on this machine offers a service on loopback to others, who must not have it ask its neighbours.
        of_one = not settings.asks_for_keys and not settings.allowed_hosts
        self.destinations = Destinations(settings.webhook_allowed, loopback=of_one)
        timeout_s = settings.webhook_timeout_s
        self.sender = WebhookSender(self.destinations, min(_CONNECT_TIMEOUT_S, timeout_s), timeout_s)
        rhythm = DeliveryRhythm(poll_s=settings.watch_poll_s, retry_s=settings.webhook_retry_s)
        self.deliverer = Deliverer(database, self.sender, rhythm)
        self.evaluator = WatchEvaluator(database, model_id, dimension, settings.watch_poll_s, self.deliverer.wake)

    def start(self) -> None:
        """Begin, in the background."""
        self.evaluator.start()
        self.deliverer.start()

    async def stop(self) -> None:
        """End; what was begun is done again by whoever is next."""
        await self.evaluator.stop()
        await self.deliverer.stop()
        await self.sender.close()

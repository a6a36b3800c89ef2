"""The bounded way to the model: crops wait in lanes, one thread embeds them in batches."""

from service.embedding.queue import EmbeddingQueue, Lane

__all__ = ["EmbeddingQueue", "Lane"]

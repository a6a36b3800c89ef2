"""A service that the tests of a module share, a collection for each of them."""

from support.vehicles import collection, crops, runtime, vehicles

__all__ = ["collection", "crops", "runtime", "vehicles"]

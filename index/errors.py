"""What can go wrong with an index that is none of the caller's doing."""


class IndexUnavailableError(RuntimeError):
    """The engine behind an index cannot be reached or does not answer. Nothing was applied; it may work again later."""

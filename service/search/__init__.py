"""Search: the crops most similar to a query."""

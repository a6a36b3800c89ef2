"""Stats: how much there is of what, and how the index stands."""

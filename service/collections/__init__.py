"""Collections: galleries that are searched on their own."""

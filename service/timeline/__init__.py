"""The timeline: how many crops were captured when."""

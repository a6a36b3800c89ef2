"""The processes that serve one database, and how clean of what was deleted the files of each are."""

"""What several tests use and no fixture needs to be."""

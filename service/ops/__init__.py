"""Operation: is the process alive, is it ready."""

"""API keys: who may use the service, for what, in which collections, until when and how often."""

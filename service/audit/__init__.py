"""The audit log: who searched, looked at and deleted what, when and why."""

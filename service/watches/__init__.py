"""Watches: standing searches, evaluated on each enrolment, that tell a webhook."""

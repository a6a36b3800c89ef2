"""`python -m service.cli` is `clip-senet`."""

from service.cli import app

app(prog_name="clip-senet")

"""The console: one page at `/` on which a person searches by picture."""

from service.console.endpoints import router

__all__ = ["router"]

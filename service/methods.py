"""Which methods an address answers, where several routes fit it."""

import re
from collections.abc import Sequence

from fastapi import APIRouter
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from service.problems import problem_response

_PARAMETER = re.compile(r"\{[^}]*\}")
_HOLDS_SLASHES = ":path}"


class DeclaredMethodsMiddleware:
    """Answers 405 where an address is that of a route which does not take the method, with all that it does take.

    The framework would go on to the next route that fits, so that PATCH /gallery/delete would change a crop of the id
    "delete". Here the address belongs to the route with the longest fixed text; but where an id that may hold slashes
    makes it one of a route that takes the method, it goes there: PATCH /vehicles/a/crops changes the vehicle "a/crops".
    And the framework names in Allow the methods of one function; here they are those of all functions of the address.

    Args:
        app: What comes after.
        routers: Whose routes are looked at.
    """

    def __init__(self, app: ASGIApp, routers: Sequence[APIRouter]) -> None:
        self._app = app
        methods: dict[str, set[str]] = {}
        patterns: dict[str, re.Pattern[str]] = {}
        for route in (route for router in routers for route in router.routes if isinstance(route, Route)):
            methods.setdefault(route.path, set()).update(route.methods or ())
            patterns[route.path] = route.path_regex
        by_fixed_text = sorted(methods, key=lambda path: -len(_PARAMETER.sub("", path)))
        self._addresses = [(patterns[path], methods[path]) for path in by_fixed_text]
        self._with_slashes = [(patterns[path], methods[path]) for path in by_fixed_text if _HOLDS_SLASHES in path]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        methods = self._declared(scope["path"]) if scope["type"] == "http" else None
        if methods is None or scope["method"] in methods or self._is_of_an_id(scope["path"], scope["method"]):
            await self._app(scope, receive, send)
            return
        response = problem_response(
            scope,
            status=405,
            code="method_not_allowed",
            title="Method Not Allowed",
            detail=f"{scope['path']} does not answer {scope['method']}.",
            headers={"Allow": ", ".join(sorted(methods))},
        )
        await response(scope, receive, send)

    def _declared(self, path: str) -> set[str] | None:
        return next((methods for pattern, methods in self._addresses if pattern.match(path)), None)

    def _is_of_an_id(self, path: str, method: str) -> bool:
        return any(method in methods and pattern.match(path) for pattern, methods in self._with_slashes)

"""What a client of one API description would trip over if the service answered by another.

A request that was good must stay good, and an answer must stay one that the client knew: both come down to whether one
schema takes everything that another does.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

_LOWER_BOUNDS = ("minimum", "exclusiveMinimum", "minLength", "minItems", "minProperties")
_UPPER_BOUNDS = ("maximum", "exclusiveMaximum", "maxLength", "maxItems", "maxProperties")
_FORMS = ("pattern", "format", "multipleOf", "contentMediaType")
_PARTS = {"items": "each", "additionalProperties": "each further field", "propertyNames": "each name"}


def breaking_changes(old: Json, new: Json) -> list[str]:
    """Each change from one description to another that breaks a client of the first, in a few words."""
    return list(_operation_changes(old, new))


def may_break(old_version: str, new_version: str) -> bool:
    """Whether the version says that clients break: its first number is raised, or before 1.0 its second."""
    old, new = ([int(part) for part in version.split(".")[:2]] for version in (old_version, new_version))
    return new[0] > old[0] or (old[0] == new[0] == 0 and new[1] > old[1])


def _operation_changes(old: Json, new: Json) -> Iterator[str]:
    for path, methods in old["paths"].items():
        for method, operation in methods.items():
            name = f"{method.upper()} {path}"
            changed = new["paths"].get(path, {}).get(method)
            if changed is None:
                yield f"{name} is gone"
                continue
            if changed["operationId"] != operation["operationId"]:
                yield f"{name} is no longer called {operation['operationId']}"
            for change in _request_changes(old, operation, new, changed):
                yield f"{name}: {change}"
            for change in _answer_changes(old, operation, new, changed):
                yield f"{name}: {change}"


def _request_changes(old: Json, operation: Json, new: Json, changed: Json) -> Iterator[str]:
    before, after = _parameters(operation), _parameters(changed)
    takes = Comparison(wide=new, narrow=old)
    for (place, name), parameter in before.items():
        if (place, name) not in after:
            yield f"the {place} parameter {name} is gone"
        else:
            yield from takes.differences(after[place, name]["schema"], parameter["schema"], f"{place} parameter {name}")
    for (place, name), parameter in after.items():
        if parameter.get("required") and not before.get((place, name), {}).get("required"):
            yield f"the {place} parameter {name} is required"
    yield from _body_changes(takes, operation, changed)
    if changed.get("security") and not operation.get("security"):
        yield "it asks for a key"


def _body_changes(takes: "Comparison", operation: Json, changed: Json) -> Iterator[str]:
    if "requestBody" not in changed and "requestBody" in operation:
        yield "it takes no body any more"
    elif changed.get("requestBody", {}).get("required") and not operation.get("requestBody", {}).get("required"):
        yield "it requires a body"
    wanted = changed.get("requestBody", {}).get("content", {})
    for media_type, content in operation.get("requestBody", {}).get("content", {}).items():
        if media_type in wanted:
            yield from takes.differences(wanted[media_type]["schema"], content["schema"], "body")
        elif "requestBody" in changed:
            yield f"it takes no body of type {media_type} any more"


def _parameters(operation: Json) -> dict[tuple[str, str], Json]:
    return {(one["in"], one["name"]): one for one in operation.get("parameters", ())}


def _answer_changes(old: Json, operation: Json, new: Json, changed: Json) -> Iterator[str]:
    takes = Comparison(wide=old, narrow=new, open_objects=True)
    for status, answer in operation["responses"].items():
        if status not in changed["responses"]:
            if status.startswith("2"):
                yield f"it answers no {status} any more"
            continue
        contents = changed["responses"][status].get("content", {})
        for media_type, content in answer.get("content", {}).items():
            if media_type not in contents:
                yield f"its answer {status} is no longer of type {media_type}"
            elif "schema" in content:
                yield from takes.differences(content["schema"], contents[media_type]["schema"], f"answer {status}")
    for status in changed["responses"].keys() - operation["responses"].keys():
        if status.startswith("2"):
            yield f"it may answer {status}"


@dataclass(frozen=True)
class Comparison:
    """Does one schema take all that another does.

    Attributes:
        wide: The description that the schemas which are to take it come from.
        narrow: The one of the schemas whose values are to be taken.
        open_objects: Whether it is about answers, in which fields that are unknown do no harm.
    """

    wide: Json
    narrow: Json
    open_objects: bool = False

    def differences(
        self, wide: Json, narrow: Json, where: str, seen: frozenset[tuple[str, str]] = frozenset()
    ) -> list[str]:
        """Why some value of `narrow` is none of `wide`; empty where every one is."""
        pair = (wide.get("$ref", ""), narrow.get("$ref", ""))
        if all(pair) and pair in seen:
            return []
        seen |= {pair}
        wide, narrow = _resolved(self.wide, wide), _resolved(self.narrow, narrow)
        choices = _choices(narrow)
        if len(choices) > 1 or len(_choices(wide)) > 1:
            return [
                f"{where}: {_name(choice)} is not among the choices any more"
                for choice in choices
                if all(self.differences(other, choice, where, seen) for other in _choices(wide))
            ]
        wide, narrow = _resolved(self.wide, _choices(wide)[0]), _resolved(self.narrow, choices[0])
        reasons = [*_type_differences(wide, narrow), *([] if self.open_objects else _bound_differences(wide, narrow))]
        return [f"{where}: {reason}" for reason in reasons] + [*self._member_differences(wide, narrow, where, seen)]

    def _member_differences(
        self, wide: Json, narrow: Json, where: str, seen: frozenset[tuple[str, str]]
    ) -> Iterator[str]:
        for part, name in _PARTS.items():
            if isinstance(wide.get(part), dict) and isinstance(narrow.get(part), dict):
                yield from self.differences(wide[part], narrow[part], f"{where}, {name}", seen)
        fields, known = narrow.get("properties", {}), wide.get("properties", {})
        for name in sorted(set(wide.get("required", ())) - set(narrow.get("required", ()))):
            yield f"{where}: {name} is " + ("not always there" if self.open_objects else "required")
        closed = not self.open_objects and wide.get("additionalProperties") is False
        if closed and _is_open(narrow):
            yield f"{where}: it takes no further fields"
        for name, schema in fields.items():
            if name in known:
                yield from self.differences(known[name], schema, f"{where}, {name}", seen)
            elif closed:
                yield f"{where}: {name} is gone"
        if self.open_objects:
            # What an answer may lack it could lack before; what it has no more at all a client would wait for.
            yield from (f"{where}: {name} is gone" for name in known if fields and name not in fields)


def _resolved(description: Json, schema: Json) -> Json:
    while "$ref" in schema:
        schema = description["components"]["schemas"][schema["$ref"].rpartition("/")[2]]
    return schema


def _choices(schema: Json) -> list[Json]:
    found: list[Json] = schema.get("anyOf") or schema.get("oneOf") or [schema]
    return found


def _name(schema: Json) -> str:
    return str(schema.get("$ref", "").rpartition("/")[2] or schema.get("const") or schema.get("type") or "anything")


def _is_open(schema: Json) -> bool:
    """Whether an object may hold fields beyond those that are named."""
    return schema.get("type") == "object" and schema.get("additionalProperties", True) is not False


def _type_differences(wide: Json, narrow: Json) -> Iterator[str]:
    types = {"integer": {"integer", "number"}}.get(narrow.get("type", ""), {narrow.get("type")})
    if "type" in wide and wide["type"] not in types:
        yield f"{narrow.get('type', 'anything')} is {wide['type']} now"
    allowed = _values(wide)
    if allowed is not None:
        given = _values(narrow)
        if given is None:
            yield f"only {', '.join(map(repr, allowed))} may be there"
        else:
            yield from (f"{value!r} is no value of it" for value in given if value not in allowed)


def _bound_differences(wide: Json, narrow: Json) -> Iterator[str]:
    """Of no matter in answers: no client refuses a number because it is larger than was said."""
    for bound in _LOWER_BOUNDS:
        if bound in wide and not narrow.get(bound, float("-inf")) >= wide[bound]:
            yield f"{bound} is {wide[bound]:g}, not {narrow.get(bound, 'open')}"
    for bound in _UPPER_BOUNDS:
        if bound in wide and not narrow.get(bound, float("inf")) <= wide[bound]:
            yield f"{bound} is {wide[bound]:g}, not {narrow.get(bound, 'open')}"
    if wide.get("uniqueItems") and not narrow.get("uniqueItems"):
        yield "each may be there once only"
    for form in _FORMS:
        if form in wide and wide[form] != narrow.get(form):
            yield f"{form} is {wide[form]}, not {narrow.get(form, 'open')}"


def _values(schema: Json) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")

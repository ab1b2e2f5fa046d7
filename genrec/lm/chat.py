"""DSPy's chat and JSON adapters for large models, forgiving in one way: a bad element of a list costs that element.

DSPy drops the whole answer when one theme of ten has a title that is too long.
"""

from collections.abc import Callable, Mapping
from typing import Any, get_args, get_origin

import dspy
from dspy.utils.exceptions import AdapterParseError
from pydantic import BaseModel, ValidationError

Parse = Callable[[type[dspy.Signature], str], dict[str, Any]]


class ChatAdapter(dspy.ChatAdapter):
    """`[[ ## field ## ]]` sections; an unusable answer is reported, not asked again in JSON."""

    def __init__(self) -> None:
        """Without DSPy's fallback: how often to ask is the program's business."""
        super().__init__(use_json_adapter_fallback=False)

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The output fields; raises AdapterParseError when nothing in them is usable."""
        return _forgiving(super().parse, signature, completion)


class JSONAdapter(dspy.JSONAdapter):
    """One JSON object."""

    def parse(self, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
        """The output fields; raises AdapterParseError when nothing in them is usable."""
        return _forgiving(super().parse, signature, completion)


def _forgiving(parse: Parse, signature: type[dspy.Signature], completion: str) -> dict[str, Any]:
    """What `parse` gives or, where lists of values do not validate, the elements that do."""
    try:
        return parse(signature, completion)
    except AdapterParseError:
        loose, kinds = signature, {}
        for name, field in signature.output_fields.items():
            arguments = get_args(field.annotation)
            if get_origin(field.annotation) is list and issubclass(arguments[0], BaseModel):
                kinds[name] = arguments[0]
                loose = loose.with_updated_fields(name, type_=list[Any])
        if not kinds:
            raise
        try:
            fields = parse(loose, completion)
        except AdapterParseError:
            fields = {}
        for name, kind in kinds.items():
            fields[name] = [v for element in fields.get(name, ()) if (v := _validated(kind, element)) is not None]
            if not fields[name]:
                raise
        return fields


def _validated(kind: type[BaseModel], element: Any) -> BaseModel | None:
    """The value, cut at its limits where it is too long, or None. A title that was cut reads as one that breaks off."""
    try:
        return kind.model_validate(element)
    except ValidationError as error:
        if not isinstance(element, Mapping):
            return None
        cut = dict(element)
        for problem in error.errors():
            name, limit = problem["loc"][0] if problem["loc"] else None, problem.get("ctx", {}).get("max_length")
            if problem["type"] == "extra_forbidden":
                cut.pop(name, None)
            elif limit is not None and name in cut:
                cut[name] = cut[name][:limit]
        try:
            return kind.model_validate(cut)
        except ValidationError:
            return None

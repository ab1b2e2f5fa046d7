"""What a compiled program has learned, as JSON matched by name: instructions, field descriptions, demonstrations.

DSPy's own state matches fields by position and leaves settings out, so a reordered signature would load wrongly and in
silence. Here a renamed, missing or unknown name is an error that names it, and then nothing at all is loaded.
"""

import json
from importlib.resources import files
from typing import Any

import dspy
from pydantic import TypeAdapter, ValidationError

from genrec.errors import ProgramStateError

FORMAT = 1


def dump_state(program: dspy.Module) -> dict[str, Any]:
    """The program's state as plain JSON values; `load_state` is its other half."""
    return {
        "format": FORMAT,
        "program": type(program).__name__,
        "predictors": {name: _dump_predictor(p) for name, p in program.named_predictors()},
    }


def load_state(program: dspy.Module, state: dict[str, Any]) -> None:
    """Put `state` into `program`: all of it, or none.

    Raises:
        ProgramStateError: another format or program, or names that do not match; the message says which.

    """
    if state.get("format") != FORMAT:
        raise ProgramStateError(
            f"program state has format {state.get('format')!r}, this genrec reads {FORMAT}; load it with the version "
            "of genrec that wrote it, or compile again"
        )
    if state.get("program") != type(program).__name__:
        raise ProgramStateError(f"state of program {state.get('program')!r} does not fit {type(program).__name__}")
    predictors = dict(program.named_predictors())
    _same_names("predictors", predictors, _part(state, "predictors", dict, "the state"))
    ready = [(p, _read_predictor(name, p, state["predictors"][name])) for name, p in predictors.items()]
    for predictor, (signature, demos, config) in ready:
        predictor.signature, predictor.demos, predictor.config = signature, demos, config


def packaged_state() -> dict[str, Any]:
    """The state that genrec ships: demonstrations chosen by hand."""
    text = files("genrec.programs").joinpath("packaged.json").read_text(encoding="utf-8")
    state: dict[str, Any] = json.loads(text)
    return state


def packaged_predictor(name: str, signature: type[dspy.Signature]) -> dspy.Predict:
    """One predictor as the packaged program has it, e.g. its `guard`, without the program."""
    predictor = dspy.Predict(signature)
    state = packaged_state()["predictors"][name]
    predictor.signature, predictor.demos, predictor.config = _read_predictor(name, predictor, state)
    return predictor


def _dump_predictor(predictor: dspy.Predict) -> dict[str, Any]:
    signature = predictor.signature
    return {
        "instructions": signature.instructions,
        "fields": {
            name: {"kind": "input" if name in signature.input_fields else "output", "desc": _described(field)}
            for name, field in signature.fields.items()
        },
        "demos": [
            {
                name: TypeAdapter(signature.fields[name].annotation).dump_python(value, mode="json")
                for name, value in dict(demo).items()
                if name in signature.fields
            }
            for demo in predictor.demos
        ],
        "config": {name: value for name, value in predictor.config.items() if value is not None},
    }


def _read_predictor(name: str, predictor: dspy.Predict, state: dict[str, Any]) -> tuple[Any, list[Any], dict[str, Any]]:
    signature = predictor.signature
    fields = _part(state, "fields", dict, name)
    _same_names(f"fields of {name}", signature.fields, fields)
    if list(fields) != list(signature.fields):
        raise ProgramStateError(
            f"fields of {name} are in the order {', '.join(fields)}; the program has {', '.join(signature.fields)}; "
            "the order is part of the prompt: compile again"
        )
    for field in fields:
        kind = "input" if field in signature.input_fields else "output"
        told, desc = (_part(fields[field], key, str, f"{name}.{field}") for key in ("kind", "desc"))
        if told != kind:
            raise ProgramStateError(f"{name}.{field} is an {told} in the state and an {kind} in the program")
        if desc != _described(signature.fields[field]):
            signature = signature.with_updated_fields(field, desc=desc)
    demos = []
    for number, demo in enumerate(_part(state, "demos", list, name)):
        if not isinstance(demo, dict):
            raise ProgramStateError(f"demonstration {number} of {name} is no object of fields")
        if unknown := demo.keys() - signature.fields.keys():
            raise ProgramStateError(f"demonstration {number} of {name} has unknown fields {sorted(unknown)}")
        try:
            values = {
                field: TypeAdapter(signature.fields[field].annotation).validate_python(value)
                for field, value in demo.items()
            }
        except ValidationError as error:
            raise ProgramStateError(f"demonstration {number} of {name}: {error}") from error
        demos.append(dspy.Example(**values))
    instructions, config = _part(state, "instructions", str, name), _part(state, "config", dict, name)
    return signature.with_instructions(instructions), demos, dict(config)


def _part(state: Any, key: str, kind: type, where: str) -> Any:
    """`state[key]`, which must be there and of its JSON kind."""
    value = state.get(key) if isinstance(state, dict) else None
    if not isinstance(value, kind):
        raise ProgramStateError(f"{where}: {key} is missing or no {kind.__name__}; compile again")
    return value


def _same_names(what: str, program: Any, state: Any) -> None:
    missing, unknown = sorted(set(program) - set(state)), sorted(set(state) - set(program))
    if missing or unknown:
        raise ProgramStateError(
            f"{what} do not match: the state lacks {missing or 'none'} and has {unknown or 'none'} that the "
            "program does not know; compile again, or load it with the version of genrec that wrote it"
        )


def _described(field: Any) -> str:
    return str((field.json_schema_extra or {}).get("desc", ""))

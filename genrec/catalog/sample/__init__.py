"""The shipped sample: where the files of a fictitious supermarket and its shoppers are."""

from importlib.resources import files
from pathlib import Path


def catalog_path() -> Path:
    """Return the sample catalog, made from scripts/sample/catalog by scripts/sample/build.py."""
    return _resource("catalog.jsonl")


def shoppers_path() -> Path:
    """Return the sample shoppers, whose histories refer to the sample catalog."""
    return _resource("shoppers.jsonl")


def _resource(name: str) -> Path:
    return Path(str(files(__name__).joinpath(name)))

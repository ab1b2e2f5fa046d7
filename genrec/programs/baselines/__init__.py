"""Baselines: the pages that a shop could have without a language model, and with one prompt instead of a cascade.

Each is a PageGenerator (programs/top_down.py) that keeps every promise of that seam, so that a comparison is between
pages of one size, from one catalog, under one policy.
"""

from genrec.programs.baselines.als import ImplicitALS
from genrec.programs.baselines.one_prompt import OnePrompt
from genrec.programs.baselines.opening import BASELINES, open_baseline
from genrec.programs.baselines.popular import PopularByDepartment
from genrec.programs.baselines.repeat_purchase import RepeatPurchase
from genrec.programs.baselines.static_library import StaticLibrary

__all__ = [
    "BASELINES",
    "ImplicitALS",
    "OnePrompt",
    "PopularByDepartment",
    "RepeatPurchase",
    "StaticLibrary",
    "open_baseline",
]

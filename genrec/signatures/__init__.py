"""What the LM is asked: one typed signature a file; the docstring is the prompt."""

from genrec.signatures.guardrail_check import GuardrailCheck
from genrec.signatures.item_describer import ItemDescriber
from genrec.signatures.theme_planner import ThemePlanner
from genrec.signatures.whole_page import PickedSection, WholePage

__all__ = ["GuardrailCheck", "ItemDescriber", "PickedSection", "ThemePlanner", "WholePage"]

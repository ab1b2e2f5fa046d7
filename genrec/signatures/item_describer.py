"""What the LM is asked for each theme: which catalog words find its items."""

import dspy

from genrec.page import Descriptor


class ItemDescriber(dspy.Signature):
    """Choose the catalog keywords that find items for one themed section.

    Take keywords from the given ones only, the most telling first, and cover every idea of the theme. Name categories
    or attribute values only where all items of the section should have them.
    """

    title: str = dspy.InputField(desc="the section's title")
    concepts: list[str] = dspy.InputField(desc="the product ideas it stands for")
    keywords: list[str] = dspy.InputField(desc="keywords of this catalog that are close to the ideas")
    descriptor: Descriptor = dspy.OutputField(desc="four to eight keywords out of `keywords`")

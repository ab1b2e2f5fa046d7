"""Every exception that genrec raises on purpose, one tree, split by who must act.

    GenrecError
    ├── CatalogError          the catalog file: a row, a column, an encoding
    ├── RequestError          the shopper or page request
    ├── SettingsError         genrec.toml, GENREC_*, flags
    ├── IndexStateError       an index directory: missing, damaged, newer, made by another encoder
    ├── ModelFileError        weights that are missing or are not what they claim to be
    ├── LMError               the language model: unreachable, refused, unusable answer
    │   └── BudgetExceeded    a call was not made because the budget is spent
    ├── ProgramStateError     a compiled program that does not fit the code that loads it
    └── RegistryError         MLflow: no such model, version or alias

A message says where, what and the remedy.
"""


class GenrecError(Exception):
    """Root of the tree: catching it catches everything that genrec raises on purpose."""


class CatalogError(GenrecError):
    """A catalog file cannot be read as items."""


class RequestError(GenrecError):
    """A shopper or a page request makes no sense."""


class SettingsError(GenrecError):
    """A setting is unknown, unreadable or out of range."""


class IndexStateError(GenrecError):
    """An index directory cannot be used as it is."""


class ModelFileError(GenrecError):
    """Model weights are missing, or their checksum is not the expected one."""


class LMError(GenrecError):
    """A language model could not be reached or its answer could not be used."""


class BudgetExceeded(LMError):
    """A call was withheld because the token, money or time budget is spent."""


class ProgramStateError(GenrecError):
    """A program state does not match the program by name; nothing of it was loaded."""


class RegistryError(GenrecError):
    """The model registry has no such model, version or alias, or refused the change."""

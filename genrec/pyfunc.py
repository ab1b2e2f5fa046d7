"""The files of one version: an MLflow model without code or pickle. Written, read and served from here.

model/
  MLmodel              names this module, whose `_load_pyfunc` MLflow calls
  data/program/
    manifest.json      fingerprints and threshold; sizes and checksums of the rest; written last
    program.json       what was learned: programs.state.dump_state
"""

import json
import logging
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import ValidationError

from genrec.catalog.manifest import read_manifest, write_manifest
from genrec.catalog.store import Catalog
from genrec.errors import IndexStateError, RegistryError, RequestError
from genrec.evaluation.guard import guard_if_earned
from genrec.lm.connect import LanguageModel, open_lm
from genrec.optimizers.made_with import MadeWith, gate_fingerprint
from genrec.page import PageRequest, Shopper
from genrec.programs.policy import Policy
from genrec.programs.ranking import Ranker
from genrec.programs.relevance import CosineRelevance, CrossEncoderGate, RelevanceModel
from genrec.programs.state import load_state
from genrec.programs.top_down import TopDown
from genrec.settings import load_settings

if TYPE_CHECKING:
    import pandas  # type: ignore[import-untyped]

KIND, FORMAT_VERSION = "genrec-page", 1
DATA = Path("data") / "program"
REMEDY = "compile again with `genrec compile`, or use another version"
OPTIONS = {"catalog": "", "lm": "", "api_base": "", "home": ""}
"""Settings that `mlflow.pyfunc.load_model(uri, model_config={...})` may give; MLflow refuses any that is not here."""

_log = logging.getLogger(__name__)


def write_model(folder: Path, program_state: Mapping[str, Any], made_with: MadeWith) -> None:
    """Write the model directory `folder`, which must not exist yet."""
    import mlflow.pyfunc

    with tempfile.TemporaryDirectory() as scratch:
        data = Path(scratch) / DATA.name
        data.mkdir()
        (data / "program.json").write_text(json.dumps(program_state, indent=1, ensure_ascii=False), encoding="utf-8")
        write_manifest(data, {"kind": KIND, "format_version": FORMAT_VERSION, "made_with": made_with.model_dump()})
        # without pip_requirements MLflow would load the model in a child process to guess them; genrec is on no index
        mlflow.pyfunc.save_model(
            str(folder), loader_module=__name__, data_path=str(data), pip_requirements=[], model_config=dict(OPTIONS)
        )


def read_program(
    data: Path,
    catalog: Catalog,
    lm: LanguageModel | None = None,
    *,
    relevance: RelevanceModel | None = None,
    policy: Policy | None = None,
    ranker: Ranker | None = None,
    threshold: float | None = None,
    deadline: float | None = None,
    lm_guard: bool = True,
) -> TopDown:
    """The program in `data`, a directory "data/program" of a model. Other arguments: see `registry.load`.

    Raises:
        RegistryError: the files are missing or damaged, or do not fit the catalog's encoder or the gate.
        ProgramStateError: the state does not match the program by name.

    """
    try:
        manifest = read_manifest(data, kind=KIND, version=FORMAT_VERSION, remedy=REMEDY)
        made_with = MadeWith.model_validate(manifest["made_with"])
        state = json.loads((data / "program.json").read_text(encoding="utf-8"))
    except IndexStateError as error:
        raise RegistryError(str(error)) from error
    except (KeyError, ValueError, OSError) as error:
        raise RegistryError(f"{data}: cannot be read ({' '.join(str(error).split())[:200]}); {REMEDY}") from error
    if made_with.encoder != catalog.embedder.fingerprint:
        raise RegistryError(
            f"{data}: compiled with encoder {made_with.encoder}, the catalog is indexed with "
            f"{catalog.embedder.fingerprint}; index the catalog with the first, or {REMEDY}"
        )
    if relevance is None:
        cosine = made_with.gate.startswith("cosine:")
        relevance = CosineRelevance(catalog.embedder) if cosine else CrossEncoderGate.load()
    if threshold is None:
        if made_with.gate != (fingerprint := gate_fingerprint(relevance)):
            raise RegistryError(
                f"{data}: its threshold {made_with.threshold} belongs to the gate {made_with.gate}, this one is "
                f"{fingerprint}; give a threshold too, or {REMEDY}"
            )
        threshold = made_with.threshold
    program = TopDown(
        catalog,
        lm,
        relevance=relevance,
        policy=policy,
        ranker=ranker,
        threshold=threshold,
        deadline=deadline,
        lm_guard=lm_guard,
    )
    load_state(program, state)
    return program


class PagePredictor:
    """What `mlflow.pyfunc.load_model` returns predictions of: requests in, pages out."""

    def __init__(self, program: TopDown) -> None:
        self._program = program

    def predict(self, model_input: Any, params: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        """One page, as JSON values, for each row of `model_input` (see `requests_of`), in order.

        Raises:
            RequestError: a row is no request; nothing is generated then.

        """
        return [self._program.generate(request).model_dump(mode="json") for request in requests_of(model_input)]


def requests_of(model_input: "pandas.DataFrame | Iterable[Mapping[str, Any]] | Mapping[str, Any]") -> list[PageRequest]:
    """Page requests from rows: a DataFrame, a list of mappings, or one mapping.

    A row has either a `request` (a PageRequest as a mapping or as JSON text), or the fields of a PageRequest, or the
    fields of a Shopper and those of a PageRequest side by side. Empty cells (None, NaN) count as not given.

    Raises:
        RequestError: which row, and what is wrong with it.

    """
    if isinstance(model_input, Mapping):
        model_input = [model_input]
    elif hasattr(model_input, "to_dict"):
        model_input = model_input.to_dict("records")
    return [_request(number, row) for number, row in enumerate(model_input)]


def _request(number: int, row: Any) -> PageRequest:
    try:
        if isinstance(row, PageRequest):
            return row
        given = {key: value for key, value in dict(row).items() if value is not None and value == value}
        whole = given.get("request")
        if isinstance(whole, str):
            return PageRequest.model_validate_json(whole)
        if whole is not None:
            return PageRequest.model_validate(whole)
        shopper = {key: given.pop(key) for key in list(given) if key in Shopper.model_fields}
        return PageRequest.model_validate({"shopper": shopper, **given} if shopper else given)
    except (ValidationError, TypeError, ValueError) as error:
        problem = " ".join(str(error).split())[:300]
        raise RequestError(
            f"row {number}: {problem}; give a column `request`, or the fields of a shopper (`genrec schema shopper`)"
        ) from error


def _load_pyfunc(data_path: str, model_config: Mapping[str, str] | None = None) -> PagePredictor:
    """MLflow's way in. Catalog, LM and the like: `model_config`, else settings (GENREC_CATALOG, GENREC_LM, ...)."""
    settings = load_settings({name: value for name, value in (model_config or {}).items() if value})
    catalog = Catalog.open(settings.catalog, home=settings.home)
    lm = open_lm(settings.lm, api_base=settings.api_base, adapter=settings.lm_adapter, timeout=settings.lm_timeout)
    program = read_program(Path(data_path), catalog, lm, threshold=settings.threshold, deadline=settings.lm_deadline)
    program.version = _label(Path(data_path))
    guard_if_earned(program, settings, tell=_log.warning)
    return PagePredictor(program)


def _label(data: Path) -> str:
    """NAME/NUMBER, which MLflow notes beside MLmodel when it resolves a models:/ address."""
    import yaml  # type: ignore[import-untyped]

    note = data.parent.parent / "registered_model_meta"
    told = yaml.safe_load(note.read_text(encoding="utf-8")) if note.is_file() else {}
    return f"{told['model_name']}/{told['model_version']}" if told else "unregistered"

"""`genrec.__all__` is what the package offers: each name resolves, and nothing public is left out of it."""

import genrec


def test_every_public_name_resolves_to_something_defined_in_genrec():
    for name in genrec.__all__:
        assert getattr(genrec, name).__module__.startswith("genrec."), name


def test_all_is_sorted_and_matches_the_lazy_table():
    assert genrec.__all__ == sorted(genrec.__all__) == sorted(genrec._HOMES)


def test_no_public_name_is_missing_from_all():
    public = {name for name in vars(genrec) if not name.startswith("_")}
    modules = {name for name in public if type(vars(genrec)[name]).__name__ == "module"}
    assert public - modules - {"Any", "TYPE_CHECKING", "import_module"} <= set(genrec.__all__)

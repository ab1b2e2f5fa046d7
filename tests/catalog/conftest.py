"""A small real catalog, the real encoder, and one index of both for the whole session."""

from pathlib import Path

import pytest

from genrec.catalog.items import Item
from genrec.catalog.minilm import MiniLM
from genrec.catalog.store import Catalog

_ROWS = """
Bakery > Bread > Sourdough | White sourdough loaf, 800 g | vegan | gluten | 3.2 | 80 | grain=wheat | Baked overnight.
Bakery > Bread > Sourdough | Seeded rye sourdough, 600 g | vegan | gluten,sesame | 3.4 | 64 | grain=rye | Dense and tangy.
Bakery > Bread > Sourdough | Cheddar sourdough loaf, 500 g | vegetarian | gluten,milk | 3.9 | 31 | grain=wheat | Cheese crust.
Bakery > Bread > Flatbread | Garlic naan bread, 2 pack | vegetarian | gluten,milk | 1.9 | 50 | cuisine=Indian | Warm it up.
Bakery > Bread > Flatbread | Plain pitta bread, 6 pack | vegan | gluten | 1.1 | 55 | cuisine=Greek | For dips.
Bakery > Cakes > Birthday | Chocolate birthday cake, 1 kg | vegetarian | gluten,milk,eggs | 12 | 45 | occasion=birthday | Serves 12.
Bakery > Cakes > Birthday | Vegan vanilla birthday cake, 900 g | vegan | gluten | 13 | 25 | occasion=birthday | No dairy.
Bakery > Cakes > Birthday | Rainbow birthday cake, 1.2 kg | vegetarian | gluten,milk,eggs | 15 | 35 | occasion=birthday | Six layers.
Dairy > Cheese > Hard | Mature cheddar cheese, 350 g | vegetarian | milk | 3.5 | 85 | strength=strong | Aged a year.
Dairy > Cheese > Hard | Mild cheddar cheese, 350 g | vegetarian | milk | 3.1 | 75 | strength=mild | For sandwiches.
Dairy > Cheese > Hard | Parmesan cheese wedge, 200 g | | milk | 4.5 | 60 | strength=strong | Aged two years.
Dairy > Cheese > Soft | Brie cheese, 200 g | vegetarian | milk | 2.2 | 40 | strength=mild | Creamy.
Dairy > Cheese > Soft | Goat's cheese log, 125 g | vegetarian | milk | 2.4 | 30 | strength=strong | Tangy.
Dairy > Milk > Fresh | Whole milk, 2 l | vegetarian | milk | 1.6 | 99 | fat=whole | From the farm.
Dairy > Milk > Fresh | Skimmed milk, 2 l | vegetarian | milk | 1.6 | 70 | fat=skimmed | Light.
Dairy > Milk > Plant | Oat milk, 1 l | vegan | gluten | 1.8 | 65 | fat=low | Barista style.
Dairy > Milk > Plant | Soya milk, 1 l | vegan | soya | 1.3 | 45 | fat=low | Unsweetened.
Snacks > Nuts > Roasted | Salted peanuts, 200 g | vegan | peanuts | 1.5 | 62 | salt=salted | Roasted.
Snacks > Nuts > Roasted | Salted cashew nuts, 150 g | vegan | nuts | 2.9 | 48 | salt=salted | Roasted.
Snacks > Nuts > Roasted | Honey roast almonds, 150 g | vegetarian | nuts | 3 | 33 | salt=sweet | Sticky.
Snacks > Crisps > Potato | Sea salt crisps, 150 g | vegan | | 1.9 | 88 | salt=salted | Hand cooked.
Snacks > Crisps > Potato | Cheese and onion crisps, 6 pack | vegetarian | milk | 2 | 90 | salt=salted | Lunch box.
Snacks > Crisps > Potato | Sweet chilli crisps, 150 g | vegan | | 1.9 | 66 | salt=spicy | Hand cooked.
Snacks > Chocolate > Dark | Dark chocolate bar, 100 g | vegan | soya | 1.7 | 58 | cocoa=70% | Bitter.
Snacks > Chocolate > Milk | Milk chocolate bar, 100 g | vegetarian | milk,soya | 1.2 | 82 | cocoa=30% | Smooth.
Snacks > Chocolate > White | White chocolate bar, 100 g | vegetarian | milk,soya | 1.2 | 52 | cocoa=0% | Sweet.
Drinks > Wine > Red | Rioja red wine, 75 cl | | sulphites | 8 | 44 | colour=red | Oak aged.
Drinks > Wine > Red | Merlot red wine, 75 cl | | sulphites | 7 | 42 | colour=red | Soft plum.
Drinks > Wine > White | Chardonnay white wine, 75 cl | | sulphites | 7.5 | 41 | colour=white | Buttery.
Drinks > Tea > Black | English breakfast tea, 80 bags | | | 2.5 | 77 | caffeine=yes | Strong brew.
Drinks > Tea > Green | Green tea, 40 bags | | | 2.2 | 51 | caffeine=yes | Light brew.
Drinks > Tea > Herbal | Peppermint tea, 20 bags | | | 1.9 | 39 | caffeine=no | Calm.
Household > Party > Candles | Birthday candles, 24 pack | | | 2 | 20 | occasion=birthday | For cakes.
Household > Party > Balloons | Birthday balloons, 10 pack | | | 3 | 22 | occasion=birthday | Six colours.
Household > Party > Plates | Paper party plates, 20 pack | | | 2.5 | 24 | occasion=party | Compostable.
Household > Cleaning > Laundry | Laundry liquid, 1 l | | | 6 | 71 | scent=lavender | Thirty washes.
Household > Cleaning > Kitchen | Washing up liquid, 500 ml | | | 1.2 | 79 | scent=lemon | Cuts grease.
Household > Cleaning > Kitchen | Kitchen roll, 2 pack | | | 2.4 | 83 | colour=white | Thick.
Household > Knives > Kitchen | Chef's knife, 20 cm | | | 19 | 10 | material=steel | Sharp.
Household > Pets > Cats | Salmon cat food, 12 pack | | fish | 5 | 47 | flavour=salmon | In jelly.
"""  # noqa: E501


def _item(number: int, row: str) -> Item:
    path, title, dietary, allergens, price, popularity, attribute, description = (c.strip() for c in row.split("|"))
    name, value = attribute.split("=")
    return Item(
        item_id=f"sku-{number:02}",
        title=title,
        description=description,
        categories=tuple(path.split(" > ")),
        attributes={name: value},
        dietary=frozenset(dietary.split(",")) - {""},
        allergens=frozenset(allergens.split(",")) - {""},
        price=float(price),
        popularity=float(popularity),
        in_stock=number % 7 != 0,
        min_age=18 if "wine" in title or "knife" in title else 0,
    )


def make_items() -> list[Item]:
    """Return forty items of five departments."""
    return [_item(number, row) for number, row in enumerate(_ROWS.strip().splitlines(), start=1)]


@pytest.fixture(scope="session")
def items() -> list[Item]:
    """Forty items of five departments."""
    return make_items()


@pytest.fixture(scope="session")
def minilm() -> MiniLM:
    """The real encoder, its weights loaded once."""
    return MiniLM()


@pytest.fixture(scope="session")
def index_path(items: list[Item], minilm: MiniLM, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where an index of `items` lies; copy it before changing anything."""
    path = tmp_path_factory.mktemp("indexes") / "small"
    Catalog.build(items, path, minilm)
    return path


@pytest.fixture(scope="session")
def catalog(index_path: Path, minilm: MiniLM) -> Catalog:
    """The index of `items`, opened."""
    return Catalog.open(index_path, embedder=minilm)

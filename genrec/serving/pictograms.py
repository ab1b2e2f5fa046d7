"""Drawn pictograms for items without a picture, and which one an item gets. No layout and no HTML page here.

Every drawing is SVG markup in a 64 x 64 box. The page's stylesheet colours its five classes, for light and
dark pages alike: `p-a` (dark tone), `p-b` (light tone), `p-c` (paper), `p-s` (dark line), `p-h` (paper line).
"""

import re
from typing import NamedTuple
from zlib import crc32

from genrec.catalog.items import Item


class Pictogram(NamedTuple):
    """One drawing: its name (part of an HTML id), what it shows in words, its natural tint and its markup."""

    name: str
    label: str
    tint: str
    svg: str


TINTS = ("tomato", "apricot", "butter", "olive", "leaf", "mint", "sea", "sky", "plum", "rose")
"""Names of the background tints that the page's stylesheet defines."""


def pictogram_for(item: Item) -> Pictogram:
    """Choose the drawing for an item.

    The department decides alone where its contents look alike (pets, babies, cleaning ...). Elsewhere the
    most specific element of the category path that holds a known word wins, then the head of the title (its
    last known word before the first comma), then the department in general; the rest get a shopping basket.
    """
    decided = _word_match(item.department, _DEPARTMENTS)
    if decided:
        return PICTOGRAMS[decided]
    for name in reversed(item.categories):
        if found := _word_match(name, _WORDS):
            return PICTOGRAMS[found]
    found = _word_match(item.title.partition(",")[0], _WORDS) or _word_match(item.department, _LAST_RESORT)
    return PICTOGRAMS[found or "basket"]


def tint_for(department: str) -> str:
    """Return one of TINTS: the natural one of a known department, else one drawn by a checksum."""
    found = _word_match(department, _DEPARTMENTS) or _word_match(department, _WORDS)
    if found:
        return PICTOGRAMS[found].tint
    return TINTS[crc32(department.strip().casefold().encode()) % len(TINTS)]


def _word_match(text: str, table: dict[str, str]) -> str:
    """Name the pictogram of the last known word of a text, singular or plural; empty if there is none."""
    text = text.casefold()[:400].replace("ice cream", "icecream")
    for word in reversed(re.findall(r"[^\W\d_]+", text)):
        for form in (word, word.removesuffix("s"), word.removesuffix("es"), word.removesuffix("ies") + "y"):
            if form in table:
                return table[form]
    return ""


def _table(**words: str) -> dict[str, str]:
    return {word: name for name, listed in words.items() for word in listed.split()}


_DEPARTMENTS = _table(
    pet="dog cat pet petfood animal",
    baby="baby toddler infant nursery",
    cleaning="cleaning laundry",
    medicine="health medicine pharmacy",
    beauty="beauty cosmetic",
    toy="toy",
    sport="sport sporting",
    book="stationery book",
    spice="spice",
    paper="paper",
    kitchen="cookware dining",
    garden="garden flower",
    party="party gift",
    coffee="coffee tea",
)

_WORDS = _table(
    fruit="fruit apple pear berry citrus orange lemon banana grape melon peach plum mango cherry orchard",
    vegetable="vegetable carrot potato onion garlic root tuber broccoli cabbage pepper tomato cucumber "
    "eggplant mushroom squash veg",
    leaf="herb salad leaf lettuce spinach kale greens leafy",
    meat="meat beef pork lamb steak poultry chicken turkey duck bacon sausage ham salami cured goat game offal jerky",
    fish="fish seafood shellfish salmon tuna cod prawn shrimp crab mollusc herring sardine",
    milk="milk dairy yogurt yoghurt cream kefir butter custard lassi skyr",
    egg="egg",
    cheese="cheese cheddar mozzarella brie paneer halloumi",
    bread="bread loaf roll bun bagel bakery flatbread wrap baguette sourdough tortilla naan pitta toast",
    cake="cake cheesecake tart muffin pastry doughnut dessert pie pudding brownie panettone quiche",
    biscuit="biscuit cookie cracker crispbread wafer shortbread matzo",
    baking="baking flour raising yeast sugar",
    pasta="pasta spaghetti noodle ramen macaroni lasagne udon soba pho",
    bowl="rice grain soup meal broth stew curry dumpling pierogi risotto quinoa couscous lentil "
    "gnocchi biryani congee kimchi",
    wheat="cereal muesli granola porridge oat wheat barley bran",
    jar="jar jam marmalade honey pickle chutney relish olive antipasti spread dip pesto paste mustard hummus "
    "mayonnaise mayo tahini horseradish peanut",
    tin="tin can tinned canned pulse chickpea",
    bottle="oil vinegar sauce dressing ketchup glaze condiment soy",
    spice="spice seasoning salt blend rub powder stock gravy saffron cinnamon masala",
    snack="snack crisp chip popcorn pretzel nut seed trail poppadom cashew almond",
    sweet="sweet chocolate candy confectionery gummy jelly mint toffee fudge liquorice lolly mithai truffle "
    "treat marshmallow halva bonbon",
    icecream="icecream cone mochi gelato sorbet",
    frozen="frozen",
    tofu="tofu tempeh seitan protein alternative plant",
    drink="drink water juice cola lemonade soda squash cordial mixer energy kombucha nectar smoothie",
    coffee="coffee tea espresso rooibos mate malted",
    wine="wine spirit liqueur whisky rum gin vodka aperitif cider tequila brandy champagne prosecco",
    beer="beer ale lager stout",
    cleaning="cleaner detergent softener dishwasher bleach sponge cloth",
    paper="tissue toilet foil film napkin",
    medicine="vitamin remedy plaster tablet supplement",
    beauty="shampoo soap skin hair makeup deodorant sunscreen cosmetic perfume lotion",
    baby="nappy diaper formula",
    pet="pet aquarium litter",
    kitchen="kitchen cookware bakeware knife utensil tableware plate cutlery charcoal",
    garden="garden flower bouquet compost houseplant",
    party="party gift card balloon bunting candle wreath garland lantern",
    toy="toy jigsaw puzzle doll costume",
    book="book notebook pen pencil stationery cookbook school",
    home="home living bedding towel lamp bulb battery furniture diy textile",
    outdoor="outdoor camping umbrella picnic travel beach rain car tent",
    sport="sport fitness gel electrolyte",
)

_LAST_RESORT = _table(
    party="seasonal season christmas easter halloween holiday festive",
    bowl="world food international deli grocery",
    leaf="free organic vegan",
)

_DRAWINGS: dict[str, tuple[str, str, str]] = {
    "fruit": (
        "Fruit",
        "tomato",
        '<path class="p-b" d="M32 21c-6-5-21-4-21 12 0 13 9 24 15 24 3 0 3-1 6-1s3 1 6 1c6 0 15-11 15-24 '
        '0-16-15-17-21-12z"/><path class="p-a" d="M34 16c0-6 5-10 12-10 0 7-5 10-12 10z"/>'
        '<path class="p-s" d="M32 21c0-5-1-8-4-11"/><path class="p-h" d="M18 36c-1-5 1-9 5-10"/>',
    ),
    "vegetable": (
        "Vegetables",
        "leaf",
        '<path class="p-a" d="M38 25c-3-9-1-16 5-20 4 6 3 14-5 20zM39 26c5-8 11-11 19-8-3 7-10 11-19 '
        '8z"/><path class="p-b" d="M42 22c6 6 4 11-2 17L15 57c-4 3-9-2-6-6l18-25c5-7 10-9 15-4z"/>'
        '<path class="p-s" d="M26 29l6 5M20 38l5 4M32 45l-5-4"/>',
    ),
    "leaf": (
        "Greens and herbs",
        "leaf",
        '<path class="p-b" d="M14 50C6 27 21 9 55 9c3 31-15 50-41 41z"/>'
        '<path class="p-s" d="M9 56c8-15 18-24 31-33M25 38V25M25 38h14"/>',
    ),
    "meat": (
        "Meat",
        "rose",
        '<path class="p-a" d="M12 25C17 10 35 5 47 13s12 22 4 29-13 5-20 10-13 6-18 0-5-14-1-27z"/>'
        '<path class="p-b" d="M14 22C19 8 35 4 46 11s12 20 4 26-13 5-20 9-13 6-17 1-3-13 1-25z"/>'
        '<circle class="p-c" cx="27" cy="23" r="6"/><circle class="p-a" cx="27" cy="23" r="2.5"/>'
        '<path class="p-h" d="M39 21c4 3 5 6 3 10M22 39c4 0 7-1 10-4"/>',
    ),
    "fish": (
        "Fish",
        "sea",
        '<path class="p-b" d="M6 32c9-16 29-18 41-3l11-10c-3 9-3 17 0 26L47 35C35 50 15 48 6 32z"/>'
        '<path class="p-a" d="M22 19c5-7 13-8 18-6-1 4-1 7 0 10-6-4-12-5-18-4z"/>'
        '<circle class="p-a" cx="17" cy="29" r="2.6"/>'
        '<path class="p-h" d="M26 25c3 5 3 10 0 15M35 29l3 3-3 3"/>',
    ),
    "milk": (
        "Milk and dairy",
        "sky",
        '<path class="p-b" d="M16 27l8-11h16l8 11v27a4 4 0 0 1-4 4H20a4 4 0 0 1-4-4z"/>'
        '<path class="p-a" d="M23 7h18v9H23z"/><path class="p-s" d="M16 27h32"/>'
        '<path class="p-c" d="M32 33c5 6 7 9 7 12a7 7 0 0 1-14 0c0-3 2-6 7-12z"/>',
    ),
    "egg": (
        "Eggs",
        "butter",
        '<path class="p-b" d="M21 14c7 0 12 11 12 21H10c0-10 5-21 11-21zM43 14c7 0 12 11 12 21H32c0-10 '
        '5-21 11-21z"/><path class="p-a" d="M6 33h52l-5 19a4 4 0 0 1-4 3H15a4 4 0 0 1-4-3z"/>'
        '<path class="p-h" d="M18 42h8M38 42h8M17 24c0-2 1-4 2-5"/>',
    ),
    "cheese": (
        "Cheese",
        "butter",
        '<path class="p-b" d="M7 34L40 12c9 1 16 9 17 22z"/>'
        '<path class="p-a" d="M7 37h50v14a3 3 0 0 1-3 3H10a3 3 0 0 1-3-3z"/>'
        '<circle class="p-c" cx="20" cy="46" r="4"/><circle class="p-c" cx="42" cy="44" r="3"/>'
        '<circle class="p-a" cx="41" cy="25" r="4"/>',
    ),
    "bread": (
        "Bread",
        "apricot",
        '<path class="p-a" d="M13 57V34C3 27 8 9 21 9h22c13 0 18 18 8 25v20a3 3 0 0 1-3 3z"/>'
        '<path class="p-b" d="M18 52V32c-9-5-5-18 4-18h20c9 0 13 13 4 18v20z"/>'
        '<path class="p-s" d="M26 22l-4 7M35 22l-4 7M44 22l-4 7"/>',
    ),
    "cake": (
        "Cakes and desserts",
        "rose",
        '<path class="p-b" d="M10 35h44v18a3 3 0 0 1-3 3H13a3 3 0 0 1-3-3z"/>'
        '<path class="p-a" d="M8 36c0-11 11-17 24-17s24 6 24 17c0 5-7 5-8 0-1 8-9 8-10 0-1 5-8 5-9 0-1 '
        '8-9 8-10 0-2 5-11 5-11 0z"/><circle class="p-b" cx="32" cy="14" r="6"/>'
        '<path class="p-s" d="M33 9c1-3 3-4 6-4"/>',
    ),
    "biscuit": (
        "Biscuits",
        "apricot",
        '<path class="p-b" d="M34 8a8 8 0 0 0 10 9 8 8 0 0 0 12 11A24.5 24.5 0 1 1 34 8z"/>'
        '<circle class="p-a" cx="23" cy="24" r="4"/><circle class="p-a" cx="38" cy="31" r="3"/>'
        '<circle class="p-a" cx="22" cy="41" r="3"/><circle class="p-a" cx="39" cy="45" r="4"/>'
        '<circle class="p-a" cx="51" cy="11" r="2.5"/>',
    ),
    "baking": (
        "Baking",
        "butter",
        '<g transform="rotate(-45 32 32)"><rect class="p-b" x="14" y="23" width="36" height="18" rx="5"/>'
        '<rect class="p-a" x="1" y="28" width="12" height="8" rx="4"/>'
        '<rect class="p-a" x="51" y="28" width="12" height="8" rx="4"/><path class="p-h" d="M20 29h17"/>'
        '</g><path class="p-s" d="M12 14h0M20 9h0M10 24h0M52 50h0M44 55h0"/>',
    ),
    "pasta": (
        "Pasta and noodles",
        "butter",
        '<path class="p-s" d="M33 30L50 6M41 30L57 11"/>'
        '<path class="p-b" d="M10 34c0-9 5-14 10-14 3 0 5 1 6 3 2-4 5-6 9-6 6 0 8 4 9 7 5-2 10 2 10 '
        '10z"/><path class="p-h" d="M18 33c0-5 2-7 5-7M28 33c0-7 3-9 7-9M40 33c0-3 1-5 4-5"/>'
        '<path class="p-a" d="M6 33h52c0 11-6 18-14 22v3H20v-3C12 51 6 44 6 33z"/>',
    ),
    "bowl": (
        "Grains, soups and meals",
        "apricot",
        '<path class="p-s" d="M24 19c-4-5 4-7 0-13M34 17c-4-5 4-7 0-13M44 19c-4-5 4-7 0-13"/>'
        '<path class="p-b" d="M10 34c3-9 12-12 22-12s19 3 22 12z"/>'
        '<path class="p-a" d="M6 33h52c0 11-6 18-14 22v3H20v-3C12 51 6 44 6 33z"/>'
        '<path class="p-h" d="M14 40c2 5 5 8 8 9"/>',
    ),
    "wheat": (
        "Cereals",
        "butter",
        '<path class="p-s" d="M32 60V22"/><path class="p-a" d="M32 4c5 6 5 12 0 17-5-5-5-11 0-17z"/>'
        '<path class="p-b" d="M34 31c0-8 5-12 12-12 0 8-4 13-12 12zM30 31c0-8-5-12-12-12 0 8 4 13 12 '
        '12zM34 45c0-8 5-12 12-12 0 8-4 13-12 12zM30 45c0-8-5-12-12-12 0 8 4 13 12 12z"/>',
    ),
    "jar": (
        "Jars and spreads",
        "plum",
        '<rect class="p-a" x="17" y="6" width="30" height="10" rx="3"/>'
        '<path class="p-b" d="M20 18h24c5 3 7 6 7 11v23a6 6 0 0 1-6 6H19a6 6 0 0 1-6-6V29c0-5 2-8 '
        '7-11z"/><rect class="p-c" x="13" y="31" width="38" height="17"/>'
        '<path class="p-s" d="M21 37h22M25 43h14"/>',
    ),
    "tin": (
        "Tins",
        "sea",
        '<path class="p-b" d="M12 15h40v37c0 4-9 7-20 7s-20-3-20-7z"/>'
        '<ellipse class="p-a" cx="32" cy="14" rx="20" ry="7"/>'
        '<path class="p-c" d="M12 28c6 4 34 4 40 0v16c-6 4-34 4-40 0z"/>'
        '<ellipse class="p-b" cx="32" cy="14" rx="11" ry="3"/><circle class="p-a" cx="32" cy="39" r="5"/>',
    ),
    "bottle": (
        "Oils and sauces",
        "olive",
        '<rect class="p-a" x="26" y="4" width="12" height="9" rx="2"/>'
        '<path class="p-b" d="M27 15h10c0 9 10 10 10 21v19a4 4 0 0 1-4 4H21a4 4 0 0 1-4-4V36c0-11 10-12 '
        '10-21z"/><path class="p-c" d="M17 37h30v14H17z"/>'
        '<path class="p-a" d="M32 38c4 5 5 6 5 8a5 5 0 0 1-10 0c0-2 1-3 5-8z"/>',
    ),
    "spice": (
        "Herbs and spices",
        "tomato",
        '<path class="p-a" d="M20 20c0-9 5-14 12-14s12 5 12 14z"/>'
        '<path class="p-c" d="M27 13h2v2h-2zM35 13h2v2h-2zM31 10h2v2h-2z"/>'
        '<path class="p-b" d="M19 23h26l4 31a4 4 0 0 1-4 4H19a4 4 0 0 1-4-4z"/>'
        '<path class="p-a" d="M40 31c2 9-4 18-16 19 5-3 9-8 10-17 2-3 5-4 6-2z"/>',
    ),
    "snack": (
        "Snacks",
        "apricot",
        '<path class="p-b" d="M14 8h36c-3 16-3 32 0 48H14c3-16 3-32 0-48z"/>'
        '<path class="p-a" d="M14 8h36l-1 7H15zM15 49h34l1 7H14z"/>'
        '<circle class="p-c" cx="32" cy="32" r="11"/>'
        '<path class="p-a" d="M24 34c2-8 12-10 16-5-1 8-10 12-16 5z"/>',
    ),
    "sweet": (
        "Chocolate and sweets",
        "plum",
        '<path class="p-a" d="M19 32L5 20c0 9 0 15 0 24zM45 32l14-12c0 9 0 15 0 24z"/>'
        '<circle class="p-b" cx="32" cy="32" r="16"/>'
        '<path class="p-h" d="M32 24a8 8 0 1 1-8 8c0-3 3-5 5-3"/>',
    ),
    "icecream": (
        "Ice cream",
        "rose",
        '<path class="p-b" d="M17 22a15 15 0 0 1 30 0v20a3 3 0 0 1-3 3H20a3 3 0 0 1-3-3z"/>'
        '<rect class="p-a" x="28" y="45" width="8" height="15" rx="4"/>'
        '<path class="p-h" d="M27 20v16M37 20v16"/>',
    ),
    "frozen": (
        "Frozen",
        "sky",
        '<circle class="p-b" cx="32" cy="32" r="25"/>'
        '<path class="p-s" d="M32 14v36M16.5 23l31 18M47.5 23l-31 18M27 17l5 4 5-4M27 47l5-4 5 4"/>'
        '<path class="p-s" d="M17 30l6-1-2-6M47 34l-6 1 2 6M47 30l-6-1 2-6M17 34l6 1-2 6"/>',
    ),
    "tofu": (
        "Plant protein",
        "mint",
        '<path class="p-b" d="M8 28l20-10 28 8-20 11z"/>'
        '<path class="p-a" d="M8 31l26 9v16L8 46zM38 40l18-10v15L38 56z"/>'
        '<path class="p-s" d="M30 16c0-5 2-9 6-12"/>'
        '<path class="p-a" d="M36 12c2-5 6-7 12-6-1 5-6 8-12 6z"/>',
    ),
    "drink": (
        "Drinks",
        "sky",
        '<path class="p-s" d="M33 24L38 6h9"/>'
        '<path class="p-b" d="M14 20h36l-4 34a5 5 0 0 1-5 4H23a5 5 0 0 1-5-4z"/>'
        '<path class="p-a" d="M16 34h32l-2 20a5 5 0 0 1-5 4H23a5 5 0 0 1-5-4z"/>'
        '<circle class="p-c" cx="27" cy="44" r="3"/><circle class="p-c" cx="36" cy="50" r="2"/>'
        '<circle class="p-c" cx="37" cy="40" r="2"/>',
    ),
    "coffee": (
        "Coffee and tea",
        "apricot",
        '<path class="p-s" d="M22 18c-4-5 4-7 0-13M33 18c-4-5 4-7 0-13M46 29h4a7 7 0 0 1 0 14h-5"/>'
        '<path class="p-b" d="M9 24h38v16a13 13 0 0 1-13 13H22A13 13 0 0 1 9 40z"/>'
        '<rect class="p-a" x="6" y="55" width="44" height="4" rx="2"/>'
        '<path class="p-h" d="M16 31v8c0 3 1 5 3 6"/>',
    ),
    "wine": (
        "Wine and spirits",
        "plum",
        '<path class="p-b" d="M19 6h26c5 18-1 30-13 30S14 24 19 6z"/>'
        '<path class="p-a" d="M17 18h30c0 11-6 18-15 18S17 29 17 18z"/>'
        '<path class="p-s" d="M32 36v20M21 58h22"/>',
    ),
    "beer": (
        "Beer",
        "butter",
        '<path class="p-s" d="M44 28h6a5 5 0 0 1 5 5v10a5 5 0 0 1-5 5h-6"/>'
        '<path class="p-b" d="M12 20h32v34a4 4 0 0 1-4 4H16a4 4 0 0 1-4-4z"/>'
        '<path class="p-a" d="M10 22c-5-6 1-13 7-10 3-7 14-7 17 0 7-4 14 4 9 10-3 3-6 2-8 0-1 6-7 6-8 '
        '0-5 4-13 4-17 0z"/><path class="p-h" d="M21 34v15M28 34v15M35 34v15"/>',
    ),
    "cleaning": (
        "Cleaning",
        "mint",
        '<path class="p-a" d="M22 7h18c6 0 9 3 10 9l-6-2v8H28v-6h-6z"/>'
        '<path class="p-b" d="M28 24h16c1 9 6 11 6 20v11a4 4 0 0 1-4 4H26a4 4 0 0 1-4-4V44c0-9 5-11 '
        '6-20z"/><path class="p-c" d="M22 41h28v11H22z"/>'
        '<path class="p-s" d="M8 11h6M10 4l4 3M10 18l4-3"/>',
    ),
    "paper": (
        "Paper and wraps",
        "sky",
        '<path class="p-c" d="M42 18h14v36c-5 3-9-2-14 1z"/>'
        '<path class="p-b" d="M10 17h36v31c0 6-8 10-18 10s-18-4-18-10z"/>'
        '<ellipse class="p-b" cx="28" cy="17" rx="18" ry="10"/>'
        '<ellipse class="p-s" cx="28" cy="17" rx="18" ry="10"/>'
        '<ellipse class="p-a" cx="28" cy="17" rx="6" ry="3.5"/>',
    ),
    "medicine": (
        "Health",
        "mint",
        '<g transform="rotate(-45 32 30)"><rect class="p-b" x="6" y="19" width="52" height="22" rx="11"/>'
        '<path class="p-a" d="M32 19h15a11 11 0 0 1 0 22H32z"/><path class="p-h" d="M15 27h10"/></g>'
        '<circle class="p-b" cx="49" cy="51" r="8"/><path class="p-s" d="M44 51h10"/>',
    ),
    "beauty": (
        "Beauty and care",
        "rose",
        '<path class="p-s" d="M32 18V8H20v5"/>'
        '<rect class="p-a" x="25" y="16" width="14" height="7" rx="2"/>'
        '<rect class="p-b" x="15" y="25" width="34" height="34" rx="7"/>'
        '<path class="p-c" d="M32 31c6 4 9 8 9 12a9 9 0 0 1-18 0c0-4 3-8 9-12z"/>'
        '<path class="p-s" d="M32 40v8"/>',
    ),
    "baby": (
        "Baby",
        "sky",
        '<path class="p-a" d="M27 8c0-5 10-5 10 0l3 8H24z"/>'
        '<rect class="p-a" x="19" y="16" width="26" height="7" rx="3"/>'
        '<path class="p-b" d="M20 25h24c2 3 3 6 3 9v18a7 7 0 0 1-7 7H24a7 7 0 0 1-7-7V34c0-3 1-6 3-9z"/>'
        '<path class="p-h" d="M39 34h8M36 41h11M39 48h8"/>',
    ),
    "pet": (
        "Pets",
        "apricot",
        '<ellipse class="p-b" cx="12" cy="31" rx="6" ry="8" transform="rotate(-18 12 31)"/>'
        '<ellipse class="p-b" cx="25" cy="17" rx="6.5" ry="9"/>'
        '<ellipse class="p-b" cx="40" cy="17" rx="6.5" ry="9"/>'
        '<ellipse class="p-b" cx="53" cy="31" rx="6" ry="8" transform="rotate(18 53 31)"/>'
        '<path class="p-a" d="M32 31c9 0 17 11 17 19 0 9-9 8-17 6-8 2-17 3-17-6 0-8 8-19 17-19z"/>',
    ),
    "kitchen": (
        "Kitchen",
        "sea",
        '<path class="p-b" d="M10 26h44v20a10 10 0 0 1-10 10H20a10 10 0 0 1-10-10z"/>'
        '<rect class="p-a" x="6" y="19" width="52" height="7" rx="3.5"/>'
        '<path class="p-a" d="M26 18c0-8 12-8 12 0z"/><path class="p-s" d="M9 33H4M55 33h5"/>'
        '<path class="p-h" d="M18 34v10c0 2 1 4 3 5"/>',
    ),
    "garden": (
        "Garden",
        "leaf",
        '<path class="p-s" d="M32 38V20"/>'
        '<path class="p-b" d="M31 26C29 14 20 10 10 11c0 11 8 18 21 15zM33 20C34 9 43 4 53 6c1 11-8 '
        '17-20 14z"/><rect class="p-a" x="15" y="36" width="34" height="8" rx="2"/>'
        '<path class="p-b" d="M18 46h28l-3 12a2 2 0 0 1-2 1H23a2 2 0 0 1-2-1z"/>',
    ),
    "party": (
        "Party and gifts",
        "rose",
        '<rect class="p-b" x="11" y="30" width="42" height="28" rx="3"/>'
        '<rect class="p-a" x="7" y="20" width="50" height="11" rx="3"/>'
        '<path class="p-c" d="M28 31h8v27h-8z"/>'
        '<path class="p-s" d="M32 19c-4-10-16-13-16-6 0 5 9 6 16 6 7 0 16-1 16-6 0-7-12-4-16 6z"/>',
    ),
    "toy": (
        "Toys and games",
        "butter",
        '<rect class="p-b" x="19" y="6" width="25" height="25" rx="4"/>'
        '<rect class="p-b" x="5" y="34" width="25" height="25" rx="4"/>'
        '<rect class="p-a" x="33" y="34" width="25" height="25" rx="4"/>'
        '<circle class="p-a" cx="31.5" cy="18.5" r="6"/><path class="p-a" d="M17.5 40l7 12h-14z"/>'
        '<path class="p-c" d="M40 41h11v11H40z"/>',
    ),
    "book": (
        "Books and stationery",
        "plum",
        '<path class="p-a" d="M5 15h54v40H36c-2 0-3 2-4 3-1-1-2-3-4-3H5z"/>'
        '<path class="p-b" d="M31 13c-6-5-14-6-22-5v41c8-1 16 0 22 5zM33 13c6-5 14-6 22-5v41c-8-1-16 '
        '0-22 5z"/>'
        '<path class="p-h" d="M15 19c4 0 7 0 11 2M15 28c4 0 7 0 11 2M49 19c-4 0-7 0-11 2M49 28c-4 0-7 '
        '0-11 2"/>',
    ),
    "home": (
        "Home",
        "apricot",
        '<path class="p-b" d="M13 30L32 13l19 17v24a4 4 0 0 1-4 4H17a4 4 0 0 1-4-4z"/>'
        '<path class="p-s" d="M6 32L32 9l26 23"/><path class="p-a" d="M26 58V43a6 6 0 0 1 12 0v15z"/>',
    ),
    "outdoor": (
        "Outdoors and travel",
        "sea",
        '<path class="p-s" d="M32 9V5M32 30v21a6 6 0 0 1-12 0"/>'
        '<path class="p-b" d="M6 35a26 26 0 0 1 52 0c-4-5-10-5-13 0-3-5-10-5-13 0-3-5-10-5-13 '
        '0-3-5-9-5-13 0z"/>'
        '<path class="p-a" d="M19 35c0-12 5-21 13-26 8 5 13 14 13 26-3-5-10-5-13 0-3-5-10-5-13 0z"/>',
    ),
    "sport": (
        "Sport",
        "sea",
        '<g transform="rotate(-35 32 32)"><rect class="p-a" x="18" y="29" width="28" height="6"/>'
        '<rect class="p-b" x="10" y="16" width="10" height="32" rx="4"/>'
        '<rect class="p-b" x="44" y="16" width="10" height="32" rx="4"/>'
        '<rect class="p-a" x="2" y="22" width="7" height="20" rx="3"/>'
        '<rect class="p-a" x="55" y="22" width="7" height="20" rx="3"/></g>',
    ),
    "basket": (
        "Groceries",
        "olive",
        '<path class="p-s" d="M18 28L28 8M46 28L36 8"/>'
        '<path class="p-b" d="M9 30h46l-5 24a4 4 0 0 1-4 3H18a4 4 0 0 1-4-3z"/>'
        '<rect class="p-a" x="5" y="25" width="54" height="8" rx="4"/>'
        '<path class="p-h" d="M23 39l2 12M32 39v12M41 39l-2 12"/>',
    ),
}

PICTOGRAMS = {name: Pictogram(name, *drawing) for name, drawing in _DRAWINGS.items()}
"""Every drawing by name."""

"""What words say about an item: the word lists of the policy and how they are read. Rules are in policy.py.

English only. A list is data: `named` is the thing itself, `usual` what commonly contains it (cake, for eggs),
`safe` longer phrases that only look like it (coconut milk, for milk). Words match whole, in any number.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from types import MappingProxyType
from typing import NamedTuple

from genrec.catalog.items import Item

LONGEST_TEXT = 6_000
"""Characters that are read of one text; an item's title and description fit."""

_WORD = re.compile(r"\d+(?:[.,]\d+)+|[^\W_]+|[,;|()]")
_NEGATORS = frozenset("no not never without non minus sans skip zero".split())
_JOINERS = frozenset("or and nor".split())
SPLITTERS = frozenset("with and plus on in".split())
_IRREGULAR = {"knives": "knife", "loaves": "loaf", "calves": "calf", "leaves": "leaf", "geese": "goose"}


@lru_cache(maxsize=20_000)
def stem(word: str) -> str:
    """Strip a plural ending; the same word always gives the same stem."""
    if word in _IRREGULAR:
        return _IRREGULAR[word]
    if word.endswith("s") and len(word) > 3 and not word.endswith(("ss", "us", "is")):
        word = word[:-2] if word.endswith(("ches", "shes", "xes", "sses")) else word[:-1]
    if len(word) > 3 and word.endswith("ie"):
        return word[:-2] + "y"
    return word[:-1] if len(word) > 4 and word.endswith("oe") else word


@lru_cache(maxsize=10_000)
def tokens(text: str) -> tuple[str, ...]:
    """Split into stemmed words of any script, and commas, without case, accents and invisibles."""
    plain = unicodedata.normalize("NFKD", text[:LONGEST_TEXT]).casefold().replace("&", " and ")
    kept = (c for c in plain if unicodedata.category(c) not in ("Mn", "Cf") and c not in "'’")
    return tuple(stem(word) for word in _WORD.findall("".join(kept)))


class Match(NamedTuple):
    """A term and where it starts, in tokens."""

    term: str
    start: int


class Lexicon:
    """Phrases found in tokens, the longest at each place; a safe one consumes its words and is no match.

    A term that is denied (`no milk`, `milk-free`, `without eggs or milk`) is not a match either.
    """

    def __init__(self, terms: str, safe: str = "") -> None:
        self.terms = terms
        self.safe = safe
        self._phrases: dict[str, list[tuple[tuple[str, ...], str]]] = {}
        for text, is_term in ((safe, False), (terms, True)):
            for phrase in filter(None, (part.strip() for part in text.split(","))):
                if not (words := tokens(phrase)):
                    continue
                self._phrases.setdefault(words[0], []).append((words, phrase if is_term else ""))
        for same_start in self._phrases.values():
            same_start.sort(key=lambda entry: -len(entry[0]))

    def __add__(self, other: "Lexicon") -> "Lexicon":
        return Lexicon(f"{self.terms},{other.terms}", f"{self.safe},{other.safe}")

    def matches(self, words: Sequence[str]) -> Iterator[Match]:
        """Every term that the words affirm, left to right."""
        if self._phrases.keys().isdisjoint(words):
            return
        place, denied_until = 0, -1
        while place < len(words):
            phrase, term = self._longest_at(words, place)
            end = place + max(1, len(phrase))
            if term and _is_denied(words, place, end, denied_until):
                denied_until = end
            elif term:
                yield Match(term, place)
            place = end

    def find(self, text: str) -> str:
        """Give the first term of a text, or an empty string."""
        return next((match.term for match in self.matches(tokens(text))), "")

    def safely(self, text: str) -> bool:
        """Whether a text has a safe phrase."""
        words = tokens(text)
        if self._phrases.keys().isdisjoint(words):
            return False
        found = (self._longest_at(words, place) for place in range(len(words)))
        return any(phrase and not term for phrase, term in found)

    def _longest_at(self, words: Sequence[str], place: int) -> tuple[tuple[str, ...], str]:
        for phrase, term in self._phrases.get(words[place], ()):
            if tuple(words[place : place + len(phrase)]) == phrase:
                return phrase, term
        return (), ""


def _is_denied(words: Sequence[str], start: int, end: int, denied_until: int) -> bool:
    if words[end : end + 1] == ("free",) and words[end + 1 : end + 2] not in (("range",), ("from",)):
        return True
    before = words[start - 1] if start else ""
    if before in _NEGATORS or (before == "from" and words[max(0, start - 2)] == "free" and start > 1):
        return True
    if before in _JOINERS and start - 1 == denied_until:
        return True
    return before in ("or", "nor") and start >= 3 and words[start - 3] in _NEGATORS


NO_CLAIM = Lexicon("")


class Substance(NamedTuple):
    """Something that shoppers avoid: its names, what usually contains it, and the claims that rule it out."""

    named: Lexicon
    usual: Lexicon
    claims: Lexicon


def _each(firsts: str, seconds: str) -> str:
    return ",".join(f"{a.strip()} {b.strip()}" for a in firsts.split(",") for b in seconds.split(","))


VEGAN_CLAIMS = "vegan, plant based, plant milk, from plants, pareve vegan"
VEGGIE_CLAIMS = f"{VEGAN_CLAIMS}, vegetarian, veggie, meat free, meatless, meat alternative, no meat"
_PLANTS = "coconut, oat, soya, soy, cashew, plant, vegan, plant based, dairy free"
_GRAINS_AND_NUTS = "almond, rice, hazelnut, hemp, pea, macadamia, nut, pistachio, walnut, tiger nut, potato, flax"
_PLANT_MILKS = ",".join(
    (
        _each(_PLANTS, "milk, cream, yogurt, yoghurt, cheese, butter, drink, creamer, spread, custard"),
        _each(_GRAINS_AND_NUTS, "milk, drink, yogurt, yoghurt"),
        _each("almond, hazelnut, pistachio, walnut, macadamia, pecan, peanut, nut", "butter, spread"),
        _each("oat, rice, soya, soy, plant, vegan, plant based, dairy free", "milk chocolate"),
    )
)


def _substance(named: str, usual: str = "", safe: str = "", claims: str = "") -> Substance:
    return Substance(Lexicon(named, safe), Lexicon(usual, safe + "," + named), Lexicon(claims))


_MEATS = (
    "beef, steak, lamb, mutton, pork, ham, bacon, gammon, veal, venison, chicken, turkey, duck, goose, rabbit, chorizo"
)
_VEGETABLES = "lentil, bean, chickpea, mushroom, jackfruit, vegetable, halloumi"
_SWIMMERS = "tuna, salmon, swordfish, fish, cod, mackerel, trout, crab, prawn, shrimp, lobster, seafood"
_DISHES = "burger, kebab, kofta, bolognese, ragu, lasagne, lasagna, pate, terrine, gyoza, rendang, stroganoff, shawarma"
_MEAT_SAFE = ",".join(
    (
        _each("mock, faux, fake", _MEATS + ", meat, mince, sausage, burger, steak"),
        _each(
            "seitan, tempeh, tofu, jackfruit, quorn",
            "burger, sausage, mince, meatball, jerky, steak, kebab, rib, bacon",
        ),
        _each(_VEGETABLES, _DISHES),
        _each(_SWIMMERS, _DISHES + ", steak, sausage, meatball, meat"),
        _each("soya, soy", "burger, sausage, mince, meatball, chunk"),
        "",
    )
) + (
    "guinea pig, rabbits guinea pig, beef tomato, beefsteak tomato, beefsteak, lambs lettuce, "
    "duck sauce, hen of the wood, chicken of the wood, hot dog bun, hot dog roll, hot dog relish, "
    "burger bun, burger relish, burger sauce, burger seasoning, burger cheese, veggie burger, "
    "bean burger, mushroom burger, halloumi burger, chickpea burger, burger slice, burger press, "
    "vegetable burger, mince pie, sweet mincemeat, fruit mincemeat, mincemeat, steak fry, steak cut, "
    "steak sauce, steak rub, steak seasoning, steak knife, steak spice, cauliflower steak, duck egg, "
    "goose egg, turkey fig, chicken seasoning, chicken salt, chicken rub, chicken spice, rib rub, "
    "pork rub, fish seasoning, bacon bit vegan, turkish delight, jackfruit pulled pork, "
    "mint sauce lamb, beef rub, brisket rub, blood orange, chop suey sauce, rabbit food, "
    "chocolate bunny, chocolate lamb, chocolate duck, chocolate chicken, lamb seasoning, kebab spice, "
    "kebab seasoning, shawarma spice, game day, game night, goosefoot, chicken feed, taco seasoning, "
    "meatball seasoning, sausage seasoning, hamburger bun, hamburger roll, burger roll"
)
MEAT = _substance(
    _MEATS + ", goat, stewing hen, boiling hen, kielbasa ring, meat, poultry, mince, burger, hamburger, "
    "meatball, sausage, salami, pepperoni, pancetta, prosciutto, serrano, guanciale, bresaola, coppa, "
    "mortadella, nduja, speck, lardon, lard, tallow, suet, dripping, goose fat, duck fat, frankfurter, "
    "hot dog, bratwurst, wurst, wiener, kielbasa, kabanos, merguez, andouille, boudin, haggis, "
    "black pudding, blood sausage, liver, kidney, offal, tripe, oxtail, marrow bone, brisket, rib, "
    "spare rib, ribeye, sirloin, rump, entrecote, shank, shoulder joint, roast joint, drumstick, "
    "poussin, quail, pheasant, partridge, guinea fowl, pigeon, goat meat, goat curry, diced goat, "
    "boar, bison, elk, kangaroo, ostrich, horse meat, jerky, biltong, pastrami, corned beef, spam, "
    "luncheon meat, pate, foie gras, terrine, bolognese, ragu, carbonara, schnitzel, kebab, kofta, "
    "kofte, gyro, shawarma, doner, rendang, char siu, bulgogi, galbi, cottage pie, shepherds pie, "
    "scotch egg, pork scratching, rind, cured meat, bone broth, ham hock, jamon, iberico, "
    "buffalo wing, chateaubriand, pulled pork, toad in the hole, pigs in blanket, jambon, pig, "
    "osso buco, stewing, animal fat, chicken fat, schmaltz, gravy granule beef, cumberland, "
    "lincolnshire sausage, banger, lasagne bolognese, chilli con carne, steak and ale, saveloy, "
    "lap cheong, beef stock, chicken stock",
    usual="lasagne, lasagna, moussaka, gyoza, wonton, gumbo, jambalaya, pho, ramen broth, tonkotsu, "
    "cassoulet, goulash, stroganoff, empanada, sausage roll, hunter stew, bigos, siu mai, shumai, "
    "soup dumpling, cornish pasty, feijoada, birria, carnitas, al pastor, barbacoa, cawl, "
    "massaman curry,",
    safe="coconut meat, goats beard, goat milk, goat cheese, goat gouda, goat butter, goat yogurt, "
    "goat kefir, goat curd, goat feta, "
    "kidney bean, pigeon pea, gungo pea, quail egg, lasagne sheet, lasagna sheet, white lasagne sauce, "
    "lasagne sauce, vegetable suet, wonton wrapper, serrano chilli, serrano pepper, "
    "jalapeno and serrano, bulgogi sauce, lamb sauce lettuce, turkish, rib celery, meat tenderiser, "
    "chicken flavour, chicken flavor, beef flavour, beef flavor, bacon flavour, ham flavour, "
    "burger pickle," + _MEAT_SAFE + "," + _each(_MEATS + ", sausage, meat, fish, burger, nugget", "style, less"),
    claims="alternative, " + VEGGIE_CLAIMS,
)
PORK = _substance(
    "pork, bacon, ham, gammon, lard, pancetta, prosciutto, serrano, guanciale, chorizo, salami, "
    "pepperoni, nduja, speck, lardon, mortadella, pig, boar, iberico, jamon, jambon, black pudding, "
    "kielbasa, char siu, lap cheong, tonkotsu, kabanos, frankfurter, pork scratching, coppa, saveloy, "
    "carnitas",
    usual="sausage, hot dog, carbonara, bratwurst, al pastor, siu mai",
    safe=_MEAT_SAFE + ", turkey bacon, beef bacon, turkey ham, beef salami, beef pepperoni, beef sausage, "
    "chicken sausage, lamb sausage, beef hot dog, turkey pepperoni," + _each(_MEATS, "style"),
    claims=VEGGIE_CLAIMS + ", halal, kosher",
)
FISH = _substance(
    "fish, salmon, tuna, cod, haddock, mackerel, sardine, pilchard, anchovy, herring, kipper, trout, "
    "sea bass, bass fillet, sea bream, halibut, plaice, sole fillet, lemon sole, dover sole, turbot, "
    "monkfish, pollock, hake, tilapia, basa, catfish, carp, eel, sprat, whitebait, swordfish, snapper, "
    "gravlax, lox, bonito, dashi, roe, caviar, taramasalata, surimi, rollmop, bloater, fish sauce, "
    "nam pla, gefilte, cod liver oil, smoked trout, skate wing, sturgeon, rockfish, coley, whiting, "
    "grouper, mahi mahi, barramundi, seafood, isinglass, katsuobushi, bottarga, stockfish, saltfish, "
    "brandade, sashimi, unagi, ikura, tobiko, masago, mentaiko, bacalao, bacalhau, boquerones, bagoong, "
    "patis, garum, colatura, ikan bilis, niboshi, lutefisk, surstromming",
    usual="infant milk, infant formula, follow on milk, first milk, growing up milk, worcestershire, "
    "caesar dressing, caesar salad, kimchi, sushi, nigiri, poke bowl, kedgeree, pad thai, "
    "thai curry paste, green curry paste, red curry paste, tapenade, puttanesca, laksa, nuoc cham, "
    "thai green, thai red, furikake, bouillabaisse,",
    safe="fish seasoning, fish spice, swedish fish, chocolate fish, fish shaped cracker, goldfish cracker, "
    "fish kettle, fish slice, roe deer, fish mint, swimming fish, gummy fish, sushi rice, "
    "sushi vinegar, sushi nori, sushi ginger, sushi mat, sushi seasoning, sushi kit, fish fry batter, "
    "without roe, fish batter, carp streamer, vegetable sushi, avocado sushi,",
    claims=VEGGIE_CLAIMS + ", fish free",
)
CRUSTACEANS = _substance(
    "prawn, shrimp, crab, lobster, crayfish, langoustine, scampi, krill, crustacean, shellfish, "
    "belacan, belachan, terasi, udang, ebi, gamba, camaron, crawfish, seafood, seafood stick",
    usual="thai fish cake, tom yum, laksa, paella, surimi, sambal, har gow, bouillabaisse, gumbo, "
    "thai curry paste, green curry paste, red curry paste, thai green, thai red, kimchi, massaman, "
    "shito, pad thai, crustacea, krupuk, kerupuk, bisque, cioppino",
    safe="crab apple, crabapple, lobster mushroom,",
    claims=VEGGIE_CLAIMS + ", shellfish free, crustacean free",
)
MOLLUSCS = _substance(
    "mussel, clam, oyster, scallop, squid, calamari, octopus, cuttlefish, whelk, cockle, abalone, "
    "snail, escargot, mollusc, mollusk, periwinkle, shellfish, seafood, squid ink, vongole, pulpo, "
    "calamares, chipirones, conch, geoduck",
    usual="paella, bouillabaisse, frutti di mare",
    safe="oyster mushroom, oyster leaf, king oyster, oyster plant, oyster crackers, mushroom oyster sauce, "
    "vegetarian oyster sauce, scalloped potato, scallop potato, clam shell, clamshell, scallop edge",
    claims=VEGGIE_CLAIMS,
)
MILK = _substance(
    "almond milk chocolate, hazelnut milk chocolate, coconut milk chocolate, walnut milk chocolate, "
    "milk, cheese, cream, butter, yogurt, yoghurt, cheddar, mozzarella, parmesan, parmigiano, "
    "grana padano, pecorino, feta, brie, camembert, gouda, edam, emmental, emmenthal, gruyere, "
    "halloumi, ricotta, mascarpone, paneer, stilton, roquefort, gorgonzola, manchego, provolone, "
    "burrata, quark, skyr, kefir, lassi, ghee, buttermilk, whey, casein, caseinate, curd, "
    "creme fraiche, custard, ice cream, gelato, fromage frais, labneh, cottage cheese, clotted cream, "
    "dulce de leche, lactose, dairy, milkshake, latte, cappuccino, flat white, milk powder, "
    "milk solid, buttercream, cheesecake, raclette, fondue, comte, asiago, havarti, jarlsberg, "
    "monterey jack, red leicester, wensleydale, double gloucester, goats cheese, taleggio, fontina, "
    "queso, kashk, butterscotch, ryazhenka, margherita, quattro formaggi, tzatziki, raita, alfredo, "
    "carbonara, bechamel, rarebit, panna cotta, tiramisu, kulfi, barfi, burfi, rasgulla, rasmalai, "
    "gulab jamun, ras malai, peda, malai, makhani, white chocolate, milk chocolate, lactalbumin, "
    "leche, half and half, frappe, affogato, babybel, ploughmans, quesadilla, macaroni cheese, "
    "cornetto, choc ice, stracciatella, tetilla, cabrales, oaxaca, cotija, kajmak, twarog, "
    "farmers cheese, sheeps milk, infant formula, follow on milk, crema, dahi, ayran, doogh, khoya, "
    "mawa, rabri, shrikhand, smetana, fromage, queijo, burratina, stracchino, crescenza",
    usual="fishcake, fish cake, concha, melonpan, sweet bun, pistachio cream, nut cream, brittle, "
    "peanut brittle, biryani, tikka, tandoori, cottage pie, shepherds pie, fish pie, sausage roll, "
    "meatball, noodle pot, liverwurst, sweet roll, paratha, maamoul, chin chin, pie, drizzle, "
    "stuffing, mini egg, gravy granule, white coffee, coffee whitener, whitener, creamer, "
    "white bread soft, sweet bread, zurek, bratwurst, tunnbrod, agege, pizza, brownie, muffin, "
    "croissant, brioche, danish, pain au chocolat, scone, cake, cupcake, pancake, waffle, cookie, "
    "fudge, toffee, caramel, praline, truffle, nougat, shortbread, pudding, quiche, pesto, ranch, "
    "caesar, pavlova, trifle, eclair, profiterole, doughnut, donut, donuts, gateau, tart, lasagne, "
    "lasagna, gnocchi ripieni, ravioli, tortellini, tortelloni, cannelloni, moussaka, risotto, "
    "chocolate, hot chocolate, naan, pierogi, chowder, dauphinoise, gratin, mash, mashed potato, "
    "mithai, ladoo, laddu, halwa, rice krispie, protein bar, protein shake, mousse, stollen, "
    "panettone, pandoro, babka, madeleine, financier, sponge, spanakopita, burek, borek, bourekas, "
    "blintz, crepe, korma, tikka masala, butter chicken, enchilada, nachos cheese, garlic bread, "
    "macaron, meringue nest filled, carrot cake, millionaires, rocky road, flapjack, wotsit, "
    "puff cheese, digestive biscuit, bourbon cream, dauphinois, mac and cheese, malted drink, "
    "stroganoff, soan papdi, kaju, gajar, kheer, crumpet, pastel de nata, mince pie, bread sauce, "
    "souffle, sour cream and onion, baklava, hot cross bun, pide, manti, flan, key lime, cannoli, "
    "zabaglione, cream cracker, biscuit, candy bar, ganache, sundae, yule log, garlic baguette, "
    "churro, pretzel chocolate, quality assortment, chocolate coin, chocolate egg",
    safe="coconut milk ice cream, custard apple, custard powder, key lime juice, pie filling, pie dish, "
    "risotto rice, lasagne sheet, lasagna sheet, bread sauce mix, curd marmalade, jelly and curd, "
    "apple pie spice, pumpkin pie spice, pie crust,"
    + _PLANT_MILKS
    + ", butter bean, butternut, butternut squash, butter lettuce, butterhead, butterhead lettuce, "
    "butterfly, butter knife, peanut butter, almond butter, cashew butter, nut butter, seed butter, "
    "cocoa butter, shea butter, apple butter, pumpkin butter, sunflower butter, sunflower seed butter, "
    "pumpkin seed butter, sesame butter, body butter, cream of tartar, creamed coconut, "
    "cream of coconut, coconut cream, cream cracker, cream soda, creamed corn, rice cake, corn cake, "
    "crab cake, crabcake, potato cake, oatcake, oat cake, lentil cake, date cake, mooncake lotus, "
    "bean curd, lemon curd vegan, beancurd, lime curd vegan, tofu, cheese plant, cheese knife, "
    "cheese board, cream horn mould, milk thistle, milk frother, milk cap, milk tooth, dark chocolate, "
    "cooking chocolate dark, plain chocolate, vegan chocolate, fishcake, quinoa cake, truffle oil, "
    "black truffle, truffle salt, winter truffle, summer truffle, truffle crisp, truffle sauce, "
    "chocolate stout, milk stout, cake case, cake candle, cake tin, cake stand, cake box, cake topper, "
    "pancake syrup, black pudding, pudding rice, white pudding, yorkshire pudding mix, caramel colour, "
    "caramel color, cream sherry, pizza base, pizza dough, pizza sauce, pizza flour, cake flour, "
    "pancake roll, chinese pancake, duck pancake, malt vinegar, ploughmans pickle, ploughmans chutney, "
    "butter flavour popcorn, irish moss, scallion pancake, cookie cutter, waffle cone, waffle fry, "
    "waffle cut, potato waffle, seaweed, cocoa mass, milk free, tart cherry, tartar, tart apple, "
    "tart fruit, tart plum, waffle cutter, halwa tahini, tahini halva, chocolate malt, creamy rice, "
    "pop tart, cream egg vegan, sponge cloth, sponge finger, cookie dough vegan, choc chip vegan",
    claims="alternative, "
    + VEGAN_CLAIMS
    + ", dairy free, milk free, pareve, parve, without dairy, no dairy, without milk, no milk",
)
EGGS = _substance(
    "egg, omelette, omelet, frittata, mayonnaise, mayo, aioli, meringue, quiche, custard, hollandaise, "
    "bearnaise, tartare sauce, albumen, eggnog, advocaat, pavlova, egg noodle, carbonara, "
    "tortilla espanola, spanish omelette, scotch egg, zabaglione, kedgeree, lemon curd, shakshuka, "
    "souffle, egg white, yolk, tamago, chawanmushi, ovalbumin, matzo ball, tamagoyaki, lime curd",
    usual="knish, concha, melonpan, sesame dressing, latke, croquette, pie, maamoul, chin chin, sufganiyot, "
    "stuffing, mandlen, pecan pie, pumpkin pie, drizzle, lemon slice, gluten free bread, "
    "gluten free white, gluten free loaf, mycoprotein, zurek, sweet roll, cake, cupcake, muffin, "
    "brownie, cookie, brioche, croissant, danish, pancake, waffle, crepe, doughnut, donut, donuts, "
    "eclair, profiterole, macaron, sponge, gateau, trifle, tiramisu, ice cream, gelato, mousse, "
    "fresh pasta, tagliatelle, pappardelle, ravioli, tortellini, tortelloni, cannelloni, "
    "yorkshire pudding, pudding, stollen, panettone, pandoro, babka, challah, caesar, ranch, coleslaw, "
    "potato salad, tartare, tartar sauce, marshmallow, nougat, schnitzel, fish finger, nugget, "
    "breaded, tempura, blini, blintz, pierogi, spaetzle, lasagne sheets egg, gnocchi, flan, "
    "pastel de nata, cheesecake, quorn, tart, madeleine, financier, scone, thousand island, dumpling, "
    "wonton, gyoza, noodle, ramen, lady finger, sponge finger, amaretti, torrone, bagel, "
    "potato pancake, gefilte, kneidlach, matzo ball mix, falafel bites egg, pasty, meatball, "
    "hot cross bun, hash brown egg, teacake, mince pie, mooncake, pineapple bun, salad cream, "
    "remoulade, horseradish sauce, sandwich spread, battered, fishcake, fish cake, crab cake, "
    "sausage roll, quenelle, kugel, gingerbread, biscotti, cheese straw, pastry, cannoli, churro, "
    "moussaka, lasagne, lasagna, key lime, pad thai, honey mustard dressing, yule log, "
    "celebration cake, marzipan fruit, royal icing, fondant fancy, icing sugar royal, burek, "
    "fried rice, nasi goreng, blue cheese dressing",
    safe="lasagne sheet, tart apple, potato gnocchi, ladys finger, latke mix, pancake mix, somen noodle, "
    "zucchini noodle, "
    "flat doughnut peach, doughnut peach, ginger snap, eggplant, egg plant, easter egg, chocolate egg, "
    "creme egg, mini egg, egg free, egg replacer, egg cup, egg timer, egg hunt, egg decorating, "
    "egg dye, no egg, egg box, egg substitute, egg whisk, egg poacher, rice noodle, glass noodle, "
    "soba noodle, udon noodle, udon, mung bean noodle, sweet potato noodle, konjac noodle, "
    "kelp noodle, somen, rice cake, corn cake, lentil cake, potato cake, oatcake, oat cake, date cake, "
    "quinoa cake, cake case, cake candle, cake tin, cake stand, cake box, cake topper, cake flour, "
    "pancake syrup, pudding rice, black pudding, white pudding, rice pudding, sponge cloth, "
    "cookie cutter, cheese cake vegan, ice cream cone, ice cream wafer, potato waffle, waffle fry, "
    "chinese pancake, tart cherry, caesar vegan, egg shaped, foil egg, sugar egg, painted egg, "
    "wooden egg, plastic egg, buckwheat noodle, wheat noodle, ramen broth, noodle broth, "
    "ramen seasoning, pop tart, pastry brush, filo pastry, filo, shortcrust pastry, puff pastry, "
    "noodle sauce, tempura flour, tempura batter mix, dumpling wrapper, gyoza wrapper, gyoza skin, "
    "pastry flour, pastry cutter, instant noodle, waffle cone, dark chocolate",
    claims=VEGAN_CLAIMS + ", egg free, without egg, no egg",
)
ANIMAL = _substance(
    "honey, gelatin, gelatine, beeswax, royal jelly, bee pollen, propolis, collagen, cochineal, "
    "carmine, shellac, rennet, lanolin, bone char, isinglass, bone marrow, honeycomb, animal, aspic, "
    "mead",
    usual="sugar pearl, confectioners glaze, marshmallow, gummy bear, gummy, jelly bear, jelly bean, "
    "wine gum, haribo, jelly sweet, panna cotta, jelly cube, granola, baklava, cola bottle, mooncake, "
    "lebkuchen, fizzy worm, foam shrimp, gummi, liquorice allsorts, pastille, mousse, gingerbread, "
    "honey roast, honey mustard, jelly",
    safe="honeydew, honey melon, honey mango, honey pomelo, honeynut squash, honey dipper, "
    "honey nut squash, honey bean, bean honey, date honey, petroleum jelly, vegan gummy, vegan jelly, "
    "vegan marshmallow, jelly mould, grape jelly, mint jelly, redcurrant jelly, fruit jelly, "
    "quince jelly, grass jelly, coconut jelly, vegan honey, animal shape, animal cracker, animal free, "
    "honeysuckle, honey fungus, royal jelly mushroom, cranberry jelly, apple jelly, crab apple jelly, "
    "pepper jelly, aloe jelly, agar jelly, honey wheat loaf vegan, vegetable rennet, "
    "vegetarian rennet, microbial rennet",
    claims=VEGAN_CLAIMS,
)
SLAUGHTER = _substance(
    "gelatin, gelatine, collagen, rennet, aspic, cochineal, isinglass, lard, suet, tallow, beef, dripping",
    usual="pesto, oscypek, infant milk, infant formula, follow on milk, first milk, marshmallow, gummy bear, "
    "gummy, gummi, jelly bear, wine gum, haribo, jelly sweet, jelly cube, panna cotta, parmesan, "
    "parmigiano, grana padano, pecorino, gorgonzola, gruyere, manchego, roquefort, cola bottle, "
    "fizzy worm, foam shrimp, pastille, caesar, mousse pot, trifle, christmas pudding, comte, "
    "emmental, cabrales, raclette, beaufort, fondue",
    safe="beef flavour, beef seasoning, beef rub, vegan gummy, vegetarian gummy, vegan marshmallow, "
    "vegetable suet, vegetarian suet, vegetable rennet, vegetarian rennet, microbial rennet, "
    "fish gelatine, beef tomato, beefsteak tomato, agar jelly, goat gouda, vegetarian parmesan,",
    claims=VEGGIE_CLAIMS,
)
GLUTEN = _substance(
    "oat, oatmeal, porridge, knish, wheat, gluten, barley, rye, spelt, semolina, couscous, bulgur, "
    "freekeh, seitan, farro, kamut, durum, emmer, einkorn, triticale, pasta, spaghetti, penne, "
    "fusilli, linguine, tagliatelle, lasagne, lasagna, macaroni, rigatoni, farfalle, orzo, ravioli, "
    "tortellini, tortelloni, cannelloni, conchiglie, vermicelli, pappardelle, fettuccine, bucatini, "
    "orecchiette, ditalini, stelline, gnocchi, bread, baguette, ciabatta, focaccia, sourdough, "
    "brioche, croissant, pitta, pita, naan, chapati, roti, paratha, flour tortilla, bread roll, "
    "crouton, breadcrumb, breaded, panko, crispbread, matzo, matza, matzah, cupcake, scone, donut, "
    "donuts, pastry, quiche, crepe, strudel, eclair, profiterole, shortbread, digestive, rusk, udon, "
    "noodle, wonton, samosa, spring roll, filo, phyllo, flour, batter, battered, beer, lager, ale, "
    "stout, pilsner, malt, malted, weetabix, wheat biscuit, breakfast biscuit, soy sauce, soya sauce, "
    "shoyu, teriyaki, hoisin, crumpet, teacake, bialy, challah, babka, stollen, baklava, lavash, "
    "tempura, nugget, fish finger, schnitzel, pierogi, vareniki, pelmeni, perogie, gateau, sponge, "
    "tiramisu, ladyfinger, burger bun, wheatgerm, bran flake, lebkuchen, parkin, simnel, "
    "yorkshire pudding, toad in the hole, oatcake, flapjack, muesli, bourekas, burek, borek, mantou, "
    "bao, gyoza wrapper, atta, maida, graham, trahana, fregola, matzoh",
    usual="nut roast, hoop, rice pop, all day breakfast, cottage pie, natto, stroganoff, sufganiyot, "
    "breakfast cereal, cornflake, corn flake, cereal, tart, toast, toastie, pie, pasty, cake, wrap, "
    "bun, roll, sandwich, cookie, gravy, stuffing, crumble, quesadilla, enchilada, burrito, "
    "gingerbread, danish, dumpling, bagel, cracker, gyoza, waffle, pizza, muffin, brownie, pancake, "
    "biscuit, cheesecake, trifle, granola, pretzel, loaf, ramen, panettone, doughnut, jerk, muhammara, "
    "bibimbap, mithai, namkeen, chakli, chivda, crispy fried onion, fried onion, mint sauce, "
    "sesame dressing, wholegrain mustard, english mustard, pickle, piccalilli, black rice vinegar, "
    "chinkiang, suet, grissini, breadstick, gefilte, fajita, mole, furikake, bulgogi, ssamjang, "
    "chilli paste, chilli bean, shaoxing, satay, tempeh, jerky, dried squid, kadayif, cocktail mix, "
    "chin chin, sour cream and chive, bibimbap bowl, oat, porridge, oatmeal, sausage, meatball, "
    "burger, seasoned fry, oyster sauce, miso, ponzu, yakisoba, chowder, bechamel, macaroni cheese, "
    "wafer, ice cream cone, kofta, kofte, gulab jamun, falafel, onion ring, onion bhaji, chicken kiev, "
    "kiev, goujon, popcorn chicken, scotch egg, mince pie, liquorice, licorice, haggis, malt vinegar, "
    "surimi, seafood stick, fishcake, fish cake, crab cake, calamari ring, squid ring, battered squid, "
    "arancini, mozzarella stick, jalapeno popper, croquette, karaage, katsu, tonkatsu, kibbeh, manti, "
    "moussaka, tabbouleh, tabouleh, fattoush, mooncake, churro, christmas pudding, "
    "sticky toffee pudding, spotted dick, treacle sponge, sundae cone, cone, pop tart, cereal bar, "
    "granola bar, cookie dough, kitkat, malt loaf, witbier, dubbel, ipa, porter, gochujang, doenjang, "
    "black bean sauce, sweet and sour, kung pao, chow mein, lo mein, ladoo, soan papdi, seviyan, "
    "semiya, bhel, bombay mix, stock cube, stock pot, bouillon, tamari, halva puri, puri, kulcha, "
    "dosa mix rava, rava, sooji, suji, upma, kataifi, kanafeh, maamoul, basbousa, ravioli, "
    "worcestershire, brown sauce, salad kit, caesar salad, crispy onion, curry roux, curry cube, "
    "marmite, yeast extract, brewers yeast, malted drink, truffle filled wafer, party food, pakora, "
    "spring roll wrapper, popper, tart case, snack mix, trail mix pretzel, chocolate finger, "
    "fajita kit, taco kit, burrito kit, enchilada kit",
    safe=_each("cauliflower, courgette, courgetti, squash", "couscous, spaghetti, noodle, lasagne sheet, lasagna sheet")
    + ", pickle spice, sweet and sour cabbage, pickled, gluten free, corn tortilla, rice noodle, "
    "glass noodle, mung bean noodle, sweet potato noodle, konjac noodle, kelp noodle, shirataki, "
    "rice vermicelli, rice paper roll, rice pasta, corn pasta, lentil pasta, chickpea pasta, "
    "pea pasta, quinoa pasta, bean pasta, rice cracker, prawn cracker, corn cracker, seed cracker, "
    "flaxseed cracker, linseed cracker, rice cake, corn cake, lentil cake, quinoa cake, potato cake, "
    "rice flour, corn flour, cornflour, gram flour, chickpea flour, besan flour, potato flour, "
    "tapioca flour, almond flour, ground almond flour, coconut flour, buckwheat flour, cassava flour, "
    "yam flour, teff flour, quinoa flour, sorghum flour, millet flour, maize flour, masa flour, "
    "urad flour, lentil flour, plantain flour, banana flour, soya flour, chestnut flour, "
    "glutinous rice flour, glutinous rice, arrowroot flour, tapioca starch, root beer, ginger beer, "
    "ginger ale, kitchen roll, toilet roll, egg roll in a bowl, fruit roll, sushi roll, rollmop, "
    "summer roll, bacon roll joint, cloud bread, flourless, bread knife, bread bin, "
    "bread flour gluten free, bread seasoning, pie dish, cake case, cake tin, cake stand, cake candle, "
    "cake topper, pizza cutter, pizza stone, pizza sauce, pizza topping, pizza seasoning, pasta sauce, "
    "pasta bake sauce, spaghetti squash, spaghetti measure, soba buckwheat, buckwheat noodle, "
    "buckwheat, wheatgrass, potato waffle, swiss roll tin, pancake syrup, cauliflower pizza base, "
    "rice pudding, shepherds pie, fish pie, fisherman pie, date bar, socca, papadum, "
    "oat milk gluten free, gluten free oat, gluten free porridge, cookie cutter, pastry brush, "
    "stuffing mix gluten free, tart cherry, tart apple, fruit crumble topping gluten free, "
    "tomato soup, vegetable soup, lentil soup, bean soup, pea soup, chicken soup, miso paste rice, "
    "soup mix bean, cake sprinkle, cake decoration, bread and butter pickle, bread and butter pudding, "
    "burger cheese, burger relish, burger sauce, burger slice, sandwich pickle, sandwich bag, bun tin, "
    "beer mug, coconut wrap, lettuce wrap, nori wrap, rice paper wrap, rice wrap, seaweed wrap, "
    "wrap paper, gift wrap, cling wrap, fish batter gluten free, sweet roll up, fruit roll up, "
    "roll on, rice roll, beef burger, beef patty, ale vinegar, lamb burger, turkey burger, "
    "gravy browning, christmas cracker, beer bread, toasting, bean noodle, cake board, ice cream, oatly",
    claims="gluten free, coeliac, celiac, no gluten",
)
PEANUTS = _substance(
    "peanut, groundnut, monkey nut, satay, arachis oil, goober, peanut butter, kacang, cacahuete",
    usual="pad thai, massaman, mixed nut, trail mix, bombay mix, nut mix, kung pao, kare kare, party nut, "
    "gado gado, maafe, snack mix, bar mixture, nut bar, snickers, nut cluster, energy ball, chikki, "
    "bhel, dukkah",
    safe="peanut free",
    claims="peanut free, no peanut",
)
NUTS = _substance(
    "nut, almond, hazelnut, walnut, cashew, pistachio, pecan, macadamia, brazil nut, marzipan, "
    "frangipane, praline, nutella, gianduja, nougat, amaretti, amaretto, baklava, pesto, filbert, "
    "mixed nut, nut butter, gianduia, turron, torrone, bakewell, ground almond, orgeat, macaron, "
    "romesco, gianduiotti, nocciola, noisettes, nut milk, almond milk, kaju, badam, florentine, linzer, "
    "mandorla, noisette, financier, "
    "dukkah, muhammara, marron glace, ferrero, stollen, mandelbrot,",
    usual="colomba, gingerbread, trail mix, granola, muesli, muesli bar, energy ball, bombay mix, "
    "biryani nut, korma, mooncake, rocher, chocolate spread, truffle, boxed chocolate, chocolate box, "
    "simnel, dundee, panforte, panettone, barfi, burfi, ladoo, laddu, halwa, kulfi, cantuccini, "
    "biscotti, nut roast, maamoul, kataifi, kanafeh, christmas cake, battenberg, soan papdi, "
    "turkish delight, lebkuchen, tahini halva, halva, mithai, gulab jamun, rice pudding kheer, kheer, "
    "chocolate assortment, assorted chocolate, assorted milk and dark, peshwari, charoset, haroset, "
    "advent calendar truffle, seasonal assortment, brazil, madeleine, carrot cake, nut bar, "
    "cereal bar, fruit and nut, snack bar, date bar, raw bar, protein ball, mole sauce, satay, "
    "massaman, picada, king cake, galette des rois, pecan pie, christmas pudding, mince pie, "
    "selection box, chocolate egg filled, brownie, chocolate selection, chocolate heart box, "
    "date roll, filled date, stuffed date",
    safe="nut tree, coconut, nutmeg, butternut, doughnut, donut, pine nut, chestnut, water chestnut, "
    "tiger nut, peanut, ginger nut, nut free, nutcracker, nut cracker, wing nut, nuts and bolts, "
    "monkey nut, soy nut, soya nut, corn nut, cola nut, kola nut, nut brown, hex nut, brazilian, "
    "almond eyed, truffle oil, black truffle, summer truffle, truffle salt, truffle crisp, "
    "truffle sauce, winter truffle, truffle mayo, truffle pecorino, truffle cheese, white truffle, "
    "grape nut, betel nut, peanut butter, shea nut, honeynut squash,",
    claims="nut free, tree nut free, no nut, without nut",
)
SOYA = _substance(
    "soya, soy, soybean, edamame, tofu, tempeh, miso, natto, tamari, shoyu, teriyaki, hoisin, "
    "soya lecithin, soy lecithin, okara, yuba, tvp, textured vegetable protein, bean curd, doenjang, "
    "gochujang, ponzu, oyster sauce, black bean sauce, doubanjiang, ssamjang, kinako, aburaage, inari, "
    "kecap manis, tauco, tempe, soymilk, soyabean",
    usual="jerk, breadcrumb, bread, baguette, instant noodle, mini egg, chocolate egg, furikake, marinade, "
    "satay, jerky, soup powder, chocolate, ramen, gyoza, meat free, vegan burger, vegan mince, "
    "plant based, kung pao, chow mein, sushi, yakisoba, bulgogi, vegan, vegetarian sausage, "
    "stir fry sauce, sweet chilli noodle, protein bar, worcestershire, mayonnaise, margarine, "
    "vegetable oil spread, sukiyaki, cookie, cake",
    safe="soy free, soya free, soy candle, soy wax",
    claims="soya free, soy free, no soya, no soy",
)
SESAME = _substance(
    "sesame, tahini, tahina, tehina, sesamum, simsim, gingelly, gomashio, hummus, houmous, halva, halvah, "
    "gomasio, zaatar, za atar, baba ganoush, "
    "baba ghanoush, furikake, til, dukkah, benne, everything bagel, simit, goma",
    usual="dukkah, chakli, mithai, mole, zaatar, everything, crispbread, cracker, ssamjang, gochujang, "
    "marinade, kadayif, seaweed snack, falafel, burger bun, sushi, bagel, bibimbap, gyoza, kimbap, "
    "japchae, bulgogi, breadstick, seeded, stir fry sauce, baklava, mooncake, teriyaki, granola, "
    "prawn toast, noodle, hamburger bun",
    safe="sesame free, sesame street",
    claims="sesame free, no sesame",
)
CELERY = _substance(
    "celery, celeriac",
    usual="mushroom soup, broth, soup powder, noodle pot, stock pot, spicy tomato, curry sauce, seasoning, "
    "stock, stock cube, bouillon, soup, gravy, bloody mary mix, mirepoix, soffritto, ready meal, "
    "bolognese, cottage pie, stuffing, vegetable juice, coleslaw",
    claims="celery free",
    safe="celery free, stock pot pan, rice stock",
)
MUSTARD = _substance(
    "mustard, dijon, kasundi, moutarde, senf",
    usual="muhammara, dressing, marinade, ready meal, tikka, curry, sushi, aioli, sausage, piccalilli, "
    "bibimbap, vinaigrette, mayonnaise, salad dressing, honey dressing, macaroni cheese, cheese sauce, "
    "remoulade, pickle, curry powder, ham, barbecue sauce, coleslaw, caesar, sandwich filler, hot dog, "
    "chutney, curry paste, achar",
    safe="mustard yellow, mustard free, mustard coloured",
    claims="mustard free",
)
LUPIN = _substance(
    "lupin, lupine, lupini",
    usual="gluten free flour",
    safe="lupin seed packet, garden lupin",
    claims="lupin free",
)
SULPHITES = _substance(
    "sulphite, sulfite, sulphur dioxide, sulfur dioxide, metabisulphite, metabisulfite, wine, "
    "prosecco, champagne, cava, cider, dried apricot, sherry, port wine, vermouth",
    usual="wine vinegar, cooking wine, mincemeat, stollen, panettone, colomba, fruit cake, "
    "christmas pudding, mince pie, hot cross bun, capers, olives, antipasti, candied, maraschino, "
    "chutney, vinegar, balsamic, raisin, sultana, dried fruit, dried mango, dried apple, "
    "pickled onion, lemon juice, lime juice, beer, dried pear, glace cherry, mixed peel, sauerkraut, "
    "prawn, shrimp, gherkin, sausage, dijon, desiccated coconut, horseradish, grape juice, molasses, "
    "jam, pickle, mulled",
    safe="wine glass, wine rack, wine gum",
    claims="sulphite free, sulfite free, no added sulphite, unsulphured, unsulfured",
)
ALCOHOL_DRINKS = _substance(
    "alcohol, alcoholic, beer, lager, ale, stout, pilsner, pils, ipa, best bitter, cider, perry, "
    "scrumpy, witbier, dubbel, tripel, weissbier, wine, rioja, malbec, merlot, cabernet, sauvignon, "
    "chardonnay, pinot, shiraz, riesling, albarino, vinho verde, zinfandel, chianti, primitivo, "
    "moscato, lambrusco, sauternes, prosecco, champagne, cava, gin, vodka, tequila, mezcal, whisky, "
    "whiskey, scotch whisky, bourbon, rum, brandy, cognac, armagnac, liqueur, aperitif, aperitivo, "
    "vermouth, sherry, ruby port, tawny port, port wine, sake, soju, shaoxing, mirin, hard seltzer, "
    "absinthe, schnapps, spritz, advocaat, aquavit, pisco, cachaca, ouzo, raki, grappa, limoncello, "
    "amaretto, sambuca, baileys, spirit, alcopop, cocktail, margarita, mojito, daiquiri, negroni, "
    "sangria, mead, baijiu, booze, boozy, single malt, mulling cider, kirsch, ale and stout, "
    "beaujolais, gamay, rose wine, buck fizz, martini, guinness",
    safe="ginger beer, root beer, ginger ale, butter beer, butterbeer, wine vinegar, cider vinegar, "
    "apple cider vinegar, sherry vinegar, champagne vinegar, rice wine vinegar, malt vinegar, "
    "beer batter, beer battered, wine gum, rum raisin, rum and raisin, rum flavour, rum essence, "
    "white spirit, methylated spirit, surgical spirit, wine glass, wine rack, wine stopper, "
    "wine cooler bag, wine bag, beer glass, beer mug, champagne flute, champagne glass, gin glass, "
    "cocktail sausage, cocktail stick, cocktail shaker, cocktail glass, cocktail napkin, "
    "cocktail sauce, cocktail onion, cocktail gherkin, cocktail tomato, prawn cocktail, "
    "fruit cocktail, shrimp cocktail, seafood cocktail, cocktail umbrella, cocktail cherry, "
    "champagne mango, champagne grape, champagne rhubarb, champagne gold, bourbon biscuit, "
    "bourbon cream, bourbon vanilla, chocolate bourbon, spirit level, festive spirit, "
    "christmas spirit, wine red colour, wine leaf, vine leaf, whisky tumbler, shot glass, "
    "hand rub alcohol, alcohol wipe, alcohol hand gel, rubbing alcohol, cetyl alcohol, gin rummy, "
    "brandy snap, brandy butter, brandy sauce, 0 alcohol, 0.0 alcohol, for the sake, sake of, sake set, "
    "margarita pizza, "
    "cider doughnut, cider donut, alcohol prep pad, martini glass, margarita glass, wine glass marker, "
    "beer bread mix, pinot noir glass, virgin mojito, virgin cocktail, cabernet franc grape, wine cork,",
    claims="alcohol free, non alcoholic, nonalcoholic, no alcohol, zero alcohol, dealcoholised, "
    "dealcoholized, de alcoholised, 0.0, mocktail, without alcohol, no and low",
)
_DISH_ALCOHOL = Lexicon(
    "beer batter, beer battered, rum raisin, rum and raisin, brandy sauce, brandy butter, tiramisu, "
    "coq au vin, beef bourguignon, steak and ale, rum baba, kombucha, vanilla extract, sherry trifle, "
    "champagne truffle, christmas pudding, penne alla vodka, marsala wine, sushi box, miso marinated, "
    "bourguignon, worcestershire wine, rum ball, marinated in wine, cooking wine",
    "alcohol free vanilla extract",
)
ALCOHOL = Substance(ALCOHOL_DRINKS.named, _DISH_ALCOHOL, Lexicon("halal alternative"))


class Diet(NamedTuple):
    """What a diet leaves out. `avoids` is proof when named; `uncertified` needs the diet's own claim."""

    avoids: tuple[Substance, ...] = ()
    uncertified: tuple[Substance, ...] = ()
    claims: Lexicon = Lexicon("")
    implied_by: frozenset[str] = frozenset()
    allergens: frozenset[str] = frozenset()
    denials: Lexicon = Lexicon("")


_ODD_FISH = _substance(
    "eel, catfish, monkfish, shark, swordfish, sturgeon, caviar, skate, ray, rabbit, hare, horse",
    safe="ray ban",
)
_SEA = frozenset({"crustaceans", "molluscs"})
DIETS: Mapping[str, Diet] = MappingProxyType(
    {
        "vegan": Diet(
            (MEAT, FISH, CRUSTACEANS, MOLLUSCS, MILK, EGGS, ANIMAL),
            claims=Lexicon("vegan, suitable for vegan, plant based"),
            allergens=_SEA | {"milk", "eggs", "fish"},
            denials=Lexicon("not suitable for vegan, not vegan, unsuitable for vegan, not suitable for vegetarian"),
        ),
        "vegetarian": Diet(
            (MEAT, FISH, CRUSTACEANS, MOLLUSCS, SLAUGHTER),
            claims=Lexicon("vegetarian, vegan, suitable for vegetarian, suitable for vegan"),
            implied_by=frozenset({"vegan"}),
            allergens=_SEA | {"fish"},
            denials=Lexicon("not suitable for vegetarian, unsuitable for vegetarian, not vegetarian"),
        ),
        "pescatarian": Diet(
            (MEAT, SLAUGHTER),
            claims=Lexicon("pescatarian, vegetarian, vegan, suitable for vegetarian, suitable for vegan"),
            implied_by=frozenset({"vegan", "vegetarian"}),
        ),
        "gluten-free": Diet((GLUTEN,), claims=Lexicon("gluten free"), allergens=frozenset({"gluten"})),
        "dairy-free": Diet(
            (MILK,),
            claims=Lexicon("dairy free"),
            implied_by=frozenset({"vegan"}),
            allergens=frozenset({"milk"}),
        ),
        "nut-free": Diet((NUTS, PEANUTS), allergens=frozenset({"nuts", "peanuts"})),
        "halal": Diet((PORK, ALCOHOL), (MEAT, SLAUGHTER, CRUSTACEANS, MOLLUSCS), Lexicon("halal")),
        "kosher": Diet(
            (PORK, ALCOHOL, CRUSTACEANS, MOLLUSCS, _ODD_FISH),
            (MEAT, SLAUGHTER),
            Lexicon("kosher"),
            allergens=_SEA,
        ),
    }
)
ALLERGENS: Mapping[str, Substance] = MappingProxyType(
    {
        "gluten": GLUTEN,
        "crustaceans": CRUSTACEANS,
        "eggs": EGGS,
        "fish": FISH,
        "peanuts": PEANUTS,
        "soya": SOYA,
        "milk": MILK,
        "nuts": NUTS,
        "celery": CELERY,
        "mustard": MUSTARD,
        "sesame": SESAME,
        "sulphites": SULPHITES,
        "lupin": LUPIN,
        "molluscs": MOLLUSCS,
    }
)
NON_FOOD = Lexicon(
    "pet, dog, cat, puppy, kitten, hamster, rabbit and rodent, aquarium, litter, wild bird, detergent, "
    "laundry, cleaning, dishwashing, washing up, shampoo, conditioner, beauty, personal care, "
    "toothpaste, mouthwash, deodorant, makeup, skin care, skincare, soap, shower gel, cosmetic, "
    "sunscreen, sun care, toilet roll, toilet paper, kitchen roll, tissue, bin bag, cling film, foil, "
    "baking paper, candle, stationery, toy, book, garden, home and living, household, diy, battery, "
    "light bulb, kitchen and dining, cookware, bakeware, utensil, tableware, nappy, diaper, wipe, "
    "razor, shaving, tampon, period care, medicine, pharmacy, first aid, pain relief, tobacco, vaping, "
    "electronic, clothing, furniture, car care, outdoor and travel, gift wrap, greeting card, balloon, "
    "party and gift, christmas decoration, halloween decoration, easter decoration, diwali decoration, "
    "lunar new year decoration, lights and decoration, eid decoration, valentines gift, "
    "thanksgiving table, barbecue party, costume, school supply, school bag, wrapping paper, remedy, "
    "home safety, yoga, linen, tablecloth, bedding, footwear, shoe, hat, jewellery, jewelry, glassware, barware, "
    "drinkware, homeware, cushion, curtain, rug, towel, luggage, bouquet, compost, houseplant, "
    "bath and skin, feeding gear, changing, small pet",
    safe="hot dog, corn dog, chilli dog, cats tongue, garden pea, garden vegetable, garden mint, "
    "garden salad, rice paper, kitchen garden, chocolate foil, foil wrapped, edible decoration, "
    "cake decoration, decoration sugar, chocolate and decoration, cook book chocolate, home baked",
)

INGESTED = re.compile(r"(?i)\b(?:health|medicine|pharmacy|remed\w+|vitamins?|supplements?)\b")
"""Shelves of goods that are no food and are swallowed all the same."""

PET = Lexicon(
    "pet, dog, cat, puppy, kitten, hamster, gerbil, guinea pig, bird food, aquarium, small pet, rabbit food",
    safe="hot dog, corn dog, chilli dog, cats tongue, black cat, raining cats and dogs, dog days",
)
_SAME = (
    "aubergine, eggplant, brinjal",
    "courgette, zucchini",
    "coriander, cilantro, dhania",
    "rocket, arugula, rucola",
    "spring onion, scallion, green onion, salad onion",
    "beetroot, beet",
    "swede, rutabaga",
    "chickpea, garbanzo",
    "sweetcorn, corn on the cob, corn kernel",
    "mangetout, snow pea",
    "broad bean, fava bean, fava",
    "pepper, capsicum, bell pepper",
    "chilli, chili, chile",
    "liquorice, licorice",
    "prawn, shrimp",
    "peanut, groundnut",
    "yoghurt, yogurt",
    "gherkin, cornichon, dill pickle",
)
KINDS: Mapping[str, Lexicon] = MappingProxyType(
    {
        **{" ".join(tokens(name)): Lexicon(names) for names in _SAME for name in names.split(",")},
        "nut": Lexicon(f"{NUTS.named.terms},peanut", NUTS.named.safe),
        "cheese": Lexicon(
            "cheese, cheddar, mozzarella, parmesan, feta, brie, camembert, gouda, edam, emmental, gruyere, halloumi, "
            "ricotta, mascarpone, paneer, stilton, roquefort, gorgonzola, manchego, provolone, burrata, pecorino, "
            "cheesecake, fondue, raclette, comte, grana padano",
            "cheese plant, cheese board, cheese knife",
        ),
        "meat": MEAT.named,
        "pork": PORK.named,
        "fish": FISH.named,
        "seafood": FISH.named + CRUSTACEANS.named + MOLLUSCS.named,
        "shellfish": CRUSTACEANS.named + MOLLUSCS.named,
        "alcohol": ALCOHOL_DRINKS.named,
        "offal": Lexicon("offal, liver, kidney, tripe, haggis, sweetbread", "kidney bean"),
    }
)
"""What a disliked kind stands for, and the other names of one thing."""
FOODSTUFFS = (MEAT, *ALLERGENS.values())
FOODS = Lexicon(
    ",".join(lexicon.terms for lexicon in (*KINDS.values(), *(s.named for s in FOODSTUFFS)))
    + ", olive, mushroom, onion, garlic, tomato, banana, bean, cabbage, sprout, spinach, avocado, marmite"
)
"""Disliked to eat, so not in goods that nobody eats: no shopper who dislikes olives means olive-green towels."""
TASTES = re.compile(r"flavou?r|season|style|less|mock|rub|salt|spice")

ADULT = 18
GOODS: Mapping[str, Substance] = MappingProxyType(
    {
        "alcohol": ALCOHOL_DRINKS,
        "pork": PORK,
        "tobacco": _substance(
            "tobacco, cigarette, cigar, cigarillo, vape, vaping, e cigarette, e liquid, nicotine, snus, "
            "rolling paper, hookah, shisha",
            safe="nicotine patch, nicotine gum, chocolate cigarette, candy cigarette, cigar shaped, cigar box guitar",
        ),
        "knives": _substance(
            "knife, cleaver, machete, axe, utility blade, razor blade, scalpel, multi tool, box cutter, "
            "carving tool, dagger",
            safe="butter knife, knife block empty, palette knife, knife sharpener, cheese knife plastic, "
            "plastic knife, wooden knife, table knife, putty knife, knives forks and spoons, "
            "knife fork and spoon, toddler knife, paper knife",
        ),
        "fireworks": _substance(
            "firework, sparkler, firecracker, rocket firework, banger firework, fountain firework, "
            "ice fountain, butane, lighter fluid",
            safe="sparkler card",
        ),
        "gambling": _substance("lottery, scratch card, scratchcard, betting, casino", safe=""),
        "adult goods": _substance(
            "condom, lubricant, vibrator, lingerie, sex, sexy, sex toy, erotic, erotica, fetish, bondage, "
            "kinky, strip poker, "
            "drinking game, beer pong, adult toy, adult game",
            safe="bike lubricant, chain lubricant",
        ),
        "energy drinks": _substance(
            "energy drink, energy shot, caffeine energy, energy gel with caffeine, pre workout"
        ),
        "medicine": _substance(
            "medicine, paracetamol, acetaminophen, ibuprofen, aspirin, naproxen, codeine, painkiller, "
            "antihistamine, cetirizine, loratadine, decongestant, cough syrup, cough mixture, loperamide, "
            "laxative, senna, antacid, diphenhydramine, sleeping tablet, sleep tablet, cold and flu capsule, "
            "cold and flu sachet, cold and flu liquid, cold and flu syrup, cold and flu relief, dextromethorphan, "
            "doxylamine, pseudoephedrine, migraine, worming tablet, melatonin, hay fever tablet, pain relief, "
            "sleep aid",
            safe="medicine ball, medicine cabinet, toy medicine",
        ),
        "flames": _substance(
            "candle, tealight, tea light, match box, matches, lighter, firelighter, sparkler, incense",
            safe="birthday candle, cake candle, led candle, flameless candle, candlelight, number candle, "
            "lighter meal, lighter lunch",
        ),
        "leaven": _substance(
            "bread, loaf, baguette, roll, bun, bagel, pitta, cake, biscuit, cookie, cracker, pasta, noodle, "
            "beer, whisky, wheat, barley, oat, rye, spelt, pastry, pizza, cereal, yeast, croissant, muffin, "
            "couscous, flour",
            safe="kosher for passover, matzo, matzah, matza, passover, almond flour, potato flour, "
            "coconut flour, "
            "egg noodle passover, potato starch, nutritional yeast, rice cake, kitchen roll",
            claims="passover, pesach, matzo, matzah, matza",
        ),
        "honey": _substance(
            "honey, manuka", safe="honeydew, honey melon, honey mango, honeynut squash, honey scented,"
        ),
    }
)
"""What the pairings and the age limits name; found in titles and categories."""
EDIBLE = frozenset({"alcohol", "leaven"})
PACKED = re.compile(
    r"(?i)\b(?:gifts?|hampers?|set|kit|basket|bottles?|cans?|drinks?|tasting|miniatures?|abv)\b|\d\s?(?:cl|ml|l|litres?)\b"
)
"""In the title of goods that are no food, a sign that there may be a drink with them."""
ADULTS_ONLY = re.compile(
    r"(?i)\b(?:adults only(?=\W*$|[.,;:!)])|(?:over[- ]|strictly )18s?\b|18 (?:and|or) over|18\s*\+)"
    r"(?!\s*(?:m|months?|pieces?|pcs|cm|g|ml)\b)"
)

AGE_LIMITS: Mapping[str, int] = MappingProxyType(
    {
        "alcohol": ADULT,
        "tobacco": ADULT,
        "knives": ADULT,
        "fireworks": ADULT,
        "gambling": ADULT,
        "adult goods": ADULT,
        "energy drinks": 16,
        "medicine": 16,
    }
)


class Pairing(NamedTuple):
    """Goods that may not stand beside an occasion or a title; `goods` are names of GOODS or "human food"."""

    name: str
    when: Lexicon
    goods: tuple[str, ...]
    where: tuple[str, ...] = ("occasion", "title")
    adults_only: bool = False
    """Also everything that the catalog declares for adults only."""


_CHILD = Lexicon(
    "childrens birthday, childrens party, child birthday, kid birthday, kid party, childs birthday, "
    "children birthday, children party, toddler party, toddler birthday, small guest, party bag, "
    "pass the parcel, back to school, school run, school lunch, school bag, schoolbag, lunchbox, "
    "baby shower, new baby, newborn, christening, first birthday, teddy bears picnic, childrens, "
    "nursery, first day kit, trick or treater, little one, kindergarten, preschool, playgroup, playdate, "
    "kids table, school disco, first communion,"
    + _each("1st, 2nd, 3rd, 4th, 5th, 6th, 7th, 8th, 9th, 10th, 11th, 12th, 13th", "birthday")
    + ","
    + _each("second, third, fourth, fifth, sixth, seventh, eighth, ninth, tenth, eleventh, twelfth", "birthday"),
    safe="teach children",
)
PAIRINGS: tuple[Pairing, ...] = (
    Pairing(
        "a child's occasion",
        _CHILD,
        ("alcohol", "tobacco", "knives", "fireworks", "gambling", "adult goods", "medicine", "energy drinks"),
        adults_only=True,
    ),
    Pairing(
        "Ramadan and Eid",
        Lexicon("ramadan, eid, iftar, suhoor, eid al fitr, eid al adha"),
        ("alcohol", "tobacco", "pork"),
    ),
    Pairing(
        "Hanukkah and Passover",
        Lexicon("hanukkah, chanukah, passover, pesach, seder, rosh hashanah, shabbat"),
        ("pork",),
    ),
    Pairing("Passover", Lexicon("passover, pesach, seder, without leaven"), ("leaven",)),
    Pairing(
        "toddlers",
        Lexicon(
            "toddler, baby, babies, nursery, small hand, crawling",
            safe="baby spinach, baby potato, baby carrot, baby corn, baby leaf, baby shower",
        ),
        ("flames", "tobacco", "alcohol", "knives"),
        ("title",),
    ),
    Pairing(
        "babies",
        Lexicon(
            "baby, babies, infant, newborn, weaning, first spoon, puree",
            safe="baby spinach, baby potato, baby carrot, baby corn, baby leaf, baby gem, baby back rib, "
            "baby shower, baby new potato, baby beet, baby vegetable",
        ),
        ("honey",),
        ("title",),
    ),
    Pairing(
        "pets",
        Lexicon(PET.terms + ", cats and dogs, pup, pooch", PET.safe + ", catfish"),
        ("human food",),
        ("title",),
    ),
    Pairing("alcohol and medicine", ALCOHOL_DRINKS.named, ("medicine",), ("title",)),
)

DIET_WISHES: Mapping[str, str] = MappingProxyType(
    {
        "veggie": "vegetarian",
        "lacto-vegetarian": "vegetarian",
        "ovo-vegetarian": "vegetarian",
        "lacto-ovo-vegetarian": "vegetarian",
        "plant-based": "vegan",
        "strict-vegetarian": "vegan",
        "pescetarian": "pescatarian",
        "pesco-vegetarian": "pescatarian",
        "coeliac": "gluten-free",
        "celiac": "gluten-free",
        "no-gluten": "gluten-free",
        "wheat-free": "gluten-free",
        "lactose-free": "dairy-free",
        "lactose-intolerant": "dairy-free",
        "milk-free": "dairy-free",
        "no-dairy": "dairy-free",
        "non-dairy": "dairy-free",
        "peanut-free": "nut-free",
        "tree-nut-free": "nut-free",
        "no-nuts": "nut-free",
        "nut-allergy": "nut-free",
        "keto": "low-carb",
        "ketogenic": "low-carb",
        "atkins": "low-carb",
        "muslim": "halal",
        "jewish": "kosher",
    }
)
"""What a shopper writes, to the diet that is kept for them. Item tags are never widened like this."""


def _names(eu: str, aliases: str) -> dict[str, frozenset[str]]:
    return {" ".join(tokens(alias)): frozenset(eu.split()) for alias in f"{aliases},{eu.replace(' ', ',')}".split(",")}


ALLERGEN_NAMES: Mapping[str, frozenset[str]] = MappingProxyType(
    {
        **_names("gluten", "wheat, barley, rye, oats, spelt, cereals containing gluten, coeliac, celiac"),
        **_names("crustaceans molluscs", "shellfish"),
        **_names("crustaceans molluscs fish", "seafood"),
        **_names("crustaceans", "crustacean, prawn, shrimp, crab, lobster"),
        **_names("molluscs", "mollusc, mollusk, squid, mussel, clam, oyster, scallop"),
        **_names("eggs", "egg"),
        **_names("fish", "finfish"),
        **_names("peanuts", "peanut, groundnut, ground nut"),
        **_names("soya", "soy, soybean, soya bean"),
        **_names("milk", "dairy, lactose, cows milk, whey, casein, milk protein"),
        **_names("nuts", "nut, tree nut, almond, hazelnut, walnut, cashew, pecan, brazil nut, pistachio, macadamia"),
        **_names("celery", "celeriac"),
        **_names("mustard", "mustard seed"),
        **_names("sesame", "sesame seed, tahini"),
        **_names("sulphites", "sulphite, sulfite, sulphur dioxide, sulfur dioxide, so2"),
        **_names("lupin", "lupine"),
    }
)

UNSAFE = Lexicon(
    "sex, sexy, sexual, sexier, naked, nude, porn, porno, pornography, erotic, erotica, horny, orgasm, "
    "fetish, bondage, kinky, slutty, slut, whore, hooker, stripper, striptease, boob, tit, nipple, "
    "penis, vagina, dildo, masturbate, xxx, nsfw, milf, threesome, orgy, cum, erection, incest, "
    "paedophile, pedophile, kill, killed, killing, killer, murder, murdered, murderer, murderous, "
    "suicide, suicidal, self harm, self harming, cut yourself, kill yourself, hang yourself, die, "
    "dying, dead, death, deadly, corpse, stab, stabbing, strangle, torture, slaughter, slaughtered, "
    "massacre, gore, gory, bloody, bloodbath, blood, bleed, behead, rape, rapist, molest, terrorist, "
    "terrorism, bomb, bombing, shooting, shooter, gun, weapon, genocide, hitler, nazi, holocaust, "
    "lynch, slave, hostage, poison, poisoned, arson, abuse, assault, fuck, fucking, fucked, fucker, "
    "motherfucker, shit, shitty, bullshit, bitch, bastard, asshole, arsehole, arse, ass, dick, cock, "
    "pussy, cunt, twat, wank, wanker, prick, piss, pissed, bollocks, crap, crappy, damn, goddamn, "
    "bugger, douche, dumbass, jackass, wtf, stfu, nigger, nigga, negro, faggot, fag, dyke, tranny, "
    "retard, retarded, spastic, spic, chink, gook, kike, wetback, gypo, pikey, paki, coon, raghead, "
    "towelhead, cripple, mongoloid, infidel, cocaine, heroin, meth, methamphetamine, crystal meth, "
    "crack pipe, lsd, mdma, ecstasy, ketamine, opium, opioid, fentanyl, marijuana, cannabis, stoner, "
    "stoned, weed brownie, smoke weed, bong, joint rolling, overdose, drug, drugs, druggie, narcotic, "
    "getting high, get high, magic mushroom, shroom, amphetamine, drunk, drunken, hammered, hungover, "
    "binge drinking, blackout drunk, get wasted, shitfaced, booze up, starve, starving, starvation, "
    "anorexia, anorexic, bulimia, thinspo, purging, fatso, obese, ugly, stupid, idiot, moron, hell, "
    "satan, satanic",
    safe="weed killer, weedkiller, germ killer, blood orange, blood pressure, blood glucose, blood sugar, "
    "bloody mary, blood sausage, blood tofu, bath bomb, seed bomb, hot chocolate bomb, chocolate bomb, "
    "cocoa bomb, glue gun, water gun, nerf gun, bubble gun, massage gun, murder mystery, "
    "drunken noodle, drunken chicken, day of the dead, spotted dick, cock a leekie, coq au vin, "
    "blue tit, great tit, coal tit, tit and finch, dead sea, rape seed, rapeseed, nude lip, "
    "nude lipstick, nude nail, nude shade, nude tone, dead skin, death by chocolate, drug store, "
    "drugstore, drug free, deadheading, dead heading, naked cake, naked burrito, tit bit, zero waste, "
    "cocktail,",
)
PROMISES = re.compile(
    r"""
    \bcures?\b(?!\s+(?:ham|bacon|pork|salmon|meat|egg|olive|your\s+own|at\s+home))
    | \bcuring\s+(?:your|a|the)\b
    | \bheals?\b
    | \bhealing\b
    | \bmiracles?\b
    | \bdetox
    | \banti[\s-]?(?:cancer|ag(?:e)?ing|inflammator)
    |  \b(?:lose|losing|shed|drop|melt)\s+(?:\w+\s+){0,2}(?:weight|fat|pounds?|kilos?|belly|inches)\b
    | \bweight[\s-]?loss\b
    | \bfat[\s-]?burn
    | \bburns?\s+(?:\w+\s+)?fat\b
    | \bslimming\b
    | \bget\s+(?:thin|skinny)\b| \b(?:treats?|prevents?|reverses?|fights?|beats?|stops?|ends?|cures?
        |relieves?|against|for)\s+(?:\w+\s+){0,2}(?:diabetes|cancer|tumou?rs?|arthritis|alzheimer'?s?
        |dementia|depression|anxiety|asthma|autism|covid|hypertension|heart\s+disease|strokes?|eczema
        |psoriasis|disease|infections?|ag(?:e)?ing)\b| \b(?:lowers?
        |reduces?)\s+(?:\w+\s+){0,2}(?:cholesterol|blood\s+(?:pressure|sugar))\b
    | \bboosts?\s+(?:\w+\s+){0,2}(?:immunity|immune|metabolism|testosterone|fertility)\b
    | \bimmun(?:e|ity)[\s-]boost| \b(?:clinically|medically|scientifically)\s+proven\b
    | \bdoctors?[\s-](?:recommended|approved)\b
    | \bguarante
    | \b(?:live|living)\s+(?:longer|forever)\b
    | \bpain[\s-]?free\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
INJECTION = re.compile(
    r"""
    \b(?:ignore|disregard|forget|override|bypass|overrule)\b\W+(?:\w+\W+){0,3}(?:previous|prior|above
        |earlier|instructions?|rules?|prompts?|polic(?:y|ies)|guardrails?|everything|all|context)\b
        | \b(?:system|assistant|user|human|developer|ai)\s*:
    | \b(?:prompts?|jailbreak|chatgpt|gpt|llm|instructions?)\b
    | \byou\s+are\s+(?:now|an?)\b
    | \bas\s+an?\s+ai\b
    | \bact\s+as\b
    | \bpretend\s+(?:to|you)\b
    | \brole[\s-]?play\b| \bcode\s+(?:snippet|block|excerpt|section|segment|fragment)s?\b
    | \b(?:following|subsequent|below)\s+code\b
    | \b(?:algorithm|codebase|mysql|php|python|javascript)\b
    | ^\W*(?:draft|provide|write|develop|compose|insert|append|integrate|incorporate|introduce|ensure
        |embed|replace|add)\s+(?:an?|the|your|every|that|\W)
    |  https?:
    | \bwww\.
    | \w\.(?:com|net|org|io|co|ru|xyz|uk|qc|ca)\b
    | //
    | --
    | \.\./
    | \b(?:javascript|script|onerror|onclick|onfocus|onload|alert\(|eval\(|select\s+\*|drop\s+table
        |union\s+select|exec\b|cookies?\.get|sudo|curl|wget|passwd|localhost|null|undefined|nan)\b
    | \w\(
    | \$\s*[^\d\s]
    | \w\$
    | %[a-z%]
    | \+\+| \byour\s+(?:\w+\s+){0,2}(?:answers?|repl(?:y|ies)|responses?|messages?|output|words)\b
    | \b(?:in|of|from)\s+(?:your|the)\s+(?:response|reply|answer|output)\b
    | \brespond\b
    | \brepeat\s+after\b
    | \btranslate\b| ^\W*(?:what|who|whose|how|why|when|where|which|is|are|can|could|do|does)\b.*\?
    | ^\W*(?:explain|describe|summari[sz]e|compose|paraphrase|rewrite|define|calculate|solve
        |break\s+down)\s+(?:the|how|why|what|a|an|this|of)\b
    | \b(?:click\s+here|subscribe|buy\s+now|free\s+money|call\s+now)\b
    """,
    re.IGNORECASE | re.VERBOSE,
)
_PUNCTUATION = frozenset(
    "'\u2019\u2018\u201c\u201d\", .!?:()&/+%-\u2013\u2014\u2026\u00b7\u00b0$\u20ac\u00a3\u00bd\u00bc\u00be\u200d\ufe0f"
)


STACKED_ACCENTS = re.compile(r"[\u0300-\u036f]{3}")


def is_odd(char: str) -> bool:
    """Tell what is no plain letter, digit, accent, emoji or everyday punctuation mark."""
    category = unicodedata.category(char)
    if char in _PUNCTUATION or category in ("Nd", "Mn", "Mc", "So"):
        return False
    return category not in ("Lu", "Ll", "Lo", "Lm", "Lt") or unicodedata.decomposition(char).startswith("<")


# What the words of an item say.


def is_food(item: Item) -> bool:
    """Tell by the attribute `food` (yes or no), else by categories, else the title."""
    declared = item.attributes.get("food", "").strip().lower()
    if declared in ("yes", "no"):
        return declared == "yes"
    return not any(NON_FOOD.find(text) for text in item.categories or (item.title,))


def names(item: Item, goods: str) -> str:
    """Give the word by which the title or the categories name some GOODS; for medicine, the description too.

    On a shelf of things that are no food, a title's wine is a colour or a use (glasses), unless it may be in the pack.
    """
    substance, shelf = GOODS[goods], item.leaf if NON_FOOD.find(item.leaf) else " . ".join(item.categories)
    goods_only = NON_FOOD.find(shelf) and not PET.find(shelf) and not PACKED.search(f"{item.title} . {shelf}")
    if goods in EDIBLE and goods_only and not any(affirmed(substance, text) for text in item.categories):
        parts = re.split(r"[,;|()&\d]|\b(?:and|with|for|in|of)\b", item.title) if goods == "alcohol" else ()
        found = ((words, match) for words in map(tokens, parts) for match in substance.named.matches(words))
        return first(match.term for words, match in found if words[match.start :] == tokens(match.term))
    return evidence(item, [substance], described=goods == "medicine" and not is_food(item) and not PET.find(shelf))


def evidence(item: Item, substances: Iterable[Substance], claims: Lexicon = NO_CLAIM, *, described: bool = True) -> str:
    """Give the word of a title, composition or category that says that one of the substances is inside.

    A category counts when each of its parts is unfit ("Ham & salami", not "Milk & plant milk"), unless the
    title or a category makes a claim (vegan, alcohol-free).
    """
    said = composition(item.description) if described else ""
    title, stated = spelled(item.title), statements(item.description, vegan=bool(claims.terms))
    for substance in substances:
        exempt = _claimed(substance, stated, claims) or any(
            _claimed(substance, c, claims) for c in item.categories if "and" not in tokens(c)
        )
        claimed = _claimed(substance, title, claims)
        usual = said.count(",") >= LISTED or not _claimed(substance, said, claims)
        if word := "" if exempt else affirmed(substance, title, claims, usual=usual):
            return word
        if not claimed and (word := affirmed(substance, said, claims, usual=False, title=False)):
            return word
        if not (exempt or claimed or substance.named.safely(item.title)):
            if word := first(_wholly(substance, category) for category in item.categories):
                return word
    return ""


def affirmed(
    substance: Substance, text: str, claims: Lexicon = NO_CLAIM, *, usual: bool = True, title: bool = True
) -> str:
    """Give the first word that says the substance is inside and that no claim in the text rules out.

    In a title a claim reaches past commas ("Chicken pieces, vegan"), among ingredients it does not.
    """
    words = tokens(text)
    ruled_out = [match.start for lexicon in (substance.claims, claims) for match in lexicon.matches(words)]
    found = [m for lexicon in (substance.named, substance.usual)[: 1 + usual] for m in lexicon.matches(words)]
    return first(m.term for m in found if not any(_covers(claim, m.start, words, title=title) for claim in ruled_out))


@lru_cache(maxsize=4_000)
def composition(description: str) -> str:
    """Keep what a description says is inside, not what may be, nor what the thing is good for."""
    text = spelled(TRACES.sub(" ", description))
    if INGREDIENTS.search(text) or text.count(",") >= max(LISTED, len(text.split()) / 4):
        return text
    return " . ".join(USES.split(part, maxsplit=1)[0] for part in SENTENCE.split(text) if not ADVICE.match(part))


def spelled(text: str) -> str:
    """Write "free from milk, egg and nuts" as "milk free egg free nuts free", which a Lexicon reads."""
    return ABSENT.sub(lambda match: " ".join(f"{name} free" for name in _NAME.findall(match[1])), text)


@lru_cache(maxsize=4_000)
def statements(description: str, *, vegan: bool) -> str:
    """Give what sentences say that say nothing else: "Contains no soya", "Gluten and egg free".

    They speak of the whole item, as a declaration does. `vegan` keeps "Suitable for vegans." as one.
    """
    found = [part for part in SENTENCE.split(description) if len(part) < 200 and _STATEMENT.fullmatch(part)]
    free = [f"{name} free" for part in found for name in _NAME.findall(part)]
    return " . ".join(free + (found if vegan else []))


SENTENCE = re.compile(r"[.!?;]+(?:\s|$)")
_AVOIDED = sorted({*ALLERGEN_NAMES, "meat", "pork", "alcohol", "honey", "gelatine", "gelatin"}, key=len, reverse=True)
_ONE = rf"\b(?:{'|'.join(_AVOIDED).replace(' ', '[ -]')})(?:e?s)?\b"
_NAME = re.compile(f"(?i){_ONE}")
_NAMES = rf"{_ONE}(?:(?:\s*,\s*{_ONE})*\s*,?\s*(?:\band\b|\bor\b|\bnor\b|&)\s*{_ONE})?"
_NONE_OF = rf"\b(?:free\s+(?:from|of)|contains?\s+no|without|no)\s+(?:any\s+)?({_NAMES})"
ALLERGIC = re.compile(
    rf"(?i)(?:{_ONE}\s*,\s*)*[^,.;!?]*\b(?:allerg\w+|anaphyla\w+|intoleran\w+|coeliacs?|celiacs?)\b[^,.;!?]*"
    rf"(?:,\s*(?:and\s+|or\s+)?{_ONE}(?:\s+(?:and|or)\s+{_ONE})?\s*(?=[,.;!?]|$))*"
)
"""The part of a note that says what may not be eaten: "egg, milk and nut allergies", not the "eats fish" after it."""
ABSENT = re.compile(rf"(?i){_NONE_OF}(?=\s*(?:[.,;:!?)]|$|(?:and|but|with|so|for|in|made|at all)\b))")
_STATEMENT = re.compile(
    rf"(?i)(?:{_NONE_OF}|{_NAMES}[\s-]+free\b|(?:it|is|are|this|and|also|made|100%|certified|naturally|completely|"
    r"suitable for|vegans?|vegetarians?|plant[ -]based)\b|[\s,&])+"
)
LISTED = 5
"""So many commas make a description a list of ingredients."""
INGREDIENTS = re.compile(r"(?i)\bingredients?\s*:|\bcontains\b\s*:")
TRACES = re.compile(
    r"(?i)(?<!\bno )\b(?:may (?:also )?contain|traces of|processed in|made in a (?:factory|facility))\b[^.;]*"
)
USES = re.compile(
    r"(?i)\b(?:for(?!\s+(?:\w+\s+)?(?:minute|hour|day|week|month|year)s?\b)|"
    r"to|serves?|served|serving|nice|goes|pairs?|great|best|alongside|beside|next to|"
    r"under|over|like|instead|perfect|ideal|lovely|than|into|before|after|when|"
    r"until|such as|as|at|used|beloved|partner|notes?|suits?|good)\b"
)
ADVICE = re.compile(
    r"(?i)\s*(?:serve|stir|spread|slice|try|add|eat|use|dip|drizzle|toss|cook|bake|heat|roast|fry|grill|dunk|"
    r"pour|top|fold|mix|spoon|wrap|melt|crumble|crush|char|tear|halve|wash|toast|keep|scatter|grate|pair|"
    r"shake|cut|boil|simmer)\s+(?:it|them|one|some|a|an|the|on|in|into|with|over|under|through|from|gently|"
    r"up|straight|hot|cold|chilled|warm|and|or|halves|rings|slices|after|before|beside|alongside)\b"
)


def _claimed(substance: Substance, text: str, claims: Lexicon) -> bool:
    return bool(substance.claims.find(text) or claims.find(text))


def _covers(claim: int, place: int, words: Sequence[str], *, title: bool) -> bool:
    """Reach on to "with" and back within the phrase: "beef pie with vegan gravy" is beef."""
    stops = frozenset({"with"}) if claim <= place else SPLITTERS
    return (stops if title else stops | {","}).isdisjoint(words[min(claim, place) : max(claim, place)])


def _wholly(substance: Substance, category: str) -> str:
    parts = [part for part in re.split(r"[,&/]|\band\b", category) if part.strip()]
    found = [affirmed(substance, part) for part in parts]
    return found[0] if found and all(found) else ""


def first(found: Iterable[str]) -> str:
    """Give the first that is not empty, or an empty string."""
    return next(filter(None, found), "")

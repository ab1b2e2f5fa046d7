"""Turn "The Complete Journey" (a year of a US grocery chain, CC0) into a genrec catalog and shoppers.

    python scripts/completejourney.py products.csv.gz -o catalog.jsonl --transactions transactions.csv.gz
    python scripts/completejourney.py products.csv.gz -o catalog.jsonl --transactions transactions.csv.gz \
        --demographics demographics.csv.gz --shoppers shoppers.jsonl --households 3 --until 2017-11-01
    python scripts/completejourney.py products.csv.gz -o catalog.jsonl --transactions transactions.csv.gz \
        --demographics demographics.csv.gz --shoppers households.jsonl --all --until 2017-11-01 --weeks-after 8

The data set names no products: a title is composed from product_type, package_size and brand, with the
chain's abbreviations spelled out ("SFT DRNK 2 LITER BTL CARB INCL", "2 L", National -> "Soft drink 2-liter
bottles, carbonated, 2 L"). What is not merchandise (fuel, coupons, postage, gift cards ...) is left out.
"""

import argparse
import csv
import gzip
import json
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

NOT_MERCHANDISE = re.compile(
    r"COUPON|FUEL|GASOLINE|POSTAL|CHARITABLE|GIFT CARD|MISC SALES|PHOTOFINISH|PROCESSING|TICKETS|"
    r"CALLING CARD|PREPAID|DEPOSIT|CONTINUIT|SUPPLIES\b.*(DELI|MEAT|PROD)|(DELI|MEAT|PROD) SUPPLIES|"
    r"PHARMACY|STORE SUP|GM MERCH EXP|PROD-WHS|SIGNING|INEDIBLES|PHOTO & VIDEO|LOTTERY|RX|^TRAVEL|"
    r"VENDOR|SALES TRANS"
)
ADULT = re.compile(
    r"SPIRITS|LIQUOR|WINES?\b(?!/RIC)|BEERS|BEERALE|CIGARETTE|CIGARS|TOBACCO|SNUFF|VODKA|\bRUM\b|"
    r"LIQUEUR|WHISK|TEQUILA|BRANDY|BOURBON|SCHNAPPS|\bGIN\b|AGE RESTRICTED|FIREWORKS|\bDXM\b|\bPSE\b|"
    r"SMOKING CESS"
)
VAGUE = re.compile(
    r"^(PREMIUM|TRADITIONAL|ENHANCED|MAINSTREAM|SEASONAL|PANTRY|SPECIALTY|VALUE|ECONOMY|LEAN|FRESH|"
    r"BLENDS|PATTIES|JUICE|POULTRY|ACTIVITY|PROMO.*|UTILITY|KITS|DRY|MISC.*|OTHER.*|BASIC.*|PRIMAL|"
    r"NOVELTIES|STICKS|TREATS|DECOR|BETTER FOR YOU|SPECIAL.*|VARIETY PACK|KIDS/FAMILY|FLATS|CUPS|WRAP|"
    r"BRUSHES|FRAMES|REGULAR.*|LOAVE|MIXES|EXTERNAL|INTERNAL|OUTDOOR|STANDARD.*|CONSTRUCTION|TAPE|ANGUS|"
    r"PINTS|QUARTS|RIBS|BUTTS|MASKS|CHRISTMAS|COLLEGIATE|BULK.*|PROCESSED OTHER|APPLICATORS|PAILS|"
    r"GENERAL.*|MICROWAVE|ENTREES|PIZZA/.*|SMOKED/COOKED.*|LINKS.*|TRAY.*|ADULT PREMIUM|CANDY|SAUCES|"
    r"DRESSINGS|DIPS|HAM|BREAST.*|ABRASIVES|SBT|COORDINATES|BARGAIN|DELUXE|SELECT .*|VALUE ADDED|OVEN|"
    r"SQUEEZE|WIRE|REGULAR|GREENS|LABEL|LOIN.*|RIB - .*|WHOLE.*|PREMIUM - .*|ECONOMY - .*|"
    r"FLAVORED/OTHER|FILLERS|FURNITURE|FASTENERS|STICK|THERMOS|PINTS|GRND/PATTY.*|FLANK|CUBED.*|"
    r"THIN MEATS|INSTANT.*|SINGLES?)$"
)
"""Types that say little without their category."""

TYPES = {
    "BEERALEMALT LIQUORS": "beer, ale and malt liquor",
    "BEERALE -NON ALCOHOLIC": "non-alcoholic beer and ale",
    "CHOICE BEEF": "choice-grade beef",
    "SELECT BEEF": "select-grade beef",
    "CHILDRENS LOW END": "children's budget books",
    "HARDBACK/TRADE EVERYDAY": "hardback book",
    "HARDBACK/TRADE BEST SELLER": "bestselling hardback book",
    "PAPERBACK BEST SELLER": "bestselling paperback book",
    "ANTI-ACIDS": "antacids",
    "SPHE 9.99": "DVD film",
    "AGE RESTRICTED SPHE $9.99": "age-restricted DVD film",
    "AGE RESTRICTED DVD S": "age-restricted DVD",
    "AGE RESTRICTED FIREWORKS": "age-restricted fireworks",
    "LEGGS": "L'eggs hosiery",
    "SWIN/TOYS": "swim toys",
    "CRANAPPLE CRAN GRAPE JUICE (5": "cranberry-apple and cranberry-grape juice",
    "CRANAPPLE CRAN GRAPE JUICE (O": "cranberry-apple and cranberry-grape juice",
    "PLSTC CTLRYTBLCLTHSTTHPKSST": "plastic cutlery, tablecloths and toothpicks",
    "MEXICAN SAUCESSALSAPICANTEE": "Mexican sauce, salsa and picante",
    "CANNING JARSLIDSUTENSILSMIS": "canning jars, lids and utensils",
    "CANNING SPICESSALSAPICKLING": "canning spices, salsa and pickling mix",
    "TABLE SALT POPCORN SALTICE C": "table salt, popcorn salt and ice cream salt",
    "MISC.CND SEAFOODS (CRABETC)": "assorted canned seafood",
    "PLASTIC WRAP (SARANETC.)": "plastic wrap",
    "COTTON COTTON SWABS": "cotton and cotton swabs",
    "N/A DEOD SPRAY/GEL DEOD": "deodorant spray or gel",
    "LOIN - STK/CHP/SLC": "pork loin steaks, chops and slices",
    "RIB - STK/CHP/SLC": "rib steaks, chops and slices",
    "SOLID/STK DEODORANTS": "solid and stick deodorant",
    "DAIRY CASE 100% PURE JUICE - O": "chilled pure orange juice",
    "DAIRY CASE 100% PURE JUICE OTH": "chilled pure juice",
    "DAIRY CASE JUICE DRNK UNDER 10": "chilled juice drink",
    "DAIRY CASE CITRUS PNCH/OJ SUBS": "chilled citrus punch",
    "DAIRY CASE FRUIT DRINKS (NO JU": "chilled fruit drinks",
    "DAIRY CASE TEA WITH SUGAR OR S": "chilled sweetened tea",
    "FRZN OJ&OJ SUBSTITUTES (OVER 5": "frozen orange juice concentrate",
    "FRZN CONC ALLIEDS OVER 50% JUI": "frozen juice concentrate",
    "FRZN CONC UNDER 50% JUICE": "frozen juice drink concentrate",
    "SGL SV/VEND MACH SNACKS CHIP/P": "single-serve chips and snacks",
    "CAN CATFD GOURMET/SUP PREM (GR": "canned cat food, gourmet",
    "CAN DOGFD GOURMET/SUPER PREM (": "canned dog food, gourmet",
    "COOKIES: HOLIDAY/SPECIAL OCCAS": "holiday cookies",
    "ORIENTAL OTHER SAUCES MARINAD": "Asian sauces and marinades",
    "VITAMIN - NON HERBAL SUPPLEMEN": "non-herbal supplements",
    "MAINSTREAM WHEAT/MULTIGRAIN BR": "wheat and multigrain bread",
    "MAINSTREAM WHITE BREAD": "white bread",
    "FRZN BREAKFAST ENTREES/SANDWIC": "frozen breakfast entrees and sandwiches",
    "REFRIGERATED COOKIES-BREAK N B": "refrigerated break-and-bake cookies",
    "BATH BUBBLES-BATH SOAPS-ADDITI": "bubble bath and bath soaps",
    "NON-CRBNTD DRNKING/MNERAL WATE": "still drinking and mineral water",
    "NON-CARB FLVRD DRNKNG/MNRL WAT": "flavored still water",
    "CARBONATED WATER - FLVRD SWEET": "flavored sparkling water, sweetened",
    "CARBONATED WATER - FLVRD UNSWE": "flavored sparkling water, unsweetened",
    "SOUP CRACKERS (SALTINE/OYSTER)": "saltine and oyster crackers",
    "CHEESE CRACKERS (CHEEZ-ITS/GOL": "cheese crackers",
    "COUGH SYRP/LOZNG-DRP/XPCTRNT": "cough syrup, drops and expectorant",
    "SEMI-SOLID SALAD DRESSING MAY": "mayonnaise and salad dressing",
    "SEAFOOD-FRE-NON RW-ALL": "fresh seafood, packaged",
    "SEAFOOD-FRZ-RW-ALL": "frozen seafood",
    "SEAFOOD-FRE-RAW FINFISH-OTHER": "fresh raw fish",
    "SEAFOOD-FRZ-IQF RAW SHRIMP RW": "frozen raw shrimp",
    "SEAFOOD-FRZ-IQF COOKED SHRIMP": "frozen cooked shrimp",
    "ASCEPTIC": "shelf-stable soy beverage",
    "CUPS/PUSH UPS/OTHER": "ice cream cups and push-ups",
    "CLEANING WIPES": "cleaning wipes",
    "GRND/PATTY - FROZEN": "frozen ground beef patties",
    "SW GDS:MUFFINS-LSS THN 6": "muffins, fewer than six",
    "MISC. HAIR & BEAUTY ACCESS.": "hair and beauty accessories",
    "HAIR BARRETTES TAILERS": "hair barrettes and ponytailers",
    "MALTED MLK/SYRUP/PWDRS (EGGNOG": "malted milk, syrup and powders",
    "COCKTAIL MIXES-FLUID:ADD LIQ": "cocktail mixers",
    "SUNTAN PROD W/SPF LOTION/OIL": "sunscreen lotion and oil",
    "FEM. HYGN.NAPKINS": "sanitary pads",
    "FEM. HYGN. TAMPONS": "tampons",
    "PROPHYLACTICS": "condoms",
    "VENDOR SIZE/SINGLE SERVE COOKI": "single-serve cookies",
    "RICE SIDE DISH MIXES DRY": "rice side dish mix",
    "DISPOSABLE FD STORAGE CONTAINR": "disposable food storage containers",
    "STICKS/ENROBED": "ice cream bars and sticks",
    "LINAMENTS": "liniments",
    "DIPILATORIES": "hair removers",
    "HYDROCORTIZONE": "hydrocortisone",
    "YOGURT NOT MULTI-PACKS": "yogurt",
    "YOGURT MULTI-PACKS": "yogurt multipack",
    "CANDY BAGS-CHOCOCLATE": "bagged chocolate candy",
    "CANDY BAGS-CHOCOCLATE W/FLOUR": "bagged chocolate candy with wafer",
    "CANDY BAGS-NON CHOCOLATE": "bagged candy",
    "SEASONAL CANDY BAGS-CHOCOLATE": "seasonal bagged chocolate candy",
    "SEASONAL CANDY BAGS NON-CHOCOL": "seasonal bagged candy",
    "SEASONAL CANDY BOX NON-CHOCOLA": "seasonal boxed candy",
    "CANDY BARS (SINGLES)(INCLUDING": "candy bar",
    "CANDY BARS (MULTI PACK)": "candy bars, multipack",
    "SFT DRNK 2 LITER BTL CARB INCL": "soft drink, carbonated, 2-liter bottle",
    "SFT DRNK 3 LITER BTL CARB (EXC": "soft drink, carbonated, 3-liter bottle",
    "SFT DRNK SNGL SRV BTL CARB (EX": "soft drink, carbonated, single-serve bottle",
    "SFT DRNK MLT-PK BTL CARB (EXCP": "soft drink, carbonated, bottle multipack",
    "SOFT DRINKS 12/18&15PK CAN CAR": "soft drink, carbonated, 12 to 18 cans",
    "SOFT DRINKS 20PK&24PK CAN CARB": "soft drink, carbonated, 20 to 24 cans",
    "SOFT DRINKS 6PK/4PK CAN CARB (": "soft drink, carbonated, 4 to 6 cans",
    "SOFT DRINKS SINGLE CANS CARB (": "soft drink, carbonated, single can",
    "SOFT DRINK BOTTLE NON-CARB (EX": "soft drink, still, bottle",
    "SOFT DRINKS CAN NON-CARB (EXCE": "soft drink, still, can",
    "NON-CARB JCE(OVER 50% JCE)": "still juice drink",
    "COLD AND FLU - DXM": "cold and flu medicine with dextromethorphan",
    "COLD AND FLU - PSE": "cold and flu medicine with pseudoephedrine",
    "COLD AND FLU": "cold and flu medicine",
    "LABELS/POST-IT/INDEX CARD": "labels, sticky notes and index cards",
    "LUNCH COMBO": "lunch combo kit",
    "FACIAL TISSUE & PAPER HANDKE": "facial tissues",
    "TOOLS - FLOOR & FURNITURE": "floor and furniture cleaning tools",
    "ANTIPERSPIRANTS ONLY (ALL OTHE": "antiperspirant",
    "NATURAL CHEESE EXACT WT CHUNKS": "natural cheese chunk",
    "NATURAL CHEESE EXACT WT SLICES": "natural cheese slices",
    "FIGHTING VARIETAL WINES": "varietal wine, popular price",
    "POPULAR 750ML WINES": "wine, popular price",
    "PREMIUM 750ML WINES": "wine, premium",
    "POPULAR 1.5LT WINES": "wine, popular price, magnum",
    "VALUE GLASS WINE": "wine, value",
    "DESSERTS & VERMOUTH": "dessert wine and vermouth",
    "COOLERS": "wine and malt coolers",
    "CAKES: LAYERS": "layer cake",
    "CAKES: NOVELTIES": "novelty cake",
    "BEANS GREEN: FS/WHL/CUT": "green beans",
    "CARDS EVERYDAY": "everyday greeting card",
    "CARDS SEASONAL": "seasonal greeting card",
    "GIFT-WRAP EVERYDAY": "everyday gift wrap",
    "GIFT-WRAP SEASONAL": "seasonal gift wrap",
    "MISC SEAFOOD": "assorted seafood",
    "FLUID MILK WHITE ONLY": "white milk",
    "SEAFOOD-MISC-BREADERS/BTR MIX": "seafood breading and batter mix",
    "SEAFOOD-MISC-SAUCES/MARIN-WET": "seafood sauces and marinades",
    "VARIETY BEANS - KIDNEY PINTO": "kidney, pinto and other beans",
    "CANDY & BREATH MINTS (PKGD) (N": "candy and breath mints",
    "ANGEL FDS/CKE ROLLS": "angel food cake and cake rolls",
    "MAX FACTOR": "Max Factor",
    "WET N WILD": "Wet n Wild",
    "BONNE BELL": "Bonne Bell",
    "HEALING GARDEN": "Healing Garden bath products",
    "CALGON": "Calgon bath products",
    "LEAN": "lean frozen meal",
}
"""Types whose abbreviation no rule would spell out well."""

HYPHEN = r"\b(?!MULTI|SELF|SEMI|DANDRUFF|BONE|READY|BREAK|PUSH|VINE|ROLL)([A-Z]{4,})-(?=[A-Z]{2})(?!(IN|TO|UP)\b)"
"""A hyphen that joins two names, not two halves of one word."""
PHRASES = {
    r"\bCHILDREN S\b": "CHILDREN'S",
    r"\bWOMEN S\b": "WOMEN'S",
    r"\bDVD S\b": "DVDS",
    r"\bLSS THN\b": "FEWER THAN",
    r"\bSW ROLLS/DAN\b": "SWEET ROLLS/DANISHES",
    r"^SEAFOOD-FRE-": "FRESH SEAFOOD - ",
    r"^SEAFOOD-FRZ-": "FROZEN SEAFOOD - ",
    r"^SEAFOOD-MISC-": "SEAFOOD - ",
    r"^PIZZA/": "",
    r"^(SW GDS|MEAT|SAL|MISC)\s*:": "",
    HYPHEN: r"\1 - ",
    r"\bQSR FD\b|\bSV BEV\b|\bDL SPEC\b|\bCOFF SHOP\b": "",
    r"\bPREP (FD|FOODS)\b": "",
    r"\bJHOOK\b|\bFM-": "",
    r"\bRW\b|\bCARB JUICE\b": "",
    r"\bN/MEAT\b": "",
    r"\bW/O\b": "WITHOUT",
    r"\bW/(?=\w)": "WITH ",
    r"\b(\d+) LITER\b": r"\1-LITER",
}
WORDS = dict(
    pair.split("=")
    for pair in """
    FRZN=frozen FRZ=frozen FRE=fresh SFT=soft DRNK=drink DRNKS=drinks DRNKNG=drinking SNGL=single
    SRV=serve SV=serve SGL=single BTL=bottle BTLS=bottles CARB=carbonated FLVRD=flavored FLVR=flavored
    FLAV=flavored FLV=flavored CHIX=chicken CHICK=chicken CHKN=chicken FRD=fried BRD=breaded
    BRKFST=breakfast DNRS=dinners VEG=vegetables PWDR=powdered PWDRS=powders SYRP=syrup CND=canned
    CNDY=candy CKYS=cookies CRKR=crackers SNKS=snacks PICKLD=pickled PKLD=pickled PLSTC=plastic
    TISS=tissues DNR=dinner JCE=juice MLT=multi PK=pack PKG=packaged PKGD=packaged PPK=prepacked
    PRPCK=prepacked PREPACK=prepacked PRSLC=presliced PRESLC=presliced PRESLCD=presliced SAUS=sausage
    SAL=salad GRND=ground PTTY=patty STK=steaks CHP=chops SLC=slices DEOD=deodorant FEM=feminine
    HYGN=hygiene MISC=assorted MISCELLANEOUS=assorted CATFD=cat-food DOGFD=dog-food SUP=super PREM=premium
    SS=single-serve RTS=ready-to-serve RTD=ready-to-drink IQF=individually-frozen IWS=individually-wrapped
    SHLFSH=shellfish CNTRL=control LIQS=liquids LIQ=liquid NTRTNL=nutritional OJ=orange-juice BBQ=barbecue
    SCE=sauce XMAS=Christmas PRESHCOOL=preschool SPECILATY=specialty CHOCOCLATE=chocolate EXACT= WT=weight
    MENS=men's WOMENS=women's CHILDRENS=children's KIDS=kids' LADIES=ladies' ACCESSIORES=accessories
    REFRIG=refrigerated REFRGRATD=refrigerated REFIGERATED=refrigerated HORSERADISH=horseradish
    HORSER=horseradish WORCHESTER=Worcestershire PROTIEN=protein OTYHER= CNDLES=candles RETL=
    ACCSS=accessories CREME=creme MEDICATE=medicated LUNCHEON=luncheon ELSTC=elastic BNDGES=bandages
    SUPRT=support SWT=sweet SMI=semi DESE= SHLDR=shoulder WTR=water GNGR=ginger UNSWE=unsweetened
    SPLY=supplies SNDWCH=sandwich SALD=salad DRSNG=dressing SPRD=spreads BN=beans MXS=mixes MX=mixes
    CRYSTL=crystal PNT=peanut BTR=butter HBC=personal-care BKD=baked FD=food FDS=foods TRSH=trash BG=bags
    WHLSM=wholesome CLEANG=cleaning SUPPPLIES=supplies MEMORABLILIA=memorabilia SWEETNERS=sweeteners
    DISPOSIBLE=disposable SHERBTS=sherbets CHECKLANE=checkout DSH=dishes NDAIRY=non-dairy SOD=soda
    NATRL=natural GDS=goods BEV=beverage SPEC=specialty APPL=appliances PERSNL=personal CUTUP=cut-up
    STW=stew STRP=strips FLNK=flank PLT=plate SHNK=shank CRMD=creamed FS=French-style WHL=whole
    CHOC=chocolate DAN=danishes CLOT=cloths ORGNZRS=organizers HNGRS=hangers CKE=cake OCCAS=occasions
    MTL=metal CONC=concentrate PORTON=portions SWE=sweet PUFF=puff TORT=tortilla ORIENTAL=Asian
    ETHNIC=ethnic CATSUP=ketchup ENTREES=entrees NON-IWS=unwrapped CALC=calculators CILANTO=cilantro
    OTC=over-the-counter PHYSICANS=physicians' CARPT=carpet SQUEEZE=squeeze RECHARABLE=rechargeable
    HOLDIAY=holiday GM=general-merchandise PKGED=packaged ELECT=electrical CNTRL/STORE=store
    CHEFSHOPPE=chef-shop NZ=New-Zealand REG=regular ALLIEDS= DXM=DXM PSE=PSE INSTORE=in-store TATER=tater
    CAN=canned COMBO=combo SUPP=supplements VAC=vacuum PAC=packed JUICE&COMBINATIONS=juice INCL=
    EXT=external MFG= ET= OTHE= OTH= BA= WRA= BR= OV= SECT=sections MARINAD=marinades MARIN=marinade
    MUSTAR=mustard SUPPLEMEN=supplements COMBIN=combination DRESSIN=dressing CHOCOL=chocolate
    CONTAINR=containers TN=Tennessee THN=than PREPORTND=preportioned COOKNG=cooking BKNGWARES=bakeware
    CKTLS=cocktails SLD=salad LRG=large ACC=accessories ACCESS=accessories DECAFFINATED=decaffeinated
    SHRD=shredded NAILCARE=nail-care LIPCARE=lip-care SHRED=shredded PLUSH=plush HANDHELDS=handhelds
    WATE=water CLEANE=cleaners SHIRT=shirt TAILERS=ponytailers BTH=bath MASSGRS=massagers FT=foot
    """.split()
)
"""Abbreviation to word; a hyphen in the word stands for a space unless the word is in HYPHENATED."""
HYPHENATED = frozenset(
    "single-serve ready-to-serve ready-to-drink over-the-counter in-store non-dairy cut-up French-style".split()
)
PROPER = {
    word.lower(): word
    for word in """
    American Asian Australian Canadian Christmas Easter Halloween English French German Greek
    Hispanic Indian Italian Japanese Mediterranean Mexican Thai Vienna Danish Boston Worcestershire
    Tennessee Zealand New Maybelline CoverGirl Revlon L'Oréal Almay Adidas Barbie Hasbro Calgon Fuji
    Gala Anjou Bartlett Braeburn Granny Smith Angus Kosher DVD DVDs CD TV VHS DXM PSE NFL MLB SPF
    Hansen Sally Coty Hanes Nerf Fisher Price Minuet
    """.split()
} | {
    "loreal": "L'Oréal",
    "kosher": "kosher",
    "new": "new",
    "danish": "danish",
    "dvds": "DVDs",
    "cd-r": "CD-R",
}
SPELLED = frozenset({"AND", "OR", "OF", "IN", "FOR", "WITH", "THE", "NON", "NO", "NOT", "ALL", "BAG", "BOX", "CAN"})
TRUNCATED = 29
"""The feed cuts names here, so that the last word of a longer one may be half a word."""
HEAD_LAST = frozenset("CAKES PIES BREAD CHEESE ROLLS COOKIES SNACKS CAKE".split())
DEPARTMENTS = {
    "DRUG GM": "Drugstore & general merchandise",
    "MEAT-PCKGD": "Packaged meat",
    "SEAFOOD-PCKGD": "Packaged seafood",
    "PASTRY": "Bakery",
    "NUTRITION": "Natural & nutrition",
    "CHEF SHOPPE": "Chef shop",
    "ELECT &PLUMBING": "Electrical & plumbing",
    "CNTRL/STORE SUP": "Store supplies",
}
UNITS = {
    "OZ": "oz",
    "LB": "lb",
    "ML": "ml",
    "L": "L",
    "LT": "L",
    "CT": "count",
    "PK": "pack",
    "FT": "ft",
    "IN": "in",
    "GAL": "gal",
    "GA": "gal",
    "QT": "qt",
    "PT": "pt",
    "SQ": "sq",
    "MM": "mm",
    "CM": "cm",
    "G": "g",
    "GM": "g",
    "EA": "each",
    "DZ": "dozen",
    "YD": "yd",
    "W": "W",
    "INCH": "in",
    "LTR": "L",
    "KG": "kg",
    "MG": "mg",
}


class Sales(NamedTuple):
    """What the transactions say about one product."""

    lines: int
    price: float | None


def rows(path: Path) -> Iterator[dict[str, str]]:
    """Rows of a gzipped CSV."""
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)


def spell(word: str) -> str:
    """One upper-case word of the feed, spelled out in lower case."""
    if "-" in word:
        return "-".join(map(spell, word.split("-")))
    full = WORDS.get(word.strip("."), word.strip(".").lower())
    if full not in HYPHENATED and word.strip(".") in WORDS:
        full = full.replace("-", " ")
    return " ".join(part if part != part.lower() else PROPER.get(part, part) for part in full.split(" "))


def listed(parts: list[str]) -> str:
    """Words as a list: 'a, b and c'."""
    kept = list(dict.fromkeys(filter(None, parts)))
    return kept[0] if len(kept) == 1 else ", ".join(kept[:-1]) + f" and {kept[-1]}" if kept else ""


def readable(raw: str, known: frozenset[str]) -> str:
    """A product type or category in plain words; a cut-off last word, not among `known`, is dropped."""
    if raw in TYPES:
        return TYPES[raw]
    text = re.sub(r"\(.*?(\)|$)", " ", raw)
    for pattern, replacement in PHRASES.items():
        text = re.sub(pattern, replacement, text)
    if len(raw) >= TRUNCATED and not raw.endswith(")") and "(" not in raw:
        last = re.split(r"[\s/&:-]", text.strip())[-1]
        if not last.isdigit() and last not in known and last not in WORDS:
            text = text.strip()[: len(text.strip()) - len(last)]
    text = re.sub(r"\b(EX|EXC|EXCP|EXCEPT|INCL|INCLUDING|OVER|UNDER)\b.*$", "", text).strip(" -/:&")
    head, colon, tail = (part.strip(" -") for part in text.partition(":"))
    if colon and tail:
        joined = f"{tail} {head}" if head in HEAD_LAST else f"{head} - {tail}"
        text = tail if head.rstrip("S") in tail else joined
    text, magazine = re.subn(r"\s*-\s*MAGAZINE$", "", text)
    clauses = []
    for clause in re.split(r"\s+-\s*|\s*-\s+|(?<=SEAFOOD)-", text):
        words = []
        for token in clause.replace("&", " & ").split():
            pieces = [spell(piece) for piece in token.split("/")]
            words.append("and" if token == "&" else listed(pieces))
        clauses.append(re.sub(r"\s+", " ", " ".join(filter(None, words))).strip(" ,-'"))
    spoken = ", ".join(filter(None, clauses))
    spoken = re.sub(r"(\band )+and\b", "and", re.sub(r"^and | and$|,? all$| all other(s)?$", "", spoken)).strip(" ,-")
    return f"{spoken} magazine" if magazine else spoken


def sentence(text: str) -> str:
    """With a capital first letter."""
    return text[:1].upper() + text[1:]


def readable_size(raw: str) -> str:
    """'EX   16 OZ' as '16 oz'; an empty string when there is no number in it or it is one piece."""
    found = re.findall(r"(\d*\.?\d+)\s*([A-Z]+)?(?:\s+(FT|IN|OZ)\b)?", raw.upper())
    parts = []
    for number, unit, after in found:
        amount = f"0{number}" if number.startswith(".") else number
        if unit in UNITS and not (unit in {"CT", "PK", "EA"} and amount == "1"):
            parts.append(" ".join(filter(None, [amount, UNITS[unit], UNITS.get(after, "")])))
    return " / ".join(parts[:2])


def title_of(row: dict[str, str], known: frozenset[str]) -> str:
    """'Tomato sauce, 8 oz, store brand'."""
    name = readable(row["product_type"], known)
    category = readable(row["product_category"], known)
    if VAGUE.match(row["product_type"]) and name != category and row["product_type"] not in TYPES:
        name = f"{category}, {name}" if name and category.lower() not in name.lower() else name or category
    if row["department"] == "COSMETICS" and " " not in name.replace("Hansen", "").strip():
        name = f"{name} cosmetics"
    if name in {"", "assorted"}:
        name = f"assorted {readable(row['department'], known)}"
    store = "store brand" if row["brand"] == "Private" else ""
    return ", ".join(filter(None, [sentence(name or category), readable_size(row["package_size"]), store]))


def is_merchandise(row: dict[str, str]) -> bool:
    """Whether a shopper could be shown this row."""
    fields = (row["department"], row["product_category"], row["product_type"])
    return bool(row["product_type"]) and not any(NOT_MERCHANDISE.search(field) for field in fields)


def to_item(row: dict[str, str], known: frozenset[str], sales: dict[str, Sales]) -> dict[str, object]:
    """One product as a genrec item; defaults are left out."""
    department = DEPARTMENTS.get(row["department"]) or sentence(readable(row["department"], known))
    path = [
        department,
        sentence(readable(row["product_category"], known)),
        sentence(readable(row["product_type"], known)),
    ]
    item: dict[str, object] = {
        "item_id": row["product_id"],
        "title": title_of(row, known),
        "categories": list(dict.fromkeys(filter(None, path))),
        "attributes": {"manufacturer": row["manufacturer_id"]},
    }
    if row["brand"] == "Private":
        item["brand"] = "Store brand"
    if size := readable_size(row["package_size"]):
        item["attributes"] = {"size": size, "manufacturer": row["manufacturer_id"]}
    named = " / ".join(row[field] for field in ("department", "product_category", "product_type"))
    if ADULT.search(named) and not re.search("CANDLES|CHARCOAL|GRILL|DECOR$", row["product_type"]):
        item["min_age"] = 18
    if sold := sales.get(row["product_id"]):
        item["popularity"] = sold.lines
        if sold.price is not None:
            item["price"] = round(sold.price, 2)
    return item


def read_sales(path: Path, until: date | None) -> dict[str, Sales]:
    """Purchase lines and median unit price by product, before `until`."""
    lines: Counter[str] = Counter()
    prices: dict[str, list[float]] = defaultdict(list)
    for row in rows(path):
        if until is None or row["transaction_timestamp"] < until.isoformat():
            lines[row["product_id"]] += 1
            quantity, value = float(row["quantity"]), float(row["sales_value"])
            if quantity > 0 and value > 0:
                prices[row["product_id"]].append(value / quantity)
    return {
        product: Sales(count, statistics.median(prices[product]) if prices[product] else None)
        for product, count in lines.items()
    }


def describe(person: dict[str, str]) -> dict[str, object]:
    """Demographics as fields of a Shopper: the middle of the age band, and the household in words."""
    ages = [int(number) for number in re.findall(r"\d+", person.get("age", ""))]
    kids = person.get("kids_count", "")
    words = [
        re.sub(r"(adults?) kids", r"\1 with kids", person.get("household_comp", "").lower()),
        {"": "", "0": "", "1": "1 child"}.get(kids, f"{kids} children"),
        person.get("home_ownership", "").lower(),
        f"income {person['income']}" if person.get("income") else "",
    ]
    fields: dict[str, object] = {"household": ", ".join(filter(None, words)).replace("no kids", "without kids")}
    return fields | ({"age": sum(ages) // len(ages)} if ages else {})


def to_shoppers(arguments: argparse.Namespace, sold: frozenset[str]) -> Iterator[dict[str, object]]:
    """The chosen households, or those with the most purchase lines; histories before --until, and after if asked."""
    history: dict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
    until, after = arguments.until or date.max, timedelta(weeks=arguments.weeks_after)
    last = (until + after if arguments.until else until).isoformat()
    for row in rows(arguments.transactions):
        day = row["transaction_timestamp"][:10]
        if row["product_id"] in sold and day < last:
            history[row["household_id"]][day, row["product_id"]] += max(1, round(float(row["quantity"])))
    known = {h: bought for h, bought in history.items() if any(day < until.isoformat() for day, _ in bought)}
    people = {p["household_id"]: p for p in rows(arguments.demographics)} if arguments.demographics else {}
    described = [household for household in known if household in people or arguments.all] or list(known)
    before = {h: sum(day < until.isoformat() for day, _ in bought) for h, bought in known.items()}
    busiest = sorted(described, key=lambda household: (-before[household], household))
    for household in arguments.household or (busiest if arguments.all else busiest[: arguments.households]):
        if household not in known:
            sys.exit(f"household {household} bought nothing that is in the catalog before {arguments.until}")
        purchases = [
            {"item_id": item, "at": day} | ({"quantity": quantity} if quantity != 1 else {})
            for (day, item), quantity in sorted(history[household].items())
        ]
        yield {"shopper_id": f"household-{household}", "history": purchases} | describe(people.get(household, {}))


def write(path: Path, values: list[dict[str, object]], what: str) -> None:
    """One compact JSON object a line."""
    lines = [json.dumps(value, ensure_ascii=False, separators=(",", ":")) + "\n" for value in values]
    path.write_text("".join(lines), encoding="utf-8")
    sys.stdout.write(f"{path}: {len(values):,} {what}\n")


def main() -> None:
    """Parse the flags, convert, write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("products", type=Path, help="products.csv.gz")
    parser.add_argument("-o", "--output", type=Path, required=True, help="the catalog to write (.jsonl)")
    parser.add_argument("--transactions", type=Path, help="gives popularity, price and shoppers")
    parser.add_argument("--demographics", type=Path, help="gives shoppers an age and a household")
    parser.add_argument("--shoppers", type=Path, help="the shoppers to write (.jsonl); needs --transactions")
    parser.add_argument("--households", type=int, default=3, help="how many: those that buy most")
    parser.add_argument("--all", action="store_true", help="all households instead, also those not described")
    parser.add_argument("--household", action="append", help="this one instead (repeatable)")
    parser.add_argument("--until", type=date.fromisoformat, help="use purchases before this day only")
    parser.add_argument(
        "--weeks-after", type=int, default=0, help="histories go on after --until, for an evaluation to hold out"
    )
    arguments = parser.parse_args()
    if arguments.shoppers and not arguments.transactions:
        parser.error("--shoppers needs --transactions")
    kept = [row for row in rows(arguments.products) if is_merchandise(row)]
    whole = {
        word
        for row in kept
        if len(row["product_type"]) < TRUNCATED
        for word in re.split(r"[\s/&:-]", row["product_type"])
    }
    known = frozenset(word for word in whole if len(word) > 2) | SPELLED
    sales = read_sales(arguments.transactions, arguments.until) if arguments.transactions else {}
    write(arguments.output, [to_item(row, known, sales) for row in kept], "items")
    if arguments.shoppers:
        sold = frozenset(row["product_id"] for row in kept)
        write(arguments.shoppers, list(to_shoppers(arguments, sold)), "shoppers")


if __name__ == "__main__":
    main()

"""The unlabelled text that distill_static.py learns from: genrec's own material, and recombinations of its words.

Nothing here is read from a data set: the held-out catalogs and queries stay unseen.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path

from genrec.catalog.ingest import read_items
from genrec.catalog.sample import catalog_path
from genrec.catalog.text import item_dense_text, normalize

ROOT = Path(__file__).parents[1]
WORD_LIST = Path(__file__).with_name("shop_words.txt")
UNITS = "oz,fl oz,lb,g,kg,ml,l,cl,count,pack,ct,gal,pt,qt,in,inch,cm,mm,m,ft,sheets,rolls,pieces,w,v,gb,mah".split(",")
LINKS = ("and", "with", "for", "in", "or", "without", "from", "on", "to", "of")


def own_texts() -> list[str]:
    """Return what genrec's authors wrote: the sample catalog, the theme library, the training plans and sections."""
    texts: list[str] = []
    for item in read_items(catalog_path()):
        texts += [item.title, item_dense_text(item), f"{item.brand} {item.title}", item.title.split(",")[0]]
        texts += [*re.split(r"(?<=[.!?])\s+", item.description), *item.categories, ", ".join(item.categories)]
    for theme in _lines(ROOT / "genrec" / "programs" / "themes.jsonl"):
        texts += [theme["title"], theme["rationale"], *theme["concepts"], f"{theme['title']}: {theme['rationale']}"]
    data = ROOT / "genrec" / "optimizers" / "data"
    for path in sorted(data.glob("sections_*.jsonl")):
        for row in _lines(path):
            texts += [row["title"], *row["concepts"], f"{row['title']}: {', '.join(row['concepts'])}"]
    for row in _lines(data / "plans.jsonl"):
        for line in row["plan"]:
            title, _, concepts = line.partition(" | ")
            texts += [title, *concepts.split(", "), f"{title}: {concepts}"]
    return sorted({text.strip() for text in texts} - {""})


def recombined(own: list[str], pieces: list[str], count: int, seed: int = 0) -> list[str]:
    """Return about `count` distinct texts made of words of `own`, of the word list and of the encoder's `pieces`.

    `pieces` are the word pieces of the encoder in its own order, frequent ones first; the draw prefers those.
    """
    source = _Source(own, pieces, seed)
    made: dict[str, None] = {}
    for text in source.texts():
        made.setdefault(text)
        if len(made) == count:
            break
    return list(made)


class _Source:
    def __init__(self, own: list[str], pieces: list[str], seed: int) -> None:
        self.random = random.Random(seed)
        self.short = [text for text in own if len(text.split()) <= 4]
        self.words = sorted({word for text in own for word in re.findall(r"[^\W_]+", normalize(text))})
        self.runs = [text.split() for text in own if len(text.split()) >= 4]
        lines = [line for line in WORD_LIST.read_text("utf-8").splitlines() if not line.startswith("#")]
        lists = {name: words.split(", ") for name, _, words in (line.partition(": ") for line in lines)}
        self.modifiers, self.purposes = lists.pop("modifiers"), lists.pop("purposes")
        self.departments = list(lists.values())
        self.goods = [thing for things in self.departments for thing in things]
        self.whole = [piece for piece in pieces if re.fullmatch(r"[a-z]{2,}", piece)]
        self.tails = [piece[2:] for piece in pieces if re.fullmatch(r"##[a-z]{2,}", piece)]

    def texts(self) -> Iterator[str]:
        yield from self.words
        yield from self.goods
        yield from self.whole
        makers = (
            (self._run, 3),
            (self._list, 3),
            (self._mixed_title, 4),
            (self._query, 5),
            (self._described, 2),
            (self._general, 4),
            (self._named, 3),
            (self._invented, 1),
        )
        calls, weights = zip(*makers, strict=True)
        while True:
            yield self.random.choices(calls, weights)[0]()

    def _common(self) -> str:
        """A general word: the square prefers the head of the vocabulary."""
        return self.whole[int(len(self.whole) * self.random.random() ** 2)]

    def _thing(self) -> str:
        pick = self.random.random()
        return self.random.choice(self.short if pick < 0.35 else self.goods if pick < 0.9 else self.words)

    def _amount(self) -> str:
        number = self.random.choice((1, 2, 3, 4, 5, 6, 8, 10, 12, 16, 20, 24, 32, 48, 50, 64, 100, 250, 500, 750))
        shown = number + self.random.choice((0, 0, 0, 0.5, 0.25, 0.8))
        return f"{shown:g} {self.random.choice(UNITS)}"

    def _run(self) -> str:
        words = self.random.choice(self.runs)
        start = self.random.randrange(len(words) - 1)
        return " ".join(words[start : start + self.random.randint(2, 7)]).strip(",.;:")

    def _list(self) -> str:
        things = [self._thing() for _ in range(self.random.randint(2, 4))]
        if self.random.random() < 0.5:
            things = self.random.sample(self.random.choice(self.departments), min(len(things), 3))
        return f"{', '.join(things[:-1])}{self.random.choice((', ', ' and '))}{things[-1]}"

    def _mixed_title(self) -> str:
        parts = [self._thing()]
        if self.random.random() < 0.6:
            parts.append(self.random.choice((self._thing(), self.random.choice(self.modifiers))))
        if self.random.random() < 0.6:
            parts.append(self._amount())
        if self.random.random() < 0.15:
            parts.append(self.random.choice(("store brand", "own label", "value pack", "pack of 2", "assorted")))
        text = ", ".join(parts)
        return text if self.random.random() < 0.5 else text.capitalize()

    def _query(self) -> str:
        words = [self._thing()]
        for _ in range(self.random.choice((0, 1, 1, 2))):
            words.insert(0, self.random.choice(self.modifiers))
        if self.random.random() < 0.3:
            words.append(self.random.choice(self.purposes))
        if self.random.random() < 0.1:
            words.append(self._amount().replace(" ", ""))
        return " ".join(words)

    def _described(self) -> str:
        """A long title as marketplaces have them: brand, thing, uses, colours, sizes."""
        head = f"{self._name()} {self.random.choice(self.modifiers)} {self._thing()}"
        tail = [
            self.random.choice((self._query, self._thing, self._amount))() for _ in range(self.random.randint(1, 4))
        ]
        return ", ".join([head, *tail])

    def _general(self) -> str:
        words = [self._common() for _ in range(self.random.randint(2, 5))]
        if len(words) > 2 and self.random.random() < 0.4:
            words[1] = self.random.choice(LINKS)
        return " ".join(words)

    def _named(self) -> str:
        """A word or a name that tells nothing, beside something that does."""
        name = self._name() if self.random.random() < 0.4 else self._common()
        return f"{name} {self._thing()}" if self.random.random() < 0.7 else f"{self._thing()} {name}"

    def _name(self) -> str:
        return f"{self._common()}{self.random.choice(self.tails)}"[:14].capitalize()

    def _invented(self) -> str:
        """A word cut into pieces: what the tail pieces mean is learned here."""
        word = f"{self._common()}{self.random.choice(self.tails)}"
        return word if self.random.random() < 0.3 else f"{word} {self._common()}"


def _lines(path: Path) -> list[dict]:
    return [json.loads(line) for line in path.read_text("utf-8").splitlines()]

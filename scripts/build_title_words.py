"""Write genrec/programs/title_words.txt: the stems that people used in titles and concepts, one a line.

python scripts/build_title_words.py
"""

import json
from pathlib import Path

from genrec.catalog.text import tokenize

ROOT = Path(__file__).parents[1] / "genrec"
DATA = ROOT / "optimizers" / "data"
ALWAYS = "monday tuesday wednesday thursday friday saturday sunday morning noon afternoon evening night midnight"


def main() -> None:
    """Collect and write."""
    texts = [ALWAYS]
    for line in (DATA / "plans.jsonl").read_text(encoding="utf-8").splitlines():
        texts += json.loads(line)["plan"]
    for path in sorted(DATA.glob("sections_*.jsonl")):
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            texts.append(f"{row['title']} {' '.join(row['concepts'])}")
    for line in (ROOT / "programs" / "themes.jsonl").read_text(encoding="utf-8").splitlines():
        theme = json.loads(line)
        texts.append(f"{theme['title']} {theme['rationale']} {' '.join(theme['concepts'])}")
    stems = sorted({stem for text in texts for stem in tokenize(text) if stem.isalpha()})
    (ROOT / "programs" / "title_words.txt").write_text("\n".join(stems) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()

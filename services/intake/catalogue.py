"""The catalogue of this deployment, read once from `categories.yaml`."""

from functools import cache
from pathlib import Path

import yaml

from services.intake.domain.categories import Catalogue, parse_catalogue

_FILE = Path(__file__).with_name("categories.yaml")


@cache
def catalogue() -> Catalogue:
    """All categories; raises BadCatalogueError when the file is faulty."""
    return parse_catalogue(yaml.safe_load(_FILE.read_text(encoding="utf-8")))

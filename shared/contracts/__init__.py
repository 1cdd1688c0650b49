"""Event contracts: what services tell each other. Facts in the past tense; ids, codes, levels, times and reasons,
never free text, never personal data. Fields are only ever added, with a default."""

from shared.contracts.base import REGISTRY, Contract, contract

__all__ = ["REGISTRY", "Contract", "contract"]

"""Fixtures for all tiers."""

from tests.instance import instance

__all__ = ["instance"]

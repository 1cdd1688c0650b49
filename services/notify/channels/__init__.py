"""Channels: one module per provider, each speaking that provider's own HTTP."""

from services.notify.channels.base import Accepted, Answer, Channel, Delivered, Order, Refused, Unknown

__all__ = ["Accepted", "Answer", "Channel", "Delivered", "Order", "Refused", "Unknown"]

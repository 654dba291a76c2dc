"""Makes file names safe to print."""

from producer.host.safe_text import escaped, harmless

__all__ = ["escaped", "harmless"]

"""Marketing automation that lives inside an online shop (Saleor, django-oscar)."""

__version__ = "0.1.0"

"""From results tables to figures, numbers and the PDF."""

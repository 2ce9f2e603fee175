"""What theory says of a run: exact rates, and what theorems promise."""

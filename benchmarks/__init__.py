"""Speed beside its limits: ``make bench`` measures each row and its limit in the same run, and prints the ratios."""

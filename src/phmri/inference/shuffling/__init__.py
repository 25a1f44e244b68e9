"""Which rows change places: a tree of rows, its shufflings counted, enumerated, or drawn."""

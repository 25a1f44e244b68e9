"""Claims: the answer in a fixed set of sentences, written and read back."""

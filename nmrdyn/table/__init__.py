"""Tables of every stage, for a notebook, a terminal, a paper and a spreadsheet."""

"""make bench: counts and ratios of the real program beside the targets of the design. tests/bench/run is the entry."""

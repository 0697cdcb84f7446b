"""End-to-end tests: the real program between an API server and the Packet simulator.

tests/e2e/run is the entry; cases_*.py hold the cases; the other modules start servers and look at what they saw.
"""

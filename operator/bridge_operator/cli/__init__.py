"""bridgectl, the command line: one module for each command, and what commands share.

main          the commands by name, and how an error ends
tools         what a command is handed: settings, clock, engine
picture       what is known now of all bridges, and from whom
engine_view   the same, from the engine alone, while the operator is silent
words         ages, counts, a bridge's state in a word
output        tables, JSON, YAML, warnings
"""

"""The command line: arguments in, calls of the library, rendering out."""

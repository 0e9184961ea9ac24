"""The parts of `generate.py`. Start reading at its docstring."""

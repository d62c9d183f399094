"""A workbench for one question, *what depends on this person's data?*: of a sentence, a
recommendation, a word.

The parts are imported by name (``from workbench.data import load_world``); this module stays empty
of heavy imports on purpose, so that ``import workbench`` costs milliseconds and never loads torch.
"""

__version__ = "0.1.0"

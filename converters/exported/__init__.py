"""What every export has in common: put in place only when it answers like the Keras model.

written in a folder beside the target ─▶ run on random input ─▶ same answers? ─▶ renamed
"""

from converters.exported.answers import (
    HALF_TOLERANCE,
    TOLERANCE,
    Answers,
    check_answers,
    check_has_graph,
    check_model_type,
    computes_in_half,
    input_names,
    keras_answers,
    output_names,
    sample_inputs,
    tolerance_of,
    verify_export,
)
from converters.exported.quiet import quiet
from converters.exported.staging import staged

__all__ = [
    "HALF_TOLERANCE",
    "TOLERANCE",
    "Answers",
    "check_answers",
    "check_has_graph",
    "check_model_type",
    "computes_in_half",
    "input_names",
    "keras_answers",
    "output_names",
    "quiet",
    "sample_inputs",
    "staged",
    "tolerance_of",
    "verify_export",
]

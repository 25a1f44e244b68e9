r"""The trial as its authors declare it.

One file, ``trial.yaml``, holds everything that changes a result: drugs and treatments, design,
sessions, scans, scales, regions, denoising, measures, questions, inference, exclusions. Reading it
gives a frozen `Protocol`; its SHA-256 identifies what was declared, not how it was typed. Every
mistake of a file is told at once, with line, field, what was found and what was expected.

What a participant has received by a session is a function of the protocol: with :math:`a` the arm
or sequence and :math:`s` the session,

.. math:: T(a, s) = \text{nothing yet, if the phase of } s \text{ is baseline;}

the arm's treatment in a parallel trial; entry *p* of the sequence in a crossover, *p* being the
period of *s*; and the treatment that *s* itself names where the order is unknown.
"""

from phmri.protocol._base import Label, Name, Record
from phmri.protocol._check_infusion import check_course
from phmri.protocol._finding import Finding, one_of
from phmri.protocol._models import *  # noqa: F403 - names are listed in _models.__all__
from phmri.protocol._models import __all__ as _records
from phmri.protocol._raw import Raw, listed, mapping, number
from phmri.protocol._read import read_protocol, read_record
from phmri.protocol._schema import protocol_schema, protocol_sha256
from phmri.protocol._settings import inference_of
from phmri.protocol._templates import list_templates, write_template
from phmri.protocol._treatment import treatment_of

__all__ = [  # noqa: PLE0604 - the records' names are texts
    *_records,
    "Finding",
    "Label",
    "Name",
    "Raw",
    "Record",
    "check_course",
    "inference_of",
    "list_templates",
    "listed",
    "mapping",
    "number",
    "one_of",
    "protocol_schema",
    "protocol_sha256",
    "read_protocol",
    "read_record",
    "treatment_of",
    "write_template",
]

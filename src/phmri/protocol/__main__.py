"""Write ``resources/trial.schema.json`` anew: ``python -m phmri.protocol`` in the repository."""

from phmri.protocol._schema import schema_text
from phmri.protocol._templates import RESOURCES

if __name__ == "__main__":
    (RESOURCES / "trial.schema.json").write_text(schema_text(), encoding="utf-8")

"""The JSON Schema of all manifests, made from the models: an editor completes and marks with it what a user writes."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core.core_schema import NullableSchema

from bridge_operator.manifest_documents import MODELS
from bridge_operator.model import API_VERSION

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _ForEditors(GenerateJsonSchema):
    """Without titles, which repeat the fields' names, and without null, which nobody needs to write."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: NullableSchema) -> JsonSchemaValue:
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: Any) -> JsonSchemaValue:
        made = super().default_schema(schema)
        return {name: value for name, value in made.items() if name != "default" or value is not None}


def manifest_schema() -> dict[str, Any]:
    """One schema for a document of any kind: its `kind` decides what the rest has to be."""
    kinds: dict[str, Any] = {}
    shared: dict[str, Any] = {}
    for kind, model in sorted(MODELS.items()):
        schema = model.model_json_schema(schema_generator=_ForEditors)
        shared |= schema.pop("$defs", {})
        kinds[kind] = schema
    definitions = kinds | shared
    for definition in definitions.values():
        definition.pop("title", None)
    return {
        "$schema": DIALECT,
        "title": f"Manifests of {API_VERSION}",
        "type": "object",
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "properties": {"apiVersion": {"const": API_VERSION}, "kind": {"enum": sorted(kinds)}},
        "allOf": [
            {
                "if": {"properties": {"kind": {"const": kind}}, "required": ["kind"]},
                "then": {"$ref": f"#/$defs/{kind}"},
            }
            for kind in kinds
        ],
        "$defs": definitions,
    }

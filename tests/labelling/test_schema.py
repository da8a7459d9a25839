"""The form of an answer: what the schema allows is what the parser reads."""

from typing import Any

from pipeline.labelling.key import request_key
from pipeline.labelling.schema import response_format


def schema_of(found: dict[str, Any] | None) -> dict[str, Any]:
    assert found is not None
    schema: dict[str, Any] = found["json_schema"]["schema"]
    return schema


def test_a_ranking_may_name_candidates_alone() -> None:
    schema = schema_of(response_format("json_schema", ["C1", "C2"]))
    assert schema["properties"] == {
        "ranking": {"type": "array", "items": {"type": "string", "enum": ["C1", "C2"]}}
    }


def test_strict_services_want_every_field_and_no_other() -> None:
    for offered in (["C1"], []):
        found = response_format("json_schema", offered)
        schema = schema_of(found)
        assert found is not None
        assert found["json_schema"]["strict"] is True
        assert schema["additionalProperties"] is False
        assert schema["required"] == list(schema["properties"])


def test_hints_are_a_list_of_texts() -> None:
    assert schema_of(response_format("json_schema", []))["properties"] == {
        "hints": {"type": "array", "items": {"type": "string"}}
    }


def test_a_form_is_part_of_the_key_and_none_is_as_if_there_were_no_forms() -> None:
    body: dict[str, Any] = {"model": "m", "messages": []}
    forms = [response_format(form, ["C1"]) for form in ("json_object", "json_schema")]
    keys = {request_key("e", body | {"response_format": form}) for form in forms}
    assert len(keys | {request_key("e", body)}) == 3
    assert response_format("none", ["C1"]) is None

"""CloudFormation's functions, one row each."""

from typing import Any

import pytest

from forebay_cli.local.resolve import ResolveError, Scope, parameter_values, resolve

TEMPLATE = {
    "Conditions": {
        "Local": {"Fn::Equals": [{"Ref": "Stage"}, "local"]},
        "Big": {"Fn::Not": [{"Fn::Equals": [{"Ref": "Size"}, 1]}]},
    },
    "Mappings": {"Sizes": {"local": {"mb": 128}}},
    "Resources": {
        "Keys": {"Type": "AWS::DynamoDB::Table"},
        "Gateway": {"Type": "AWS::Lambda::Function"},
        "Live": {
            "Type": "AWS::Lambda::Alias",
            "Properties": {"FunctionName": {"Ref": "Gateway"}, "Name": "live"},
        },
    },
}
SCOPE = Scope(TEMPLATE, {"Stage": "local", "Size": "1"}, {("Tables", "Outputs.Keys"): "keys-1"})
ARN = "arn:aws:lambda:us-east-1:000000000000:function:Gateway"
ROWS: list[tuple[Any, Any]] = [
    ("text", "text"),
    ([1, {"Ref": "Stage"}], [1, "local"]),
    ({"Ref": "AWS::Region"}, "us-east-1"),
    ({"Ref": "Keys"}, "Keys"),
    ({"Ref": "Live"}, f"{ARN}:live"),
    ({"Fn::GetAtt": ["Tables", "Outputs.Keys"]}, "keys-1"),
    ({"Fn::GetAtt": "Tables.Outputs.Keys"}, "keys-1"),
    ({"Fn::GetAtt": ["Gateway", "Arn"]}, ARN),
    ({"Fn::Sub": "a ${Stage} ${Tables.Outputs.Keys} ${!x} ${AWS::Region}"},
     "a local keys-1 ${x} us-east-1"),
    ({"Fn::Sub": ["${v}/${Stage}", {"v": {"Ref": "Size"}}]}, "1/local"),
    ({"Fn::Join": ["-", ["a", {"Ref": "Stage"}]]}, "a-local"),
    ({"Fn::If": ["Local", "yes", {"Ref": "unknown"}]}, "yes"),
    ({"Fn::If": ["Big", "yes", "no"]}, "no"),
    ({"a": {"Ref": "AWS::NoValue"}, "b": [{"Ref": "AWS::NoValue"}]}, {"b": []}),
    ({"Fn::And": [{"Condition": "Local"}, {"Condition": "Big"}]}, False),
    ({"Fn::Or": [{"Condition": "Local"}, {"Condition": "Big"}]}, True),
    ({"Fn::FindInMap": ["Sizes", {"Ref": "Stage"}, "mb"]}, 128),
    ({"Fn::Select": ["1", {"Fn::Split": [",", "a,b"]}]}, "b"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "expected"), ROWS)
def test_a_value_is_resolved(value: Any, expected: Any) -> None:
    assert resolve(value, SCOPE) == expected


@pytest.mark.parametrize(
    "value",
    [{"Ref": "Nothing"}, {"Fn::GetAtt": ["Keys", "Arn"]}, {"Fn::If": ["None", 1, 2]},
     {"Fn::FindInMap": ["Sizes", "x", "mb"]}, {"Fn::Cidr": []}, {"Fn::Sub": "${Nothing}"}],
)  # fmt: skip
def test_what_nothing_defines_is_an_error(value: Any) -> None:
    with pytest.raises(ResolveError):
        resolve(value, SCOPE)


def test_a_parameter_has_its_override_or_its_default() -> None:
    template = {"Parameters": {"A": {"Default": 1}, "B": {"Default": "b"}}}
    assert parameter_values(template, {"B": "c", "Other": "x"}) == {"A": "1", "B": "c"}


def test_a_parameter_without_a_value_is_named() -> None:
    with pytest.raises(ResolveError, match="Needed"):
        parameter_values({"Parameters": {"Needed": {}}}, {})

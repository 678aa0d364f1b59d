"""CloudFormation's intrinsic functions, as far as a processed template of ours uses them. Pure.

Source: https://docs.aws.amazon.com/AWSCloudFormation/latest/TemplateReference/
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

REGION: Final = "us-east-1"
ACCOUNT: Final = "000000000000"
STACK: Final = "forebay"
PSEUDO: Final[Mapping[str, str]] = {
    "AWS::AccountId": ACCOUNT,
    "AWS::Partition": "aws",
    "AWS::Region": REGION,
    "AWS::StackId": f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/local",
    "AWS::StackName": STACK,
    "AWS::URLSuffix": "amazonaws.com",
}
VARIABLE: Final = re.compile(r"\$\{(!?)([^}]+)\}")


class ResolveError(Exception):
    """The template refers to something that nothing here defines."""


@dataclass(frozen=True, slots=True)
class Scope:
    """What references may name.

    Attributes:
        template: the processed template: its conditions, mappings and resources.
        parameters: values of the template's parameters.
        attributes: `(logical id, attribute)` -> value, such as `("Tables", "Outputs.Keys")`.
    """

    template: Mapping[str, Any]
    parameters: Mapping[str, str]
    attributes: Mapping[tuple[str, str], str] = field(default_factory=dict)


class _NoValue:
    """`AWS::NoValue`: the property or the member is left out."""


def resolve(value: Any, scope: Scope) -> Any:
    """Return the value with each intrinsic function replaced by its result.

    Raises:
        ResolveError: a reference to what is unknown, or a function that is not listed below.
    """
    result = _resolve(value, scope)
    return None if isinstance(result, _NoValue) else result


def parameter_values(template: Mapping[str, Any], overrides: Mapping[str, str]) -> dict[str, str]:
    """Return the value of each parameter: the override, else the template's default.

    Raises:
        ResolveError: a parameter has neither.
    """
    declared = template.get("Parameters", {})
    values = {name: overrides.get(name, spec.get("Default")) for name, spec in declared.items()}
    missing = sorted(name for name, value in values.items() if value is None)
    if missing:
        raise ResolveError(f"The template's parameters have no value: {', '.join(missing)}.")
    return {name: str(value) for name, value in values.items()}


def condition_holds(name: str, scope: Scope) -> bool:
    """Return what a named condition evaluates to.

    Raises:
        ResolveError: there is no such condition.
    """
    conditions = scope.template.get("Conditions", {})
    if name not in conditions:
        raise ResolveError(f"The template has no condition {name}.")
    return bool(_resolve(conditions[name], scope))


def function_arn(name: str) -> str:
    """The ARN that a function of this logical id has here."""
    return f"arn:aws:lambda:{REGION}:{ACCOUNT}:function:{name}"


def _resolve(value: Any, scope: Scope) -> Any:
    if isinstance(value, list):
        items = (_resolve(item, scope) for item in value)
        return [item for item in items if not isinstance(item, _NoValue)]
    if not isinstance(value, dict):
        return value
    if len(value) == 1:
        ((name, argument),) = value.items()
        if name in _FUNCTIONS:
            return _FUNCTIONS[name](argument, scope)
        if isinstance(name, str) and name.startswith("Fn::"):
            raise ResolveError(f"{name} is not understood by the local stack.")
    members = ((key, _resolve(item, scope)) for key, item in value.items())
    return {key: item for key, item in members if not isinstance(item, _NoValue)}


def _ref(name: str, scope: Scope) -> Any:
    if name == "AWS::NoValue":
        return _NoValue()
    if name in PSEUDO:
        return PSEUDO[name]
    if name in scope.parameters:
        return scope.parameters[name]
    resource = scope.template.get("Resources", {}).get(name)
    if resource is None:
        raise ResolveError(f"Ref {name}: no parameter and no resource has this name.")
    if resource["Type"] == "AWS::Lambda::Alias":  # a version's or an alias's Ref is an ARN
        target = _resolve(resource["Properties"]["FunctionName"], scope)
        return f"{function_arn(target)}:{resource['Properties']['Name']}"
    return name


def _get_att(argument: Any, scope: Scope) -> str:
    logical, attribute = argument if isinstance(argument, list) else argument.split(".", 1)
    if (logical, attribute) in scope.attributes:
        return scope.attributes[logical, attribute]
    resource = scope.template.get("Resources", {}).get(logical, {})
    if resource.get("Type") == "AWS::Lambda::Function" and attribute == "Arn":
        return function_arn(logical)
    raise ResolveError(f"GetAtt {logical}.{attribute}: nothing here has this value.")


def _sub(argument: Any, scope: Scope) -> str:
    text, variables = argument if isinstance(argument, list) else (argument, {})

    def replace(match: re.Match[str]) -> str:
        literal, name = match.groups()
        if literal:
            return f"${{{name}}}"
        if name in variables:
            return str(_resolve(variables[name], scope))
        return str(_get_att(name, scope) if "." in name else _ref(name, scope))

    return VARIABLE.sub(replace, text)


def _join(argument: Any, scope: Scope) -> str:
    separator, items = argument
    return str(separator).join(str(item) for item in _resolve(items, scope))


def _if(argument: Any, scope: Scope) -> Any:
    name, then, otherwise = argument
    return _resolve(then if condition_holds(name, scope) else otherwise, scope)


def _equals(argument: Any, scope: Scope) -> bool:
    left, right = (_resolve(side, scope) for side in argument)
    return str(left) == str(right)


def _find_in_map(argument: Any, scope: Scope) -> Any:
    name, first, second = (_resolve(part, scope) for part in argument)
    try:
        return scope.template["Mappings"][name][first][second]
    except KeyError:
        raise ResolveError(f"FindInMap {name}, {first}, {second}: no such entry.") from None


def _select(argument: Any, scope: Scope) -> Any:
    index, items = argument
    return _resolve(items, scope)[int(_resolve(index, scope))]


_FUNCTIONS: Final[Mapping[str, Callable[[Any, Scope], Any]]] = {
    "Condition": condition_holds,
    "Fn::And": lambda items, scope: all(_resolve(item, scope) for item in items),
    "Fn::Equals": _equals,
    "Fn::FindInMap": _find_in_map,
    "Fn::GetAtt": _get_att,
    "Fn::If": _if,
    "Fn::Join": _join,
    "Fn::Not": lambda items, scope: not _resolve(items[0], scope),
    "Fn::Or": lambda items, scope: any(_resolve(item, scope) for item in items),
    "Fn::Select": _select,
    "Fn::Split": lambda pair, scope: str(_resolve(pair[1], scope)).split(pair[0]),
    "Fn::Sub": _sub,
    "Ref": _ref,
}

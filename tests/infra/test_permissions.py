"""Who may do what: each function its own role, each statement its own names."""

import json
from collections.abc import Iterator
from typing import Any

import pytest

from tests.support.template import (
    NESTED,
    TEMPLATE,
    Template,
    load,
    of_type,
    packaged,
    transform_sam,
)

# What must hold a star, and why. Anything else that does fails.
STARS = {
    "ReadProviderSecrets": "the operator names the secrets, below a prefix; AWS adds six letters",
    "ReadProviderParameters": "the operator names the parameters, below a prefix",
    "InvokeBedrockModels": "gateway.toml names models and region; a profile spans regions",
}
# An AWS policy is taken whole only where AWS asks for exactly it.
MANAGED = {"AmazonAPIGatewayPushToCloudWatchLogs"}

ALLOWED = {
    "GatewayRole": {
        "CheckKeys": ["dynamodb:GetItem"],
        "WriteLedger": ["dynamodb:PutItem"],
        "ShareTargetsHealth": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        "KeepAnswersForRepeats": [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:DeleteItem",
        ],
        "AdmitRequests": [
            "dynamodb:BatchGetItem",
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
        ],
        "ReadProviderSecrets": ["secretsmanager:GetSecretValue"],
        "ReadProviderParameters": ["ssm:GetParameter"],
        "InvokeBedrockModels": [
            "bedrock:InvokeModel",
            "bedrock:InvokeModelWithResponseStream",
        ],
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
    },
    "AdminRole": {
        "ManageKeys": [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:UpdateItem",
            "dynamodb:Scan",
        ],
        "ReadLedger": ["dynamodb:GetItem"],
        "ReadLedgerByDay": ["dynamodb:Query"],
        "ManageLimits": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        "ReadUsage": ["dynamodb:GetItem", "dynamodb:Query"],
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
    },
    "SettlerRole": {
        "ReadLedgerStream": [
            "dynamodb:DescribeStream",
            "dynamodb:GetRecords",
            "dynamodb:GetShardIterator",
            "dynamodb:ListStreams",
        ],
        "KeepTargetsHealth": ["dynamodb:PutItem", "dynamodb:UpdateItem"],
        "RollUpUsage": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        "TellOfLostRecords": ["sqs:SendMessage"],
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
    },
    "ControllerRole": {
        "RepairTargetsHealth": [
            "dynamodb:GetItem",
            "dynamodb:PutItem",
            "dynamodb:Scan",
            "dynamodb:UpdateItem",
        ],
        "FindExpiredHolds": ["dynamodb:Query"],
        "SettleExpiredHolds": ["dynamodb:GetItem", "dynamodb:PutItem", "dynamodb:UpdateItem"],
        "TellWhoseHoldsAre": ["dynamodb:GetItem"],
        "EnterLostRequests": ["dynamodb:GetItem", "dynamodb:PutItem"],
        "WriteLogs": ["logs:CreateLogStream", "logs:PutLogEvents"],
    },
}

# What each statement reaches: an output of a nested stack.
REACHES = {
    "CheckKeys": "Tables.KeysTableArn",
    "ManageKeys": "Tables.KeysTableArn",
    "WriteLedger": "Tables.LedgerTableArn",
    "ReadLedger": "Tables.LedgerTableArn",
    "ReadLedgerStream": "Tables.LedgerStreamArn",
    "ShareTargetsHealth": "Tables.BreakersTableArn",
    "KeepTargetsHealth": "Tables.BreakersTableArn",
    "RepairTargetsHealth": "Tables.BreakersTableArn",
    "KeepAnswersForRepeats": "Tables.JobsTableArn",
    "AdmitRequests": "Tables.LimitsTableArn",
    "ManageLimits": "Tables.LimitsTableArn",
    "SettleExpiredHolds": "Tables.LimitsTableArn",
    "EnterLostRequests": "Tables.LedgerTableArn",
    "TellWhoseHoldsAre": "Tables.KeysTableArn",
    "ReadUsage": "Tables.UsageTableArn",
    "RollUpUsage": "Tables.UsageTableArn",
    "TellOfLostRecords": "Queues.SettlerFailuresArn",
}

TEMPLATES: dict[str, Template] = {
    "template.yaml": transform_sam(packaged(load(TEMPLATE))),
    **{path.name: load(path) for path in NESTED},
}


def listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def roles() -> Iterator[tuple[str, dict[str, Any]]]:
    for template in TEMPLATES.values():
        for name, role in of_type(template, "AWS::IAM::Role").items():
            yield name, role["Properties"]


def statements() -> Iterator[Any]:
    for name, role in roles():
        for policy in role.get("Policies", []):
            for statement in policy["PolicyDocument"]["Statement"]:
                yield pytest.param(statement, id=f"{name}.{statement['Sid']}")


@pytest.mark.parametrize("statement", list(statements()))
def test_a_statement_names_its_actions_and_resources(statement: dict[str, Any]) -> None:
    assert statement["Effect"] == "Allow"
    assert not any("*" in action for action in listed(statement["Action"]))
    if statement["Sid"] not in STARS:
        assert "*" not in json.dumps(statement["Resource"])


SECRETS = ("ReadProviderSecrets", "ReadProviderParameters")


@pytest.mark.parametrize("statement", [s for s in statements() if s.values[0]["Sid"] in SECRETS])
def test_a_star_among_secrets_stands_only_behind_the_operators_prefix(
    statement: dict[str, Any],
) -> None:
    resource = statement["Resource"]["Fn::Sub"]
    assert resource.endswith("${ProviderSecretsPrefix}*")
    assert resource.count("*") == 1


def test_bedrocks_stars_stand_for_regions_and_models_alone() -> None:
    """Of profiles only this account's; foundation models belong to none."""
    (statement,) = [
        each.values[0] for each in statements() if each.values[0]["Sid"] == "InvokeBedrockModels"
    ]
    own = "arn:${AWS::Partition}:bedrock:*:${AWS::AccountId}:"
    assert [resource["Fn::Sub"] for resource in statement["Resource"]] == [
        "arn:${AWS::Partition}:bedrock:*::foundation-model/*",
        f"{own}inference-profile/*",
        f"{own}application-inference-profile/*",
    ]


@pytest.mark.parametrize("statement", [s for s in statements() if s.values[0]["Sid"] in REACHES])
def test_a_statement_on_a_table_or_queue_reaches_that_one_alone(statement: dict[str, Any]) -> None:
    stack, output = REACHES[statement["Sid"]].split(".")
    assert statement["Resource"] == {"Fn::GetAtt": [stack, f"Outputs.{output}"]}


@pytest.mark.parametrize("role", ALLOWED)
def test_a_function_may_do_what_it_needs_and_no_more(role: str) -> None:
    policies = dict(roles())[role]["Policies"]
    granted = {
        statement["Sid"]: listed(statement["Action"])
        for policy in policies
        for statement in policy["PolicyDocument"]["Statement"]
    }
    assert granted == ALLOWED[role]


def test_only_the_listed_policies_of_aws_are_taken_whole() -> None:
    taken = {
        json.dumps(arn).rsplit("/", 1)[-1].strip('"}')
        for _, role in roles()
        for arn in role.get("ManagedPolicyArns", [])
    }
    assert taken == MANAGED


def test_permissions_stand_in_roles_alone() -> None:
    """Other kinds of policy would go past the tests above."""
    kinds = {
        resource["Type"]
        for template in TEMPLATES.values()
        for resource in template["Resources"].values()
        if resource["Type"].startswith("AWS::IAM::")
    }
    assert kinds == {"AWS::IAM::Role"}


@pytest.mark.parametrize("role", [pytest.param(role, id=name) for name, role in roles()])
def test_a_role_is_assumed_by_one_service(role: dict[str, Any]) -> None:
    (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
    assert statement["Action"] == "sts:AssumeRole"
    assert statement["Principal"]["Service"] in {"lambda.amazonaws.com", "apigateway.amazonaws.com"}


def test_only_this_api_and_this_schedule_may_invoke_a_function() -> None:
    permissions = of_type(TEMPLATES["template.yaml"], "AWS::Lambda::Permission").values()
    sources: list[Any] = [permission["Properties"]["SourceArn"] for permission in permissions]
    schedules = [source for source in sources if "Fn::GetAtt" in source]
    apis = [source["Fn::Sub"][1]["__ApiId__"] for source in sources if "Fn::Sub" in source]
    assert schedules == [{"Fn::GetAtt": ["ControllerFunctionEveryMinute", "Arn"]}]
    assert apis == [{"Ref": "Api"}] * 3

# SPDX-License-Identifier: MIT
"""Whether a definition's comment says all there is to say, and no more."""

import re

from .comments import Comment, Part
from .definitions import (AlternateType, Command, Definition, EnumType, EnumValue, Feature, Member,
                          ObjectType)
from .source import Position, QapiError


def own_members(definition: Definition) -> list[Member | EnumValue]:
    """The members that a definition's own comment describes."""
    if isinstance(definition, EnumType):
        return list(definition.values)
    if isinstance(definition, ObjectType):
        return list(definition.members)
    if isinstance(definition, AlternateType):
        return list(definition.branches)
    return list(definition.own_arguments.members) if definition.own_arguments else []


def _noun(definition: Definition) -> str:
    nouns = {"enum": "value", "alternate": "branch", "command": "argument"}
    return nouns.get(definition.head.kind, "member")


def all_features(definition: Definition) -> list[Feature]:
    """The features of a definition and of its members."""
    features = list(definition.head.features)
    for member in own_members(definition):
        features += member.features
    return features


def _check_names(definition: Definition, what: str, described: dict[str, Part],
                 defined: dict[str, Position]) -> None:
    for name, part in described.items():
        if name not in defined:
            raise QapiError(part.position, f"{definition.head} has no {what} '{name}'",
                            f"the name of a {what} is expected")
    for name, position in defined.items():
        if name not in described:
            raise QapiError(position, f"{what} '{name}' of {definition.head} is not documented",
                            f"'@{name}: text' is expected in the comment")


def _check_sections(definition: Definition, comment: Comment) -> None:
    head = definition.head
    returns = definition.returns if isinstance(definition, Command) else None
    if returns and "Returns" not in comment.sections:
        raise QapiError(head.position, f"the comment of {head} does not say what it returns",
                        "'Returns: text' is expected")
    if not returns and "Returns" in comment.sections:
        raise QapiError(comment.sections["Returns"].position, f"{head} returns nothing",
                        "no 'Returns:' is expected")
    if not isinstance(definition, Command) and "Errors" in comment.sections:
        raise QapiError(comment.sections["Errors"].position, f"{head} has errors",
                        "'Errors:' is expected with commands only")
    if not re.fullmatch(r"\d+\.\d+", comment.section_text("Since")):
        raise QapiError(head.position, f"the comment of {head} does not say since when it exists",
                        "'Since: MAJOR.MINOR' is expected")


def check_documentation(definition: Definition) -> None:
    """Checks the comment of one definition."""
    head = definition.head
    comment = head.comment
    if not comment:
        raise QapiError(head.position, f"{head} is not documented",
                        "a comment between two lines '##' is expected directly before it")
    if comment.name != head.name:
        raise QapiError(comment.position, f"the comment of '{comment.name}' stands before {head}",
                        f"the comment of '{head.name}' is expected there")
    _check_names(definition, _noun(definition), comment.members,
                 {member.name: member.position for member in own_members(definition)})
    _check_names(definition, "feature", comment.features,
                 {feature.name: feature.position for feature in all_features(definition)})
    _check_sections(definition, comment)

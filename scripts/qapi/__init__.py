# SPDX-License-Identifier: MIT
"""Reads a schema in QAPI language, and makes C tables, introspection and a manual of it.

The way of a schema through the modules:

    lexer           text to tokens
    comments        documentation comments to their parts
    parser          tokens to expressions; follows includes, collects pragmas
    definitions     expressions to definitions, one by one: their shape, their names
    schema          definitions to a whole: types are found, rules between definitions hold
    documentation   each definition against its comment
    tables, introspection, manual
                    what is made of it

What is wrong with a schema is a QapiError, which says where, what, and what is expected.
"""

"""Flow templates: one flow with `{column}` placeholders for many rows, from the JSON to the flow of each row.

`template` reads and checks a template, `row_factory` makes its rows, `compiled_template` builds their flows fast,
`linter` and `findings` report suspicious texts, `correlation` adds the label and callback URL of a run. This package
imports nothing itself, because `bulk.sources` imports single modules of it.
"""

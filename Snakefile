include: "workflow/Snakefile"


# `include` forgets the default target of the included file.
workflow.default_target = "all"

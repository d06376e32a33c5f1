# What holds for every rule of a step: lost files, and the content of what it reads.
#
# A job that has lost an output, or a file of an output folder, is run again. Snakemake itself looks
# only whether a folder is there, and passes over a file that no pending job reads, so the output is
# forced while the graph is built, as `snakemake -R FILE` would.
#
# A job is also run again when a file that its options name, or an input that no job writes, has
# other content, whatever its time: every rule has a digest of these among its params.
from milan_core.core.records import lost_files
from milan_core.plan.contents import JobContents


def is_output(path):
    """Whether a rule writes a file, or a folder that holds it."""
    places = [path, *map(str, Path(path).parents)]
    outputs = [output for rule in workflow.rules for output in rule.output]
    return any(
        output.match(place)
        for output in outputs
        for place in (places if output.is_directory else places[:1])
    )


CONTENTS = JobContents([RESULTS, RESOURCES], is_output)


def remake_damaged(outputs):
    """An input function without inputs that forces the outputs of a job that has lost files."""

    def nothing(wildcards):
        paths = [Path(output.apply_wildcards(wildcards)) for output in outputs]
        present = [path for path in paths if path.exists()]
        record = next((p for p in paths if p.name.endswith("provenance.json")), None)
        damaged = 0 < len(present) < len(paths) or any(
            path.is_dir() and lost_files(path, record) for path in present
        )
        if workflow.is_main_process and damaged:
            workflow.dag.forcefiles.update(map(str, present))
        return []

    return nothing


def contents(rule, step, options):
    """A param: a digest over what a job reads and no job writes."""

    def digest(wildcards):
        texts = {
            name: value(wildcards) if callable(value) else value
            for name, value in options.items()
        }
        return CONTENTS.digest(
            step, texts, rule.expand_input(dict(wildcards.items()))[0]
        )

    return digest


for defined in workflow.rules:
    if " step " in (defined.shellcmd or ""):
        defined.set_input(remake_damaged(defined.output))
        step = re.search(r" step ([\w.]+)", defined.shellcmd).group(1)
        defined.set_params(
            contents=contents(defined, step, dict(defined.params.items()))
        )

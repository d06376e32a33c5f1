# A job that has lost an output, or a file of an output folder, is run again. Snakemake itself looks
# only whether a folder is there, and passes over a file that no pending job reads, so the output is
# forced while the graph is built, as `snakemake -R FILE` would.
from milan_core.core.records import lost_files


def remake_damaged(outputs):
    """An input function without inputs that forces the outputs of a job that has lost files."""

    def nothing(wildcards):
        paths = [Path(output.apply_wildcards(wildcards)) for output in outputs]
        present = [path for path in paths if path.exists()]
        damaged = 0 < len(present) < len(paths) or any(
            path.is_dir() and lost_files(path) for path in present
        )
        if workflow.is_main_process and damaged:
            workflow.dag.forcefiles.update(map(str, present))
        return []

    return nothing


for defined in workflow.rules:
    if " step " in (defined.shellcmd or ""):
        defined.set_input(remake_damaged(defined.output))

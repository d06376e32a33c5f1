# An output folder that has lost a file is made again. Snakemake itself looks only whether the folder is
# there, so the folder is forced while the graph is built, as `snakemake -R FOLDER` would.
from milan_core.core.records import lost_files


def remake_damaged(output):
    """An input function without inputs that forces a folder which lacks a file of its record."""

    def nothing(wildcards):
        folder = Path(output.apply_wildcards(wildcards))
        if workflow.is_main_process and folder.is_dir() and lost_files(folder):
            workflow.dag.forcefiles.add(str(folder))
        return []

    return nothing


for defined in workflow.rules:
    for item in defined.output:
        if item.is_directory and " step " in (defined.shellcmd or ""):
            defined.set_input(remake_damaged(item))

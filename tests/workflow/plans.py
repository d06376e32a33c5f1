"""Reading Snakemake's plans."""

import re
from collections import Counter


def job_counts(output: str) -> Counter:
    """The table `Job stats` of a dry run as rule -> number of jobs, without the total."""
    found = Counter()
    for block in re.findall(r"Job stats:\n(.*?)\ntotal", output, re.DOTALL):
        found = Counter(
            {name: int(count) for name, count in re.findall(r"^(\w+) +(\d+)$", block, re.MULTILINE)}
        )
    return found

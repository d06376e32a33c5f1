# Image with the pinned environment and the package. Build from the repository root:
#   docker build -f envs/milan.Dockerfile -t milan-workflow .
# Text only so far: no container engine was available where this was written.
FROM python:3.11-slim-bookworm
RUN apt-get update \
 && apt-get install -y --no-install-recommends g++ make git \
 && rm -rf /var/lib/apt/lists/*
WORKDIR /opt/milan
COPY envs/requirements-lock.txt envs/
RUN pip install --no-cache-dir --no-deps --require-hashes -r envs/requirements-lock.txt
COPY . .
RUN pip install --no-cache-dir --no-build-isolation --no-deps .
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]

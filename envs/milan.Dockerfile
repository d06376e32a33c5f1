# Image with the pinned environment, the package, and what pods need to reach S3. Build from the repository root:
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
RUN pip install --no-cache-dir --no-build-isolation --no-deps . \
 && pip install --no-cache-dir "snakemake-storage-plugin-s3>=0.3"
ENTRYPOINT ["snakemake"]
CMD ["--cores", "all"]

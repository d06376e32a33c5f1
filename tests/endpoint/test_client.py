"""Questions to a server that misbehaves: each has its answer or its reason, nothing twice."""

import json
import math
import threading

import pytest
from model_server import capable, completion, token

from milan_core.core.errors import UserError
from milan_core.core.options import parse
from milan_core.endpoint.capabilities import SCHEMA, plain, probe
from milan_core.endpoint.cassette import Cassette
from milan_core.endpoint.client import HOPELESS, Endpoint
from milan_core.endpoint.options import EndpointOptions
from milan_core.endpoint.pace import Pace, backoff
from milan_core.endpoint.question import Question
from milan_core.endpoint.spend import estimated


@pytest.fixture
def server(served_model):
    return served_model


class QuickClock:
    """Time that passes only while somebody sleeps."""

    def __init__(self):
        self.time, self.slept, self.lock = 0.0, [], threading.Lock()

    def now(self):
        return self.time

    def sleep(self, seconds):
        with self.lock:
            self.time += seconds
            self.slept.append(seconds)


def endpoint(server, path, *, replay=False, clock=None, **options):
    chosen = EndpointOptions(url=server.url, model="small", **options)
    cassette = Cassette(path, "small", replay=replay)
    return Endpoint(chosen, cassette, clock=clock or QuickClock())


def ask(server, path, questions, **options):
    with endpoint(server, path, **options).open() as opened:
        return opened.ask(questions), opened.spent


def test_answers_come_in_order_and_equal_questions_are_asked_once(server, tmp_path):
    questions = [Question(f"q{i % 7}") for i in range(20)]
    answers, spent = ask(server, tmp_path / "c.jsonl", questions)
    assert [a.text for a in answers] == [f"echo q{i % 7}" for i in range(20)]
    assert sum(server.bodies.values()) == 7
    assert (spent.questions, spent.kept, spent.requests, spent.asked) == (7, 0, 7, 49)


def test_cassettes_do_not_depend_on_concurrency_and_replay_without_a_server(server, tmp_path):
    questions = [Question(f"q{i}", (plain((i, 0, 0)),)) for i in range(30)]
    server.delay = 0.01
    first, _ = ask(server, tmp_path / "a.jsonl", questions, concurrency=1)
    second, _ = ask(server, tmp_path / "b.jsonl", questions[::-1], concurrency=8)
    assert (tmp_path / "a.jsonl").read_bytes() == (tmp_path / "b.jsonl").read_bytes()
    assert 1 < server.most <= 8
    server.close()
    third, spent = ask(server, tmp_path / "a.jsonl", questions, replay=True)
    assert first == second[::-1] == third
    assert (spent.kept, spent.requests) == (30, 0)
    with pytest.raises(UserError, match="no answer to 'new'"):
        ask(server, tmp_path / "a.jsonl", [Question("new")], replay=True)


@pytest.mark.parametrize(
    "faults", [[500], [503, 429], ["cut"], ["stall"], ["drip"], [("retry", 429, "7")]], ids=str
)
def test_faults_of_the_moment_are_tried_again(server, tmp_path, faults):
    clock = QuickClock()
    server.faults["q"] = list(faults)
    (answer,), spent = ask(server, tmp_path / "c", [Question("q")], clock=clock, timeout=1.0)
    assert answer.text == "echo q"
    assert spent.requests == len(faults) + 1
    assert sum(clock.slept) >= (7 if faults[0] == ("retry", 429, "7") else 0.7)


def test_a_question_without_a_reply_is_asked_again_by_the_next_run(server, tmp_path):
    server.faults["bad"] = [500] * 3 + [400]
    questions = [Question("good"), Question("bad")]
    (good, bad), spent = ask(server, tmp_path / "c", questions, attempts=3)
    assert good.answered
    refusal = 'the server answered {} ({{"error": {{"message": "no"}}}})'
    assert bad.problem == refusal.format(500)
    (_, replayed), _ = ask(server, tmp_path / "c", questions, replay=True)
    assert replayed == bad
    assert spent.unanswered == 1
    (_, refused), _ = ask(server, tmp_path / "c", questions)
    assert refused.problem == refusal.format(400)
    (_, finally_there), spent = ask(server, tmp_path / "c", questions)
    assert finally_there.text == "echo bad"
    assert (spent.kept, spent.requests) == (1, 1)


BAD_REPLIES = {
    "refusal": completion("", refusal="I cannot help"),
    "no JSON": b"<html>busy</html>",
    "no choices": {"choices": []},
    "two choices": {"choices": completion("a")["choices"] * 2},
    "no text": completion(None),
    "a list": [1],
    "deep": b"[" * 100_000,
    "long": completion("x" * 30_000),
    "no field": completion('{"number": 1}'),
    "another type": completion('{"digit": "one"}'),
    "cut": completion('{"digit": '),
}


@pytest.mark.parametrize("name", BAD_REPLIES)
def test_a_reply_that_is_no_answer_is_asked_for_once_more(server, tmp_path, name):
    bad = BAD_REPLIES[name]
    bad = bad if isinstance(bad, bytes) else json.dumps(bad).encode()
    server.rule = lambda _: completion('{"digit": 4}')
    question = Question("q", schema=SCHEMA)
    server.faults["q"] = [bad]
    (answer,), spent = ask(server, tmp_path / "once", [question])
    assert answer.fields == {"digit": 4}
    assert spent.requests == 2
    seeds = [json.loads(body)["seed"] for body in server.bodies]
    assert sorted(seeds) == [0, 1]
    server.faults["q"] = [bad, bad]
    (answer,), spent = ask(server, tmp_path / "twice", [question])
    assert not answer.answered
    assert answer.problem
    assert spent.requests == 2
    (replayed,), _ = ask(server, tmp_path / "twice", [question], replay=True)
    assert replayed == answer


def test_log_probabilities_are_read_and_may_be_missing(server, tmp_path):
    top = [("1", -0.5), ("0", -1.5)]
    server.rule = lambda _: completion("1 a", [token("1", -0.5, top), token(" a", -2.0)])
    (answer,), _ = ask(server, tmp_path / "a", [Question("q", logprobs=True)])
    assert answer.first == tuple(top)
    assert answer.total == -2.5
    server.rule = lambda _: completion("1")
    (answer,), _ = ask(server, tmp_path / "b", [Question("q", logprobs=True)])
    assert (answer.text, answer.first, answer.total) == ("1", (), None)
    server.rule = lambda _: completion("1", [token("1", 0.5)])
    (answer,), _ = ask(server, tmp_path / "c", [Question("q", logprobs=True)])
    assert answer.problem == "a log-probability is no number that is at most 0"


@pytest.mark.parametrize("status", [401, 403, 404, "redirect"])
def test_a_server_that_refuses_everybody_ends_the_run(server, tmp_path, status):
    server.always = status
    with pytest.raises(UserError, match=r"check the address, the key and the model 'small'"):
        ask(server, tmp_path / "c", [Question(f"q{i}") for i in range(50)])
    assert sum(server.bodies.values()) < 20


def test_a_server_that_never_answers_ends_the_run(server, tmp_path):
    server.always = 500
    with pytest.raises(UserError, match=f"the first {HOPELESS} questions had no answer"):
        ask(server, tmp_path / "c", [Question(f"q{i}") for i in range(50)], attempts=2)
    assert sum(server.bodies.values()) <= 2 * (HOPELESS + 4)


def test_the_key_is_sent_and_shown_nowhere(server, tmp_path, monkeypatch):
    with pytest.raises(UserError, match="environment variable SERVICE_KEY is not set"):
        ask(server, tmp_path / "c", [Question("q")], key_variable="SERVICE_KEY")
    monkeypatch.setenv("SERVICE_KEY", "sk-secret")
    ask(server, tmp_path / "c", [Question("q")], key_variable="SERVICE_KEY")
    assert server.headers[-1]["Authorization"] == "Bearer sk-secret"
    server.rule = lambda _: completion("your key is sk-secret")
    (answer,), _ = ask(server, tmp_path / "c", [Question("echo")], key_variable="SERVICE_KEY")
    assert answer.text == "your key is ***"
    assert b"sk-secret" not in (tmp_path / "c").read_bytes()
    with pytest.raises(UserError, match="sent over https or to this machine only"):
        parse(
            EndpointOptions,
            {"url": "http://far.example/v1", "model": "m", "key_variable": "SERVICE_KEY"},
            "endpoint",
        )


def test_requests_keep_to_the_rate(server, tmp_path):
    clock = QuickClock()
    options = {"per_minute": 30.0, "concurrency": 1}
    ask(server, tmp_path / "c", [Question(f"q{i}") for i in range(4)], clock=clock, **options)
    assert clock.time == pytest.approx(6.0)
    pace = Pace(None, clock)
    pace.hold(5.0)
    pace.wait()
    assert clock.time == pytest.approx(11.0)


def test_pauses_double_and_differ():
    waits = [backoff("key", attempt) for attempt in range(1, 9)]
    assert all(0.75 <= wait / 2**i <= 1.25 for i, wait in enumerate(waits[:6]))
    assert max(waits) <= 60
    assert waits[0] != backoff("other", 1)


def test_what_questions_cost_is_known_before(server, tmp_path):
    options = EndpointOptions(url=server.url, model="small", price_in=2.0, price_out=10.0)
    questions = [Question("a" * 40, (plain((0, 0, 0)),), max_tokens=20), Question("b")]
    guess = estimated(questions, 3, options)
    assert (guess.questions, guess.kept, guess.asked, guess.answered) == (5, 3, 10 + 9 + 1, 84)
    assert guess.price == pytest.approx((20 * 2 + 84 * 10) / 1e6)
    with Endpoint(options, Cassette(tmp_path / "c", "small")).open() as opened:
        assert opened.estimate(questions).asked == 20
        opened.ask(questions)
        assert opened.estimate(questions).questions == opened.estimate(questions).kept == 2
        assert opened.spent.price == pytest.approx((14 * 2 + 6 * 10) / 1e6)


def test_capabilities_are_probed_once(server, tmp_path):
    server.rule = capable
    with endpoint(server, tmp_path / "c").open() as opened:
        able = probe(opened)
        assert (able.images, able.logprobs, able.schema, able.problems) == (True, True, True, {})
        assert probe(opened) == able
        assert opened.spent.requests == 5
    server.rule = lambda _: completion("red")
    with endpoint(server, tmp_path / "blind").open() as opened:
        blind = probe(opened)
        assert [blind.images, blind.logprobs, blind.schema] == [False] * 3
        assert set(blind.problems) == {"images", "logprobs", "schema"}
    assert probe(endpoint(server, tmp_path / "blind", replay=True)) == blind


def test_minus_infinity_is_a_small_number(server, tmp_path):
    server.rule = lambda _: completion("1", [token("1", -math.inf)])
    (answer,), _ = ask(server, tmp_path / "c", [Question("q", logprobs=True)])
    assert answer.total == -1e9

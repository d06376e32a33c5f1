"""Ask many questions at once: cassette, retries, rate limit, and answers in the order asked.

    with Endpoint(options, cassette).open() as endpoint:
        print(endpoint.estimate(questions))
        answers = endpoint.ask(questions)
        print(endpoint.spent)

A reply that is no answer (a refusal, bad JSON) is asked for once more with the next seed; then the
question is unanswered. A question that the server refuses or that no attempt brings an answer to is
unanswered too, and a later run asks it again.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterator, Sequence
from concurrent.futures import FIRST_EXCEPTION, ThreadPoolExecutor, wait
from dataclasses import replace

from milan_core.core.addresses import hidden
from milan_core.core.errors import UserError
from milan_core.core.progress import bar
from milan_core.endpoint.answer import (
    Answer,
    MalformedReply,
    read_answer,
    unanswered,
    usage,
)
from milan_core.endpoint.cassette import Cassette, Exchange
from milan_core.endpoint.options import EndpointOptions
from milan_core.endpoint.pace import Clock, Pace, WallClock, backoff
from milan_core.endpoint.question import Question
from milan_core.endpoint.spend import Spend, estimated, priced
from milan_core.endpoint.transport import LaterError, Transport, Web

HOPELESS = 8  # questions without a reply, before any had one, that end a run


class Endpoint:
    """A model behind a server.

    Args:
        options: address, model and limits.
        cassette: of the exchanges.
        transport: sends requests; default: the server at `options.url`.
        clock: for pauses.

    """

    def __init__(
        self,
        options: EndpointOptions,
        cassette: Cassette,
        transport: Transport | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._options, self._cassette = options, cassette
        self._transport = transport or Web(options)
        self._clock = clock or WallClock()
        self._pace = Pace(options.per_minute, self._clock)
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._spent, self._replies, self._failures = Spend(), 0, 0

    @property
    def model(self) -> str:
        """Name of the model, for tables and `referee.judge.refuse_same_model`."""
        return self._options.model

    @property
    def spent(self) -> Spend:
        """Requests and tokens so far."""
        return priced(self._spent, self._options)

    @contextlib.contextmanager
    def open(self) -> Iterator[Endpoint]:
        """Record to the cassette during the block, or replay it."""
        with self._cassette.recording():
            yield self

    def estimate(self, questions: Sequence[Question]) -> Spend:
        """Requests, tokens and price of the questions that the cassette does not answer."""
        distinct = self._distinct(questions)
        todo = [question for key, question in distinct.items() if not self._kept(key)]
        return estimated(todo, len(distinct) - len(todo), self._options)

    def ask(self, questions: Sequence[Question]) -> list[Answer]:
        """Answers in the order of the questions; equal questions are asked once.

        Raises:
            UserError: the server refuses all questions, nothing answers, or a replayed cassette
                lacks a question.

        """
        distinct = self._distinct(questions)
        with (
            bar("asking", "question", len(distinct)) as drawn,
            ThreadPoolExecutor(self._options.concurrency) as pool,
        ):
            tasks = {key: pool.submit(self._answer, item) for key, item in distinct.items()}
            for task in tasks.values():
                task.add_done_callback(lambda _: drawn.update())
            done, _ = wait(tasks.values(), return_when=FIRST_EXCEPTION)
            failed = [task for task in done if task.exception()]
            if failed:
                self._stopped.set()
                pool.shutdown(cancel_futures=True)
                raise failed[0].exception() or UserError("endpoint: no answer")
        answers = {key: task.result() for key, task in tasks.items()}
        lacking = sum(not answer.answered for answer in answers.values())
        self._count(questions=len(distinct), unanswered=lacking)
        return [answers[question.key(self.model)] for question in questions]

    def _distinct(self, questions: Sequence[Question]) -> dict[str, Question]:
        return {question.key(self.model): question for question in questions}

    def _kept(self, key: str) -> Exchange | None:
        """An exchange that counts: a reply, or when replaying whatever there is."""
        exchange = self._cassette.find(key)
        counts = exchange is not None and (exchange.status == 200 or self._cassette.replay)
        return exchange if counts else None

    def _answer(self, question: Question) -> Answer:
        """The answer, after at most one repetition with the next seed."""
        answer = self._once(question)
        if answer.answered or not answer.final:
            return answer
        again = self._once(replace(question, seed=question.seed + 1))
        return again if again.answered or not again.final else answer

    def _once(self, question: Question) -> Answer:
        key = question.key(self.model)
        exchange = self._kept(key)
        if exchange:
            self._count(kept=1)
        elif self._cassette.replay:
            raise UserError(
                f"{self._cassette.path} has no answer to {question.text[:80]!r}; record it again "
                "with the same images and options, without --replay"
            )
        else:
            sent = self._sent(key, question)
            if isinstance(sent, Answer):
                return sent
            exchange = sent
        if exchange.status != 200:
            return unanswered(exchange.reason, final=False)
        try:
            return read_answer(exchange.body, question)
        except MalformedReply as error:
            return unanswered(str(error), final=True)

    def _sent(self, key: str, question: Question) -> Exchange | Answer:
        """A new exchange, recorded; an unanswered question where no attempt has a reply."""
        body, last = question.body(self.model), LaterError("")
        for attempt in range(1, self._options.attempts + 1):
            if self._stopped.is_set():
                break
            self._pace.wait()
            self._count(requests=1)
            try:
                reply = self._transport.post(body)
            except LaterError as error:
                last = error
                if error.wait is not None:
                    self._pace.hold(error.wait)
                if attempt < self._options.attempts:
                    self._clock.sleep(backoff(key, attempt) if error.wait is None else 0)
                continue
            exchange = Exchange(reply.status, reply.body)
            self._cassette.add(key, question.facts, exchange)
            self._noted(reply.status == 200, exchange.reason)
            counted = usage(reply.body)
            self._count(asked=counted.asked, answered=counted.answered)
            return exchange
        self._noted(False, str(last))
        if last.reply is not None:  # for replays; the next run asks again
            exchange = Exchange(last.reply.status, last.reply.body)
            self._cassette.add(key, question.facts, exchange)
            return exchange
        return unanswered(f"no reply in {self._options.attempts} attempts: {last}", final=False)

    def _noted(self, replied: bool, reason: str) -> None:
        """Count replies; stop where the first questions all had none."""
        with self._lock:
            self._replies += replied
            self._failures += not replied
            hopeless = not self._replies and self._failures >= HOPELESS
        if hopeless:
            told = hidden(" ".join(reason.split())[:200], self._options.url)
            raise UserError(
                f"endpoint {hidden(self._options.url)}: the first {HOPELESS} questions had no "
                f"answer ({told}); check that the server runs and accepts such questions "
                "(milan endpoint)"
            )

    def _count(self, **more: int) -> None:
        with self._lock:
            counted = {name: getattr(self._spent, name) + n for name, n in more.items()}
            self._spent = replace(self._spent, **counted)

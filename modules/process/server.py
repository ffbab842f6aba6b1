"""The child's side of `ProcessClient`: answers questions in turn, on the thread that calls `serve`."""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from queue import SimpleQueue
from typing import Final, Generic, NoReturn, TypeAlias, TypeVar

import msgspec

from modules.errors import ServiceError
from modules.process.channel import Channel, private_pipes, run_to_the_end, start_thread
from modules.process.failures import ServiceFault, fault_of
from modules.process.frames import BadMessage, Frame, FrameKind
from modules.process.progress import LOADING, ThreadProgress

_log = logging.getLogger(__name__)
Q = TypeVar("Q")

# Answers of one question that the parent has not read yet; then the child waits.
WINDOW: Final = 32


class TaskCancelled(Exception):
    """Nobody waits for the answers any more."""


class Task:
    """A question that is being answered: whether anybody still waits, and that the work advances."""

    def __init__(self, number: int, progress: ThreadProgress, channel: Channel) -> None:
        self.number = number
        self._progress = progress
        self._channel = channel
        self._is_cancelled = False
        self._room = threading.Semaphore(WINDOW)

    def is_cancelled(self) -> bool:
        """To be asked in long loops; between two answers it is asked for you."""
        return self._is_cancelled

    def advance(self) -> None:
        """Something was done. Work that never says so has to use processor time to count as alive."""
        self._progress.advance()

    def send(self, answer: object) -> None:
        """One more answer, from within the work: for libraries that call back. Raises TaskCancelled when nobody waits."""
        self._wait_for_room()
        if self._is_cancelled:
            raise TaskCancelled
        self._channel.send(FrameKind.ANSWER, self.number, answer)
        self.advance()

    @contextmanager
    def loading(self) -> Iterator[None]:
        """Meanwhile it reads files, which a network may deliver slowly."""
        name, self._progress.name = self._progress.name, LOADING
        try:
            yield
        finally:
            self._progress.name = name

    def cancel(self) -> None:
        self._is_cancelled = True
        self._room.release()

    def on_taken(self, count: int) -> None:
        self._room.release(count)

    def _wait_for_room(self) -> None:
        """Until the reader has taken enough. Waiting for a slow reader is no work."""
        if not self._room.acquire(blocking=False):
            self._progress.rest()
            self._room.acquire()
            self._progress.begin()


Handler: TypeAlias = Callable[[Q, Task], Iterable[object]]


class _QuestionServer(Generic[Q]):
    def __init__(self, channel: Channel, handle: Handler[Q], questions: object) -> None:
        self._channel = channel
        self._handle = handle
        self._decoder: msgspec.msgpack.Decoder[Q] = msgspec.msgpack.Decoder(questions)
        self._queue: SimpleQueue[tuple[Task, Q]] = SimpleQueue()
        self._tasks: dict[int, Task] = {}
        self._progress = ThreadProgress("answer")

    def run(self) -> None:
        self._channel.send(FrameKind.READY)
        start_thread(self._listen)
        while True:
            task, question = self._queue.get()
            with self._progress.at_work():
                self._answer(task, question)

    def _listen(self) -> None:
        """Ends with the pipe: the parent closed this process, or died."""
        for frame in self._channel.frames():
            match frame.kind:
                case FrameKind.ASK:
                    self._take_question(frame)
                case FrameKind.CANCEL:
                    if task := self._tasks.get(frame.number):
                        task.cancel()
                case FrameKind.TAKEN:
                    if task := self._tasks.get(frame.number):
                        task.on_taken(msgspec.msgpack.decode(frame.body, type=int))
                case FrameKind.PING:
                    self._channel.send_pong((self._progress,))
                case FrameKind.CLOSE:
                    return

    def _take_question(self, frame: Frame) -> None:
        try:
            question = self._decoder.decode(frame.body)
        except BadMessage:
            # What is wrong with it may quote it.
            self._fail(frame.number, ServiceFault("BadQuestion", "The question holds a value of a wrong type."))
            return
        task = self._tasks[frame.number] = Task(frame.number, self._progress, self._channel)
        self._queue.put((task, question))

    def _answer(self, task: Task, question: Q) -> None:
        try:
            self._send_answers(task, question)
        except BrokenPipeError:
            raise
        except ServiceError as error:
            self._fail(task.number, fault_of(error))
        except Exception as error:  # noqa: BLE001 - whatever broke, who asked must hear of it
            # Its message can hold what a user wrote.
            _log.error("a question failed with %s", type(error).__name__)
            self._fail(task.number, ServiceFault(type(error).__name__, f"It failed with {type(error).__name__}."))
        else:
            self._channel.send(FrameKind.END, task.number)
        finally:
            self._tasks.pop(task.number, None)

    def _send_answers(self, task: Task, question: Q) -> None:
        if task.is_cancelled():
            return
        answers = iter(self._handle(question, task))
        try:
            for answer in answers:
                task.send(answer)
        except TaskCancelled:
            return
        finally:
            if (close := getattr(answers, "close", None)) is not None:
                close()

    def _fail(self, number: int, fault: ServiceFault) -> None:
        self._channel.send(FrameKind.FAILED, number, fault)


def serve(handle: Handler[Q], *, questions: object) -> NoReturn:
    """Answer until the parent closes or dies. `questions` is the type, or union of types, of what is asked.

    `handle` returns or yields the answers to one question. A ServiceError that it raises is raised by the parent's
    `ask`; any other fails the question, and no other. A generator is closed when nobody waits for it any more.
    """
    channel = private_pipes()
    run_to_the_end(_QuestionServer(channel, handle, questions).run)

"""Child processes: asked, streaming, cancelled, pinged, limited, and gone with all that they started.

Parent: a `ProcessSpec` says what to start and what it may take. `ProcessClient(spec, answers=…)` asks it: `start`, `ask`,
`stream` (closing it cancels), `aclose`; `ask_once` starts a process for one question. Its failures are those of
`failures`, or a ServiceError that the child's code raised. `SupervisedProgram` runs a program beside and reads its lines.
A child with a protocol of its own, as the model process has, is a `FramedChild` here and a `Channel` there.

Child: a function named in `entry` that calls `serve(handle, questions=…)`; `handle` returns or yields the answers to one
question. Questions and answers are msgspec Structs. `tests/process/test_example.py` is a whole media engine.

What holds where:

|                                 | Linux                    | macOS                 | Windows           |
| ends when the parent is killed  | by the kernel            | at the end of stdin   | at the end of stdin |
| what it started ends with it    | by group and descent     | by group and descent  | job object        |
| memory, address space           | allocation fails         | watched each second   | allocation fails  |
| memory, resident                | watched each second      | watched each second   | watched each second |
| processor seconds, size of files| yes                      | yes                   | no                |
| ended first when memory is short| yes                      | no                    | no                |
"""

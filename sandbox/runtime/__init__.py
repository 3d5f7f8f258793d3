"""The inside of an execution environment: what runs in a child process, as AWS's Python runtime would run it.

`__main__` is the zygote: a process that has imported what every handler needs and forks one environment after the
other, so that a cold start costs milliseconds. `bootstrap` loads one handler and answers its invocations. Nothing of
the sandbox's parent is imported.
"""

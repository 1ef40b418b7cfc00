"""Times a step and prints what the Rust side prints: one line of JSON."""

import json
import resource
import time


def report(step, warm_up: int, steps: int) -> None:
    """Calls `step` and prints the milliseconds of each call, the processor time of a mean one and the peak memory."""
    for _ in range(warm_up):
        step()
    wall_ms = []
    processor = time.process_time()
    for _ in range(steps):
        start = time.perf_counter()
        step()
        wall_ms.append(1e3 * (time.perf_counter() - start))
    processor_ms = 1e3 * (time.process_time() - processor) / steps
    peak_mib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"wall_ms": wall_ms, "processor_ms": processor_ms, "peak_mib": peak_mib}))

"""Gateway, Traefik and the naive proxy, one core each: `python -m tests.bench.gateway [--seconds N] [--rounds N]`."""

import argparse

from tests.bench.gateway.compare import SIZES, compare, ratio


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--rounds", type=int, default=3)
    arguments = parser.parse_args()
    rows = compare(seconds=arguments.seconds, rounds=arguments.rounds)
    print(f"{'proxy':10} {'answer':10} {'requests/s':>11} {'p99 ms':>8} {'cpu µs':>8} {'MiB':>6}")
    for row in rows:
        figures = f"{row.rps:11.0f} {row.p99_ms:8.2f} {row.cpu_us:8.1f} {row.memory_mib:6.1f}"
        print(f"{row.proxy:10} {row.answer:10} {figures}")
    for answer in SIZES:
        for other in ("traefik", "naive"):
            by_time, by_cpu = (ratio(rows, "gateway", other, answer, figure) for figure in ("rps", "cpu_us"))
            print(f"gateway / {other}, {answer}: {by_time:.2f} by requests/s, {1 / by_cpu:.2f} by processor time")


if __name__ == "__main__":
    main()

"""Train one model at several places, of which one alone has labels, on Flower.

python tools/federated.py SERVER_CONFIG PLACE_CONFIG --place seed=1 --place seed=2 domain=fog

The phases of FedSTO (NeurIPS 2023): the server trains on its labels; then in each round every place
trains the model on its unlabeled images, Flower averages the weights (FedAvg), and the server
trains on its labels again. First the backbone learns at the places, later everything. Images stay
where they are. This starts Flower's simulation, a process for each place (`ssdet[federated]`).
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

TEACHER = "teacher"  # what a place keeps between rounds


def main(argv: Sequence[str] | None = None) -> int:
    """Simulate the server and the places."""
    args = _arguments().parse_args(argv)
    import ssdet
    from ssdet.exits import RunError
    from ssdet.extras import load

    simulation = load("flwr.simulation", extra="federated")
    load("ray", extra="federated")
    ssdet.register()
    args.out = args.out.resolve()
    settings = vars(args)
    server = Server(settings)
    # Before Flower starts threads: two of them that import at once may wait for each other.
    start = server.learn(0, args.warm_up, "labels")
    simulation.run_simulation(
        server_app(settings, server, start),
        client_app(settings),
        num_supernodes=len(args.place),
        backend_config={"client_resources": {"num_cpus": args.cpus, "num_gpus": args.gpus}},
    )
    if len(server.rows) != 1 + args.selective + args.full:
        raise RunError(
            f"{args.out}: round {len(server.rows)} did not end; Flower's log above says why"
        )
    print(f"The weights are in {args.out / 'federated.pth'}")
    return 0


def client_app(settings: dict[str, Any]) -> Any:
    """What each place does in a round: train on its unlabeled images."""
    from flwr.app import ArrayRecord, Message, MetricRecord, RecordDict
    from flwr.clientapp import ClientApp

    app = ClientApp()

    @app.train()
    def train(message: Any, context: Any) -> Any:
        import ssdet
        from ssdet.cli.launch import parse_options
        from ssdet.engine.configs import load_config
        from ssdet.engine.federated import train_round

        ssdet.register()
        asked = message.content["config"]
        place, number = int(context.node_config["partition-id"]), int(asked["server-round"])
        options = parse_options([*settings["place"][place], f"phase={asked['phase']}"])
        kept = context.state
        done = train_round(
            _seeded(load_config(settings["client"], options), settings["seed"]),
            Path(settings["out"]) / f"place_{place}",
            settings["iterations"],
            start=message.content["arrays"].to_torch_state_dict(),
            teacher=kept[TEACHER].to_torch_state_dict() if TEACHER in kept else None,
            number=number * len(settings["place"]) + place,
        )
        kept[TEACHER] = ArrayRecord(done.teacher)
        count = settings["iterations"]  # all places take as many steps
        metrics = MetricRecord({"num-examples": count, **_short(done.losses)})
        reply = RecordDict({"arrays": ArrayRecord(done.student), "metrics": metrics})
        return Message(content=reply, reply_to=message)

    return app


class Server:
    """The place with labels: it trains and evaluates, and writes down how good the model is."""

    def __init__(self, settings: dict[str, Any]) -> None:
        from ssdet.engine.configs import load_config

        self.config = _seeded(load_config(settings["server"]), settings["seed"])
        self.out = Path(settings["out"])
        self.rows: list[dict[str, Any]] = []

    def learn(self, number: int, iterations: int, phase: str, weights: Any = None) -> Any:
        """Train from weights on; returns the new ones."""
        from ssdet.engine.checkpoint_file import write_checkpoint, write_text
        from ssdet.engine.federated import checkpoint_of, train_round

        done = train_round(
            self.config, self.out / "server", iterations, start=weights, number=number,
            evaluate=True,
        )  # fmt: skip
        self.rows.append({"round": number, "phase": phase, **done.scores})
        print(json.dumps(self.rows[-1]), flush=True)
        write_text(json.dumps(self.rows, indent=1) + "\n", self.out / "federated.json")
        write_checkpoint(checkpoint_of(done.student), self.out / "federated.pth")
        return done.student


def server_app(settings: dict[str, Any], server: Server, start: Any) -> Any:
    """What the server does in each round: send, average, train on its labels, and evaluate."""
    from flwr.app import ArrayRecord, ConfigRecord
    from flwr.serverapp import ServerApp
    from flwr.serverapp.strategy import FedAvg

    from ssdet.exits import RunError

    places = len(settings["place"])

    class Phases(FedAvg):
        """FedAvg that says to the places which phase it is, and lets the server train after it."""

        def phase(self, server_round: int) -> str:
            return "selective" if server_round <= settings["selective"] else "full"

        def configure_train(self, server_round: int, arrays: Any, config: Any, grid: Any) -> Any:
            config["phase"] = self.phase(server_round)
            return super().configure_train(server_round, arrays, config, grid)

        def aggregate_train(self, server_round: int, replies: Any) -> Any:
            replies = list(replies)
            failed = [reply.error.reason for reply in replies if reply.has_error()]
            if failed or len(replies) < places:
                raise RunError(
                    f"round {server_round}: {len(replies) - len(failed)} of {places} places "
                    f"answered. {' '.join(failed)}"
                )
            arrays, metrics = super().aggregate_train(server_round, replies)
            weights = server.learn(
                server_round, settings["server_iterations"], self.phase(server_round),
                arrays.to_torch_state_dict(),
            )  # fmt: skip
            return ArrayRecord(weights), metrics

    app = ServerApp()

    @app.main()
    def run(grid: Any, context: Any) -> None:
        strategy = Phases(fraction_evaluate=0.0, min_train_nodes=places, min_available_nodes=places)
        strategy.start(
            grid,
            ArrayRecord(start),
            num_rounds=settings["selective"] + settings["full"],
            train_config=ConfigRecord(),
        )

    return app


def _seeded(config: Any, seed: int | None) -> Any:
    """The config with the seed that was asked for, if any."""
    if seed is not None:
        config.randomness = {**(config.get("randomness") or {}), "seed": seed}
    return config


def _short(losses: dict[str, float]) -> dict[str, float]:
    """The sum alone: places of other models may have other losses."""
    return {"loss": losses["loss"]}


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])  # type: ignore[union-attr]
    parser.add_argument("server", help="config of the place with labels")
    parser.add_argument("client", help="config of a place without; it has the variable `phase`")
    parser.add_argument(
        "--place", nargs="+", action="append", required=True, metavar="KEY=VALUE",
        help="a place, and what its config has in place of the variables; once for each",
    )  # fmt: skip
    parser.add_argument("--warm-up", type=int, default=200, help="iterations before round 1")
    parser.add_argument("--selective", type=int, default=2, help="rounds of the first phase")
    parser.add_argument("--full", type=int, default=2, help="rounds of the second phase")
    parser.add_argument("--iterations", type=int, default=50, help="of a place in a round")
    parser.add_argument("--server-iterations", type=int, default=50, help="of the server after it")
    parser.add_argument("--cpus", type=int, default=1, help="of a place")
    parser.add_argument("--gpus", type=float, default=0.0, help="of a place")
    parser.add_argument("--seed", type=int, help="of the run (default: that of the configs)")
    parser.add_argument("--out", type=Path, default=Path("work_dirs/federated"))
    return parser


if __name__ == "__main__":
    sys.exit(main())

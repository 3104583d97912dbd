"""What a run shows while it goes."""

from paac_cli.reporting.console import ConsoleSink
from paac_cli.runs.metrics_csv import METRICS


def test_a_last_rollout_that_goes_beyond_the_end_has_no_time_to_go(capsys):
    console = ConsoleSink(total_steps=1_000)
    console.metrics(1_200, dict.fromkeys(METRICS, 10.0))
    console.close()
    assert "steps 1,200 of 1,000" in (said := capsys.readouterr().out)
    assert "at most 0:00:00 to go" in said

"""An assertion for tests of failing commands."""


def assert_one_error(result, *expected):
    """`result`, of a process or of a CliRunner, is one line of error that contains all `expected` texts."""
    code = result.returncode if hasattr(result, "returncode") else result.exit_code
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stderr.count("\n") == 1
    assert code == 2
    for text in expected:
        assert text in result.stderr

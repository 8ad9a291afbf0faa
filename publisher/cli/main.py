"""`cdn-release`: the entry point, and the one place that turns errors into exit statuses."""

from __future__ import annotations

import sys

import click

from artifact.errors import DeliveryError
from publisher import logs
from publisher.cli import authoring, diagnosing, inspecting, maintaining, publishing, purging, releasing
from publisher.cli.output import ReportedError, fail, from_os, is_json

EXAMPLES = """
\b
Examples:
  cdn-release keygen build-2026
  cdn-release sign dist/feature-patientlist/1.0.0 --key build-2026.pem --key-id build-2026
  cdn-release publish dist/feature-patientlist/1.0.0 --to file:///srv/cdn \\
      --trust-keys trust.json --key release-2026.pem --key-id release-2026
  cdn-release status --to file:///srv/cdn --trust-keys trust.json
  cdn-release rollback feature-patientlist 1.0.0 --reason "blank page" --to …

\b
Exit status: 0 done, 1 failed for now (a retry may help), 2 usage or configuration, 3 refused: the content is wrong.
Every option can be given as an environment variable, CDN_RELEASE_<OPTION>.
"""


@click.group(epilog=EXAMPLES, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110})
@click.version_option(package_name="favn-delivery")
def cli() -> None:
    """Sign, publish and steer the versions of web features."""


for _command in (
    *authoring.COMMANDS,
    *publishing.COMMANDS,
    *releasing.COMMANDS,
    *purging.COMMANDS,
    *inspecting.COMMANDS,
    *maintaining.COMMANDS,
    *diagnosing.COMMANDS,
):
    cli.add_command(_command)


def main(arguments: list[str] | None = None) -> None:
    """Run the command and exit."""
    logs.start()
    given = sys.argv[1:] if arguments is None else arguments
    try:
        status = cli.main(args=given, prog_name="cdn-release", standalone_mode=False)
        sys.exit(status if isinstance(status, int) else 0)
    except ReportedError as reported:
        sys.exit(fail(reported.error, as_json=False))
    except DeliveryError as error:
        sys.exit(fail(error, is_json(given)))
    except OSError as error:
        sys.exit(fail(from_os(error), is_json(given)))
    except click.exceptions.Abort:
        click.echo("cdn-release: interrupted", err=True)
        sys.exit(1)
    except click.ClickException as error:
        error.show()
        sys.exit(2)

"""What people meet who come to the repository: its licence, and the forms of an issue."""

import hashlib
import subprocess
import sys
from pathlib import Path

import pytest

from deploy.local.place import ROOT

FORMS = ROOT / ".github" / "ISSUE_TEMPLATE"
# Of https://www.apache.org/licenses/LICENSE-2.0.txt, byte by byte.
APACHE_2 = "cfc7749b96f63bd31c3c42b5c471bf756814053e847c10f3eb003417bc523d30"


def test_the_licence_is_the_unchanged_text() -> None:
    assert hashlib.sha256((ROOT / "LICENSE").read_bytes()).hexdigest() == APACHE_2


@pytest.mark.parametrize("form", sorted(FORMS.glob("*.yml")), ids=lambda form: form.stem)
def test_a_form_is_one_that_github_understands(form: Path) -> None:
    schema = "vendor.github-issue-config" if form.stem == "config" else "vendor.github-issue-forms"
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", schema, str(form)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def test_there_is_a_form_for_what_is_wrong_unclear_or_missing() -> None:
    assert {form.stem for form in FORMS.glob("*.yml")} == {"bug", "config", "feature", "pattern"}

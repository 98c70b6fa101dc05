"""What is installed is whole: the wheel carries rules, templates and schemas, and works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_works_by_itself(tmp_path):
    """Built and unpacked elsewhere, it lists its rules and renders a report's template."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    for name in (
        "tfhealth/py.typed",
        "tfhealth/schemas/result-1.schema.json",
        "tfhealth/_data/rules/checklist.yaml",
        "tfhealth/_data/templates/report.html.j2",
    ):
        assert name in names
    code = (
        "import tfhealth, tfhealth.resources as r; c = tfhealth.load_checklist();"
        "print(len(c.rules), len(c.items), r.rules_dir(), (r.templates_dir() / 'report.css').is_file())"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rules, items, folder, styled = done.stdout.split()
    assert (int(items), styled) == (75, "True")
    assert int(rules) == len(list((ROOT / "rules").glob("*/*.yaml")))
    assert Path(folder).is_relative_to(tmp_path)

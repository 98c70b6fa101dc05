"""What is installed is whole: the wheel carries rules, templates and schemas, and works away from the checkout."""

import os
import subprocess
import sys
import zipfile
from pathlib import Path

ROOT = Path(__file__).parent.parent


def test_the_wheel_works_by_itself(tmp_path):
    """Built and unpacked elsewhere, it lists its rules, has a report's style, and writes a new pack."""
    command = [sys.executable, "-m", "pip", "wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(tmp_path)]
    subprocess.run([*command, str(ROOT)], check=True, capture_output=True, timeout=240)
    (wheel,) = tmp_path.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path / "site")
        names = archive.namelist()
    for name in (
        "tfhealth/py.typed",
        "tfhealth/schemas/result-1.schema.json",
        "tfhealth/schemas/rule-1.schema.json",
        "tfhealth/schemas/tests-1.schema.json",
        "tfhealth/_data/rules/checklist.yaml",
        "tfhealth/_data/templates/report.html.j2",
        "tfhealth/_data/templates/scaffold/rule.yaml",
        "tfhealth/_data/templates/scaffold/pack/project.toml",
    ):
        assert name in names
    code = (
        "from pathlib import Path; from tfhealth.rules.scaffold import new_pack; made = new_pack(Path(), 'acme');"
        "import tfhealth, tfhealth.resources as r; c = tfhealth.load_checklist();"
        "print(len(c.rules), len(c.items), r.rules_dir(), (r.templates_dir() / 'report.css').is_file(), len(made))"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "site")}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=tmp_path, capture_output=True, text=True, check=True
    )
    rules, items, folder, styled, written = done.stdout.split()
    assert (int(items), styled, int(written)) == (75, "True", 10)
    assert int(rules) == len(list((ROOT / "rules").glob("*/*.yaml")))
    assert Path(folder).is_relative_to(tmp_path)

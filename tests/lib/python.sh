# The tests' own Python: .venv at the project's root, with exactly what requirements/test.txt pins.
# Sourced, after common.sh and engine.sh. Installed anew only when that file or the Python has changed.

venv=$projectRoot/.venv
pinned=$projectRoot/requirements/test.txt
installedStamp=$venv/.requirements-sha256

ensure_venv() {
  local python wanted
  if [ "$(cat "$installedStamp" 2>/dev/null)" = "$(venv_checksum "$venv/bin/python")" ]; then return; fi
  python=$(find_python)
  if ! is_recent_python "$venv/bin/python"; then
    say "making .venv with $("$python" --version)"
    "$python" -m venv --clear "$venv"
  fi
  wanted=$(venv_checksum "$venv/bin/python")
  rm -f "$installedStamp"
  say "installing $(grep -c '==' "$pinned") pinned packages into .venv"
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes --requirement "$pinned" ||
    fail "pip could not install requirements/test.txt (above); the next run tries again"
  printf '%s\n' "$wanted" >"$installedStamp"
}

# Nothing, hence never equal to a stamp, where there is no such Python.
venv_checksum() {
  is_recent_python "$1" || { echo none; return; }
  { "$1" --version; cat "$pinned"; } | sha256sum | cut -d' ' -f1
}

is_recent_python() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; }
makes_venvs() { "$1" -c 'import ensurepip, venv' >/dev/null 2>&1; }

# The first Python 3.11 or newer that can make virtual environments. Debian and Ubuntu keep that part in a package.
find_python() {
  local name
  usable_python && return
  if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
    say "installing python3-venv"
    apt_quietly update
    apt_quietly install --yes --no-install-recommends python3 python3-venv
    usable_python && return
  fi
  for name in python3 python; do
    command -v "$name" >/dev/null && fail "found $("$name" --version 2>&1) without what is needed: Python 3.11 or newer with venv (on Debian and Ubuntu: apt install python3-venv)"
  done
  fail "found no Python; Python 3.11 or newer with venv is needed"
}

usable_python() {
  local name
  for name in python3 python3.{14,13,12,11} python; do
    if is_recent_python "$name" && makes_venvs "$name"; then command -v "$name"; return; fi
  done
  return 1
}

# The linters, each a step of its own: one that fails keeps none of the others from speaking.
# Sourced, after python.sh and steps.sh. Their rules are in pyproject.toml.

run_linters() {
  local pythonFiles scripts
  mapfile -t pythonFiles < <(project_files '*.py')
  mapfile -t scripts < <(shell_scripts)
  step "ruff check" "mistakes and idioms" "$venv/bin/ruff" check --quiet .
  step "ruff format" "layout of the code" "$venv/bin/ruff" format --check --quiet .
  step "pylint" "names, camelCase for variables" "$venv/bin/pylint" "${pythonFiles[@]}"
  step "mypy" "types, strict" "$venv/bin/mypy" --no-error-summary
  step "import-linter" "which module may know which" lint_imports
  step "shellcheck" "${#scripts[@]} shell scripts" lint_shell "${scripts[@]}"
}

# Files of the project that match a pattern: tracked, or new and not ignored, and there.
project_files() {
  local file
  git ls-files --cached --others --exclude-standard -- "$@" | while read -r file; do
    if [ -f "$file" ]; then printf '%s\n' "$file"; fi
  done
}

# By name or by the interpreter on the first line.
shell_scripts() {
  local file
  project_files | while read -r file; do
    if [[ $file = *.sh ]] || head -n 1 "$file" | grep -qaE '^#!.*\b(ba|da)?sh\b'; then printf '%s\n' "$file"; fi
  done
}

# Parts that are sourced have no first line that names their shell; all are bash. What they define, or is sourced under
# a computed name, shellcheck cannot see: SC1090, SC1091 and SC2154 would report each such use.
lint_shell() {
  local file status=0 shellOption
  for file in "$@"; do
    shellOption=()
    [[ $file != *.sh ]] || shellOption=(--shell=bash)
    "$venv/bin/shellcheck" "${shellOption[@]}" --severity=info --exclude=SC1090,SC1091,SC2154 "$file" || status=1
  done
  return "$status"
}

lint_imports() {
  local log status=0
  log=$(mktemp)
  PYTHONPATH=bridge:operator:stack/samples "$venv/bin/lint-imports" --no-logo >"$log" 2>&1 || status=$?
  [ "$status" -eq 0 ] || cat "$log" >&2
  rm -f "$log"
  return "$status"
}

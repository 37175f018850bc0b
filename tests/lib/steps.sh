# Steps that all run, whatever becomes of those before, and one sentence at the end. Sourced, after common.sh.

passedSteps=() failedSteps=()

# step NAME PURPOSE COMMAND...: runs the command, and remembers how it ended and how long it took.
step() {
  local name=$1 purpose=$2 started=$SECONDS status=0; shift 2
  say "$name: $purpose"
  "$@" || status=$?
  if [ "$status" -eq 0 ]; then
    passedSteps+=("$name $((SECONDS - started)) s")
  else
    failedSteps+=("$name $((SECONDS - started)) s")
    say "$name: FAILED (exit code $status)"
  fi
}

# The verdict over all steps, as the last line and as the exit code.
conclude() {
  local passed="${#passedSteps[@]} passed"
  [ "${#passedSteps[@]}" -eq 0 ] || passed+=" ($(join_words "${passedSteps[@]}"))"
  [ "${#failedSteps[@]}" -eq 0 ] ||
    fail "${#failedSteps[@]} of $((${#failedSteps[@]} + ${#passedSteps[@]})) steps failed: $(join_words "${failedSteps[@]}"); $passed"
  say "all steps passed: $(join_words "${passedSteps[@]}")"
}

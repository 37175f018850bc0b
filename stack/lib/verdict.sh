# What the sample consumer's report (JSON, stack/target-consumer/consumer.py) says. Sourced.

number_in() { grep -oE "\"$2\": [0-9]+" <<<"$1" | head -n 1 | grep -oE '[0-9]+$'; }

# faults_in REPORT: for people, as part of a sentence.
faults_in() {
  printf '%s missing, %s repeated, %s out of order, %s invalid' "$(number_in "$1" missing)" \
    "$(number_in "$1" repeated)" "$(number_in "$1" outOfOrder)" "$(number_in "$1" invalid)"
}

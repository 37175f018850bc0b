# What differs from machine to machine and need not be written down: read off the machine where a setting is empty.
# Sourced, after common.sh. Every script that calls Compose calls export_machine_settings first, since the Compose
# file names these settings without a default.

export_machine_settings() {
  DOCKER_GID=$(setting DOCKER_GID)
  [ -n "$DOCKER_GID" ] || DOCKER_GID=$(group_of_socket "$(setting DOCKER_SOCKET)")
  CA_BUNDLE=$(setting CA_BUNDLE)
  [ -n "$CA_BUNDLE" ] || CA_BUNDLE=$(machine_ca_bundle)
  KAFKA_CPU_LIMIT=$(setting KAFKA_CPU_LIMIT)
  [ -n "$KAFKA_CPU_LIMIT" ] || KAFKA_CPU_LIMIT=$(cores_of_engine)
  export DOCKER_GID CA_BUNDLE KAFKA_CPU_LIMIT
  # The console leads to no UI that is not there.
  if [ "$(setting KAFKA_UI)" = none ]; then export OPERATOR_CONSOLE_LINKS=; fi
}

# Without a socket the number does not matter: the stack cannot start, and stack/down and --help still work.
group_of_socket() { stat -L -c %g "$1" 2>/dev/null || echo 0; }

# The engine may be on another machine; while it does not answer, nothing is started and any number will do.
cores_of_engine() {
  local number; number=$(timeout 10 docker info --format '{{.NCPU}}' 2>/dev/null) || number=
  [[ $number =~ ^[1-9] ]] || number=$(nproc)
  printf '%s' "$number"
}

# The bundle that programs on this machine trust. An empty file where there is none: builds then use the image's own.
machine_ca_bundle() {
  local file
  for file in "${SSL_CERT_FILE:-}" /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt \
    /etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem /etc/ssl/ca-bundle.pem /etc/ssl/cert.pem; do
    [ -s "$file" ] && [ -r "$file" ] && { printf '%s' "$file"; return; }
  done
  printf /dev/null
}

# Programs read their certificates when they start. Sourced, after common.sh and services.sh.

# Restarts, one after the other, every running service whose certificate is newer than its start. Restarting is safe at
# any time: producers repeat nothing, brokers keep their data. Bridges are the operator's: it finds theirs changed itself.
restart_after_new_certificates() {
  local id name started
  for id in $(compose --profile '*' ps --quiet source-kafka target-kafka source-producer target-consumer \
    proxy ui-source ui-target kafbat-source kafbat-target); do
    started=$(date -d "$(docker inspect --format '{{.State.StartedAt}}' "$id")" +%s)
    [ "$(newest_certificate "$id")" -gt "$started" ] || continue
    name=$(docker inspect --format '{{.Name}}' "$id")
    say "restarting ${name#/}: its certificate is newer than its start"
    docker restart --time 20 "$id" >/dev/null
    case "$name" in *-kafka-1) wait_for_health "$id" "${name#/}" ;; esac
  done
}

# A broker's clients are restarted only when it answers again: they would wait for it to end what they have begun.
wait_for_health() {
  local deadline=$((SECONDS + 120))
  until [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; do
    [ "$SECONDS" -lt "$deadline" ] || fail "$2 is not healthy 120 s after its restart: docker logs $2"
    sleep 1
  done
}

# When the newest certificate of a container was made, in seconds since 1970; 0 where it has none.
newest_certificate() {
  docker exec "$1" sh -c 'stat -L -c %Y /etc/kafka/tls/tls.crt /etc/kafka-bridge/tls/*/tls.crt /etc/proxy/tls/tls.crt \
    2>/dev/null | sort -n | tail -n 1' | grep . || echo 0
}

# The door to the stack: its ports, its login, and which Kafka UI stands behind it. Sourced, after common.sh.

uiServices=(ui-source ui-target kafbat-source kafbat-target)
newPassword=   # what ensure_login has made in this run, for the summary

# Compose lets go on what belongs to a profile that is chosen no more.
remove_unchosen_uis() {
  local unchosen=()
  case "$(setting KAFKA_UI)" in
    kaskade) unchosen=("${uiServices[@]:2}") ;;
    kafbat) unchosen=("${uiServices[@]:0:2}") ;;
    none) unchosen=("${uiServices[@]}") ;;
  esac
  compose --profile '*' rm --stop --force "${unchosen[@]}" >/dev/null 2>&1
}

# Docker's own message about a taken port comes late and says nothing about settings.
check_ports() {
  local name port holder
  [ "$(setting PROXY_PORT)" != "$(setting PROXY_HTTP_PORT)" ] ||
    fail "PROXY_PORT and PROXY_HTTP_PORT are both $(setting PROXY_PORT); they need two ports"
  for name in PROXY_PORT PROXY_HTTP_PORT; do
    port=$(setting $name)
    holder=$(docker ps --filter "publish=$port" --format '{{.Names}}' | head -n 1)
    [ "$holder" != "$(setting COMPOSE_PROJECT_NAME)-proxy-1" ] || continue
    if answers_on_loopback "$port"; then
      fail "port $port of 127.0.0.1 is taken${holder:+ by the container $holder}: set $name in .env to another one"
    fi
  done
}

answers_on_loopback() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# The password is made once and kept in .env.local; the proxy gets nothing but its hash, through standard input.
ensure_login() {
  local password; password=$(setting PROXY_PASSWORD)
  if [ -z "$password" ]; then
    password=$(random_password)
    newPassword=$password
    keep_password "$password"
  fi
  say "setting the proxy's login"
  printf '%s' "$password" | compose run --rm -T --no-deps proxy-login "$(setting PROXY_USER)" >/dev/null 2>&1 ||
    fail "the login could not be set: is PROXY_USER of letters, digits, '.', '_' and '-' alone?"
}

random_password() { head -c 1024 /dev/urandom | LC_ALL=C tr -dc 'A-Za-z0-9' | cut -c 1-24; }

keep_password() {
  local file=$projectRoot/.env.local
  (umask 077; touch "$file")
  chmod 600 "$file"
  printf '\n# Made by stack/up: the login of the proxy. Change it here, then run stack/up.\nPROXY_PASSWORD=%s\n' "$1" >>"$file"
  # An empty one in the environment would beat the file.
  unset PROXY_PASSWORD
}

# Where the stack is looked at, and with what login.
print_door() {
  echo "Console and Kafka UI: https://127.0.0.1:$(setting PROXY_PORT)/  (user $(setting PROXY_USER))"
  if [ -n "$newPassword" ]; then
    echo "  password: $newPassword  (shown this once; it is kept in .env.local)"
  elif [ -n "${PROXY_PASSWORD:-}" ]; then
    echo "  the password is PROXY_PASSWORD of the environment"
  else
    echo "  the password stands in .env.local: PROXY_PASSWORD"
  fi
}

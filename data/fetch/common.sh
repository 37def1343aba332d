# shellcheck shell=bash
# What the fetch scripts share; sourced by them. A script sets `title`, `terms` (licence or terms of use), `unpacked` (bytes that
# come out of the archives) and, where it needs more than a shell, the array `needs` of Debian's packages.

# The comment at the beginning of the script.
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$0"; }
say() { echo "${0##*/}: $*" >&2; }
fail() { say "$@"; exit 1; }
needs=()

# fetch_set NAME "URL..." [COMMAND]  fetches the files of standard input, a line each: checksum, size in bytes, name and, where
# they lie elsewhere, URLs; checks them, runs COMMAND among them, and only then puts the folder in its place: it is there whole
# or not at all. Without a published checksum, -, the size is checked; else it only tells how much comes.
fetch_set() {
  local name=$1 urls=$2 finish=${3:-true} home target files sum size file elsewhere said
  home=${MAS_DATA:-${HOME:+$HOME/.local/share/mas}}
  [ -n "$home" ] || fail "neither MAS_DATA nor HOME is set; MAS_DATA=FOLDER names a place"
  target=$home/$name
  if [ -e "$target" ] || [ -L "$target" ]; then
    say "$target is there already"
    return
  fi
  files=$(cat)
  announce "$target" "$urls" <<<"$files"
  need "${needs[@]}"
  said=$(mkdir -p -- "$home" 2>&1) || true
  if [ ! -d "$home" ] || [ ! -w "$home" ]; then
    fail "$home: can't be written to${said:+ (${said##*: })}; MAS_DATA=FOLDER names another place"
  fi
  check_room "$home"
  partial=$(mktemp -d -- "$home/.$name.XXXXXX")
  trap 'rm -rf "$partial"' EXIT
  (
    cd "$partial" || exit
    while read -r sum size file elsewhere; do
      download "$file" "${MAS_FETCH_FROM:-${elsewhere:-$urls}}"
      check "$file" "$sum" "$size"
    done <<<"$files"
    set -E
    trap 'say "what came is laid out otherwise than expected, so nothing is kept"' ERR
    "$finish"
  )
  chmod -R u=rwX,go=rX "$partial"
  mv -T "$partial" "$target"
}

# need PACKAGE...: stops where one isn't there. `python` becomes the interpreter that has the modules: one that was installed
# from elsewhere doesn't see Debian's.
need() {
  local package modules=
  for package in "$@"; do
    case $package in
      python3) modules+=,sys ;;
      python3-pil) modules+=,PIL ;;
      python3-*) modules+=,${package#python3-} ;;
      *) command -v "$package" >/dev/null || fail "needs $package (apt-get install $package)" ;;
    esac
  done
  [ -n "$modules" ] || return 0
  for python in python3 /usr/bin/python3; do
    ! "$python" -c "import ${modules#,}" 2>/dev/null || return 0
  done
  fail "needs $* (apt-get install $*)"
}

# check_kind CHECKSUM: by its length.
check_kind() {
  case ${#1} in
    32) echo MD5 ;;
    40) echo SHA-1 ;;
    64) echo SHA-256 ;;
    *) echo size ;;
  esac
}

# announce TARGET "URL..."  says what comes, before it does. `room` becomes the bytes that it takes until it is done.
announce() {
  local sum size elsewhere sources=$2 kinds=' ' total=0
  while read -r sum size _ elsewhere; do
    total=$((total + size))
    [[ $kinds == *" $(check_kind "$sum") "* ]] || kinds+="$(check_kind "$sum") "
    [[ $sources == *"$elsewhere"* ]] || sources+=" $elsewhere"
  done
  room=$((total + unpacked)) sources=${MAS_FETCH_FROM:-$sources} kinds=${kinds# } kinds=${kinds% }
  say "$title, $(megabytes $total), $(megabytes $room) of disk until it is done; terms: $terms"
  say "from ${sources// / or }, checked by ${kinds// / and }, into $1"
}
megabytes() { awk -v n="$1" 'BEGIN { printf n < 99500000 ? "%.1f MB" : "%.0f MB", n / 1e6 }'; }

check_room() {  # FOLDER
  local free
  free=$(df -Pk "$1" | awk 'NR == 2 { printf "%.0f", $4 * 1024 }')
  [ "$free" -ge "$room" ] ||
    fail "$1: $(megabytes "$free") are free, but $(megabytes "$room") are needed; MAS_DATA=FOLDER names another place"
}

# download FILE "URL..."  tries one address after the other.
download() {
  local base said=
  for base in $2; do
    if command -v curl >/dev/null; then
      ! said=$(transfer "$base/$1" "$1") || return 0
    else
      ! said=$(wget --no-verbose --tries=5 --continue "$base/$1" 2>&1) || return 0
    fi
    rm -f "$1"
  done
  said=${said%$'\n'}
  fail "$1: not to be had from ${2// / or } (${said##*$'\n'}); MAS_FETCH_FROM=URL names a mirror"
}

# transfer URL FILE: with curl; what breaks off goes on where it stopped, or begins anew where the server can't do that. Prints
# why it failed, unless curl says so itself to a terminal, below its progress.
transfer() {
  local tries=5 status=0 report=(--silent --show-error --stderr -)
  [ ! -t 2 ] || report=(--progress-bar)
  while ((tries-- > 0)); do
    status=0
    curl --fail --location "${report[@]}" --retry 2 --connect-timeout 20 --speed-limit 1 --speed-time 120 \
      --continue-at - --output "$2" "$1" || status=$?
    case $status in
      0) return 0 ;;
      18 | 28 | 56 | 92) [ -s "$2" ] || break ;;  # broken off
      33) rm -f "$2" ;;                           # the rest alone isn't to be had
      *) break ;;
    esac
  done
  return $status
}

check() {  # FILE CHECKSUM SIZE
  local kind tool
  kind=$(check_kind "$2")
  tool=${kind,,}
  if [ "$kind" = size ]; then
    [ "$(wc -c <"$1")" -eq "$3" ] || fail "$1: has $(wc -c <"$1") bytes, not $3, so nothing is kept"
  else
    "${tool/-/}sum" --check --status <<<"$2  $1" || fail "$1: wrong checksum ($kind), so nothing is kept"
  fi
}

# unpack ARCHIVE [OPTION...]: here, and removes it. Members that would lie outside make tar and unzip fail or lie here; a link
# could lead outside, and is refused.
unpack() {
  local archive=$1 said odd
  shift
  case $archive in
    *.zip) said=$(unzip -qo "$archive" "$@" 2>&1 </dev/null) ;;
    *) said=$(tar -xf "$archive" --no-same-owner --no-same-permissions "$@" 2>&1) ;;
  esac || fail "$archive: can't be unpacked (${said%%$'\n'*}), so nothing is kept"
  odd=$(find . ! -type f ! -type d -printf '%P\n' -quit)
  [ -z "$odd" ] || fail "$archive: $odd is a link or device, so nothing is kept"
  rm "$archive"
}

case ${1-} in
  '') ;;
  -h | --help) usage; exit 0 ;;
  *) say "$1: takes nothing but --help"; exit 2 ;;
esac

# shellcheck shell=bash disable=SC2034,SC2154
# A sequence of tasks learned by any method of the comparison (mas(7), COMPARISON), for recipes that source this file.
# What is done is not done again: each run's last model is its mark.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/../.." && pwd)
PATH=$root/build/bin:$PATH
cores=$(nproc)

# lambda_of RECIPE METHOD SCENARIO: what choose-lambda.sh found, as lambdas.txt has it; 0 for methods without a penalty.
lambda_of() {
  case $2 in finetune | joint | lwf) echo 0; return ;; esac
  awk -v r="$1" -v m="$2" -v s="$3" '
    $1 == r && $2 == m && $3 == s { print $4; found = 1 }
    END { if (!found) exit 1 }' "$root/data/recipes/lambdas.txt" ||
    { echo "data/recipes/lambdas.txt: no λ of $1 for $2, scenario $3; choose-lambda.sh finds one" >&2; return 1; }
}

# learn METHOD SCENARIO SEED LAMBDA OUT TASK=SPEC...: OUT is the model after the last task. Options for every mas-train are
# in the array `training`.
learn() {
  local method=$1 scenario=$2 seed=$3 lambda=$4 out=$5 task
  shift 5
  [ ! -e "$out" ] || return 0
  local next=(--lambda "$lambda") every=() importance=() states=() model=$out.part
  case $method in
    finetune) next=(--lambda 0) ;;
    joint) learn_jointly "$scenario" "$seed" "$out" "$@"; return ;;
    mas) importance=(--method mas) ;;
    local) importance=(--method local) ;;
    ewc) importance=(--method ewc) ;;
    online-ewc) importance=(--method ewc --combine sum) ;;
    l2 | imm-mean | imm-mode) importance=(--method l2) ;;
    si) every=(--track si) ;;
    lwf) next=(--distill lwf) ;;
    *) echo "$method: no such method" >&2; return 2 ;;
  esac
  mkdir -p "$(dirname "$out")"
  for task in "$@"; do
    local from=("$model" "${next[@]}")
    [ "$task" != "$1" ] || from=(--arch "$arch" --scenario "$scenario")
    mas-train -q "${from[@]}" --data "${task#*=}" --task "${task%%=*}" --seed "$seed" "${every[@]}" "${training[@]}" -o "$model"
    case $method in
      imm-mean) cp "$model" "$out.${task%%=*}" ;;
      imm-mode) mas-importance -q --threads "$threads" "$model" --method ewc --reset -o "$out.${task%%=*}" ;;
    esac
    states+=("$out.${task%%=*}")
    if [ "$task" != "${*: -1}" ] && [ "${#importance[@]}" -gt 0 ]; then
      mas-importance -q --threads "$threads" "$model" "${importance[@]}" -o "$model"
    fi
  done
  case $method in
    imm-*) mas-train -q --merge "${method#imm-}" "${states[@]}" -o "$model" && rm "${states[@]}" ;;
  esac
  mv "$model" "$out"
}

learn_jointly() {
  local scenario=$1 seed=$2 out=$3 task all=()
  shift 3
  mkdir -p "$(dirname "$out")"
  for task in "$@"; do all+=(--task "${task%%=*}" --data "${task#*=}"); done
  mas-train -q --arch "$arch" --scenario "$scenario" --seed "$seed" "${all[@]}" "${training[@]}" -o "$out"
}

# in_parallel JOBS FUNCTION: calls it with the words of each line of standard input, so many at a time. Fails where one did.
in_parallel() {
  local jobs=$1 call=$2 line failed=0
  while [ "$failed" -eq 0 ] && read -r line; do
    # shellcheck disable=SC2086
    $call $line &
    while [ "$(jobs -rp | wc -l)" -ge "$jobs" ]; do wait -n || failed=1; done
  done
  while [ -n "$(jobs -rp)" ]; do wait -n || failed=1; done
  return $failed
}

# summarise OUT MODEL...: the measures of runs, as JSON; taken once.
summarise() {
  local out=$1
  shift
  mas-eval --runs "$@" --json >"$out.part"
  mv "$out.part" "$out"
}

# cell MEASURE FILE: mean and deviation, in percent, from what summarise() wrote.
cell() {
  awk -v name="\"$1\":" '
    $1 == name && $2 == "{" { inside = 1 }
    inside && $1 == "\"deviation\":" { deviation = $2 + 0; several = $2 !~ /null/ }
    inside && $1 == "\"mean\":" {
      printf "%.2f", 100 * $2
      if (several) printf " ± %.2f", 100 * deviation
      exit
    }' "$2"
}

# options NAME=VALUE variables that a recipe's --name VALUE may set: parse_options "names" "$@"
parse_options() {
  local names=" $1 " name
  shift
  while [ $# -gt 0 ]; do
    case $1 in
      -h | --help) usage; exit 0 ;;
    esac
    name=${1#--}
    if [ "$1" = "$name" ] || [[ $names != *" $name "* ]] || [ $# -lt 2 ]; then
      usage >&2
      exit 2
    fi
    printf -v "${name//-/_}" '%s' "$2"
    shift 2
  done
}

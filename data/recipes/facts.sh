# shellcheck shell=bash disable=SC2016,SC2034,SC2154,SC2317
# Sequences of facts of the built-in generator, for recipes that source this file after sequence.sh.

# facts_settings NAME "METHODS" OPTION...: of the recipe NAME, which can show these methods, from its command line. --quick is one
# seed of fewer pictures and epochs, no result to keep: its page stays beside the models. --lambda is for all methods; without it
# lambdas.txt says it, by the name `experiment`. What else there is to check comes before prepare().
facts_settings() {
  local given=() option quick='' method
  for option in "${@:3}"; do
    if [ "$option" = --quick ]; then quick=yes; else given+=("$option"); fi
  done
  name=$1 methods=$2 seeds="1 2 3" epochs=20 pictures=50 experiment=facts lambda='' jobs=$cores
  [ -z "$quick" ] || { seeds=1 epochs=10 pictures=24; }
  models=$root/build/$name out=''
  parse_options "methods seeds epochs pictures experiment lambda jobs models out" "${given[@]}"
  [ -n "$out" ] || { [ -n "$quick" ] && out=$models || out=$root/data/results; }
  for method in $methods; do
    [[ " $2 " == *" $method "* ]] || wrong_usage "--methods: must be some of $2, got $method"
  done
  # As pictures come, 0 to 1, more units are silent on all of the first half. No importance holds those, and what they learn
  # next disturbs it. With Adam a stiff penalty in the gradient distorts the step.
  sets="facts,pictures=$pictures,normalize=0.28:0.15" arch=facts step=proximal
  training=(--epochs "$epochs" --batch 35 --lr 0.001)  # the paper's batch
  # shellcheck disable=SC2086
  need_lambdas "$experiment" facts $methods
  trained=${training[*]}
  firsts=$models/first
}

# Each seed has a world, and so halves, of its own.
fact_spec() { echo "$sets,batch=$1,seed=$2${3:+,topic=$3}"; }  # BATCH SEED [TOPIC]
fact_tasks() {  # "BATCHES" SEED
  local batch
  tasks=()
  for batch in $1; do tasks+=("$batch=$(fact_spec "$batch" "$2")"); done
}

# retrieval MODEL SPEC AMONG: mAP, a fraction, of the facts of SPEC, searched for among the pictures of AMONG, test parts both.
retrieval() {
  mas-eval -q --threads "$threads" "$1" --data "$2" --among "$3" --measure map --json | jq '.accuracy[-1][0]'
}

# keep_retrieval OUT MODEL SPEC AMONG: that in a file, unless it is there since the model is.
keep_retrieval() {
  [[ ! $1 -nt $2 ]] || return 0
  retrieval "$2" "$3" "$4" >"$1.part"
  mv "$1.part" "$1"
}

# chance SPEC AMONG: the same of pictures in random order, as it is expected, where no fact answers for another.
chance() {
  mas-data --json "$(test_spec "$1")" | jq --argjson n "$(mas-data --json "$(test_spec "$2")" | jq .samples)" '
    (reduce range(1; $n + 1) as $k (0; . + 1 / $k)) as $h
    | .classes | map((($h + (.samples - 1) / ($n - 1) * ($n - $h)) / $n)) | add / length'
}

# spread_of FILE...: of one number in each, in percent: mean and deviation.
spread_of() {
  cat "$@" | jq -rs "$percent"'
    (add / length) as $mean | length as $n
    | {mean: $mean, deviation: (if $n > 1 then (map((. - $mean) | . * .) | add / ($n - 1) | sqrt) else null end)} | spread'
}

# made_of [FACTS AMONG]: how the networks of a page were trained, and what is searched.
made_of() {
  printf 'The generator facts, %s pictures a fact, a world of its own for each seed; %s, `%s`, %s step of the penalty%s.\n' \
    "$pictures" "$arch" "$trained" "$step" "$([ -n "$lambda" ] || echo '; λ chosen on another world (`choose-lambda.sh`)')"
  printf 'mAP in %%: mean ± standard deviation over seeds; of differences between runs of the same seed the mean (95 %% interval). The facts of %s are searched for among the\n' "${1:-a set}"
  printf 'pictures of %s, test parts both. B1 and B2 are halves of the facts, which share words, B11 and B12 halves of B1. mas is g-MAS of\n' "${2:-this set}"
  printf 'the paper, by gradients, and local l-MAS, by activations; joint sees all at once.\n\n'
}

# facts_sequence "BATCHES": learns them in turn by each of the methods, and writes the page's table and JSON. How much more of the
# first than by finetuning each method keeps has its 95 % interval beside it.
facts_sequence() {
  batches=$1
  model() { echo "$models/$1-$(lambda_of "$experiment" "$1" facts)-$2.h5"; }  # METHOD SEED
  run() {
    fact_tasks "$batches" "$2"
    learn "$1" facts "$2" "$(lambda_of "$experiment" "$1" facts)" "$(model "$@")"
  }
  summary_file() { echo "$models/$1.json"; }  # METHOD
  results=()
  # shellcheck disable=SC2086
  learn_cells < <(printf '%s\n' $methods)
  local method i batch head='| | λ |' rule='|---|---|' row
  for method in $methods; do results+=("$method=$(summary_file "$method")"); done
  write_json "$out/$name.json" "${results[@]}"
  for batch in $batches; do head+=" $batch (drop) |" rule+='---|'; done
  [[ " $methods " != *" finetune "* ]] || head+=" ${batches%% *} above finetune |" rule+='---|'
  printf '%s mean |\n%s---|\n' "$head" "$rule"
  for method in $methods; do
    row="| $method | $(lambda_of "$experiment" "$method" facts) |" i=0
    for batch in $batches; do
      row+=" $(of_task "$i" accuracy "$(summary_file "$method")") ($(of_task "$i" drop "$(summary_file "$method")")) |"
      i=$((i + 1))
    done
    if [ "$method" = finetune ]; then
      row+=' |'
    elif [[ " $methods " == *" finetune "* ]]; then
      row+=" $(above 0 accuracy "$(summary_file "$method")" "$(summary_file finetune)") |"
    fi
    printf '%s\n' "$row $(cell acc "$(summary_file "$method")") |"
  done
}

# page TITLE [FACTS AMONG]: from standard input, below what says how it was made.
page() {
  {
    printf '# %s\n\n' "$1"
    made_by
    made_of "${@:2}"
    cat
  } >"$out/$name.md.part"
  mv "$out/$name.md.part" "$out/$name.md"
  cat "$out/$name.md"
}

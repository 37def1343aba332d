#!/usr/bin/env bats
# Help, man pages and options say the same.

load helper

tools="mas-train mas-importance mas-eval mas-export mas-data"

@test "help fits a screen, goes to standard output and has two examples" {
  for tool in $tools; do
    silent "$tool" --help >help
    [ "$(wc -l <help)" -le 60 ] || { echo "$tool: $(wc -l <help) lines"; false; }
    [ "$(awk '{ print length }' help | sort -n | tail -n 1)" -le 110 ] || { echo "$tool"; awk 'length > 110' help; false; }
    [ "$(sed -n '/^Examples:/,$p' help | grep -c "^  .*$tool")" -ge 2 ] || { echo "$tool: examples"; false; }
  done
}

@test "each tool's page and help have the same options" {
  for tool in $tools; do
    "$tool" --help | grep -oE '^  (-[a-z],)?--[a-z0-9-]+' | grep -oE -- '--[a-z0-9-]+' | sort >in-help
    grep -oE '^\*(-[a-z], )?--[a-z0-9-]+' "$MAS_SOURCE/man/$tool.1.scd" | grep -oE -- '--[a-z0-9-]+' | sort >in-page
    diff in-help in-page || { echo "$tool: help (<) and page (>) differ"; false; }
    [ -s in-help ]
  done
}

@test "every page is well-formed, with the same sections in the same order" {
  command -v scdoc >/dev/null || skip "needs scdoc"
  for page in "$MAS_SOURCE"/man/*.scd; do
    scdoc <"$page" >page.out || { echo "$page"; false; }
    case $page in *.1.scd)
      grep '^# ' "$page" | grep -vx '# JSON' | tr '\n' ' ' >sections
      [ "$(cat sections)" = "# NAME # SYNOPSIS # DESCRIPTION # OPTIONS # EXIT STATUS # EXAMPLES # SEE ALSO " ] || { echo "$page: $(cat sections)"; false; } ;;
    esac
  done
}

@test "the version is told" {
  for tool in $tools; do
    run -0 "$tool" --version
    [[ $output == "$tool "[0-9]*.[0-9]*.[0-9]* ]]
  done
}

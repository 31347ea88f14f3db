/**
 * Each asks `sublet __complete` with the words up to the cursor and gets one candidate a line,
 * `word<tab>what it is`. A last line `:files` leaves the rest to the shell.
 */
export const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

const bash = String.raw`# sublet: completion for bash. In ~/.bashrc: source <(sublet completion bash)
_sublet() {
  local IFS=$'\n' line files="" current="\${COMP_WORDS[COMP_CWORD]}"
  local words=("\${COMP_WORDS[@]:1:COMP_CWORD}")
  COMPREPLY=()
  while read -r line; do
    if [ "$line" = ":files" ]; then files=1; else COMPREPLY+=("\${line%%$'\t'*}"); fi
  done < <(sublet __complete -- "\${words[@]}" 2>/dev/null)
  if [ -n "$files" ]; then
    compopt -o default 2>/dev/null
    COMPREPLY=($(compgen -f -- "$current"))
  fi
}
complete -F _sublet sublet`;

const zsh = String.raw`#compdef sublet
# sublet: completion for zsh. In ~/.zshrc behind compinit: source <(sublet completion zsh)
_sublet() {
  local line files=""
  local -a words_found described
  while IFS= read -r line; do
    if [[ "$line" == ":files" ]]; then files=1; continue; fi
    words_found+=("\${line%%$'\t'*}")
    described+=("\${line/$'\t'/  -- }")
  done < <(sublet __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#words_found} )); then compadd -l -d described -a words_found; fi
  if [[ -n "$files" ]]; then _files; fi
}
if [[ "\${funcstack[1]}" == "_sublet" ]]; then _sublet "$@"; else compdef _sublet sublet; fi`;

const fish = `# sublet: completion for fish. sublet completion fish > ~/.config/fish/completions/sublet.fish
function __sublet_complete
    set -l typed (commandline -opc) (commandline -ct)
    set -l lines (sublet __complete -- $typed[2..-1] 2>/dev/null)
    for line in $lines
        if test "$line" = ":files"
            __fish_complete_path (commandline -ct)
        else
            echo $line
        end
    end
end
complete -c sublet -f -a '(__sublet_complete)'`;

/** `String.raw` keeps the backslash that keeps `${` from being JavaScript's. */
const unescaped = (script: string) => script.replaceAll("\\${", "${");

export const SCRIPTS: Readonly<Record<Shell, string>> = {
  bash: unescaped(bash),
  zsh: unescaped(zsh),
  fish,
};

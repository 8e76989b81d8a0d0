/** A command as one would type it, its arguments quoted where a shell wants that. */
export function npmCommand(script: string, argv: readonly string[]): string {
  return `npm run ${script} -- ${argv.map(quoted).join(" ")}`.trimEnd();
}

function quoted(word: string): string {
  return /^[\w./:=,@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

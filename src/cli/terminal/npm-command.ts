/** A command as a person would type it, with arguments quoted for a shell. */
export function npmCommand(script: string, argv: readonly string[]): string {
  return `npm run ${script} -- ${argv.map(quoted).join(" ")}`.trimEnd();
}

function quoted(word: string): string {
  return /^[\w./:=,@-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`;
}

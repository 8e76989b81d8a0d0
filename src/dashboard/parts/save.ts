/** Makes the browser save a file under a name. */
export function saveAs(name: string, content: Blob): void {
  const address = URL.createObjectURL(content);
  const link = document.createElement("a");
  link.href = address;
  link.download = name;
  link.click();
  // If the address were revoked at once, some browsers would lose the download.
  setTimeout(() => URL.revokeObjectURL(address), 10_000);
}

export function saveText(name: string, text: string, type: string): void {
  saveAs(name, new Blob([text], { type: `${type};charset=utf-8` }));
}

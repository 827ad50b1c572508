/** Words and names to be listened for, as they are set: with commas between. */
export function parseHotwords(hotwords: string | undefined): string[] {
  return (hotwords ?? '')
    .split(',')
    .map((phrase) => phrase.trim())
    .filter((phrase) => phrase !== '');
}

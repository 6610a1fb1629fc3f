export async function manualPage(): Promise<string> {
  return 'x';
}

let rehearsing = false;

/** Whether `rehearse` is under way: for the few who ask for other operators then. */
export const isRehearsing = (): boolean => rehearsing;
export function setRehearsing(on: boolean): void {
  rehearsing = on;
}

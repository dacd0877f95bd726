/** A set among joined ones: its people stand together. */
export interface PeopleShare {
  people: number;
  /** How often it is drawn from, over the sum of all. */
  weight: number;
}

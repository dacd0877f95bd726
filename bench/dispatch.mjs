// What one call of a tiny operator costs: y = x + x on one element, in microseconds. → one JSON line
import { noGrad, ones, scope } from "@omni-id/torch";

const x = ones([1]);
const CALLS = 20_000;
function round() {
  const began = performance.now();
  for (let i = 0; i < CALLS / 100; i++) {
    scope(() => {
      for (let k = 0; k < 100; k++) x.add(x);
    });
  }
  return (1000 * (performance.now() - began)) / CALLS;
}
const times = noGrad(() => Array.from({ length: 12 }, round)).sort((a, b) => a - b);
console.log(JSON.stringify({ microseconds: times[6] }));
